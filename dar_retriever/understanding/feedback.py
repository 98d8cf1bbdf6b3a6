"""Liked and rejected hits move the query, within bounds."""

from __future__ import annotations

import math
from typing import Final, Protocol

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError

# A smaller sideways movement is a rounding error.
_STRAIGHT: Final = 1e-6


class Feedback(Protocol):
    """Moves a query towards liked hits and away from rejected ones."""

    def moved(self, query: Vectors, liked: Vectors, rejected: Vectors) -> Vectors:
        """The query after feedback.

        Args:
            query: (d,), of any length other than 0.
            liked: (L, d) of unit length; L may be 0.
            rejected: (R, d) of unit length; R may be 0.

        Returns:
            (d,), of the query's length.
        """
        ...


class BoundedRocchio:
    """Rocchio's update (1971; Manning et al., 2008, 9.1.1), limited to an angle.

    ``more`` times the mean of the liked vectors is added to the query of unit length, and ``less``
    times the mean of the rejected ones is subtracted. The query never turns by more than ``bound``
    degrees, so that wrong clicks cannot spoil the search.

    Args:
        more: Weight of the liked hits.
        less: Weight of the rejected hits.
        bound: Maximum angle in degrees, from 0 to 90.

    Raises:
        InvalidInputError: A weight is negative, or the bound is out of range.
    """

    def __init__(self, more: float = 0.75, less: float = 0.15, bound: float = 15.0) -> None:
        if not (min(more, less) >= 0 and math.isfinite(more + less)):
            raise InvalidInputError(f"more={more}, less={less}: finite weights of 0 or more")
        if not 0 <= bound <= 90:
            raise InvalidInputError(f"bound={bound}: degrees, from 0 to 90")
        self._more, self._less, self._bound = more, less, math.radians(bound)

    def moved(self, query: Vectors, liked: Vectors, rejected: Vectors) -> Vectors:
        """See ``Feedback``."""
        length = float(np.linalg.norm(query))
        if not length or not (len(liked) or len(rejected)):
            return query
        start = query.astype(np.float64) / length
        shift = np.zeros_like(start)
        if len(liked):
            shift += self._more * liked.mean(0)
        if len(rejected):
            shift -= self._less * rejected.mean(0)
        along = float(start @ shift)
        across = shift - along * start
        sideways = float(np.linalg.norm(across))
        if sideways < _STRAIGHT * max(1.0, abs(along)):
            return query
        angle = min(math.atan2(sideways, 1 + along), self._bound)
        turned = math.cos(angle) * start + math.sin(angle) / sideways * across
        moved: Vectors = (length * turned).astype(np.float32)
        return moved
