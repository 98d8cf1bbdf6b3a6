"""The protocol of re-rankers, and what they order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import UndecidedError
from dar_retriever.fusion.calibration import FLAT
from dar_retriever.query_encoder import EncodedQuery
from dar_retriever.stores.hits import Hit, Shown

Scores: TypeAlias = NDArray[np.floating[Any]]


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

    def scores(self, candidates: Candidates) -> Scores:
        """One score for each candidate, higher is better: (N,).

        NaN where a candidate could not be scored, such as for want of its picture; it then comes
        last.
        """
        ...


class Explainer(Protocol):
    """Says which parts of the request each hit shows; implemented by ``PropositionReranker``."""

    def shown(self, candidates: Candidates) -> Sequence[tuple[Shown, ...]]:
        """For each candidate, what was asked for and whether it fits; may be empty."""
        ...


class Matcher(Protocol):
    """A model that reads a text and a picture together, such as a cross-encoder."""

    @property
    def name(self) -> str:
        """The model's name for people."""
        ...

    def match(self, texts: Sequence[str], images: Sequence[Image.Image]) -> Scores:
        """How well each text fits each RGB image, higher is better: (T, N), on any scale."""
        ...


def fit(candidates: Candidates, vector: Vectors) -> Scores:
    """How well each candidate fits a vector, in standard deviations among them: (N,)."""
    return standardised(candidates.vectors @ vector)


def standardised(scores: Scores) -> Scores:
    """Scores in standard deviations from their mean: (N,)."""
    result: Scores = (scores - scores.mean()) / max(float(scores.std()), FLAT)
    return result


def require_words(query: EncodedQuery, name: str) -> None:
    """Leave the order of the search where words say only a part of what is meant.

    Args:
        query: What is searched for.
        name: Of the re-ranker that reads words.

    Raises:
        UndecidedError: Nothing was said, or pictures were shown.
    """
    if query.text_vector is None or len(query.reference_vectors):
        raise UndecidedError(f"{name} reads words alone, and pictures were shown")


def require_words_alone(query: EncodedQuery, name: str) -> None:
    """Leave the order of the search where pictures have a say that words do not know of.

    Args:
        query: What is searched for.
        name: Of the re-ranker that reads words alone.

    Raises:
        UndecidedError: Nothing was said, or pictures were shown, liked or rejected.
    """
    require_words(query, name)
    if len(query.liked_vectors) or len(query.rejected_vectors):
        raise UndecidedError(f"{name} reads words alone, and pictures were judged")
