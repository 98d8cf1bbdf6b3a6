"""What an ingest tells: how far it is, and what it did."""

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
        added: Images stored now.
        known: Images that were stored before.
        left_out: Files that could not be used.
        seconds: How long it took.
        encoding: Seconds that encoders worked, of all workers together; in the others they waited
            for files or for the store.
    """

    added: int = 0
    known: int = 0
    left_out: list[LeftOut] = field(default_factory=list)
    seconds: float = 0.0
    encoding: float = 0.0

    @property
    def rate(self) -> float:
        """Images stored a second."""
        return self.added / self.seconds if self.seconds else 0.0

    def include(self, part: IngestReport) -> None:
        """Count a part of the work in; the time goes on by itself."""
        self.added += part.added
        self.known += part.known
        self.left_out += part.left_out
        self.encoding += part.encoding
