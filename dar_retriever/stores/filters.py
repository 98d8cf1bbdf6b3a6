"""Metadata filters for engines that do not speak Chroma's language."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from dar_retriever.chroma import Filter, where_of
from dar_retriever.errors import InvalidFilterError

# A junction with its parts, or a field with its operator and operand.
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


def filter_parts(where: Filter) -> Junction | Condition:
    """The outermost part of a filter, for whoever translates it.

    Args:
        where: Such as ``{"colour": "red"}``, not empty.

    Returns:
        "$and" or "$or" with the filters that it joins, or a field, one of the operators $eq, $ne,
        $gt, $gte, $lt, $lte, $in and $nin, and its operand.

    Raises:
        InvalidFilterError: It is no such filter.
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
    """Whether metadata match a filter, for engines that take a function.

    As in Chroma, numbers are compared with numbers and texts with texts, and what is missing
    differs from everything.

    Raises:
        InvalidFilterError: It is no filter.
    """
    parts = filter_parts(where)
    if len(parts) == 2:
        junction, filters = parts
        # A list: a part that is no filter is refused whatever the others say.
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
    # True is a number to Python.
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else None


def _refused(where: object) -> InvalidFilterError:
    return InvalidFilterError(
        f"{where!r} is no filter that can be translated; write {{'field': value}} or use the "
        f"operators {', '.join(_OPERATORS)}, joined by $and and $or"
    )
