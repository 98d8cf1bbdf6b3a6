"""What the user liked or turned down among the hits moves the query, within bounds."""

from __future__ import annotations

import math
from typing import Final, Protocol

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError

# Less than that across the query is rounding, no direction.
_STRAIGHT: Final = 1e-6


class Feedback(Protocol):
    """Moves a query by hits that were judged."""

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
    """Rocchio's update (1971; Manning et al., 2008, 9.1.1), never further than an angle.

    The query of unit length gains ``more`` times the mean of what was liked and loses ``less``
    times the mean of what was turned down. Where that turns it further than ``bound`` degrees it
    stops there: one bad click, or many, cannot throw the search away.

    Args:
        more: What was liked.
        less: What was turned down.
        bound: Degrees, from 0 to 90.

    Raises:
        InvalidInputError: A negative weight, or a bound outside of that.
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
