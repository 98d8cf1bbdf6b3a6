"""Metadata filters in Chroma's language: combining, translating and applying them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from dar_retriever.errors import InvalidFilterError

Filter: TypeAlias = Mapping[str, Any]
# ($and or $or, filters), or (field, operator, operand).
Junction: TypeAlias = tuple[str, list[Filter]]
Condition: TypeAlias = tuple[str, str, Any]

_JUNCTIONS: Final = {"$and": all, "$or": any}
_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
_OPERATORS: Final = ("$eq", "$ne", "$in", "$nin", *_ORDER)


def both(one: Filter | None, other: Filter | None) -> Filter | None:
    """A filter that requires both filters."""
    filters = [filter_ for filter_ in (one, other) if filter_]
    return {"$and": filters} if len(filters) > 1 else next(iter(filters), None)


def fields_of_filter(filter_: Filter | None) -> set[str]:
    """The metadata fields that a filter looks at."""
    fields: set[str] = set()
    for name, value in (filter_ or {}).items():
        if name in _JUNCTIONS:
            fields.update(*map(fields_of_filter, value))
        else:
            fields.add(name)
    return fields


def where_of(filter_: Filter | None) -> dict[str, Any] | None:
    """A filter in the form that Chroma accepts: one field or operator per mapping."""
    if not filter_:
        return None
    parts = [part for name, value in filter_.items() for part in _conditions(name, value)]
    return parts[0] if len(parts) == 1 else {"$and": parts}


def filter_parts(where: Filter) -> Junction | Condition:
    """Split a filter into its outermost parts, to translate it into another language.

    Args:
        where: A filter such as ``{"colour": "red"}``; not empty.

    Returns:
        Either "$and" or "$or" with the filters that it combines, or a field with its operator
        ($eq, $ne, $gt, $gte, $lt, $lte, $in or $nin) and its operand.

    Raises:
        InvalidFilterError: The filter has another form.
    """
    try:
        ((name, value),) = (where_of(where) or {}).items()
    except (TypeError, ValueError, AttributeError) as error:
        raise _refused(where) from error
    if name in _JUNCTIONS and any(value):
        return name, [part for part in value if part]
    if name.startswith("$"):
        raise _refused(where)
    if not isinstance(value, Mapping):
        return name, "$eq", value
    if len(value) != 1 or not value.keys() <= set(_OPERATORS):
        raise _refused(where)
    ((asked, operand),) = value.items()
    if asked in {"$in", "$nin"} and not isinstance(operand, list | tuple):
        raise _refused(where)
    return name, asked, operand


def matches(where: Filter, metadata: Mapping[str, Any]) -> bool:
    """Whether metadata match a filter, for engines that filter by a function.

    As in Chroma, numbers are only compared with numbers and texts with texts, and a missing
    field is unequal to everything.

    Raises:
        InvalidFilterError: The filter has another form.
    """
    parts = filter_parts(where)
    if len(parts) == 2:
        junction, filters = parts
        # A list, so that every part is checked even if the first ones decide the result.
        return _JUNCTIONS[junction]([matches(part, metadata) for part in filters])
    name, asked, operand = parts
    value = metadata.get(name)
    if asked in _ORDER:
        return _comparable(value, operand) and _ORDER[asked](value, operand)
    operands = operand if asked in {"$in", "$nin"} else [operand]
    found = any(_comparable(value, each) and value == each for each in operands)
    return found is (asked in {"$eq", "$in"})


def _comparable(value: object, operand: object) -> bool:
    return _kind(value) is not None and _kind(value) == _kind(operand)


def _kind(value: object) -> str | None:
    # In Python True is a number.
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else None


def _refused(where: object) -> InvalidFilterError:
    return InvalidFilterError(
        f"{where!r} is not a filter that can be translated; write {{'field': value}} or use the "
        f"operators {', '.join(_OPERATORS)}, joined by $and and $or"
    )


def _conditions(name: str, value: Any) -> list[dict[str, Any]]:
    """The conditions of an entry such as {"price": {"$gte": 10, "$lt": 20}}, one per operator."""
    if name in _JUNCTIONS:
        return [{name: [where_of(part) for part in value]}]
    if isinstance(value, Mapping) and value:
        return [{name: {operator: operand}} for operator, operand in value.items()]
    return [{name: value}]
