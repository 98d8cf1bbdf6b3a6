"""Confidence intervals of means and medians over dialogues."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dar_retriever.errors import InvalidInputError
from dar_retriever.support.extras import needs_extra

Floats: TypeAlias = NDArray[np.float64]
Numbers: TypeAlias = NDArray[np.number[Any]] | NDArray[np.bool_]
Statistic: TypeAlias = Literal["mean", "median"]

_STATISTICS: Final[dict[Statistic, Callable[..., Any]]] = {"mean": np.mean, "median": np.median}
# Numbers resampled at once: 32 MiB, plus a copy for the median, plus the indices.
_BATCH: Final = 2**22


@dataclass(frozen=True, slots=True)
class Interval:
    """A statistic and its confidence interval.

    Attributes:
        value: float (...), the statistic of the data themselves.
        low: float (...), the interval's lower end.
        high: float (...), its upper end.
    """

    value: Floats
    low: Floats
    high: Floats


def bootstrap(
    values: Numbers,
    statistic: Statistic = "mean",
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Resample dialogues with replacement (Efron, 1979; percentile interval).

    A dialogue is always drawn with all of its rounds.

    Args:
        values: float, int or bool (D, ...), one row for each dialogue.
        statistic: The statistic over the dialogues.
        confidence: Confidence level of the interval, within (0, 1).
        resamples: Number of times that D dialogues are drawn, 2 or more.
        seed: Random seed; the same seed gives the same interval.

    Returns:
        The interval, float (...). If all dialogues have the same value, or there is only one, both
        ends are that value.

    Raises:
        InvalidInputError: There are no dialogues, a value is not finite, or an option is out of
            range.
        MissingExtraError: SciPy is not installed.
    """
    rows = _checked(values)
    if statistic not in _STATISTICS:
        raise InvalidInputError(f"statistic={statistic!r}: give one of {', '.join(_STATISTICS)}")
    if not 0 < confidence < 1:
        raise InvalidInputError(f"confidence={confidence}: give a share between 0 and 1, as 0.95")
    if resamples < 2:
        raise InvalidInputError(f"resamples={resamples}: too few for an interval; give 2 or more")
    with needs_extra("eval"):
        import scipy.stats  # type: ignore[import-untyped]
    compute = _STATISTICS[statistic]
    # Equal values are passed through, because sums in another order may differ in the last bit.
    equal = (rows == rows[0]).all(axis=0)
    value: Floats = np.where(equal, rows[0], compute(rows, axis=0))
    if equal.all():
        return Interval(value, value.copy(), value.copy())
    low, high = scipy.stats.bootstrap(
        (rows,),
        compute,
        n_resamples=resamples,
        batch=max(1, _BATCH // rows.size),
        vectorized=True,
        axis=0,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(value, np.where(equal, value, low), np.where(equal, value, high))


def paired_difference(
    a: Numbers,
    b: Numbers,
    statistic: Statistic = "mean",
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Resample the differences a - b, dialogue by dialogue.

    What makes a dialogue easy or hard for both a and b cancels out. So differences show with less
    data than two separate intervals would need. If the interval does not contain 0, a and b differ.

    Args:
        a: float, int or bool (D, ...), one row for each dialogue.
        b: The same for b, with the same dialogues in the same order.
        statistic: The statistic over the differences. Note that the median of the differences is
            usually not the difference of the medians.
        confidence: See ``bootstrap``.
        resamples: See ``bootstrap``.
        seed: See ``bootstrap``.

    Returns:
        The interval, float (...).

    Raises:
        InvalidInputError: The shapes differ, or as for ``bootstrap``.
        MissingExtraError: SciPy is not installed.
    """
    first, second = _checked(a, "a"), _checked(b, "b")
    # Otherwise NumPy would broadcast a single row over all dialogues.
    if first.shape != second.shape:
        raise InvalidInputError(
            f"a of shape {first.shape} and b of shape {second.shape} differ; "
            "pair the same dialogues in the same order"
        )
    return bootstrap(
        first - second, statistic, confidence=confidence, resamples=resamples, seed=seed
    )


def _checked(values: Numbers, name: str = "values") -> Floats:
    rows = np.asarray(values, np.float64)
    if not rows.ndim or not rows.size:
        raise InvalidInputError(f"{name} of shape {rows.shape}: give one row for each dialogue")
    if not np.isfinite(rows).all():
        raise InvalidInputError(
            f"{name} with nan or inf: they have no interval; leave such dialogues out"
        )
    return rows
