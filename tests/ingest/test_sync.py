"""A store that is kept in step with a folder whose files move, change, come and go."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files_of_images import photograph, save_photographs, settle, write_lines
from PIL import Image

from dar_retriever import ImageStore, IngestReport, StoreError, ingest, sync
from dar_retriever.ingest import reader
from dar_retriever.stores.hits import Hit, StoredImage


class CountingEncoder:
    """A joint encoder in a few lines that counts what it encodes."""

    name, fingerprint, dimension, max_tokens = "means", "4-means", 4, 77

    def __init__(self) -> None:
        self.encoded = 0

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        raise NotImplementedError

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        self.encoded += len(images)
        rows = [np.append(np.asarray(image, np.float32).mean((0, 1)) - 100, 9) for image in images]
        vectors = np.stack(rows).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


QUERY = np.array([0, 0, 0, 1], np.float32)


@pytest.fixture
def encoder() -> Any:
    return CountingEncoder()


@pytest.fixture
def store(encoder: Any) -> ImageStore:
    return ImageStore.in_memory(encoder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six settled pictures in two folders."""
    for name in ("2019", "2020"):
        save_photographs(tmp_path / "photos" / name, 3)
    for number, path in enumerate(sorted((tmp_path / "photos").rglob("*.png"))):
        photograph(number, (24, 16)).save(path)
    settle(tmp_path / "photos")
    return tmp_path / "photos"


@pytest.fixture
def keep(store: ImageStore, encoder: Any, folder: Path) -> Callable[..., IngestReport]:
    """Syncs the folder with the store."""
    return lambda where=folder, **options: sync(where, store, encoder, **options)


def counts(report: IngestReport) -> dict[str, int]:
    """The counts that are not 0."""
    names = ("added", "moved", "updated", "known", "gone")
    found = {name: getattr(report, name) for name in names}
    found["left_out"] = len(report.left_out)
    return {name: count for name, count in found.items() if count}


def hits(store: ImageStore) -> dict[str, Hit]:
    """All images by the folders and names of their first files."""
    found = store.get(store.vectors()[0])
    return {"/".join(Path(hit.uri).parts[-2:]): hit for hit in found}


