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
_UNCALIBRATED: Final = 0.3
_MOST: Final = 0.8
# The less an exclusion tells the first hits apart beside the query, the less it counts.
_TELLING: Final = 0.15
_FEWEST: Final = 10


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
    ``strength`` times as much as the query itself does, in standard deviations, and several
    together no more than one. Where the query already tells its first hits well apart, because
    much was said, an exclusion counts less: it hardly rules out any of them, and would only blur
    their order. All exclusions subtract at most 0.8 of a query of unit length, so that the wanted
    thing stays the larger part; without a calibration at most 0.3.

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
        weights = np.array(self._weights(unit, excluded), np.float32)
        away = weights @ excluded
        too_much = self._excess(unit, away)
        if too_much > 1:
            weights, away = weights / too_much, away / too_much
        moved = unit - away
        vector = (moved * (length / np.linalg.norm(moved))).astype(np.float32)
        return BentQuery(vector, tuple(map(float, weights)))

    def _weights(self, query: Vectors, excluded: Vectors) -> list[float]:
        leads = [bool(np.isfinite(way).all() and way.any()) for way in excluded]
        if self._calibration is None:
            return [_UNCALIBRATED * each for each in leads]
        own, around = self._calibration.spread(query), self._calibration.around(query)
        hits = around.hits if around is not None else np.empty((0, len(query)), np.float32)
        return [
            self._weight(query, way, own, hits) if each else 0.0
            for way, each in zip(excluded, leads, strict=True)
        ]

    def _weight(self, query: Vectors, direction: Vectors, own: float, hits: Vectors) -> float:
        assert self._calibration is not None
        spread = self._calibration.spread(direction)
        if min(spread, own) < FLAT:
            return _UNCALIBRATED
        weight = min(_MOST, self._strength * own / spread)
        if len(hits) < _FEWEST:
            return weight
        apart = float((hits @ direction).std()) / max(float((hits @ query).std()), FLAT)
        return weight * min(1.0, _TELLING * apart)

    def _excess(self, query: Vectors, away: Vectors) -> float:
        """How many times more than is allowed is to be subtracted; 1 or less if it is allowed."""
        length = float(np.linalg.norm(away))
        if self._calibration is None:
            return length / _UNCALIBRATED
        allowed = self._strength * self._calibration.spread(query)
        moves = self._calibration.spread(away) / allowed if allowed > FLAT else 0.0
        return max(length / _MOST, moves)
