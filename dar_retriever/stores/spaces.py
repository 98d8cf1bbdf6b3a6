"""A map from the vectors of one encoder to those of another, fitted on images that both encoded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError

# The penalty weighs as much as so many images; found on images and queries that were not fitted.
_RIDGE = 10


@dataclass(frozen=True, slots=True)
class SpaceMap:
    """Maps vectors of one space into another.

    Attributes:
        weights: float32 (d, e).
        mean: float32 (d,): subtracted before.
        shift: float32 (e,): added after.
    """

    weights: Vectors
    mean: Vectors
    shift: Vectors

    @classmethod
    def fitted(cls, of: Vectors, to: Vectors) -> SpaceMap:
        """The map with the least squared error on pairs, with a penalty on large weights.

        Args:
            of: float32 (N, d), one row for each image.
            to: float32 (N, e), the same images.

        Raises:
            InvalidInputError: There are not as many rows of both, or fewer than two.
        """
        if len(of) != len(to) or len(of) < 2:
            raise InvalidInputError(
                f"{len(of)} and {len(to)} vectors: a map needs at least two images that both "
                "encoders encoded"
            )
        mean, shift = of.mean(0), to.mean(0)
        left, right = (of - mean).astype(np.float64), (to - shift).astype(np.float64)
        square = left.T @ left
        square[np.diag_indices(len(square))] += _RIDGE / len(of) * np.trace(square) / len(square)
        weights = np.linalg.solve(square, left.T @ right)
        return cls(weights.astype(np.float32), mean, shift)

    def ranking(self, vector: Vectors) -> Vectors:
        """A vector of this map's own space that ranks its vectors as their maps are ranked.

        Where queries are texts and only images were fitted, this keeps more of the ranking than
        a map of the query: texts lie elsewhere than images.

        Args:
            vector: float32 (e,): a query in the space that is mapped into.

        Returns:
            float32 (d,), of unit length.
        """
        turned = self.weights @ vector
        length = max(float(np.linalg.norm(turned)), float(np.finfo(np.float32).tiny))
        return np.asarray(turned / length, np.float32)

    def __call__(self, vectors: Vectors) -> Vectors:
        """Map vectors: float32 (N, d) or (d,) to float32 (N, e) or (e,), of unit length."""
        mapped = (vectors - self.mean) @ self.weights + self.shift
        length = np.linalg.norm(mapped, axis=-1, keepdims=True)
        return np.asarray(mapped / np.maximum(length, np.finfo(np.float32).tiny), np.float32)