def test_a_second_sync_reads_nothing(
    keep: Callable[..., IngestReport], encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert counts(keep()) == {"added": 6}
    monkeypatch.setattr(reader, "read_file", lambda _: pytest.fail("read"))
    assert counts(keep()) == {"known": 6}
    assert encoder.encoded == 6


def test_a_renamed_file_is_followed(
    keep: Callable[..., IngestReport], store: ImageStore, folder: Path, encoder: Any
) -> None:
    keep()
    before = set(store.vectors()[0])
    (folder / "2019/000.png").rename(folder / "2019/dog.png")
    assert counts(keep()) == {"moved": 1, "known": 5}
    assert set(store.vectors()[0]) == before
    assert encoder.encoded == 6
    assert hits(store)["2019/dog.png"].open().size == (24, 16)
    assert not any(hit.missing for hit in hits(store).values())


def test_a_renamed_subfolder_is_followed(
    keep: Callable[..., IngestReport], store: ImageStore, folder: Path, encoder: Any
) -> None:
    keep()
    (folder / "2019").rename(folder / "holidays")
    assert counts(keep(prune=False)) == {"moved": 3, "known": 3}
    assert encoder.encoded == 6
    assert {Path(hit.uri).parent.name for hit in hits(store).values()} == {"holidays", "2020"}


def test_a_renamed_top_folder_is_recognised_without_reading_a_file(
    keep: Callable[..., IngestReport],
    store: ImageStore,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep()
    moved = folder.rename(folder.parent / "pictures")
    monkeypatch.setattr(reader, "read_file", lambda _: pytest.fail("read"))
    assert counts(keep(moved)) == {"moved": 6}
    assert all(Path(hit.uri).is_relative_to(moved) for hit in hits(store).values())
    assert counts(keep(moved)) == {"known": 6}


def test_a_store_that_was_copied_with_its_pictures_finds_them(
    folder: Path, encoder: Any, tmp_path: Path
) -> None:
    sync(folder, ImageStore.on_disk(tmp_path / "store", encoder), encoder)
    there = tmp_path / "elsewhere"
    shutil.copytree(tmp_path / "store", there / "store")
    shutil.move(folder, there / "images")
    assert all(hit.missing for hit in hits(ImageStore.on_disk(there / "store", encoder)).values())

    roots = {"photos": there / "images"}
    opened = ImageStore.on_disk(there / "store", encoder, roots=roots)
    assert not any(hit.missing for hit in hits(opened).values())
    assert all(hit.open() for hit in opened.search(QUERY, 6))
    # For this opening only; a sync with the root remembers it.
    assert ImageStore.on_disk(there / "store", encoder).roots.folders == {"photos": str(folder)}
    report = sync(
        there / "images", ImageStore.on_disk(there / "store", encoder), encoder, root="photos"
    )
    assert counts(report) == {"moved": 6}
    again = ImageStore.on_disk(there / "store", encoder)
    assert not any(hit.missing for hit in hits(again).values())


def test_another_folder_with_files_of_the_same_names_is_not_taken_for_a_lost_one(
    keep: Callable[..., IngestReport], store: ImageStore, folder: Path
) -> None:
    keep()
    folder.rename(folder.parent / "unplugged")
    save_photographs(folder.parent / "other" / "2019", 3)
    save_photographs(folder.parent / "other" / "2020", 3)
    for number, path in enumerate(sorted((folder.parent / "other").rglob("*.png"))):
        photograph(50 + number, (30, 20)).save(path)
    assert counts(keep(folder.parent / "other")) == {"added": 6}
    assert store.roots.folders.keys() == {"photos", "other"}
    assert len(store) == 12


def test_changed_metadata_are_taken_over(
    keep: Callable[..., IngestReport], store: ImageStore, folder: Path, encoder: Any
) -> None:
    first = {"file_name": "2019/000.png", "caption": "a dog", "tags": ["dog"], "old": 1}
    write_lines(folder, first, {"file_name": "2019/001.png", "caption": "a cat"})
    keep()
    write_lines(
        folder,
        {"file_name": "2019/000.png", "caption": "our dog", "tags": ["dog", "beach"]},
        {"file_name": "2019/001.png", "caption": "a cat"},
    )
    assert counts(keep()) == {"updated": 1, "known": 5}
    assert encoder.encoded == 6
    [dog] = store.search(QUERY, 6, {"tags": "beach"})
    assert (dog.caption, "old" in dog.metadata) == ("our dog", False)
    assert dog.score == pytest.approx(store.vectors_of([dog.id])[0] @ QUERY, abs=1e-5)
    write_lines(folder, {"file_name": "2019/001.png", "caption": "a cat"})
    assert counts(keep()) == {"updated": 1, "known": 5}
    assert store.get([dog.id])[0].caption == ""


def test_without_any_metadata_what_is_stored_stays(
    keep: Callable[..., IngestReport], store: ImageStore
) -> None:
    keep(metadata={"2019/000.png": {"caption": "a dog"}})
    assert counts(keep()) == {"known": 6}
    assert hits(store)["2019/000.png"].caption == "a dog"


def test_an_edited_file_replaces_its_picture(
    keep: Callable[..., IngestReport], store: ImageStore, folder: Path, encoder: Any
) -> None:
    write_lines(folder, {"file_name": "2019/000.png", "caption": "a dog"})
    keep()
    before = {hit.uri: hit.id for hit in hits(store).values()}
    photograph(99, (24, 16)).save(folder / "2019/000.png")
    assert counts(keep(prune=False)) == {"added": 1, "known": 5}
    assert len(store) == 6
    [dog] = [hit for hit in store.get(store.vectors()[0]) if hit.caption == "a dog"]
    assert dog.uri == str(folder / "2019/000.png")
    assert dog.id != before[dog.uri]
    shown = encoder.encode_images([photograph(99, (24, 16))])[0]
    np.testing.assert_allclose(store.vectors_of([dog.id])[0], shown, atol=1e-5)


def test_an_edit_that_keeps_size_and_time_of_a_fresh_file_is_seen(
    keep: Callable[..., IngestReport], store: ImageStore, folder: Path
) -> None:
    bmp = folder / "fresh.bmp"
    photograph(7, (24, 16)).save(bmp)
    keep()
    stored, times = set(store.vectors()[0]), bmp.stat()
    photograph(8, (24, 16)).save(bmp)
    os.utime(bmp, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert bmp.stat().st_size == times.st_size
    assert counts(keep()) == {"added": 1, "known": 6}
    assert len(store) == 7
    assert set(store.vectors()[0]) != stored


def test_files_that_are_gone_are_counted_and_removed_when_asked_for(
    keep: Callable[..., IngestReport], store: ImageStore, folder: Path, encoder: Any
) -> None:
    keep()
    (folder / "2019/000.png").unlink()
    report = ingest(folder, store, encoder)
    assert (counts(report), report.pruned, len(store)) == ({"known": 5, "gone": 1}, False, 6)
    report = keep()
    assert (counts(report), report.pruned, len(store)) == ({"known": 5, "gone": 1}, True, 5)
    assert counts(keep()) == {"known": 5}


def test_a_picture_under_two_names_is_one_hit_with_both_places_and_metadata(
    keep: Callable[..., IngestReport], store: ImageStore, folder: Path
) -> None:
    shutil.copy(folder / "2019/000.png", folder / "2020/same.png")
    write_lines(
        folder,
        {"file_name": "2019/000.png", "caption": "a dog", "album": "holiday", "year": 2019},
        {"file_name": "2020/same.png", "caption": "our dog", "album": "best of", "year": 2019},
    )
    assert counts(keep()) == {"added": 6, "known": 1}
    for album in ("holiday", "best of"):
        [hit] = store.search(QUERY, 9, {"album": album, "year": 2019})
        assert hit.caption == "a dog / our dog"
        assert hit.metadata["album"] == ["holiday", "best of"]
        assert (hit.uri, hit.copies) == (
            str(folder / "2019/000.png"),
            (str(folder / "2020/same.png"),),
        )
    (folder / "2019/000.png").unlink()
    assert not store.get([hit.id])[0].missing
    assert store.get([hit.id])[0].open().size == (24, 16)
    assert counts(keep()) == {"known": 6, "gone": 1}
    [hit] = store.get([hit.id])
    assert (hit.caption, hit.metadata["album"], hit.copies) == ("our dog", "best of", ())
    assert store.search(QUERY, 9, {"album": "holiday"}) == []


def test_files_that_swap_their_names_swap_their_places(
    keep: Callable[..., IngestReport], store: ImageStore, folder: Path, encoder: Any
) -> None:
    keep()
    one, two = folder / "2019/000.png", folder / "2019/001.png"
    ids = {hit.uri: hit.id for hit in hits(store).values() if "2019" in hit.uri}
    one.rename(folder / "x")
    two.rename(one)
    (folder / "x").rename(two)
    keep()
    swapped = {hit.uri: hit.id for hit in store.get(list(ids.values()))}
    assert swapped[str(one)] == ids[str(two)]
    assert swapped[str(two)] == ids[str(one)]
    assert encoder.encoded == 6


def test_a_picture_that_moved_to_another_folder_of_the_store_is_followed(
    keep: Callable[..., IngestReport], store: ImageStore, folder: Path, encoder: Any
) -> None:
    keep()
    other = folder.parent / "archive"
    save_photographs(other, 1)
    shutil.move(folder / "2019/000.png", other / "old.png")
    assert counts(keep(other)) == {"added": 1, "moved": 1}
    assert encoder.encoded == 7
    assert counts(keep()) == {"known": 5}


def test_a_copy_in_another_folder_is_known_and_takes_no_place_away(
    keep: Callable[..., IngestReport], store: ImageStore, folder: Path
) -> None:
    keep()
    (folder.parent / "other").mkdir()
    shutil.copy(folder / "2019/000.png", folder.parent / "other" / "copy.png")
    assert counts(keep(folder.parent / "other")) == {"known": 1}
    assert len(store) == 6
    assert [len(hit.copies) for hit in store.get(store.vectors()[0]) if hit.copies] == [1]
    assert counts(keep()) == {"known": 6}


def test_what_another_process_stores_meanwhile_keeps_its_places(
    folder: Path, encoder: Any, tmp_path: Path
) -> None:
    class Overtaken(ImageStore):
        """Lists its records before another process adds to them."""

        def records(self, ids: Any = None) -> Any:
            return iter(()) if ids is None else super().records(ids)

    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(folder / "2019/000.png", other / "copy.png")
    opened = Overtaken.on_disk(tmp_path / "store", encoder)
    sync(other, opened, encoder)
    assert counts(sync(folder, opened, encoder)) == {"added": 5, "known": 1}
    [shared] = [hit for hit in opened.get(opened.vectors()[0]) if hit.copies]
    assert {shared.uri, *shared.copies} == {str(other / "copy.png"), str(folder / "2019/000.png")}


def test_a_subfolder_alone_can_be_kept_in_step(
    keep: Callable[..., IngestReport], store: ImageStore, folder: Path
) -> None:
    keep()
    (folder / "2019/000.png").unlink()
    (folder / "2020/000.png").unlink()
    assert counts(keep(folder / "2019")) == {"known": 2, "gone": 1}
    assert len(store) == 5
    assert list(store.roots.folders) == ["photos"]


def test_the_parent_of_a_folder_knows_what_was_stored_of_it(
    keep: Callable[..., IngestReport], store: ImageStore, folder: Path, encoder: Any
) -> None:
    keep(folder / "2019")
    assert counts(keep()) == {"added": 3, "known": 3}
    assert encoder.encoded == 6
    assert not any(hit.missing for hit in hits(store).values())


def test_what_cannot_be_looked_into_is_not_gone(
    keep: Callable[..., IngestReport],
    store: ImageStore,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep()
    scandir = os.scandir

    def refusing(path: Path) -> Any:
        if Path(path).name == "2020":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    report = keep()
    assert counts(report) == {"known": 3, "left_out": 1}
    assert report.left_out[0].path == str(folder / "2020")
    assert "cannot be listed: Permission denied" in report.left_out[0].reason
    assert len(store) == 6


def test_a_file_that_cannot_be_read_now_keeps_its_record(
    keep: Callable[..., IngestReport],
    store: ImageStore,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep()
    os.utime(folder / "2019/000.png")
    opened = os.open

    def refusing(path: Any, *arguments: Any, **options: Any) -> int:
        if str(path).endswith("2019/000.png"):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refusing)
    assert counts(keep()) == {"known": 5, "left_out": 1}
    assert len(store) == 6


def test_a_file_that_broke_loses_its_picture(
    keep: Callable[..., IngestReport], store: ImageStore, folder: Path
) -> None:
    keep()
    (folder / "2019/000.png").write_bytes(b"no image any more")
    assert counts(keep(prune=False)) == {"known": 5, "left_out": 1}
    assert len(store) == 5


def test_an_empty_folder_is_a_disk_that_is_not_connected(
    keep: Callable[..., IngestReport], store: ImageStore, folder: Path
) -> None:
    keep()
    shutil.rmtree(folder)
    folder.mkdir()
    with pytest.raises(Exception, match=r"holds no images.*disk is connected"):
        keep()
    assert len(store) == 6


def test_a_store_that_an_earlier_version_filled_is_searched_and_then_converted(
    keep: Callable[..., IngestReport], store: ImageStore, folder: Path, encoder: Any
) -> None:
    keep()
    records = list(store.records())
    old = ImageStore.in_memory(encoder)
    for record in records:
        [vector] = store.vectors_of([record.id])
        uri = str(folder / record.copies[0].path)
        metadata = {"width": 24, "height": 16, "tags": '["a"]'}
        old.add([StoredImage(record.id, vector, uri, "as before", metadata)])
    assert all(hit.open() and hit.caption == "as before" for hit in old.search(QUERY, 6))

    (folder / "2019").rename(folder / "moved")
    report = sync(folder, old, encoder)
    assert counts(report) == {"moved": 3, "known": 3}
    assert encoder.encoded == 6
    assert all(hit.caption == "as before" and not hit.missing for hit in hits(old).values())
    assert all(record.tracked for record in old.records())
    assert all(hit.metadata["width"] == 24 for hit in hits(old).values())
    write_lines(folder, {"file_name": "2020/000.png", "caption": "new"})
    report = sync(folder, old, encoder)
    assert counts(report) == {"updated": 6}
    assert sorted(hit.caption for hit in hits(old).values()) == [*[""] * 5, "new"]


def test_a_list_of_files_follows_places_but_removes_nothing(
    store: ImageStore, folder: Path, encoder: Any
) -> None:
    paths = sorted(folder.rglob("*.png"))
    assert counts(ingest(paths, store, encoder)) == {"added": 6}
    paths[0].rename(folder / "new.png")
    assert counts(ingest([folder / "new.png"], store, encoder)) == {"moved": 1}
    assert counts(ingest([paths[1]], store, encoder)) == {"known": 1}
    assert not any(hit.missing for hit in hits(store).values())
    assert len(store) == 6


def test_the_drawings_in_a_stores_own_folder_are_not_indexed(folder: Path, encoder: Any) -> None:
    kept = ImageStore.on_disk(folder / "dar-store", encoder)
    save_photographs(folder / "dar-store" / "generated", 2)
    report = sync(folder, kept, encoder)
    assert counts(report) == {"added": 6}
    assert report.passed_over["a store's folder"] == 1


def test_a_looping_link_is_named_and_the_rest_goes_on(
    keep: Callable[..., IngestReport], folder: Path
) -> None:
    (folder / "a loop.png").symlink_to(folder / "a loop.png")
    report = keep()
    assert counts(report) == {"added": 6, "left_out": 1}
    assert report.left_out[0].path.endswith("a loop.png")
    assert "leads nowhere" in report.left_out[0].reason


def test_a_path_beyond_the_systems_limit_is_named(
    keep: Callable[..., IngestReport], folder: Path
) -> None:
    deep = os.open(folder, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("zz" * 120, dir_fd=deep)
        inner = os.open("zz" * 120, os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = inner
    os.close(deep)
    report = keep()
    assert counts(report) == {"added": 6, "left_out": 1}
    assert "cannot be listed: File name too long" in report.left_out[0].reason
    # pytest cannot remove what it cannot name.
    os.system(f"rm -rf '{folder}/{'zz' * 120}'")  # noqa: S605


def test_stores_that_do_not_remember_files_are_refused(folder: Path, encoder: Any) -> None:
    class Plain:
        def known(self, ids: Any) -> set[str]:
            return set()

        def add(self, images: Any) -> None: ...

    with pytest.raises(StoreError, match=r"Plain does not remember .*ingest"):
        sync(folder, Plain(), encoder)


def test_paths_are_stored_relative_to_the_root(
    keep: Callable[..., IngestReport], store: ImageStore, folder: Path
) -> None:
    keep()
    stored = store._chroma.read(lambda collection: collection.get(include=["metadatas"]))
    assert str(folder) not in json.dumps(stored["metadatas"])
    assert {row["uri"] for row in stored["metadatas"]} == {
        path.relative_to(folder).as_posix() for path in folder.rglob("*.png")
    }
