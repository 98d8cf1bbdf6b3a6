"""What an engine's collection holds, seen in some or all of its rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Final

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.stores.engines.base import Engine, Row
from dar_retriever.stores.survey import SAMPLE, Description, Survey

_PAGE: Final = 500
# Measuring how many more candidates codes need: queries, hits of each, and shares that count.
_QUERIES: Final = 32
_TOP: Final = 10
_WIDEST: Final = 64
_ENOUGH: Final = 0.99


class EngineSurvey(Survey):
    """Reads a collection's rows, and measures how many candidates its codes need.

    Args:
        engine: The collection.
        width: Numbers in a vector.
        errors: Turns the engine's errors into errors of this package.
    """

    def __init__(
        self, engine: Engine, width: int, errors: Callable[[], AbstractContextManager[None]]
    ) -> None:
        super().__init__()
        self._engine, self._width, self._errors = engine, width, errors
        self._widened: tuple[int, int] | None = None

    def count(self) -> int:
        """See ``Survey``."""
        with self._errors():
            return self._engine.count()

    def vectors(self) -> tuple[list[str], Vectors]:
        """See ``Survey``."""
        rows = list(self.rows(vectors=True))
        return [row.id for row in rows], matrix_of(rows, self._width)

    def _chosen_vectors(self, count: int) -> Vectors:
        rows = sorted(self._chosen(SAMPLE, count, vectors=True), key=lambda row: row.spot)
        return matrix_of(rows[:SAMPLE], self._width)

    def _descriptions(self, most: int) -> Iterator[Description]:
        return ((row.caption, row.metadata) for row in self._chosen(most, self.count()))

    def oversampling(self) -> int:
        """How many times as many candidates as hits the engine is asked for."""
        if not self._engine.coded:
            return 1
        count = self.count()
        if self._widened is None or not self._widened[0] / 2 <= count <= 2 * self._widened[0]:
            self._widened = count, self._measured()
        return self._widened[1]

    def _measured(self) -> int:
        """The oversampling with which the best hits of some stored images are found."""
        places: list[int] = []
        for query in self.sample()[:_QUERIES]:
            with self._errors():
                rows = self._engine.nearest(query, _TOP * _WIDEST, None)
            best = np.argsort(-(matrix_of(rows, self._width) @ query), kind="stable")[:_TOP]
            places += best.tolist()
        if not places:
            return 1
        needed = math.ceil((float(np.quantile(places, _ENOUGH)) + 1) / _TOP)
        # The sample is small and the store grows.
        return min(_WIDEST, 2 * needed)

    def rows(self, *, vectors: bool = False) -> Iterator[Row]:
        """All rows, a page at a time."""
        steps = max(1, math.ceil(self.count() / _PAGE))
        for step in range(steps):
            with self._errors():
                rows = self._engine.between(step / steps, (step + 1) / steps, vectors=vectors)
            yield from rows

    def _chosen(self, most: int, count: int, *, vectors: bool = False) -> list[Row]:
        """About so many rows at random, never fewer if there are so many; the same every time."""
        if count <= most:
            return list(self.rows(vectors=vectors))
        share = min(1.0, (most + 4 * math.sqrt(most)) / count)
        steps = math.ceil(share * count / _PAGE)
        found: list[Row] = []
        for step in range(steps):
            low, high = share * step / steps, share * (step + 1) / steps
            with self._errors():
                found += self._engine.between(low, high, vectors=vectors)
        return found


def matrix_of(rows: Sequence[Row], width: int) -> Vectors:
    """The vectors of rows: float32 (N, d)."""
    if not rows:
        return np.empty((0, width), np.float32)
    return np.stack([row.vector for row in rows]).astype(np.float32)
