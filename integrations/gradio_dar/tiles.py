"""Hits as pictures on the wall: their thumbnails, and how they moved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from PIL import Image

from dar_retriever import DARError, Hit
from dar_retriever.stores.entry_parts import EntryPart
from dar_retriever.support.images import data_url
from gradio_dar.talk import Talk

SIDE: Final = 256
"""Longest side of a thumbnail in pixels."""
# Panoramas are cut to this shape on the wall.
_LONGEST: Final = 2.2
# Thumbnails of hits that come again from turn to turn.
_REMEMBERED: Final = 2048


@dataclass(frozen=True, slots=True)
class Tile:
    """One hit, its thumbnail and how many places it moved."""

    hit: Hit
    rank: int
    url: str
    direction: str
    places: str
    ratio: float


def tile(talk: Talk, hit: Hit, rank: int) -> Tile:
    """A hit of a talk, by its rank from 1."""
    moved, places, direction = None, "", ""
    if talk.found_before and talk.stage != "searching" and talk.hit(hit.id):
        moved = talk.moved(hit)
        direction = "new" if moved is None else "up" if moved > 0 else "down" if moved else "same"
        places = str(abs(moved)) if moved else ""
    url, ratio = thumbnail_of(hit.id, hit.uri, hit.part)
    return Tile(hit, rank, url, direction, places, ratio)


@lru_cache(maxsize=_REMEMBERED)
def thumbnail_of(id: str, uri: str, part: EntryPart | None) -> tuple[str, float]:
    """A hit's picture and its width by height; empty where its file is gone."""
    try:
        image: Image.Image = Hit(id, 0.0, uri, part=part).open()
    except DARError:
        return "", 1.0
    ratio = image.width / image.height
    return data_url(image, SIDE), min(max(ratio, 1 / _LONGEST), _LONGEST)
