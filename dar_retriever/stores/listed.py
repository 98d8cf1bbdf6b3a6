"""Lists in metadata, for engines that keep and compare single values only.

A list is kept as JSON, with one more field for each item: ``dar_item:["tags", "beach"]`` is 1.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from dar_retriever.stores.filters import Filter, filter_parts

_ITEM: Final = "dar_item:"


def with_items(
    where: Filter | None,
    item: Callable[[str, Any, bool], list[dict[str, Any]]],
    looks_into: Callable[[str, int], bool],
) -> dict[str, Any] | None:
    """A filter whose equalities look into lists too, for engines that compare whole values.

    Args:
        where: The filter; None or empty for none.
        item: The conditions by which the engine says that a field's list holds a value, or, if the
            last argument is false, that it does not.
        looks_into: Whether to look into the lists of a field for so many values.

    Raises:
        InvalidFilterError: It is not a filter.
    """
    if not where:
        return None
    parts = filter_parts(where)
    if len(parts) == 2:
        junction, filters = parts
        return {junction: [with_items(part, item, looks_into) for part in filters]}
    name, asked, operand = parts
    wanted = asked in {"$eq", "$in"}
    values = operand if asked in {"$in", "$nin"} else [operand]
    plain = {name: operand if asked == "$eq" else {asked: operand}}
    if not (wanted or asked in {"$ne", "$nin"}) or not looks_into(name, len(values)):
        return plain
    items = [condition for value in values for condition in item(name, value, wanted)]
    return {"$or" if wanted else "$and": [plain, *items]}


def flagged(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata without lists; see the module."""
    flat: dict[str, Any] = {}
    for name, value in metadata.items():
        if isinstance(value, list):
            flat |= {_flag(name, item): 1 for item in value}
            value = json.dumps(value)  # noqa: PLW2901
        flat[name] = value
    return flat


def unflagged(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What ``flagged`` was given."""
    flags = (name.removeprefix(_ITEM) for name in metadata if name.startswith(_ITEM))
    lists = {json.loads(flag)[0] for flag in flags}
    return {
        name: json.loads(value) if name in lists else value
        for name, value in metadata.items()
        if not name.startswith(_ITEM)
    }


def has_item(name: str, value: Any, wanted: bool) -> list[dict[str, Any]]:  # noqa: FBT001
    """The condition that a list of ``flagged`` holds a value, or does not."""
    flag = _flag(name, value)
    return [{flag: 1} if wanted else {flag: {"$ne": 1}}]


def _flag(name: str, item: Any) -> str:
    # 2 and 2.0 are the same number.
    number = isinstance(item, float) and item.is_integer()
    return f"{_ITEM}{json.dumps([name, int(item) if number else item])}"
