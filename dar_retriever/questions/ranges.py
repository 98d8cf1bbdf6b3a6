"""Numbers and dates in a few ranges that people can choose from."""

from __future__ import annotations

import calendar
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Final, Generic, TypeVar

import numpy as np

from dar_retriever.encoders.base import Vectors

T = TypeVar("T", float, date)
_RANGES: Final = 4
_DIGITS: Final = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Range(Generic[T]):
    """A range of numbers or days.

    Attributes:
        first: The lowest value; None for no limit.
        last: The highest value; None for no limit.
        text: What it is called: "under 20", "20 to 50", "after 2019".
    """

    first: T | None
    last: T | None
    text: str

    def holds(self, value: T) -> bool:
        """Whether a value is in the range."""
        above = self.first is None or value >= self.first
        return above and (self.last is None or value <= self.last)


def number_ranges(values: Sequence[float | None], shares: Vectors) -> list[Range[float]]:
    """Up to four ranges of round numbers that are about equally likely.

    Args:
        values: The number of each candidate, if it has one.
        shares: The probabilities of the candidates.

    Returns:
        The ranges in order; none if the numbers are all the same.
    """
    known, cuts = _cuts(values, shares)
    edges: list[float] = []
    for digits in _DIGITS:
        rounded = sorted({_rounded(cut, digits) for cut in cuts})
        edges = [edge for edge in rounded if known and known[0] < edge <= known[-1]]
        # Rounder numbers are worth more than a further range.
        if len(edges) > min(1, len(cuts) - 1):
            break
    if not edges:
        return []
    below = math.nextafter(edges[0], -math.inf)
    ranges: list[Range[float]] = [Range(None, below, f"under {_said(edges[0])}")]
    for low, high in pairwise(edges):
        ranges.append(Range(low, math.nextafter(high, low), f"{_said(low)} to {_said(high)}"))
    return [*ranges, Range(edges[-1], None, f"over {_said(edges[-1])}")]


def date_ranges(values: Sequence[date | None], shares: Vectors) -> list[Range[date]]:
    """Up to four ranges of years that are about equally likely; of months within one year.

    Args:
        values: The day of each candidate, if it has one.
        shares: The probabilities of the candidates.

    Returns:
        The ranges in order; none if all days are in the same month.
    """
    days = [day for day in values if day is not None]
    if not days:
        return []
    by_month = min(days).year == max(days).year
    step = _month if by_month else _year
    # Months are counted on from year 0.
    count: Callable[[date], int] = (
        (lambda day: 12 * day.year + day.month - 1) if by_month else (lambda day: day.year)
    )
    counted = [None if day is None else float(count(day)) for day in values]
    known, cuts = _cuts(counted, shares)
    edges = sorted({int(cut) for cut in cuts if known[0] < int(cut) <= known[-1]})
    if not edges:
        return []
    first = step(edges[0])
    ranges: list[Range[date]] = [Range(None, first[0] - timedelta(days=1), f"before {first[1]}")]
    for low, high in pairwise(edges):
        (begin, named), (_, until) = step(low), step(high - 1)
        text = named if low == high - 1 else f"{named} to {until}"
        ranges.append(Range(begin, step(high)[0] - timedelta(days=1), text))
    begin, _ = step(edges[-1])
    return [*ranges, Range(begin, None, f"after {step(edges[-1] - 1)[1]}")]


def _cuts(values: Sequence[float | None], shares: Vectors) -> tuple[list[float], list[float]]:
    """The known values in order, and the values that split their probability evenly."""
    known = sorted(
        (value, float(share))
        for value, share in zip(values, shares, strict=True)
        if value is not None
    )
    if not known:
        return [], []
    ordered = [value for value, _ in known]
    reached = np.cumsum([share for _, share in known])
    wanted = reached[-1] * np.arange(1, _RANGES) / _RANGES
    places = np.minimum(np.searchsorted(reached, wanted), len(known) - 1)
    return ordered, sorted({ordered[place] for place in places})


def _rounded(number: float, digits: int) -> float:
    if not number:
        return 0.0
    return round(number, digits - 1 - math.floor(math.log10(abs(number))))


def _said(number: float) -> str:
    return f"{number:.10g}"


def _year(number: int) -> tuple[date, str]:
    """The first day of a year, and its name."""
    return date(number, 1, 1), str(number)


def _month(number: int) -> tuple[date, str]:
    """The first day of a month, and its name."""
    year, month = divmod(number, 12)
    return date(year, month + 1, 1), f"{calendar.month_name[month + 1]} {year}"
