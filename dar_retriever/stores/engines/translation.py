"""Filters in the languages of engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from dar_retriever.stores.engines.base import term
from dar_retriever.stores.filters import Filter, filter_parts

Condition = TypeVar("Condition")


class Language(Protocol[Condition]):
    """How an engine says what filters are made of."""

    def has(self, terms: Sequence[str]) -> Condition:
        """A row has one of these terms."""
        ...

    def compares(self, name: str, asked: str, number: float) -> Condition:
        """A row's number is so: $gt, $gte, $lt or $lte. Never true if it has none."""
        ...

    def joined(self, junction: str, parts: Sequence[Condition]) -> Condition:
        """All ($and) or at least one ($or) of several conditions hold."""
        ...

    def lacks(self, terms: Sequence[str]) -> Condition:
        """A row has none of these terms."""
        ...


def translated(where: Filter, language: Language[Condition]) -> Condition:
    """A filter in an engine's language.

    Raises:
        InvalidFilterError: It is not a filter.
    """
    parts = filter_parts(where)
    if len(parts) == 2:
        junction, filters = parts
        return language.joined(junction, [translated(part, language) for part in filters])
    name, asked, operand = parts
    if asked not in {"$eq", "$ne", "$in", "$nin"}:
        return language.compares(name, asked, operand)
    values: Any = operand if asked in {"$in", "$nin"} else [operand]
    terms = [term(name, value) for value in values]
    return language.has(terms) if asked in {"$eq", "$in"} else language.lacks(terms)
