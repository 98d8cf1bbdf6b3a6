"""One part of what a user means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["wanted", "unwanted", "filter"]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of what was understood.

    Attributes:
        kind: What the image shows, what it does not show, or what no picture shows.
        phrase: Its words.
    """

    kind: Kind
    phrase: str
