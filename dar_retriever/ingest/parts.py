"""Takes an entry apart: pieces of a picture, frames of an animation or film, pages of a PDF."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from PIL import Image

from dar_retriever.stores.entry_parts import Box, EntryPart
from dar_retriever.support.decoding import Decoded, decode
from dar_retriever.support.moving_pictures import is_document, is_film, stills

# Shares of the sides, and how many pieces lie side by side: see examples/benchmarks/parts.py.
_SCALES: Final = ((0.5, 2), (0.4, 4))
_SMALLEST: Final = 0.4


def is_taken_apart_only(content: bytes) -> bool:
    """Whether a file is a film or a document, of which only the parts are pictures."""
    return is_document(content) or is_film(content)


def taken_apart(
    content: bytes, name: str, side: int | None
) -> tuple[Decoded, Iterator[tuple[EntryPart, Image.Image]]]:
    """An entry's picture, and its parts one by one.

    Args:
        content: The file's bytes.
        name: What to call it in errors.
        side: Pixels per side that every part needs to have; all by default.

    Raises:
        InvalidImageError: It cannot be read; also while the parts are read.
    """
    if is_taken_apart_only(content):
        first = next(stills(content, name)).image
        return Decoded(first, *first.size), _frames(content, name)
    decoded = decode(content, name, side and round(side / _SMALLEST))
    if decoded.animated:
        return decoded, _frames(content, name)
    return decoded, _pieces(decoded.image)


def _frames(content: bytes, name: str) -> Iterator[tuple[EntryPart, Image.Image]]:
    for number, still in enumerate(stills(content, name)):
        yield EntryPart(number, second=still.second, page=still.page), still.image


def _pieces(image: Image.Image) -> Iterator[tuple[EntryPart, Image.Image]]:
    width, height = image.size
    for number, box in enumerate(_boxes()):
        left, top, right, bottom = box
        # A piece has a pixel at least.
        corners = (
            int(left * width),
            int(top * height),
            round(right * width),
            round(bottom * height),
        )
        piece = (*corners[:2], max(corners[2], corners[0] + 1), max(corners[3], corners[1] + 1))
        yield EntryPart(number, box), image.crop(piece)


def _boxes() -> Iterator[Box]:
    for share, side in _SCALES:
        starts = [round(place * (1 - share) / (side - 1), 4) for place in range(side)]
        for top in starts:
            for left in starts:
                yield left, top, round(left + share, 4), round(top + share, 4)
