"""Filters in the form in which Chroma finds items of lists too."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from dar_retriever.stores.filters import Filter
from dar_retriever.stores.listed import with_items

# Chroma looks up every item by itself.
_MOST_ITEMS: Final = 100
_COMPARED: Final = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte")


def chroma_where(where: Filter | None, holds_lists: Callable[[str], bool]) -> Any:
    """A filter for Chroma, where equality does not look into lists but "$contains" does.

    Args:
        where: The filter; None or empty for none.
        holds_lists: Whether a field holds lists; only asked if looking into them takes long.

    Raises:
        InvalidFilterError: It is not a filter.
    """
    found = with_items(
        where, _has_item, lambda name, count: count <= _MOST_ITEMS or holds_lists(name)
    )
    return None if found is None else _exact(found)


def _has_item(name: str, value: Any, wanted: bool) -> list[dict[str, Any]]:  # noqa: FBT001
    within = "$contains" if wanted else "$not_contains"
    return [{name: {within: form}} for form in _forms(value)]


def _forms(value: Any) -> list[Any]:
    """A number as an integer and as a fraction, which Chroma keeps apart within lists."""
    if isinstance(value, int) and not isinstance(value, bool):
        return [value, float(value)]
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**63
    return [value, int(value)] if whole else [value]


def _exact(where: dict[str, Any]) -> dict[str, Any]:
    """The same filter for Chroma, which cuts a fraction off before it compares whole numbers.

    There 2 equals 2.5 and is not below 2.4. So a fraction is compared between the whole numbers on
    both sides of it only.
    """
    ((name, value),) = where.items()
    if name in ("$and", "$or"):
        return {name: [_exact(part) for part in value]}
    ((asked, operand),) = value.items() if isinstance(value, dict) else (("$eq", value),)
    if asked in ("$in", "$nin"):
        rest = [each for each in operand if _is_fraction(each)]
        whole = [each for each in operand if not _is_fraction(each)]
        single = "$eq" if asked == "$in" else "$ne"
        parts = [{name: {asked: whole}}] if whole else []
        parts += [_exact({name: {single: each}}) for each in rest]
        return parts[0] if len(parts) == 1 else {"$or" if asked == "$in" else "$and": parts}
    if asked not in _COMPARED or not _is_fraction(operand):
        return where
    above, below = {name: {"$gt": math.floor(operand)}}, {name: {"$lt": math.ceil(operand)}}
    at_most, at_least = {name: {"$lte": math.floor(operand)}}, {name: {"$gte": math.ceil(operand)}}
    within: dict[str, dict[str, Any]] = {
        "$eq": {"$and": [where, above, below]},
        "$ne": {"$or": [where, at_most, at_least]},
        "$gt": {"$or": [at_least, {"$and": [where, above]}]},
        "$gte": {"$or": [at_least, {"$and": [where, above]}]},
        "$lt": {"$or": [at_most, {"$and": [where, below]}]},
        "$lte": {"$or": [at_most, {"$and": [where, below]}]},
    }
    return within[asked]


def _is_fraction(value: Any) -> bool:
    return isinstance(value, float) and not value.is_integer()
