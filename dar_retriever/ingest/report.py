"""Progress and report of an ingest."""

from __future__ import annotations

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
    """What an ingest did.

    Attributes:
        added: Number of images stored now.
        known: Number of images that were stored before.
        left_out: Files that could not be used, with reasons.
        seconds: Duration of the ingest.
        encoding: Seconds spent on encoding, summed over all workers. The rest of the time they
            waited for files or for the store.
    """

    added: int = 0
    known: int = 0
    left_out: list[LeftOut] = field(default_factory=list)
    seconds: float = 0.0
    encoding: float = 0.0

    @property
    def rate(self) -> float:
        """Images stored per second."""
        return self.added / self.seconds if self.seconds else 0.0

    def include(self, part: IngestReport) -> None:
        """Add the report of a part, except for its duration."""
        self.added += part.added
        self.known += part.known
        self.left_out += part.left_out
        self.encoding += part.encoding
