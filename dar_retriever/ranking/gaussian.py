"""Normal distributions in many dimensions, fitted to few vectors."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.floating[Any]]

# Keeps the variance above 0 where all vectors are equal.
_LEAST: Final = 1e-9


class Gaussian:
    """A normal distribution whose covariance is of low rank, plus the same noise everywhere.

    The covariance is ``factors.T @ factors + noise * I``. If there are fewer factors than
    dimensions, only matrices of the number of factors are inverted (Woodbury's identity), so that
    a thousand dimensions take milliseconds.

    Args:
        mean: (d,).
        factors: (M, d).
        noise: Variance added in each dimension, above 0.
    """

    def __init__(self, mean: Rows, factors: Rows, noise: float) -> None:
        self._mean = np.asarray(mean, float)
        factors, noise = np.asarray(factors, float), max(noise, _LEAST)
        rank, dimensions = factors.shape
        self._noise, self._factors = noise, factors
        self._low_rank = rank < dimensions
        gram = factors @ factors.T if self._low_rank else factors.T @ factors
        root = np.linalg.cholesky(gram + noise * np.eye(len(gram)))
        self._whitening = np.linalg.inv(root)
        outside = max(0, dimensions - rank)
        self._half_log_volume = float(np.log(np.diag(root)).sum() + outside / 2 * np.log(noise))

    def log_density(self, vectors: Rows) -> NDArray[np.float64]:
        """The logarithm of the density at each vector.

        A constant that all Gaussians of these dimensions share is left out.

        Args:
            vectors: (N, d).

        Returns:
            (N,).
        """
        away = np.asarray(vectors, float) - self._mean
        if self._low_rank:
            along = (away @ self._factors.T) @ self._whitening.T
            distance = ((away**2).sum(1) - (along**2).sum(1)) / self._noise
        else:
            distance = ((away @ self._whitening.T) ** 2).sum(1)
        result: NDArray[np.float64] = -distance / 2 - self._half_log_volume
        return result


def centred(vectors: Rows) -> Rows:
    """Factors of the vectors' own covariance: (N, d)."""
    away: Rows = (vectors - vectors.mean(0)) / np.sqrt(len(vectors))
    return away


def root(factors: Rows) -> Rows:
    """Factors of the same covariance, (d, d) at most.

    Args:
        factors: (N, d).
    """
    if len(factors) <= factors.shape[1]:
        return factors
    variances, directions = np.linalg.eigh(np.asarray(factors, float).T @ factors)
    result: Rows = (directions * np.sqrt(np.maximum(variances, 0))).T
    return result
