"""How sure a mean or median over dialogues is."""

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
# Numbers resampled at once: 32 MiB; the median copies them, the indices come on top.
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

    A dialogue is drawn with all its rounds, so that what belongs together stays together.

    Args:
        values: float, int or bool (D, ...), one row for each dialogue.
        statistic: Taken over the dialogues.
        confidence: Of the interval, within (0, 1).
        resamples: How often D dialogues are drawn, 2 or more.
        seed: Of the draws; the same seed gives the same interval.

    Returns:
        The interval, float (...). Where all dialogues agree, a single one included, both of its
        ends are their value.

    Raises:
        InvalidInputError: There are no dialogues, a value is not finite, or an option lies
            outside of what is said above.
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
    # Sums in another order differ in the last bit, even of equal numbers: those are passed through.
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

    What makes a dialogue easy or hard for both cancels out, so that less data tells a from b than
    two separate intervals would need. An interval without 0 speaks for a difference.

    Args:
        a: float, int or bool (D, ...), one row for each dialogue.
        b: The same of the same dialogues, in the same order.
        statistic: Taken over the differences; the median of the differences is in general not
            the difference of the medians.
        confidence: As in ``bootstrap``.
        resamples: As in ``bootstrap``.
        seed: As in ``bootstrap``.

    Returns:
        The interval, float (...).

    Raises:
        InvalidInputError: The shapes differ, or as in ``bootstrap``.
        MissingExtraError: SciPy is not installed.
    """
    first, second = _checked(a, "a"), _checked(b, "b")
    # NumPy would stretch one row over all dialogues and pair what does not belong together.
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
            f"{name} with nan or inf: no interval holds them; leave such dialogues out"
        )
    return rows
