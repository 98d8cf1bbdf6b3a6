"""Progress and report of an ingest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that was not stored, and why."""

    path: str
    reason: str


@dataclass(slots=True)
class IngestReport:
    """What an ingest or a sync did. Every image file of the source is counted once.

    Attributes:
        added: Files whose image was stored now.
        moved: Files whose image was stored before, when it lay elsewhere.
        updated: Files whose image was stored before, with other metadata.
        known: Files that were stored before, or whose image was; nothing is new about them.
        gone: Stored files that are no longer there.
        pruned: Whether the files that are gone were removed from the store.
        near_duplicates: Added images that are nearly the same as another, if that was looked for.
        passed_over: How many files are no images by their name, by suffix.
        left_out: Files that could not be used, with reasons.
        captioned: Pictures that a captioner put into words now.
        uncaptioned: Pictures that it should have put into words, with the reasons why it did not.
        outlined: Pictures that got an outline now.
        remarks: What else should be known, such as metadata that name no file.
        seconds: Duration of the ingest.
        encoding: Seconds spent on encoding, summed over all workers. The rest of the time they
            waited for files or for the store.
    """

    added: int = 0
    known: int = 0
    left_out: list[LeftOut] = field(default_factory=list)
    seconds: float = 0.0
    encoding: float = 0.0
    moved: int = 0
    updated: int = 0
    gone: int = 0
    pruned: bool = False
    near_duplicates: int = 0
    passed_over: dict[str, int] = field(default_factory=dict)
    captioned: int = 0
    uncaptioned: list[LeftOut] = field(default_factory=list)
    outlined: int = 0
    remarks: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Images stored per second."""
        return self.added / self.seconds if self.seconds else 0.0

    def include(self, part: IngestReport) -> None:
        """Add the report of a part, except for its duration."""
        self.added += part.added
        self.known += part.known
        self.moved += part.moved
        self.updated += part.updated
        self.gone += part.gone
        self.pruned |= part.pruned
        self.near_duplicates += part.near_duplicates
        self.left_out += part.left_out
        self.remarks += part.remarks
        self.captioned += part.captioned
        self.uncaptioned += part.uncaptioned
        self.outlined += part.outlined
        self.passed_over = dict(Counter(self.passed_over) + Counter(part.passed_over))
        self.encoding += part.encoding
