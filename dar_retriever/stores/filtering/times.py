"""Filters for dates, on fields that store dates in different forms."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from dar_retriever.stores.fields import Field
from dar_retriever.stores.filters import Filter

Period = tuple[date, date]

_TEXT: Final = re.compile(r"(\d{4})(?:[-:/.](\d{1,2})(?:[-:/.](\d{1,2}))?)?(?![\d])")
_MOST: Final = 0.9
# Databases accept this many values in one filter.
_MOST_VALUES: Final = 5000
_MOST_YEARS: Final = 200
_YEARS: Final = (1000, 3000)
_DAYS: Final = (1000_01_01, 3000_01_01)
# In seconds and in milliseconds, from 1973 on.
_SECONDS: Final = (1e8, 1e11)
_MILLISECONDS: Final = (1e11, 1e14)


def holds_dates(field: Field) -> bool:
    """Whether a field's values are dates that can be compared."""
    if field.type == "number":
        return _number_of(field) is not None
    dated = sum(period_of_text(text) is not None for text in field.texts)
    return bool(dated) and dated >= _MOST * len(field.texts)


def within(field: Field, first: date | None, last: date | None) -> Filter | None:
    """A filter for the days from ``first`` until before ``last``; None if no value can match.

    Args:
        field: A field that ``holds_dates``.
        first: The first day, if there is one.
        last: The day after the last one, if there is one.
    """
    if field.type == "text":
        return _one_of(field, lambda period: _overlap(period, first, last))
    number = _number_of(field)
    assert number is not None
    bounds: dict[str, Any] = {}
    if first:
        bounds["$gte"] = number(first)
    if last:
        # A year that has begun belongs to it.
        bounds["$lte"] = number(last - timedelta(days=1)) if _by_year(field) else number(last) - 1
    below = first and field.highest < bounds["$gte"]
    above = last and field.lowest > bounds["$lte"]
    return None if field.complete and (below or above) else {field.name: bounds}


def in_month(field: Field, month: int) -> Filter | None:
    """A filter for a month of any year; None if the field has no months."""
    if field.type == "text":
        one = timedelta(days=31)
        return _one_of(field, lambda p: p[0].month == month and p[1] - p[0] <= one)
    number = _number_of(field)
    if number is None or _by_year(field):
        return None
    years = [year_of(field, field.lowest), year_of(field, field.highest)]
    if years[1] - years[0] > _MOST_YEARS:
        return None
    spans = [_month(year, month) for year in range(years[0], years[1] + 1)]
    parts = [
        {field.name: {"$gte": number(first), "$lte": number(last) - 1}} for first, last in spans
    ]
    return parts[0] if len(parts) == 1 else {"$or": parts}


def period_of_text(text: str) -> Period | None:
    """The first day of what a text names and the day after it: of "2019-05", "2019:05:03 10:22"."""
    found = _TEXT.match(text.strip())
    if found is None:
        return None
    year, month, day = (int(part) if part else None for part in found.groups())
    assert year is not None
    try:
        if month is None:
            return date(year, 1, 1), date(year + 1, 1, 1)
        if day is None:
            return _month(year, month)
        return date(year, month, day), date(year, month, day) + timedelta(days=1)
    # No such month or day.
    except (ValueError, OverflowError):
        return None


def day_of(field: Field, value: object) -> date | None:
    """The day of a value of a field that ``holds_dates``, or the first day of its period."""
    if isinstance(value, str):
        period = period_of_text(value)
        return period[0] if period else None
    if field.type != "number" or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if _by_year(field):
        return date(int(value), 1, 1)
    if _in(field, _DAYS):
        digits = f"{value:.0f}"
        period = period_of_text(f"{digits[:4]}-{digits[4:6]}-{digits[6:]}")
        return period[0] if period else None
    return datetime.fromtimestamp(value / _scale(field), UTC).date()


def year_of(field: Field, value: float) -> int:
    """The year of a number of a field of days or moments."""
    if _in(field, _DAYS):
        return int(value) // 10000
    return datetime.fromtimestamp(value / _scale(field), UTC).year


def _number_of(field: Field) -> Callable[[date], float] | None:
    """How a number field writes a day; None if its numbers are not dates."""
    if _by_year(field):
        return lambda day: day.year
    if _in(field, _DAYS):
        return lambda day: day.year * 10000 + day.month * 100 + day.day
    if _in(field, _SECONDS):
        return _seconds
    if _in(field, _MILLISECONDS):
        return lambda day: 1000 * _seconds(day)
    return None


def _scale(field: Field) -> int:
    """Units of a second in a field of moments."""
    return 1 if _in(field, _SECONDS) else 1000


def _by_year(field: Field) -> bool:
    return field.type == "number" and _in(field, _YEARS)


def _seconds(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def _in(field: Field, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= field.lowest and field.highest < bounds[1]


def _one_of(field: Field, fits: Callable[[Period], bool]) -> Filter | None:
    # Engines do not compare texts by order, so the filter lists all matching values.
    periods: Mapping[str, Period | None] = {text: period_of_text(text) for text in field.texts}
    texts = [text for text, period in periods.items() if period and fits(period)]
    if not texts or len(texts) > _MOST_VALUES:
        return None
    return {field.name: {"$in": sorted(texts)}}


def _overlap(period: Period, first: date | None, last: date | None) -> bool:
    return (first is None or period[1] > first) and (last is None or period[0] < last)


def _month(year: int, month: int) -> Period:
    return date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)
