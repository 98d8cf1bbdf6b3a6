"""Folders of photographs as people have them, from the files to the first hit."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files_of_images import broken_files, photograph, save_photographs, write_lines
from PIL import Image

from dar_retriever.encoders import OpenClipEncoder
from dar_retriever.errors import (
    IngestError,
    InvalidImageError,
    InvalidInputError,
    StoreError,
)
from dar_retriever.ingest import ingest, ingest_images
from dar_retriever.query_encoder import DARQueryEncoder
from dar_retriever.retriever import DiffusionAugmentedRetriever
from dar_retriever.stores.hits import StoredImage
from dar_retriever.stores.image_store import ImageStore
from dar_retriever.support.images import open_image

PROBE = np.eye(1, 32, dtype=np.float32)[0]


class InterruptedByTestError(Exception):
    """What stops an ingest halfway."""


def save_all_kinds(folder: Path) -> list[str]:
    """One photograph in each of the forms that come out of cameras, phones and editors."""
    rotated = Image.Exif()
    rotated[0x0112] = 6
    grey = np.asarray(photograph(7).convert("L"), np.uint16) * 257
    faded = photograph(6).convert("RGBA")
    faded.putalpha(photograph(16).convert("L"))
    files: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "phone.jpg": (photograph(0), {"exif": rotated, "quality": 90}),
        "plain.JPG": (photograph(1), {"quality": 90}),
        "screen.png": (photograph(2), {}),
        "web.webp": (photograph(3), {"quality": 90}),
        "modern.avif": (photograph(8), {"quality": 90}),
        "print.jpeg": (photograph(4).convert("CMYK"), {"quality": 90}),
        "sub/palette.png": (photograph(5).quantize(64), {}),
        "sub/alpha.png": (faded, {}),
        "sub/deeper/sixteen bits.png": (Image.fromarray(grey), {}),
    }
    for name, (image, options) in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, **options)
    return list(files)


@pytest.fixture
def store(tiny_encoder: OpenClipEncoder) -> ImageStore:
    return ImageStore.in_memory(tiny_encoder)


@pytest.fixture
def run(store: ImageStore, tiny_encoder: OpenClipEncoder) -> Callable[..., Any]:
    """Ingests into the store."""
    return lambda source, **options: ingest(source, store, tiny_encoder, **options)


def stored_names(store: ImageStore) -> list[str]:
    return sorted(Path(hit.uri).name for hit in store.get(store.vectors()[0]))


def test_photographs_of_every_kind_find_themselves(
    store: ImageStore,
    tiny_encoder: OpenClipEncoder,
    run: Callable[..., Any],
    tmp_path: Path,
) -> None:
    names = save_all_kinds(tmp_path)
    report = run(tmp_path)
    assert (report.added, report.known, report.left_out) == (len(names), 0, [])
    assert report.seconds > 0
    retriever = DiffusionAugmentedRetriever(DARQueryEncoder(tiny_encoder), store)
    for name in names:
        hits = retriever.search(open_image(tmp_path / name), k=len(names)).hits
        assert hits[0].uri == str((tmp_path / name).resolve())
        # The weight of a picture beside no text is 1.
        assert hits[0].score == pytest.approx(1, abs=1e-3)
        assert len(hits) == len(names)
    [phone] = [hit for hit in hits if hit.uri.endswith("phone.jpg")]
    assert (phone.metadata["width"], phone.metadata["height"]) == (64, 96)
    assert phone.open().size == (64, 96)


def test_stored_vectors_are_those_of_the_encoder(
    store: ImageStore,
    tiny_encoder: OpenClipEncoder,
    run: Callable[..., Any],
    tmp_path: Path,
) -> None:
    paths = save_photographs(tmp_path, 7)
    run(tmp_path, batch_size=3)
    ids, vectors = store.vectors()
    expected = tiny_encoder.encode_images([open_image(path) for path in paths])
    by_uri = dict(zip((hit.uri for hit in store.get(ids)), vectors, strict=True))
    np.testing.assert_allclose([by_uri[str(p.resolve())] for p in paths], expected, atol=1e-5)


def test_a_second_run_adds_nothing(
    store: ImageStore, run: Callable[..., Any], tmp_path: Path
) -> None:
    save_photographs(tmp_path, 5)
    assert run(tmp_path).added == 5
    again = run(tmp_path, batch_size=2)
    assert (again.added, again.known, len(store)) == (0, 5, 5)
    photograph(999).save(tmp_path / "new.png")
    third = run(tmp_path)
    assert (third.added, third.known, len(store)) == (1, 5, 6)


def test_an_interrupted_run_goes_on(tiny_encoder: OpenClipEncoder, tmp_path: Path) -> None:
    save_photographs(tmp_path / "pictures", 10)

    def interrupt(done: int, total: int) -> None:
        if done >= 6:
            raise InterruptedByTestError

    store = ImageStore.on_disk(tmp_path / "store", tiny_encoder)
    with pytest.raises(InterruptedByTestError):
        ingest(tmp_path / "pictures", store, tiny_encoder, batch_size=2, progress=interrupt)
    kept = len(store)
    assert 4 <= kept <= 6
    again = ImageStore.on_disk(tmp_path / "store", tiny_encoder)
    report = ingest(tmp_path / "pictures", again, tiny_encoder, batch_size=2)
    assert (report.known, report.added) == (kept, 10 - kept)
    assert len(again) == 10


def test_unfit_files_are_reported_and_the_rest_is_stored(
    store: ImageStore, run: Callable[..., Any], tmp_path: Path
) -> None:
    save_photographs(tmp_path, 4)
    broken = broken_files()
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
    report = run(tmp_path, batch_size=3)
    assert (report.added, len(store)) == (4, 4)
    reasons = {Path(left.path).name: left.reason for left in report.left_out}
    assert reasons.keys() == broken.keys()
    assert all(name in reason for name, reason in reasons.items())
    assert "empty" in reasons["zero bytes.jpg"]
    assert "scale it down" in reasons["bomb.png"]


def test_files_that_are_no_images_by_name_are_passed_over(
    store: ImageStore, run: Callable[..., Any], tmp_path: Path
) -> None:
    save_photographs(tmp_path, 1)
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "no suffix").write_bytes(b"")
    report = run(tmp_path)
    assert (report.added, report.left_out) == (1, [])
    assert report.passed_over == {".txt": 1, "no suffix": 1}


def test_a_folder_of_broken_files_stores_nothing(
    store: ImageStore, run: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    report = run(tmp_path)
    assert (report.added, len(report.left_out), len(store)) == (0, 1, 0)


class SlowStore(ImageStore):
    """Still writing one batch while the next one is read."""

    def add(self, images: Sequence[StoredImage]) -> None:
        time.sleep(0.05)
        super().add(images)


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_duplicates_are_stored_once(
    batch_size: int, tiny_encoder: OpenClipEncoder, tmp_path: Path
) -> None:
    store = SlowStore.in_memory(tiny_encoder)
    [first, _, _] = save_photographs(tmp_path, 3)
    for number in range(3):
        shutil.copy(first, tmp_path / f"000 copy {number}.png")
    report = ingest(tmp_path, store, tiny_encoder, batch_size=batch_size)
    assert (report.added, report.known, len(store)) == (3, 3, 3)


@pytest.mark.parametrize("batch_size", [1, 64])
def test_every_copy_of_a_broken_file_is_reported(
    batch_size: int, store: ImageStore, run: Callable[..., Any], tmp_path: Path
) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"no image")
    report = run(tmp_path, batch_size=batch_size)
    assert (report.known, [Path(left.path).name for left in report.left_out]) == (
        0,
        ["a.jpg", "b.jpg"],
    )


def test_metadata_and_captions_are_read_from_the_folder(
    store: ImageStore, run: Callable[..., Any], tmp_path: Path
) -> None:
    names = save_all_kinds(tmp_path)
    write_lines(
        tmp_path,
        {"file_name": "web.webp", "caption": "ein Kleid, größer", "price": 30, "tags": ["a"]},
        {"file_name": "sub/deeper/sixteen bits.png", "caption": "grey", "width": 7},
        {"file_name": "not there.png", "caption": "nothing"},
    )
    assert run(tmp_path).added == len(names)
    hits = {Path(hit.uri).name: hit for hit in store.get(store.vectors()[0])}
    assert hits["web.webp"].caption == "ein Kleid, größer"
    assert hits["web.webp"].metadata["price"] == 30
    assert hits["web.webp"].metadata["tags"] == ["a"]
    assert hits["web.webp"].metadata["width"] == 96
    assert hits["sixteen bits.png"].caption == "grey"
    assert hits["sixteen bits.png"].metadata["width"] == 7
    assert hits["screen.png"].caption == ""
    found = store.search(store.vectors()[1][0], where={"price": 30})
    assert [hit.caption for hit in found] == ["ein Kleid, größer"]


def test_metadata_may_be_given_with_the_call(
    store: ImageStore, run: Callable[..., Any], tmp_path: Path
) -> None:
    paths = save_photographs(tmp_path, 2)
    write_lines(tmp_path, {"file_name": "000.png", "caption": "from the folder"})
    run(tmp_path, metadata={"001.png": {"caption": "from the call"}})
    assert sorted(hit.caption for hit in store.get(store.vectors()[0])) == ["", "from the call"]
    store.delete(store.vectors()[0])
    run(paths, metadata={str(paths[0]): {"caption": "by path"}})
    assert sorted(hit.caption for hit in store.get(store.vectors()[0])) == ["", "by path"]


@pytest.mark.parametrize("line", ["{broken", '["a list"]', '{"caption": "no name"}', "7"])
def test_a_broken_line_of_metadata_is_named(
    line: str, store: ImageStore, run: Callable[..., Any], tmp_path: Path
) -> None:
    save_photographs(tmp_path, 1)
    good = json.dumps({"file_name": "000.png"})
    (tmp_path / "metadata.jsonl").write_text(f"{good}\n\n{line}\n{good}\n")
    with pytest.raises(IngestError, match=r"metadata\.jsonl, line 3"):
        run(tmp_path)
    assert len(store) == 0


def test_line_separators_within_a_caption_break_no_line(
    store: ImageStore, run: Callable[..., Any], tmp_path: Path
) -> None:
    save_photographs(tmp_path, 1)
    entry = {"file_name": "000.png", "caption": "one\u2028two\x85three"}
    line = json.dumps(entry, ensure_ascii=False)
    (tmp_path / "metadata.jsonl").write_text(line + "\n", encoding="utf-8")
    assert run(tmp_path).added == 1
    [hit] = store.get(store.vectors()[0])
    assert hit.caption == entry["caption"]


def test_sources_without_an_image_are_refused(run: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(IngestError, match="not there"):
        run(tmp_path / "not there")
    with pytest.raises(IngestError, match="holds no image"):
        run(tmp_path)
    with pytest.raises(IngestError, match="empty list"):
        run([])
    (tmp_path / "file.png").write_bytes(b"")
    with pytest.raises(IngestError, match="not a folder"):
        run(str(tmp_path / "file.png"))


def test_a_missing_file_of_a_list_is_reported(
    store: ImageStore, run: Callable[..., Any], tmp_path: Path
) -> None:
    [path] = save_photographs(tmp_path, 1)
    report = run([path, str(tmp_path / "gone.png"), tmp_path])
    assert report.added == 1
    assert [Path(left.path) for left in report.left_out] == [tmp_path / "gone.png", tmp_path]
    assert "No such file" in report.left_out[0].reason
    assert "directory" in report.left_out[1].reason


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"workers": 0}])
def test_meaningless_options_are_refused(
    options: dict[str, int], run: Callable[..., Any], tmp_path: Path
) -> None:
    with pytest.raises(InvalidInputError, match=f"{next(iter(options))}=0"):
        run(tmp_path, **options)


def test_names_may_hold_anything(
    store: ImageStore, run: Callable[..., Any], tmp_path: Path
) -> None:
    names = ["with spaces.png", "new\nline.png", "größe 写真.png", "'\"#%?.png", ".hidden.png"]
    for number, name in enumerate(names):
        photograph(number, (24, 16)).save(tmp_path / name)
    write_lines(tmp_path, *({"file_name": name, "caption": name} for name in names))
    assert run(tmp_path).added == len(names)
    assert stored_names(store) == sorted(names)
    for hit in store.get(store.vectors()[0]):
        assert hit.caption == Path(hit.uri).name
        assert hit.open().size == (24, 16)


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 1), (3, 2), (4, 8), (64, 4)])
def test_progress_reaches_the_total(
    batch_size: int, workers: int, store: ImageStore, run: Callable[..., Any], tmp_path: Path
) -> None:
    save_photographs(tmp_path, 9)
    (tmp_path / "broken.png").write_bytes(b"")
    calls: list[tuple[int, int]] = []
    run(
        tmp_path,
        batch_size=batch_size,
        workers=workers,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls[-1] == (10, 10)
    assert [done for done, _ in calls] == [*range(batch_size, 10, batch_size), 10]
    assert len(store) == 9


def test_images_in_memory_are_saved_and_stored_with_their_metadata(
    store: ImageStore, tiny_encoder: OpenClipEncoder, tmp_path: Path
) -> None:
    images = [
        (photograph(1), {"caption": "first", "price": 3}),
        (photograph(2).convert("RGBA"), {"caption": "second"}),
        (photograph(3).convert("L"), {}),
    ]
    folder = tmp_path / "new" / "folder"
    report = ingest_images(images, folder, store, tiny_encoder, batch_size=2)
    assert (report.added, len(store)) == (3, 3)
    [hit] = store.search(tiny_encoder.encode_images([images[0][0]])[0], k=1)
    assert (hit.caption, hit.metadata["price"]) == ("first", 3)
    assert Path(hit.uri).parent == folder.resolve()
    assert hit.open().tobytes() == images[0][0].tobytes()
    again = ingest_images(images, folder, store, tiny_encoder)
    assert (again.added, again.known) == (0, 3)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "HSV", "F", "LAB"])
def test_images_in_memory_of_modes_that_png_has_not(
    mode: str, store: ImageStore, tiny_encoder: OpenClipEncoder, tmp_path: Path
) -> None:
    image = Image.new("L", (16, 16), 128) if mode == "F" else Image.new("RGB", (16, 16), "red")
    image = Image.new("LAB", (16, 16)) if mode == "LAB" else image.convert(mode)
    assert ingest_images([(image, {})], tmp_path, store, tiny_encoder).added == 1


def test_palette_images_of_other_colours_are_other_images(
    store: ImageStore, tiny_encoder: OpenClipEncoder, tmp_path: Path
) -> None:
    red, blue = Image.new("P", (16, 16), 0), Image.new("P", (16, 16), 0)
    red.putpalette([255, 0, 0])
    blue.putpalette([0, 0, 255])
    report = ingest_images([(red, {}), (blue, {})], tmp_path, store, tiny_encoder)
    assert (report.added, len(store)) == (2, 2)


def test_what_is_no_image_is_refused(
    store: ImageStore, tiny_encoder: OpenClipEncoder, tmp_path: Path
) -> None:
    with pytest.raises(InvalidImageError, match=r"dress\.png"):
        ingest_images([("dress.png", {})], tmp_path, store, tiny_encoder)  # type: ignore[list-item]


class CountingStore(ImageStore):
    """Knows how much it was told to write, and whether it may still."""

    written = 0
    most = 10**9

    def add(self, images: Sequence[StoredImage]) -> None:
        time.sleep(0.01)
        if self.written + len(images) > self.most:
            raise StoreError("full")
        super().add(images)
        self.written += len(images)


def test_progress_tells_only_of_what_is_written(
    tiny_encoder: OpenClipEncoder, tmp_path: Path
) -> None:
    save_photographs(tmp_path, 20)
    store = CountingStore.in_memory(tiny_encoder)
    told: list[tuple[int, int]] = []
    ingest(
        tmp_path,
        store,
        tiny_encoder,
        batch_size=3,
        progress=lambda done, _: told.append((done, len(store))),
    )
    assert told[-1] == (20, 20)
    assert all(done <= stored for done, stored in told)


def test_a_store_that_fails_ends_it_and_keeps_what_was_told_of(
    tiny_encoder: OpenClipEncoder, tmp_path: Path
) -> None:
    save_photographs(tmp_path, 20)
    store = CountingStore.in_memory(tiny_encoder)
    store.most = 10
    told: list[int] = []
    with pytest.raises(StoreError, match="full"):
        ingest(
            tmp_path, store, tiny_encoder, batch_size=4, progress=lambda done, _: told.append(done)
        )
    assert told == [4, 8]
    assert len(store) == 8
    store.most = 100
    assert ingest(tmp_path, store, tiny_encoder, batch_size=4).added == 12


class PlainEncoder:
    """An encoder that takes both steps in one, as one of somebody else's may."""

    def __init__(self, inner: OpenClipEncoder, unfit: int = -1) -> None:
        self.name, self.fingerprint = "plain", inner.fingerprint
        self.dimension, self.max_tokens = inner.dimension, inner.max_tokens
        self.count_tokens, self.encode_texts = inner.count_tokens, inner.encode_texts
        self._inner, self._unfit = inner, unfit

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        vectors = self._inner.encode_images(images)
        if 0 <= self._unfit < len(vectors):
            vectors[self._unfit] = np.nan
        return vectors


