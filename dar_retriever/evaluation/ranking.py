"""Full rankings of a pool, of which only the targets' places are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dar_retriever.encoders.base import Vectors
from dar_retriever.stores.image_store import SAMPLE

Ranks = NDArray[np.int64]

_BLOCK: Final = 512
# Equal vectors get scores this far apart, by the place in the pool that they are computed at.
_ROUNDING: Final = 1e-6


def target_ranks(
    queries: Vectors,
    pool: Vectors,
    targets: NDArray[np.integer[Any]],
    progress: Callable[[int, int], None] | None = None,
) -> Ranks:
    """Rank every query's target among the whole pool.

    An image that scores as the target does, within float32's rounding, counts as ranked before
    it: ties are broken against the method, whatever the pool's order.

    Args:
        queries: float32 (N, d).
        pool: float32 (P, d).
        targets: int (N,), places in the pool.
        progress: Called with the number of queries done and the number of all.

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
    """A pool in memory, searched exactly: ``Neighbours`` as an image store has them.

    Args:
        pool: float32 (P, d) of unit length.
        sample: The most vectors in the sample.
        seed: Of the choice.
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
    """Places of the k best images of each query, best first: int (N, k)."""
    scores = queries @ pool.T
    k = min(k, scores.shape[1])
    best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
    return np.take_along_axis(best, order, axis=1)
