"""The language of metadata filters: Chroma's, with one meaning in every store."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from dar_retriever.errors import InvalidFilterError
from dar_retriever.stores.values import is_unicode, shown, simple

Filter: TypeAlias = Mapping[str, Any]
# ($and or $or, filters), or (field, operator, operand).
Junction: TypeAlias = tuple[str, list[Filter]]
Condition: TypeAlias = tuple[str, str, Any]
Predicate: TypeAlias = Callable[[Mapping[str, Any]], bool]

_JUNCTIONS: Final = {"$and": all, "$or": any}
_NOT: Final = "$not"
_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
_MANY: Final = ("$in", "$nin")
# A field with a list matches what one of its items matches, so these are the same.
_SAME: Final = {"$contains": "$eq", "$not_contains": "$ne"}
_OPERATORS: Final = ("$eq", "$ne", *_MANY, *_SAME, *_ORDER)
_OPPOSITES: Final = {
    "$and": "$or",
    "$or": "$and",
    "$eq": "$ne",
    "$ne": "$eq",
    "$in": "$nin",
    "$nin": "$in",
    "$gt": "$lte",
    "$lte": "$gt",
    "$lt": "$gte",
    "$gte": "$lt",
}


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
        elif name == _NOT:
            fields.update(fields_of_filter(value))
        else:
            fields.add(name)
    return fields


def where_of(filter_: Filter | None) -> dict[str, Any] | None:
    """A filter in its plainest form: one field or operator per mapping, in plain Python values.

    Numbers of numpy become Python's, dates what they are stored as, "$contains" becomes equality
    (see ``matches``), "$not" becomes the opposite of what it holds, and a junction of one filter
    becomes that filter.

    Raises:
        InvalidFilterError: It is not a filter.
    """
    try:
        return _plain(filter_)
    except (TypeError, ValueError) as error:
        raise InvalidFilterError(
            f"{shown(filter_)} is not a filter: {error}; write {{'field': value}} or use the "
            f"operators {', '.join(_OPERATORS)}, joined by $and, $or and $not"
        ) from None


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
    plain = where_of(where)
    if plain is None:
        raise InvalidFilterError("an empty filter; leave it out, or write {'field': value}")
    ((name, value),) = plain.items()
    if name in _JUNCTIONS:
        return name, list(value)
    if not isinstance(value, Mapping):
        return name, "$eq", value
    ((asked, operand),) = value.items()
    return name, asked, operand


def predicate(where: Filter) -> Predicate:
    """A filter as a function of metadata, for engines that filter by one.

    Numbers are only compared with numbers and texts with texts, and a missing field is unequal to
    everything. A list is equal to each of its items. $gt, $gte, $lt and $lte compare single numbers
    and never match a list; so neither "price above 5" nor its opposite matches an image without a
    price.

    Raises:
        InvalidFilterError: The filter has another form.
    """
    parts = filter_parts(where)
    if len(parts) == 2:
        junction, filters = _JUNCTIONS[parts[0]], [predicate(part) for part in parts[1]]
        return lambda metadata: junction(holds(metadata) for holds in filters)
    name, asked, operand = parts
    if asked in _ORDER:
        compare = _ORDER[asked]
        return lambda metadata: (
            _kind(value := metadata.get(name)) == "number" and compare(value, operand)
        )
    wanted = asked in {"$eq", "$in"}
    operands = [(_kind(each), each) for each in (operand if asked in _MANY else [operand])]

    def equal(metadata: Mapping[str, Any]) -> bool:
        value = metadata.get(name)
        items = value if isinstance(value, list | tuple) else [value]
        return any((_kind(item), item) in operands for item in items) is wanted

    return equal


def matches(where: Filter, metadata: Mapping[str, Any]) -> bool:
    """Whether metadata match a filter; see ``predicate``.

    Raises:
        InvalidFilterError: The filter has another form.
    """
    return predicate(where)(metadata)


def _plain(filter_: Filter | None) -> dict[str, Any] | None:
    """See ``where_of``; raises TypeError or ValueError with the reason."""
    if not filter_:
        return None
    if not isinstance(filter_, Mapping):
        raise TypeError(f"{shown(filter_)} is not a mapping")
    parts = [part for name, value in filter_.items() for part in _conditions(name, value)]
    return parts[0] if len(parts) == 1 else {"$and": parts}


def _conditions(name: str, value: Any) -> list[dict[str, Any]]:
    """The conditions of an entry such as {"price": {"$gte": 10, "$lt": 20}}, one per operator."""
    if name in _JUNCTIONS:
        return [_joined(name, value)]
    if name == _NOT:
        plain = _plain(value)
        if plain is None:
            raise ValueError(f"{_NOT} takes a filter that is not empty")
        return [_opposite(plain)]
    if not isinstance(name, str) or not name or name.startswith("$") or not is_unicode(name):
        raise ValueError(f"{shown(name)} names no field")
    if not isinstance(value, Mapping):
        return [{name: _operand("$eq", value)}]
    if not value:
        raise ValueError(f"{shown(name)} is compared with nothing")
    return [
        {name: {_SAME.get(asked, asked): _operand(asked, operand)}}
        for asked, operand in value.items()
    ]


def _joined(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name} takes a list of filters")
    parts = [plain for plain in map(_plain, value) if plain is not None]
    if not parts:
        raise ValueError(f"{name} joins no filter")
    return parts[0] if len(parts) == 1 else {name: parts}


def _opposite(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The opposite of a plain filter, without $not, which most engines do not have."""
    ((name, value),) = plain.items()
    if name in _JUNCTIONS:
        return {_OPPOSITES[name]: list(map(_opposite, value))}
    ((asked, operand),) = (value if isinstance(value, Mapping) else {"$eq": value}).items()
    return {name: {_OPPOSITES[asked]: operand}}


def _operand(asked: str, operand: Any) -> Any:
    """What a field is compared with, as a plain value of Python."""
    if asked not in _OPERATORS:
        raise ValueError(f"{shown(asked)} is no operator")
    plain = simple(operand)
    items = plain if asked in _MANY else [plain]
    if asked in _MANY and not (isinstance(items, list | tuple) and items):
        raise ValueError(f"{asked} takes a list that is not empty")
    kinds = set(map(_kind, items))
    if None in kinds or (asked in _ORDER and kinds != {"number"}):
        wanted = "numbers or dates" if asked in _ORDER else "text, numbers, dates, true or false"
        raise ValueError(f"{asked} compares with {wanted}")
    if len(kinds) > 1:
        raise ValueError(f"{asked} takes values of one type")
    if asked not in _MANY:
        return plain
    # Chroma takes whole numbers or fractions, but not both.
    fractions = kinds == {"number"} and any(isinstance(item, float) for item in items)
    return [float(item) for item in items] if fractions else list(items)


def _kind(value: object) -> str | None:
    # In Python True is a number.
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, int | float):
        whole = isinstance(value, int)
        # Stores keep integers of 64 bits.
        fits = -(2**63) <= value < 2**63 if whole else math.isfinite(value)
        return "number" if fits else None
    return "text" if isinstance(value, str) and is_unicode(value) else None