def test_an_encoder_without_steps_stores_the_same(
    store: ImageStore, tiny_encoder: OpenClipEncoder, run: Callable[..., Any], tmp_path: Path
) -> None:
    save_photographs(tmp_path, 5)
    run(tmp_path)
    plain = ImageStore.in_memory(tiny_encoder)
    assert ingest(tmp_path, plain, PlainEncoder(tiny_encoder)).added == 5
    ids, vectors = store.vectors()
    np.testing.assert_allclose(plain.vectors_of(ids), vectors, atol=1e-5)


def test_an_image_without_a_finite_vector_is_left_out_alone(
    store: ImageStore, tiny_encoder: OpenClipEncoder, tmp_path: Path
) -> None:
    save_photographs(tmp_path, 5)
    report = ingest(tmp_path, store, PlainEncoder(tiny_encoder, unfit=2))
    assert (report.added, len(store)) == (4, 4)
    [left] = report.left_out
    assert left.path.endswith("002.png")
    assert "finite" in left.reason


def test_a_field_that_cannot_be_stored_is_named_and_its_image_stays(
    store: ImageStore, run: Callable[..., Any], tmp_path: Path
) -> None:
    save_photographs(tmp_path, 3)
    report = run(tmp_path, metadata={"001.png": {"made by": object(), "price": 3}})
    assert (report.added, len(store), report.left_out) == (3, 3, [])
    [remark] = report.remarks
    assert remark.startswith("001.png: the metadata field 'made by' is left out: not JSON")
    assert [hit.metadata["price"] for hit in store.search(PROBE, 3, {"price": 3})] == [3]


