"""Stretches of time as people name them, from a day to a year."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

from dar_retriever.reformulation.english.conditions.amounts import NUMBER, number_of

_MONTHS: Final = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_SHORT: Final = {name[:3]: number for number, name in enumerate(_MONTHS, 1)} | {"sept": 9}
MONTH: Final = rf"(?:{'|'.join(_MONTHS)}|(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b\.?)"
# Months of the northern half of the earth; winter begins in the year before it ends.
_SEASONS: Final = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
SEASON: Final = r"(?:spring|summer|autumn|fall|winter)"
YEAR: Final = r"(?:19|20)\d\d"
_DAY: Final = r"(?:[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?"
_LAST: Final = r"(?:last|past|previous)"

DATED: Final = (
    rf"(?:(?P<iso>{YEAR}-\d\d-\d\d)|"
    rf"(?P<day>{_DAY}) (?:of )?(?P<day_month>{MONTH}),? (?P<day_year>{YEAR})|"
    rf"(?P<us_month>{MONTH}) (?P<us_day>{_DAY}),? (?P<us_year>{YEAR})|"
    rf"(?P<month>{MONTH})(?: of|,)? (?P<month_year>{YEAR}|{_LAST} year|this year)|"
    rf"(?P<season>{SEASON})(?: of|,)? (?P<season_year>{YEAR}|{_LAST} year|this year))"
)
PLAIN_YEAR: Final = rf"(?P<year>{YEAR})"
RELATIVE: Final = (
    rf"(?:(?P<ago_day>yesterday|the day before yesterday)|"
    rf"(?P<ago>{NUMBER}|a) (?P<unit>day|week|month|year)s? ago|"
    rf"{_LAST} (?P<last>week|month|year|weekend|{SEASON}|{MONTH}))"
)
PRESENT: Final = rf"(?:this (?P<this>week|month|year|{SEASON}))"
_FORM: Final = re.compile(rf"(?:{DATED}|{PLAIN_YEAR}|{RELATIVE}|{PRESENT})", re.IGNORECASE)

Period = tuple[date, date]


def period_of(text: str, today: date) -> Period | None:
    """The first day of what a phrase names, and the first day after it; None where there is none.

    Args:
        text: Of one of the forms ``DATED``, ``PLAIN_YEAR``, ``RELATIVE`` and ``PRESENT``.
        today: What "last summer" is told from.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        return None
    part = {name: value.lower() for name, value in found.groupdict().items() if value}
    try:
        return _period(part, today)
    # The 31st of February, or a time before all calendars.
    except (ValueError, OverflowError):
        return None


def month_of(name: str) -> int:
    """A month's number by its name."""
    name = name.lower().rstrip(".")
    return _SHORT.get(name) or _SHORT[name[:3]]


def _period(part: dict[str, str], today: date) -> Period:
    for day, month, year in (("day", "day_month", "day_year"), ("us_day", "us_month", "us_year")):
        if day in part:
            number = int(re.sub(r"\D", "", part[day]))
            return _day(date(int(part[year]), month_of(part[month]), number))
    (name,) = part.keys() - {"month_year", "season_year", "unit"}
    value = part[name]
    readers: dict[str, Callable[[], Period]] = {
        "iso": lambda: _day(date.fromisoformat(value)),
        "month": lambda: _named_month(_year(part["month_year"], today), value),
        "season": lambda: _season(_year(part["season_year"], today), value),
        "year": lambda: (date(int(value), 1, 1), date(int(value) + 1, 1, 1)),
        "ago_day": lambda: _day(today - timedelta(days=1 if value == "yesterday" else 2)),
        "ago": lambda: _ago(1 if value == "a" else int(number_of(value)), part["unit"], today),
        "last": lambda: _last(value, today),
        "this": lambda: _this(value, today),
    }
    return readers[name]()


def _ago(number: int, unit: str, today: date) -> Period:
    """The day, week, month or year that lies so many of them back."""
    if unit == "day":
        return _day(today - timedelta(days=number))
    if unit == "week":
        monday = today - timedelta(days=today.weekday() + 7 * number)
        return monday, monday + timedelta(days=7)
    if unit == "year":
        return date(today.year - number, 1, 1), date(today.year - number + 1, 1, 1)
    years, month = divmod(12 * today.year + today.month - 1 - number, 12)
    return _month(years, month + 1)


def _last(what: str, today: date) -> Period:
    monday = today - timedelta(days=today.weekday())
    if what == "week":
        return monday - timedelta(days=7), monday
    if what == "weekend":
        # On a Sunday it is not over yet.
        return monday - timedelta(days=2), monday
    if what == "month":
        first = today.replace(day=1)
        return (first - timedelta(days=1)).replace(day=1), first
    if what == "year":
        return date(today.year - 1, 1, 1), date(today.year, 1, 1)
    named = _season if what in _SEASONS else _named_month
    return next(
        period
        for year in (today.year, today.year - 1, today.year - 2)
        if (period := named(year, what))[1] <= today
    )


def _this(what: str, today: date) -> Period:
    monday = today - timedelta(days=today.weekday())
    if what == "week":
        return monday, monday + timedelta(days=7)
    if what == "month":
        return _month(today.year, today.month)
    if what == "year":
        return date(today.year, 1, 1), date(today.year + 1, 1, 1)
    in_winter = what == "winter" and today.month < 6
    return _season(today.year - in_winter, what)


def _year(text: str, today: date) -> int:
    return int(text) if text.isdigit() else today.year - (not text.startswith("this"))


def _day(day: date) -> Period:
    return day, day + timedelta(days=1)


def _named_month(year: int, name: str) -> Period:
    return _month(year, month_of(name))


def _month(year: int, month: int) -> Period:
    return date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)


def _season(year: int, name: str) -> Period:
    first = _SEASONS[name]
    end = first + 3
    return date(year, first, 1), date(year + (end > 12), (end - 1) % 12 + 1, 1)
