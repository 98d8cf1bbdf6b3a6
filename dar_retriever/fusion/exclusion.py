"""What the user does not want bends the query away from it, within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.fusion.calibration import FLAT, Calibration

# Chosen on tuning pairs of a product and an exclusion: examples/benchmarks/exclusions.md.
_STRENGTH: Final = 0.25
_UNCALIBRATED: Final = 0.4
_MOST: Final = 0.8


@dataclass(frozen=True, slots=True)
class BentQuery:
    """A query after exclusions.

    Attributes:
        vector: float32 (d,), of the length that the query had.
        weights: How much of each exclusion was subtracted, for a query of unit length: (E,).
    """

    vector: Vectors
    weights: tuple[float, ...] = ()


class Exclusion(Protocol):
    """Bends a query away from what is not wanted."""

    def bent(self, query: Vectors, excluded: Vectors) -> BentQuery:
        """The query after exclusions.

        Args:
            query: (d,), of any length other than 0.
            excluded: (E, d): for each exclusion the direction in which its words lead from the
                caption, of unit length; E may be 0, and a row of zeros leads nowhere.
        """
        ...


class NoExclusion:
    """Leaves every query as it is."""

    def bent(self, query: Vectors, excluded: Vectors) -> BentQuery:
        """See ``Exclusion``."""
        return BentQuery(query, (0.0,) * len(excluded))


class BoundedExclusion:
    """Subtracts a part of each exclusion's direction; this project's own method.

    How much is calibrated by the store: an exclusion may move the scores of the stored images by
    ``strength`` times as much as the query itself does, in standard deviations. Several exclusions
    together subtract at most 0.8 of a query of unit length, so that the wanted thing stays the
    larger part.

    Args:
        calibration: Of the store; without one, a fixed part is subtracted.
        strength: See above.

    Raises:
        InvalidInputError: ``strength`` is not a positive number.
    """

    def __init__(
        self, calibration: Calibration | None = None, *, strength: float = _STRENGTH
    ) -> None:
        if not 0 < strength < np.inf:
            raise InvalidInputError(f"strength={strength}: a positive number, such as 0.25")
        self._calibration = calibration
        self._strength = strength

    def bent(self, query: Vectors, excluded: Vectors) -> BentQuery:
        """See ``Exclusion``."""
        length = float(np.linalg.norm(query))
        if not len(excluded) or length < FLAT:
            return BentQuery(query)
        unit = query / length
        weights = np.array([self._weight(unit, direction) for direction in excluded], np.float32)
        away = weights @ excluded
        too_much = float(np.linalg.norm(away)) / _MOST
        if too_much > 1:
            weights, away = weights / too_much, away / too_much
        moved = unit - away
        vector = (moved * (length / np.linalg.norm(moved))).astype(np.float32)
        return BentQuery(vector, tuple(map(float, weights)))

    def _weight(self, query: Vectors, direction: Vectors) -> float:
        if not np.isfinite(direction).all() or not direction.any():
            return 0.0
        if self._calibration is None:
            return _UNCALIBRATED
        spread = self._calibration.spread(direction)
        own = self._calibration.spread(query)
        return (
            _UNCALIBRATED if min(spread, own) < FLAT else min(_MOST, self._strength * own / spread)
        )