def test_links_are_followed_within_the_folder_only(
    store: ImageStore, run: Callable[..., Any], tmp_path: Path
) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    save_photographs(inside / "real", 2)
    outside.mkdir()
    photograph(7).save(outside / "secret.png")
    (inside / "again.png").symlink_to(inside / "real" / "000.png")
    (inside / "out.png").symlink_to(outside / "secret.png")
    (inside / "dangling.png").symlink_to(tmp_path / "nothing.png")
    (inside / "folder").symlink_to(outside)
    (inside / "loop").symlink_to(inside)
    report = run(inside)
    assert (report.added, report.known) == (2, 1)
    reasons = {Path(left.path).name: left.reason for left in report.left_out}
    assert reasons.keys() == {"out.png", "dangling.png"}
    assert "link to a file outside the folder" in reasons["out.png"]
    assert "not there" in reasons["dangling.png"]
    assert report.passed_over == {"a link to a folder": 2}


def test_names_of_invalid_unicode_are_stored_and_opened(
    store: ImageStore, run: Callable[..., Any], tmp_path: Path
) -> None:
    name = os.fsdecode(b"caf\xe9 \xff%41.png")
    photograph(1, (24, 16)).save(tmp_path / name)
    assert run(tmp_path).added == 1
    [hit] = store.get(store.vectors()[0])
    assert hit.open().size == (24, 16)
    assert not hit.missing


