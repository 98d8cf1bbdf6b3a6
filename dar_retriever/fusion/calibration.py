"""What is normal for an encoder in a store: the scale that scores and images are judged by."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Final, Protocol

from dar_retriever.encoders.base import Vectors

# Scores that differ by less differ by rounding.
FLAT: Final = 1e-6

# Fewer say nothing about what is normal.
_FEWEST: Final = 20
_HITS: Final = 50
_REMEMBERED: Final = 32


class Neighbours(Protocol):
    """Stored vectors, to compare a query with; an ``ImageStore`` is one."""

    def sample(self) -> Vectors:
        """Some hundred stored vectors chosen at random: (N, d).

        The very same array at every call, until the store has changed by so much that another
        sample is due.
        """
        ...

    def nearest(self, vector: Vectors, k: int) -> Vectors:
        """The stored vectors that a query scores highest, best first: (k or fewer, d)."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A text among the stored images.

    Attributes:
        mean: Its mean score over the store.
        spread: The standard deviation of its scores over the store, above 0.
        hits: Vectors of its best hits, best first: (N, d).
        scores: Their scores: (N,).
    """

    mean: float
    spread: float
    hits: Vectors
    scores: Vectors


class Calibration:
    """Tells how a vector's scores are spread over a store, and what a text finds there.

    A text costs one nearest-neighbour query, and none when it is asked about again, until the
    store's sample changes.

    Args:
        neighbours: What is searched.
    """

    def __init__(self, neighbours: Neighbours) -> None:
        self._neighbours = neighbours
        self._known: OrderedDict[bytes, Surroundings | None] = OrderedDict()
        self._sample: Vectors | None = None
        self._lock = Lock()

    def around(self, text: Vectors) -> Surroundings | None:
        """A text's surroundings; None where the store holds too little to tell what is normal.

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

    def spread(self, vector: Vectors) -> float:
        """The standard deviation of a vector's scores over the store."""
        return float((self._neighbours.sample() @ vector).std())

    def _look_around(self, text: Vectors, sample: Vectors) -> Surroundings | None:
        if len(sample) < _FEWEST:
            return None
        scores = sample @ text
        spread = float(scores.std())
        if spread < FLAT:
            return None
        # A quarter of a small store, so that its best hits are still better than the rest.
        hits = self._neighbours.nearest(text, min(_HITS, len(sample) // 4))
        return Surroundings(float(scores.mean()), spread, hits, hits @ text)
