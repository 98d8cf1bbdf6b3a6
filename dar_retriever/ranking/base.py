"""The protocol of re-rankers, and what they order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dar_retriever.encoders.base import Vectors
from dar_retriever.query_encoder import EncodedQuery
from dar_retriever.stores.hits import Hit


@dataclass(frozen=True, slots=True)
class Candidates:
    """The best hits of the vector search, for a re-ranker to order.

    Attributes:
        query: What is searched for: the caption and the exclusions in its trace, and all vectors.
        hits: The hits, best first.
        vectors: Their stored vectors: float32 (N, d) of unit length.
    """

    query: EncodedQuery
    hits: Sequence[Hit]
    vectors: Vectors


class Reranker(Protocol):
    """Scores candidates more closely than one vector can; the second stage of a search."""

    @property
    def name(self) -> str:
        """A name for people and for traces."""
        ...

    @property
    def depth(self) -> int:
        """How many of the best hits are worth ordering anew."""
        ...

    @property
    def reads_pictures(self) -> bool:
        """Whether it opens the pictures of the hits.

        Then it is slow, and only orders the final hits. Otherwise it reads vectors alone, and
        orders the first hits too.
        """
        ...

    def scores(self, candidates: Candidates) -> NDArray[np.floating[Any]]:
        """One score for each candidate, higher is better: (N,)."""
        ...
