"""Whether anything in a store is close to what was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dar_retriever.query_encoder import EncodedQuery


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the best hits are close, and why not, for people."""

    close: bool = True
    reason: str = ""


class Closeness(Protocol):
    """Decides whether the hits of a query are worth showing."""

    def verdict(self, query: EncodedQuery) -> Verdict:
        """Whether anything in the store is close to a query."""
        ...
