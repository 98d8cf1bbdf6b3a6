"""Retrieval metrics for each dialogue and round.

All functions take `ranks`: int (D, R), the rank of the target of each of D dialogues after rounds
0 to R - 1, counted from 1. Take the means over the dialogues with ``statistics``, which adds their
confidence intervals.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dar_retriever.errors import InvalidInputError

Ranks: TypeAlias = NDArray[np.integer[Any]]
Flags: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]


def recall_at(ranks: Ranks, k: int) -> Flags:
    """Recall@K of each round by itself (Manning et al., 2008, 8.4).

    With one relevant image it is 0 or 1, the same as the hit rate or success at K.

    Args:
        ranks: int (D, R), from 1.
        k: How many of the first hits count, from 1.

    Returns:
        bool (D, R): whether the target is among the first ``k`` in that round.

    Raises:
        InvalidInputError: ``ranks`` is no such array, or ``k`` is below 1.
    """
    if k < 1:
        raise InvalidInputError(f"k={k}: it says how many of the first hits count; give 1 or more")
    return _checked(ranks) <= k


def hits_at(ranks: Ranks, k: int) -> Flags:
    """Hits@K, cumulative (ChatIR, arXiv 2305.20062; so used by DAR, arXiv 2501.15379).

    Args:
        ranks: int (D, R), from 1.
        k: How many of the first hits count, from 1.

    Returns:
        bool (D, R): whether the target was among the first ``k`` in that round or any before.

    Raises:
        InvalidInputError: ``ranks`` is no such array, or ``k`` is below 1.
    """
    return recall_at(best_rank(ranks), k)


def reciprocal_rank(ranks: Ranks) -> Floats:
    """1 / rank of each round; its mean is the MRR (Voorhees, TREC-8, 1999).

    Args:
        ranks: int (D, R), from 1.

    Returns:
        float (D, R), within (0, 1].

    Raises:
        InvalidInputError: ``ranks`` is no such array.
    """
    return 1.0 / _checked(ranks)


def best_rank(ranks: Ranks) -> NDArray[np.int64]:
    """The best rank in a round or any before (PlugIR, arXiv 2406.03411, definition 1).

    Args:
        ranks: int (D, R), from 1.

    Returns:
        int (D, R), never rising from round to round.

    Raises:
        InvalidInputError: ``ranks`` is no such array.
    """
    best: NDArray[np.int64] = np.minimum.accumulate(_checked(ranks), axis=1)
    return best


def bri(ranks: Ranks) -> Floats:
    """Best log Rank Integral (PlugIR, ACL 2024, arXiv 2406.03411, definition 2); lower is better.

    The area under the natural logarithm of the best rank b, by the trapezoid rule, divided by the
    number T = R - 1 of rounds after the first:
    (log b_0 + log b_T) / 2T + (log b_1 + ... + log b_(T-1)) / T.

    Args:
        ranks: int (D, R), from 1.

    Returns:
        float (D,), 0 where the target comes first from the start. The paper's figure is the mean.
        With only one round there is no area, and the value is that round's logarithm.

    Raises:
        InvalidInputError: ``ranks`` is no such array.
    """
    logs: Floats = np.log(best_rank(ranks))
    steps = logs.shape[1] - 1
    if not steps:
        return logs[:, 0]
    area: Floats = (logs[:, 0] + logs[:, -1]) / 2 + logs[:, 1:-1].sum(axis=1)
    area /= steps
    return area


def average_precision(ranks: Ranks, k: int) -> float:
    """Average precision at K of one query with several right answers; its mean is mAP@K.

    The precision at each right answer within the first K, over as many as could stand there
    (INQUIRE, arXiv 2411.02537).

    Args:
        ranks: int (R,), the ranks of all right answers, from 1, all different.
        k: How many of the first hits count, from 1.
    """
    found = np.sort(ranks[ranks <= k])
    return float((np.arange(1, len(found) + 1) / found).sum() / min(len(ranks), k))


def ndcg(ranks: Ranks, k: int) -> float:
    """Normalised discounted cumulative gain at K, all right answers alike (Järvelin, 2002).

    Args:
        ranks: int (R,), the ranks of all right answers, from 1, all different.
        k: How many of the first hits count, from 1.
    """
    gained = (1 / np.log2(ranks[ranks <= k] + 1)).sum()
    return float(gained / (1 / np.log2(np.arange(2, min(len(ranks), k) + 2))).sum())


def better(ranks: Ranks, baseline: Ranks, by: int = 0) -> Flags:
    """Whether the target's rank is better than with a baseline; the opposite of ``worse``.

    Args:
        ranks: int (D, R), from 1.
        baseline: int (D, R), of the same dialogues and rounds.
        by: Count only differences of more than this many places; 0 counts every difference.

    Returns:
        bool (D, R): ``ranks + by < baseline``.

    Raises:
        InvalidInputError: One of both is no such array, their shapes differ, or ``by`` is
            negative.
    """
    ranks, baseline = _pair(ranks, baseline, by)
    return ranks + by < baseline


def worse(ranks: Ranks, baseline: Ranks, by: int = 0) -> Flags:
    """Whether the target's rank is worse than with a baseline (after ADaFuSE, arXiv 2603.21886).

    The paper counts the samples that generated images make worse; the margin ``by`` is our own.

    Args:
        ranks: int (D, R), from 1.
        baseline: int (D, R), of the same dialogues and rounds.
        by: Count only differences of more than this many places; 0 counts every difference.

    Returns:
        bool (D, R): ``ranks > baseline + by``.

    Raises:
        InvalidInputError: One of both is no such array, their shapes differ, or ``by`` is
            negative.
    """
    ranks, baseline = _pair(ranks, baseline, by)
    return ranks > baseline + by


def _pair(ranks: Ranks, baseline: Ranks, by: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if by < 0:
        raise InvalidInputError(f"by={by}: a rank cannot be both better and worse; give 0 or more")
    checked, against = _checked(ranks), _checked(baseline, "baseline")
    # Otherwise NumPy would broadcast a single row over all dialogues.
    if checked.shape != against.shape:
        raise InvalidInputError(
            f"ranks of shape {checked.shape} and baseline of shape {against.shape} differ; "
            "compare the same dialogues and rounds"
        )
    return checked, against


def _checked(ranks: Ranks, name: str = "ranks") -> NDArray[np.int64]:
    array = np.asarray(ranks)
    if array.ndim != 2 or not array.shape[1]:
        raise InvalidInputError(
            f"{name} of shape {array.shape}: give (dialogues, rounds) with one round or more"
        )
    if not np.issubdtype(array.dtype, np.integer):
        raise InvalidInputError(f"{name} of type {array.dtype}: ranks count places; give integers")
    if (array < 1).any():
        raise InvalidInputError(
            f"{name} with a rank of {array.min()}: the first place is 1; "
            "add 1 to ranks that count from 0"
        )
    # Short and unsigned integers would overflow when ``by`` is added.
    return array.astype(np.int64, copy=False)
