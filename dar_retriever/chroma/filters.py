"""Filters, as people write them and as Chroma takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Filter: TypeAlias = Mapping[str, Any]

_JUNCTIONS: Final = ("$and", "$or")


def both(one: Filter | None, other: Filter | None) -> Filter | None:
    """The filter that two filters make together."""
    filters = [filter_ for filter_ in (one, other) if filter_]
    return {"$and": filters} if len(filters) > 1 else next(iter(filters), None)


def where_of(filter_: Filter | None) -> dict[str, Any] | None:
    """A filter as Chroma takes it: one field or operator in each mapping."""
    if not filter_:
        return None
    parts = [part for name, value in filter_.items() for part in _conditions(name, value)]
    return parts[0] if len(parts) == 1 else {"$and": parts}


def _conditions(name: str, value: Any) -> list[dict[str, Any]]:
    """One entry of a filter, such as {"price": {"$gte": 10, "$lt": 20}}, operator by operator."""
    if name in _JUNCTIONS:
        return [{name: [where_of(part) for part in value]}]
    if isinstance(value, Mapping) and value:
        return [{name: {operator: operand}} for operator, operand in value.items()]
    return [{name: value}]