def test_a_pipe_among_the_images_is_left_out(
    store: ImageStore, run: Callable[..., Any], tmp_path: Path
) -> None:
    save_photographs(tmp_path, 1)
    os.mkfifo(tmp_path / "pipe.png")
    report = run(tmp_path)
    assert (report.added, len(report.left_out)) == (1, 1)


def test_large_photographs_are_decoded_no_larger_than_the_encoder_needs(
    store: ImageStore, tiny_encoder: OpenClipEncoder, run: Callable[..., Any], tmp_path: Path
) -> None:
    rotated = Image.Exif()
    rotated[0x0112] = 6
    photograph(1, (1600, 1200)).save(tmp_path / "large.jpg", quality=95, exif=rotated)
    assert tiny_encoder.useful_side is not None
    assert tiny_encoder.useful_side < 300
    assert run(tmp_path).added == 1
    [ids, vectors] = store.vectors()
    [hit] = store.get(ids)
    assert (hit.metadata["width"], hit.metadata["height"]) == (1200, 1600)
    whole = tiny_encoder.encode_images([open_image(tmp_path / "large.jpg")])[0]
    assert float(vectors[0] @ whole) > 0.999
    # Something else than the very same numbers: it was decoded smaller.
    assert not np.array_equal(vectors[0], whole)


def test_pixels_of_few_files_are_in_memory_at_once(
    tiny_encoder: OpenClipEncoder, store: ImageStore, tmp_path: Path
) -> None:
    save_photographs(tmp_path, 60)

    class WatchedEncoder(PlainEncoder):
        """Counts pictures that are preprocessed and not yet encoded."""

        waiting = most = 0
        useful_side = None
        parallel_calls = 1

        def preprocess(self, image: Image.Image) -> Image.Image:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
            return image

        def encode_preprocessed(self, images: Sequence[Image.Image]) -> np.ndarray:
            self.waiting -= len(images)
            return self.encode_images(images)

    encoder = WatchedEncoder(tiny_encoder)
    assert ingest(tmp_path, store, encoder, batch_size=5).added == 60
    assert 5 <= encoder.most <= 2 * 5


def test_the_report_tells_the_rate_and_how_long_the_encoder_worked(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    save_photographs(tmp_path, 5)
    report = run(tmp_path)
    assert report.rate == pytest.approx(5 / report.seconds)
    assert 0 < report.encoding < report.seconds
