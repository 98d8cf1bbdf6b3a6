"""Pieces of pictures, frames of animations and films, pages of PDFs, from files to hits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files_of_images import settle
from PIL import Image

from dar_retriever import ImageStore, IngestReport, ingest, sync
from dar_retriever.ingest.migration import migrate

COLOURS = {
    "red": (230, 20, 20),
    "green": (20, 200, 30),
    "blue": (20, 40, 230),
    "yellow": (230, 220, 20),
}
CORNERS = [(0, 0), (1, 0), (0, 1), (1, 1)]


class Colours:
    """A joint encoder that sees the mean colour."""

    name, fingerprint, dimension, max_tokens = "colours", "4-colours", 4, 77

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return self.encode_images([Image.new("RGB", (4, 4), COLOURS[text]) for text in texts])

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        rows = [np.append(np.asarray(image, np.float32).mean((0, 1)) - 120, 9) for image in images]
        return np.stack([row / np.linalg.norm(row) for row in rows]).astype(np.float32)


ENCODER: Any = Colours()


def pictures() -> list[Image.Image]:
    return [Image.new("RGB", (64, 64), colour) for colour in COLOURS.values()]


def save_sheet(folder: Path) -> None:
    sheet = Image.new("RGB", (128, 128))
    for picture, (x, y) in zip(pictures(), CORNERS, strict=True):
        sheet.paste(picture, (64 * x, 64 * y))
    sheet.save(folder / "sheet.png")


def save_animation(folder: Path, kind: str) -> None:
    first, *others = pictures()
    first.save(
        folder / f"moving.{kind}", save_all=True, append_images=others, duration=2000, lossless=True
    )


def save_film(folder: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(str(folder / "moving.mp4"), "w") as film:
        stream = film.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 64
        for picture in pictures():
            for _ in range(10):
                film.mux(stream.encode(av.VideoFrame.from_image(picture)))
        film.mux(stream.encode())


def save_pages(folder: Path) -> None:
    first, *others = pictures()
    first.save(folder / "pages.pdf", save_all=True, append_images=others)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


@pytest.fixture
def store() -> ImageStore:
    return ImageStore.in_memory(ENCODER)


def keep(folder: Path, store: ImageStore, *, parts: bool = True) -> IngestReport:
    settle(folder)
    return sync(folder, store, ENCODER, parts=parts)


def found(store: ImageStore) -> list[Any]:
    hits = [store.search(vector, 1)[0] for vector in ENCODER.encode_texts(list(COLOURS))]
    assert all(hit.part is not None for hit in hits)
    return [hit.part for hit in hits]


def test_a_thing_in_a_corner_is_found_with_its_box(folder: Path, store: ImageStore):
    save_sheet(folder)
    keep(folder, store)
    for part, (x, y) in zip(found(store), CORNERS, strict=True):
        left, top, right, bottom = part.box
        assert x / 2 <= left < right <= (x + 1) / 2
        assert y / 2 <= top < bottom <= (y + 1) / 2


@pytest.mark.parametrize("kind", ["gif", "webp", "mp4"])
def test_a_moment_is_found_with_its_second(folder: Path, store: ImageStore, kind: str):
    if kind == "mp4":
        save_film(folder)
    else:
        save_animation(folder, kind)
    assert keep(folder, store).added == 1
    for place, part in enumerate(found(store)):
        assert 2 * place - 1 <= part.second <= 2 * place + 2
    for colour, vector in zip(COLOURS, ENCODER.encode_texts(list(COLOURS)), strict=True):
        shown = np.asarray(store.search(vector, 1)[0].open(), float).mean((0, 1))
        assert np.allclose(shown, COLOURS[colour], atol=12)


def test_a_page_is_found_with_its_number(folder: Path, store: ImageStore):
    pytest.importorskip("pypdfium2")
    save_pages(folder)
    keep(folder, store)
    assert [part.page for part in found(store)] == [1, 2, 3, 4]
    [hit] = store.search(ENCODER.encode_texts(["blue"])[0], 1)
    assert np.allclose(np.asarray(hit.open(), float).mean((0, 1)), COLOURS["blue"], atol=12)


def test_films_and_documents_that_cannot_be_read_are_left_out(folder: Path, store: ImageStore):
    save_sheet(folder)
    (folder / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(200))
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing more")
    report = keep(folder, store)
    assert report.added == 1
    assert {Path(left.path).name for left in report.left_out} == {"broken.mp4", "broken.pdf"}


def test_a_store_gets_parts_afterwards_and_keeps_getting_them(folder: Path, store: ImageStore):
    save_sheet(folder)
    (folder / "copy.png").write_bytes((folder / "sheet.png").read_bytes())
    settle(folder)
    ingest(folder, store, ENCODER, metadata={"sheet.png": {"caption": "four"}})
    assert not store.has_parts
    assert keep(folder, store).added == 1
    [record] = store.records()
    assert (len(record.copies), record.caption) == (2, "four")
    # Without asking again: an animation is taken apart, and nothing else is read anew.
    save_animation(folder, "gif")
    report = keep(folder, store, parts=False)
    assert (report.added, report.known) == (1, 2)
    assert len(store.with_parts(record.id for record in store.records())) == 2
    (folder / "moving.gif").unlink()
    keep(folder, store, parts=False)
    assert {hit.file_name for hit in store.search(ENCODER.encode_texts(["red"])[0])} == {"copy.png"}


def test_parts_move_to_another_encoder(folder: Path, store: ImageStore):
    save_sheet(folder)
    keep(folder, store)
    other: Any = Colours()
    other.fingerprint = "other-colours"
    new = ImageStore.in_memory(other)
    migrate(store, new, other)
    assert found(new) == found(store)
