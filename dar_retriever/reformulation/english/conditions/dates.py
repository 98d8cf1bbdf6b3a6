"""When a picture was taken or a thing was made, said in English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from dar_retriever.reformulation.base import Condition
from dar_retriever.reformulation.english.conditions.amounts import NUMBER, number_of
from dar_retriever.reformulation.english.conditions.periods import (
    DATED,
    MONTH,
    PLAIN_YEAR,
    PRESENT,
    RELATIVE,
    SEASON,
    Period,
    month_of,
    period_of,
)
from dar_retriever.reformulation.english.conditions.phrase import (
    NEGATION,
    Found,
    clause_before,
    is_written,
    trail_after,
)


def _unnamed(pattern: str) -> str:
    return re.sub(r"\(\?P<\w+>", "(?:", pattern)


_DATED: Final = _unnamed(DATED)
_YEAR: Final = _unnamed(PLAIN_YEAR)
_RELATIVE: Final = _unnamed(RELATIVE)
_PRESENT: Final = _unnamed(PRESENT)
_ANY: Final = rf"(?:{_DATED}|{_RELATIVE}|{_PRESENT}|{_YEAR})"

_MADE: Final = (
    r"(?:taken|shot|made|photographed|captured|snapped|uploaded|added|published|released|posted|"
    r"dated|created|produced|painted|drawn|bought|listed|launched|came out|brought out|"
    r"i took|we took)"
)
_PICTURES: Final = (
    r"(?:photos?|pictures?|pics|images?|shots?|snaps|snapshots|ones?|those|results?|stuff|"
    r"anything|something|everything|only|just|items?|products?|arrivals)"
)
_CUE: Final = re.compile(
    rf"(?:(?<!\w){_MADE}|(?<!\w){_PICTURES}(?: (?:that|which))?(?: (?:is|are|was|were))?|^)\s*$",
    re.IGNORECASE,
)
_LEAD: Final = re.compile(
    rf"(?:(?<![\w'-])(?:{_MADE}|that|which|was|were|is|are|it'?s?|they|and|but|only|just|from|"
    r"of|back|sometime|must|should|be|have|has|been|the ones?|ones?|those)\s+)*$",
    re.IGNORECASE,
)
_WITHIN: Final = r"(?:from|in|of|on|during|within|dated)"
_NONE: Final = r"(?:no|not|nothing|none)"
_FROM: Final = (
    r"(?:since|after|later than|newer than|more recent than|"
    rf"{_NONE}(?: {_MADE})? (?:before|earlier than|older than))"
)
_UNTIL: Final = (
    r"(?:before|until|till|up to|earlier than|older than|prior to|"
    rf"{_NONE} (?:after|later than|newer than|more recent than))"
)
_END: Final = (
    r"(?=\s*(?:$|[,.;!?)]|(?:with|and|but|in|on|at|or|please|that|which|where|showing|of|by|for|"
    r"only|to|who|when|under|over|size|from|if|though|thanks|i|we)\b))(?!'s\b)"
)
_RANGE: Final = re.compile(
    rf"\b(?:between (?P<first>{_ANY}) and (?P<second>{_ANY}|now|today)|"
    rf"(?:from|in) (?P<start>{_ANY}) (?:to|until|till|through|or|and) (?P<stop>{_ANY}|now|"
    rf"today)){_END}",
    re.IGNORECASE,
)
_BOUND: Final = re.compile(
    rf"(?<![\w-])(?P<how>{_WITHIN}|{_FROM}|{_UNTIL}) (?:the )?(?P<period>{_ANY})"
    rf"(?P<on>,? (?:on(?:wards?)?|(?:or|and) (?:later|newer|after|up)))?{_END}",
    re.IGNORECASE,
)
_RANGE_OF: Final = re.compile(
    r"\b(?:from |of )?(?:the )?(?P<period>(?:last|this) (?:year|spring|summer|autumn|winter))'s "
    r"(?:range|collection|line|models?|arrivals)\b",
    re.IGNORECASE,
)
_BARE: Final = re.compile(
    rf"(?<![\w'-])(?<!\bthe )(?P<period>{_RELATIVE}|{_DATED}|{_PRESENT}){_END}",
    re.IGNORECASE,
)
_AGO: Final = re.compile(
    rf"\b(?:(?:from|in|during|of|within) )?the (?:last|past) (?:(?P<number>{NUMBER}) )?"
    rf"(?P<unit>days?|weeks?|months?|years?){_END}",
    re.IGNORECASE,
)
_MONTH: Final = re.compile(
    rf"\b(?P<made>{_MADE} (?:in|during) (?:the month of )?|(?:from|only) )(?P<month>{MONTH}){_END}",
    re.IGNORECASE,
)
# "Released 2023 or later".
_MADE_YEAR: Final = re.compile(
    rf"(?<!\w){_MADE} (?P<period>{_YEAR})(?P<on>,? (?:onwards?|(?:or|and) (?:later|newer|"
    rf"after|up)))?"
    rf"{_END}",
    re.IGNORECASE,
)
_AT_MOST_OLD: Final = re.compile(
    rf"\b(?:no|not|nothing|none) older than "
    rf"(?P<number>{NUMBER}|an?) (?P<unit>days?|weeks?|months?|years?)(?: old| ago)?{_END}",
    re.IGNORECASE,
)
_OF_YEAR: Final = re.compile(
    rf"(?<![\w-])(?:the )?(?P<period>{_YEAR}) (?:ones?|models?|releases?|arrivals){_END}",
    re.IGNORECASE,
)
# A thing's own age may be seen.
_OF_A_THING: Final = re.compile(r"\b(?:built|born|founded|opened|invented) $", re.IGNORECASE)
_NAMED: Final = re.compile(rf"\b(?:{SEASON}|{MONTH}) $", re.IGNORECASE)
_DAYS: Final = {"day": 1, "week": 7, "month": 30, "year": 365}
# Of things of the last century a picture shows the age: "a car from 1965".
_UNSEEN_SINCE: Final = 2000
_YEAR_ALONE: Final = re.compile(
    rf"[\W_]*(?:(?P<again>actually|rather|no,?|make (?:it|that)|sorry,?|"
    rf"i meant) )*(?:in |from |about )?(?P<year>{_YEAR})(?P<on>,? (?:(?:or|and) (?:later|newer|"
    rf"after|up)|"
    r"onwards?))?[\W_]*",
    re.IGNORECASE,
)
_RANGE_ALONE: Final = re.compile(
    rf"[\W_]*(?P<start>{_ANY}) ?(?:to|until|till|through|[-\u2013]) ?(?P<stop>{_ANY}|now|today)"
    r"[\W_]*",
    re.IGNORECASE,
)


def date_in(text: str, today: date, *, known: bool, asked: bool) -> Iterator[Found]:
    """The time that a message names, if it does.

    Args:
        text: A message.
        today: What "last summer" is told from.
        known: Whether a time was named before, so that "actually 2019" is another.
        asked: Whether it answers a question for the time, so that "2019" is one.
    """
    alone = _YEAR_ALONE.fullmatch(text)
    if alone and (asked or alone["on"] or (known and alone["again"])):
        year = period_of(alone["year"], today)
        if year and alone["on"]:
            yield Found(0, len(text), _conditions(year[0], None, text), "date")
        else:
            yield from _found(0, len(text), year, text)
        return
    between = _RANGE_ALONE.fullmatch(text) if asked else None
    if between:
        yield from _found(0, len(text), _spanned(between["start"], between["stop"], today), text)
        return
    for read in (_range, _range_of, _bound, _made_in, _since, _young, _month, _bare, _of_year):
        for start, end, conditions in read(text, today):
            negated = NEGATION.search(clause_before(text, start))
            if not (negated or is_written(text, start)):
                yield Found(_before(text, start), trail_after(text, end), conditions, "date")
                return


Reading = Iterator[tuple[int, int, tuple[Condition, ...]]]


def _range(text: str, today: date) -> Reading:
    for match in _RANGE.finditer(text):
        start, stop = match["first"] or match["start"], match["second"] or match["stop"]
        if period := _spanned(start, stop, today):
            yield *match.span(), _conditions(*period, match[0])


def _spanned(start: str, stop: str, today: date) -> Period | None:
    first = period_of(start, today)
    last = period_of("this year" if stop.lower() in {"now", "today"} else stop, today)
    if first is None or last is None:
        return None
    return min(first[0], last[0]), max(first[1], last[1])


def _bound(text: str, today: date) -> Reading:
    for match in _BOUND.finditer(text):
        period = period_of(match["period"], today)
        # "Summer of 2019" is read as a whole.
        named = match["how"] == "of" and _NAMED.search(text[: match.start()])
        if period is None or named or not _is_sure(text, match, period, today):
            continue
        how = match["how"].lower()
        first: date | None = period[0]
        last: date | None = period[1]
        if match["on"]:
            last = None
        elif how in {"after", "later than", "newer than", "more recent than"}:
            first, last = period[1], None
        elif re.match(rf"{_NONE} ", how):
            first, last = (period[0], None) if re.fullmatch(_FROM, how) else (None, period[1])
        elif re.fullmatch(_FROM, how):
            last = None
        elif re.fullmatch(_UNTIL, how):
            first, last = None, period[0]
        yield *match.span(), _conditions(first, last, match[0])


def _is_sure(text: str, match: re.Match[str], period: Period, today: date) -> bool:
    if re.fullmatch(_RELATIVE, match["period"], re.IGNORECASE):
        return True
    if period[0] > today or _OF_A_THING.search(text[: match.start()][-20:]):
        return False
    cue = _CUE.search(clause_before(text, match.start()).rstrip() + " ")
    return cue is not None or (
        period[0].year >= _UNSEEN_SINCE and not re.fullmatch(_PRESENT, match["period"])
    )


def _range_of(text: str, today: date) -> Reading:
    """Such as "last year's range"."""
    for match in _RANGE_OF.finditer(text):
        if period := period_of(match["period"], today):
            yield *match.span(), _conditions(*period, match[0])


def _since(text: str, today: date) -> Reading:
    for match in _AGO.finditer(text):
        unit = match["unit"].lower().rstrip("s")
        days = _DAYS[unit] * (number_of(match["number"]) if match["number"] else 1)
        if 0 < days < 36500:
            yield *match.span(), _conditions(today - timedelta(days=days), None, match[0])


def _made_in(text: str, today: date) -> Reading:
    for match in _MADE_YEAR.finditer(text):
        if period := period_of(match["period"], today):
            yield (
                *match.span(),
                _conditions(period[0], None if match["on"] else period[1], match[0]),
            )


def _young(text: str, today: date) -> Reading:
    """Such as "not older than three years"."""
    for match in _AT_MOST_OLD.finditer(text):
        number = match["number"].lower()
        days = _DAYS[match["unit"].lower().rstrip("s")]
        days *= 1 if number in {"a", "an"} else int(number_of(number))
        if 0 < days < 36500:
            yield *match.span(), _conditions(today - timedelta(days=days), None, match[0])


def _month(text: str, _: date) -> Reading:
    for match in _MONTH.finditer(text):
        cue = _CUE.search(clause_before(text, match.start()))
        if match["made"].lower().startswith("from") and cue is None:
            continue
        said = match[0].strip()
        month = Condition("month", "$eq", month_of(match["month"]), said)
        yield *match.span(), (month,)


def _bare(text: str, today: date) -> Reading:
    for match in _BARE.finditer(text):
        period = period_of(match["period"], today)
        relative = re.fullmatch(_RELATIVE, match["period"], re.IGNORECASE)
        cue = _CUE.search(clause_before(text, match.start()))
        # "a march 2019 calendar" has more behind it, "a party, march 2019" has not.
        if period and (relative or cue):
            yield *match.span(), _conditions(*period, match[0])


def _of_year(text: str, today: date) -> Reading:
    """Such as "2018 ones", "the 2020 models"."""
    for match in _OF_YEAR.finditer(text):
        period = period_of(match["period"], today)
        if period and _UNSEEN_SINCE <= period[0].year <= today.year:
            yield *match.span(), _conditions(*period, match[0])


def _before(text: str, start: int) -> int:
    reach = text[max(0, start - 60) : start]
    found = _LEAD.search(reach)
    return start - len(reach) + found.start() if found else start


def _found(start: int, end: int, period: Period | None, said: str) -> Iterator[Found]:
    if period:
        yield Found(start, end, _conditions(*period, said), "date")


def _conditions(first: date | None, last: date | None, said: str) -> tuple[Condition, ...]:
    said = said.strip(" ,.;!?")
    bounds = (("$gte", first), ("$lt", last))
    return tuple(Condition("date", asked, day.isoformat(), said) for asked, day in bounds if day)
