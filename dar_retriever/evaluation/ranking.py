"""Ranks of targets in a whole pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dar_retriever.encoders.base import Vectors
from dar_retriever.evaluation.metrics import Ranks
from dar_retriever.stores.image_store import SAMPLE

_BLOCK: Final = 512
# The scores of equal vectors can differ by this much, depending on their position in the pool.
_ROUNDING: Final = 1e-6


def target_ranks(
    queries: Vectors,
    pool: Vectors,
    targets: NDArray[np.integer[Any]],
    progress: Callable[[int, int], None] | None = None,
) -> Ranks:
    """The rank of every query's target in the whole pool.

    Ties count against the method: an image with the same score as the target, up to float32
    rounding, counts as ranked before it.

    Args:
        queries: float32 (N, d).
        pool: float32 (P, d).
        targets: int (N,), indices in the pool.
        progress: Called with the number of queries done and of all queries.

    Returns:
        int (N,), from 1 to P.
    """
    ranks = np.empty(len(queries), np.int64)
    transposed = np.ascontiguousarray(pool.T)
    for start in range(0, len(queries), _BLOCK):
        stop = min(start + _BLOCK, len(queries))
        scores = queries[start:stop] @ transposed
        own = scores[np.arange(stop - start), targets[start:stop]]
        least = own - _ROUNDING * np.linalg.norm(queries[start:stop], axis=1)
        ranks[start:stop] = np.count_nonzero(scores >= least[:, None], axis=1)
        if progress is not None:
            progress(stop, len(queries))
    return ranks


class PoolNeighbours:
    """A pool in memory with exact search; implements ``Neighbours`` like an image store.

    Args:
        pool: float32 (P, d) of unit length.
        sample: Maximum number of vectors in the sample.
        seed: Seed of the random choice.
    """

    def __init__(self, pool: Vectors, sample: int = SAMPLE, seed: int = 0) -> None:
        self._pool = np.asarray(pool)
        count = min(sample, len(pool))
        chosen = np.random.default_rng(seed).choice(len(pool), count, replace=False)
        self._sample = self._pool[np.sort(chosen)]

    def sample(self) -> Vectors:
        """See ``Neighbours``."""
        return self._sample

    def nearest(self, vector: Vectors, k: int) -> Vectors:
        """See ``Neighbours``."""
        best: Vectors = self._pool[top(vector[None], self._pool, k)[0]]
        return best


def top(queries: Vectors, pool: Vectors, k: int) -> NDArray[np.int64]:
    """Indices of the k best images of each query, best first: int (N, k)."""
    scores = queries @ pool.T
    k = min(k, scores.shape[1])
    best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
    return np.take_along_axis(best, order, axis=1)
