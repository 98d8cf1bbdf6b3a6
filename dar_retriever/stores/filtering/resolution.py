"""Matches conditions with a store's fields; those that match none are left out with a reason."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Final

from dar_retriever.reformulation.base import Condition
from dar_retriever.stores.fields import Field
from dar_retriever.stores.filtering.names import fields_about, is_seen, kind_of, words_of
from dar_retriever.stores.filtering.times import holds_dates, in_month, period_of_text, within
from dar_retriever.stores.filters import Filter, both

Fields = Mapping[str, Field]

_PHRASES: Final = {"$lte": "at most", "$lt": "below", "$gte": "at least", "$gt": "above", "$eq": ""}
_REGIONS: Final = ("eu ", "us ", "uk ")
_SIZES: Final = {"small": "s", "medium": "m", "large": "l", "2xl": "xxl", "3xl": "xxxl"}


@dataclass(frozen=True, slots=True)
class WordFilter:
    """A filter that came from words.

    Attributes:
        where: The filter in Chroma's language.
        text: The filter for people: "price at most 50".
        said: The words that it came from.
    """

    where: Filter
    text: str
    said: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Words that did not become a filter, and why."""

    said: str
    why: str


def resolved(conditions: Sequence[Condition], fields: Fields) -> list[WordFilter | LeftOut]:
    """Turn each condition into a filter, or leave it out with a reason.

    Args:
        conditions: The conditions in the order in which they were said.
        fields: The store's fields by name.
    """
    made = []
    for (about, said), together in groupby(conditions, key=lambda each: (each.about, each.said)):
        if about == "results":
            continue
        made.append(_READERS.get(about, _named)(list(together), fields, said))
    return made


def _maker(_: list[Condition], fields: Fields, said: str) -> WordFilter | LeftOut:
    """A filter for a maker who is named without a word that says so: "the pumas".

    Places and people are in pictures, too.
    """
    for field in fields.values():
        makers = field.texts if kind_of(field.name) == "maker" else ()
        named = [maker for maker in makers if _names(said, maker)]
        if named:
            return _one_of(field, named, f"{field.name} {' or '.join(named)}", said)
    return LeftOut(said, "the store has no field for it")


def _price(conditions: list[Condition], fields: Fields, said: str) -> WordFilter | LeftOut:
    named = fields_about("price", fields)
    field = next((field for field in named if field.type == "number"), None)
    if field is None:
        why = "keeps prices as text" if named else "has no field for a price"
        return LeftOut(said, f"the store {why}")
    return _bounded(conditions, field, said)


def _size(conditions: list[Condition], fields: Fields, said: str) -> WordFilter | LeftOut:
    named = fields_about("size", fields)
    if not named:
        return LeftOut(said, "the store has no field for a size")
    field, wanted = named[0], _texts(conditions[0])
    text = f"{field.name} {' or '.join(wanted).upper()}"
    if field.type == "text":
        known = [value for value in field.texts if _size_of(value) in {*map(_size_of, wanted)}]
        if conditions[0].operator in {"$ne", "$nin"} and known:
            return WordFilter({field.name: {"$nin": known}}, f"{field.name} not {text}", said)
        return _one_of(field, known, text, said)
    if conditions[0].operator in {"$ne", "$nin"}:
        return LeftOut(said, f"{field.name!r} holds numbers")
    numbers = [float(value) for value in wanted if _is_number(value)]
    fits = [n for n in numbers if field.lowest <= n <= field.highest or not field.complete]
    if not fits:
        return LeftOut(said, f"no image of the store has {text}")
    where = {field.name: {"$eq": fits[0]} if len(fits) == 1 else {"$in": fits}}
    return WordFilter(where, text, said)


def _date(conditions: list[Condition], fields: Fields, said: str) -> WordFilter | LeftOut:
    first: date | None = None
    last: date | None = None
    for each in conditions:
        period = period_of_text(_texts(each)[0])
        if period is None or each.operator not in _PHRASES:
            return LeftOut(said, "it names no time")
        if each.operator in {"$gte", "$eq", "$gt"}:
            first = period[each.operator == "$gt"]
        if each.operator in {"$lte", "$eq", "$lt"}:
            last = period[each.operator != "$lt"]
    return _dated(fields, said, _period_text(first, last), lambda field: within(field, first, last))


def _month(conditions: list[Condition], fields: Fields, said: str) -> WordFilter | LeftOut:
    value = conditions[0].value
    if not isinstance(value, int | float) or not 1 <= value <= 12:
        return LeftOut(said, "it names no month")
    month = int(value)
    text = f"in {calendar.month_name[month]}"
    return _dated(fields, said, text, lambda field: in_month(field, month))


