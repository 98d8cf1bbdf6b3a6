"""The parts of an entry: pieces of a picture, frames, pages, its words and its outline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from dar_retriever.encoders.base import Vectors

# Left, top, right and bottom, as shares of the width and height from 0 to 1.
Box: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class EntryPart:
    """Where in an entry a part is.

    Attributes:
        number: Its place among the parts of its entry, from 0.
        box: The piece of the picture; None if it is all of it.
        second: When the frame is shown, in seconds from the start; None if nothing moves.
        page: Number of the page, from 1; None if there are no pages.
        caption: The entry's caption, if the part is no picture but these words; else empty.
        outline: Whether it is the outline of the picture, which only drawings are compared with.
    """

    number: int
    box: Box | None = None
    second: float | None = None
    page: int | None = None
    caption: str = ""
    outline: bool = False

    def __str__(self) -> str:
        """For people: "page 3", "at 1:05", "upper left"."""
        told = []
        if self.page is not None:
            told.append(f"page {self.page}")
        if self.second is not None:
            told.append(f"at {int(self.second) // 60}:{int(self.second) % 60:02d}")
        if self.box is not None:
            told.append(_side(self.box))
        return ", ".join(told)

    def as_json(self) -> dict[str, Any]:
        """The number, and what there is of the other fields, as plain data."""
        found = {
            "box": self.box and list(self.box),
            "second": self.second,
            "page": self.page,
            "caption": self.caption or None,
            "outline": self.outline or None,
        }
        there = {name: value for name, value in found.items() if value is not None}
        return {"number": self.number, **there}

    @classmethod
    def of_json(cls, found: Mapping[str, Any]) -> EntryPart:
        """A part of its ``as_json``."""
        box = tuple(found.get("box") or ()) or None
        where = box, found.get("second"), found.get("page")
        return cls(found["number"], *where, found.get("caption", ""), found.get("outline", False))

    def as_text(self) -> str:
        """All of it as JSON."""
        return json.dumps(self.as_json())

    @classmethod
    def of_text(cls, text: str) -> EntryPart:
        """A part of its ``as_text``."""
        return cls.of_json(json.loads(text))


@dataclass(frozen=True, slots=True, eq=False)
class StoredPart:
    """A part to store, with its vector: float32 (d,), unit length."""

    part: EntryPart
    vector: Vectors


def part_id(entry: str, number: int) -> str:
    """The id under which the vector of an entry's part is stored."""
    return f"{entry}#{number}"


def entry_of(id: str) -> str:
    """The id of the entry that a part's id belongs to; other ids are an entry's own."""
    entry, sign, number = id.rpartition("#")
    return entry if sign and number.isdigit() else id


def _side(box: Box) -> str:
    """The nearest of nine places: "upper left", "centre", "right"."""
    left, top, right, bottom = box
    across = _third((left + right) / 2, "left", "right")
    down = _third((top + bottom) / 2, "upper", "lower")
    return " ".join(filter(None, (down, across))) or "centre"


def _third(place: float, low: str, high: str) -> str:
    return low if place < 0.4 else high if place > 0.6 else ""
