"""The usual scores of an encoder in a store, as a scale for judging texts and images."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Final, Protocol

from dar_retriever.encoders.base import Vectors

# Smaller differences between scores are rounding errors.
FLAT: Final = 1e-6

# Fewer images do not tell what is usual.
_FEWEST: Final = 20
_HITS: Final = 50
_REMEMBERED: Final = 32


class Neighbours(Protocol):
    """Stored vectors to compare a query with; implemented by ``ImageStore``."""

    def sample(self) -> Vectors:
        """A random sample of some hundred stored vectors: (N, d).

        Every call returns the same array, until the store has changed so much that a new sample is
        needed.
        """
        ...

    def nearest(self, vector: Vectors, k: int) -> Vectors:
        """The stored vectors with the highest scores, best first: (k or fewer, d)."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The scores of a text in a store, and its best hits.

    Attributes:
        mean: Mean score over the store.
        spread: Standard deviation of the scores over the store, above 0.
        hits: Vectors of the best hits, best first: (N, d).
        scores: Scores of the best hits: (N,).
    """

    mean: float
    spread: float
    hits: Vectors
    scores: Vectors


class Calibration:
    """Measures how a vector's scores are distributed over a store, and finds a text's best hits.

    Each new text costs one nearest-neighbour query. The results are kept until the store's sample
    changes.

    Args:
        neighbours: The store.
    """

    def __init__(self, neighbours: Neighbours) -> None:
        self._neighbours = neighbours
        self._known: OrderedDict[bytes, Surroundings | None] = OrderedDict()
        self._sample: Vectors | None = None
        self._lock = Lock()

    def around(self, text: Vectors) -> Surroundings | None:
        """A text's scores and best hits; None if the store is too small to tell what is usual.

        Args:
            text: (d,) of unit length.
        """
        key, sample = text.tobytes(), self._neighbours.sample()
        with self._lock:
            if sample is not self._sample:
                self._known.clear()
                self._sample = sample
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        found = self._look_around(text, sample)
        with self._lock:
            self._known[key] = found
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return found

    def sample(self) -> Vectors | None:
        """What everything is compared with; None if the store is too small to tell what is usual.

        See ``Neighbours``.
        """
        sample = self._neighbours.sample()
        return sample if len(sample) >= _FEWEST else None

    def spread(self, vector: Vectors) -> float:
        """The standard deviation of a vector's scores over the store."""
        return float((self._neighbours.sample() @ vector).std())

    def standing(self, vector: Vectors, image: Vectors) -> float:
        """How many standard deviations a vector scores an image above the mean of the store."""
        usual = self._neighbours.sample() @ vector
        above = float(vector @ image) - float(usual.mean())
        return above / max(float(usual.std()), FLAT)

    def _look_around(self, text: Vectors, sample: Vectors) -> Surroundings | None:
        if len(sample) < _FEWEST:
            return None
        scores = sample @ text
        spread = float(scores.std())
        if spread < FLAT:
            return None
        # At most a quarter of a small store, so that the best hits are better than the rest.
        hits = self._neighbours.nearest(text, min(_HITS, len(sample) // 4))
        return Surroundings(float(scores.mean()), spread, hits, hits @ text)