def _dated(
    fields: Fields, said: str, text: str, filter_of: Callable[[Field], Filter | None]
) -> WordFilter | LeftOut:
    field = next((each for each in fields_about("date", fields) if holds_dates(each)), None)
    if field is None:
        return LeftOut(said, "the store has no field for a date")
    if field.type == "text" and not field.complete:
        why = f"the store keeps {field.name!r} as text, and too many of them; keep it as numbers"
        return LeftOut(said, why)
    where = filter_of(field)
    if where is None:
        return LeftOut(said, f"no image of the store has {field.name} {text}")
    return WordFilter(where, f"{field.name} {text}", said)


def _named(conditions: list[Condition], fields: Fields, said: str) -> WordFilter | LeftOut:
    """A filter for a brand, a place, a person, or anything else that has its own field."""
    condition = conditions[0]
    if is_seen(condition.about):
        return LeftOut(said, "pictures show it")
    field = fields.get(condition.about) or _field_for(condition, fields)
    if field is None:
        return LeftOut(said, f"the store has no field for {condition.about!r} with that value")
    if field.type == "number":
        return _bounded(conditions, field, said)
    wanted = {*map(_plain, _texts(condition))}
    known = [text for text in field.texts if _plain(text) in wanted]
    shown = list({_plain(text): text for text in reversed(known)}.values())
    denied = condition.operator in {"$ne", "$nin"}
    text = f"{field.name} {'not ' * denied}{' or '.join(shown)}"
    if known and denied:
        where = {field.name: {"$ne": known[0]} if len(known) == 1 else {"$nin": known}}
        return WordFilter(where, text, said)
    return _one_of(field, known, text if known else f"that {field.name}", said)


def _field_for(condition: Condition, fields: Fields) -> Field | None:
    """The field of a brand or the like, found by the field's name or by the value."""
    about, wanted = {*words_of(condition.about)}, {*map(_plain, _texts(condition))}
    unseen = [field for field in fields.values() if not is_seen(field.name)]
    named = [field for field in unseen if about & {*words_of(field.name)}]
    alike = [field for field in unseen if kind_of(field.name) != "other"]
    holding = (each for each in (*named, *alike) if wanted & {*map(_plain, each.texts)})
    return next(holding, next((field for field in named if field.type == "number"), None))


def _bounded(conditions: list[Condition], field: Field, said: str) -> WordFilter | LeftOut:
    where: Filter | None = None
    texts = []
    for each in conditions:
        value = _number(each.value)
        if value is None or each.operator not in _PHRASES:
            return LeftOut(said, f"{field.name!r} holds numbers")
        where = both(where, {field.name: {each.operator: value}})
        texts.append(f"{_PHRASES[each.operator]} {value:g}".strip())
    assert where is not None
    return WordFilter(where, f"{field.name} {' and '.join(texts)}", said)


def _names(said: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}(?:'?s)?\b", said, re.IGNORECASE) is not None


def _one_of(field: Field, known: Sequence[str], text: str, said: str) -> WordFilter | LeftOut:
    if not known:
        return LeftOut(said, f"no image of the store has {text}")
    where = {field.name: {"$eq": known[0]} if len(known) == 1 else {"$in": list(known)}}
    return WordFilter(where, text, said)


def _period_text(first: date | None, last: date | None) -> str:
    if first is None or last is None:
        return f"from {_day_text(first)} on" if first else f"before {_day_text(last)}"
    end = last - timedelta(days=1)
    if first == date(first.year, 1, 1) and last == date(first.year + 1, 1, 1):
        return f"in {first.year}"
    return f"on {first}" if first == end else f"from {first} to {end}"


def _day_text(day: date | None) -> str:
    """A day as text; only the year if that is enough."""
    assert day is not None
    return str(day.year) if (day.month, day.day) == (1, 1) else str(day)


def _texts(condition: Condition) -> list[str]:
    value = condition.value
    if isinstance(value, tuple):
        return [str(each) for each in value]
    return [f"{value:g}" if isinstance(value, float) else str(value)]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _size_of(text: str) -> str:
    plain = _plain(text)
    plain = next((plain.removeprefix(r) for r in _REGIONS if plain.startswith(r)), plain)
    plain = _SIZES.get(plain, plain).replace(",", ".")
    return plain.removesuffix(".0")


def _number(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except ValueError:
        return None


def _is_number(text: str) -> bool:
    return _number(text) is not None


_READERS: Final[Mapping[str, Callable[[list[Condition], Fields, str], WordFilter | LeftOut]]] = {
    "": _maker,
    "price": _price,
    "size": _size,
    "date": _date,
    "month": _month,
}
