"""Searches with filters from words, and drops some of them if nothing would be left."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.errors import InvalidFilterError
from dar_retriever.query_encoder import EncodedQuery
from dar_retriever.reformulation.base import Condition, Reformulator
from dar_retriever.stores.base import DescribedStore, SearchableStore
from dar_retriever.stores.fields import Field
from dar_retriever.stores.filtering.naming import Names, Placed
from dar_retriever.stores.filtering.resolution import LeftOut, WordFilter, resolved
from dar_retriever.stores.filters import Filter, both, fields_of_filter
from dar_retriever.stores.hits import Hit
from dar_retriever.trace import WarnOnce, of_error

_LOGGER: Final = logging.getLogger(__name__)
# Every try is a search of the store.
_MOST_TRIES: Final = 12


@dataclass(frozen=True, slots=True)
class Heard:
    """A dialogue, and the names in it that a store knows.

    Attributes:
        said: The dialogue as it was said.
        dialogue: The dialogue without the names, to be encoded.
        names: The names, each with the index of its turn.
        fields: The store's fields.
        fallbacks: What failed.
    """

    said: Dialogue
    dialogue: Dialogue
    names: tuple[Placed, ...] = ()
    fields: Mapping[str, Field] = field(default_factory=dict)
    fallbacks: tuple[str, ...] = ()

    def conditions(self, query: EncodedQuery) -> tuple[Condition, ...]:
        """The conditions of the current subject that a picture cannot show."""
        named = (condition for place, condition in self.names if place >= query.since)
        return (*named, *query.conditions)


@dataclass(frozen=True, slots=True)
class Filtered:
    """The result of a search with filters from words.

    Attributes:
        hits: The hits, best first.
        where: The filter from words that was used.
        only: The same filter for people, as phrases such as "price at most 50".
        reasons: Which words became which filter.
        left_out: Words that did not become a filter, with reasons.
        fallbacks: Filters that were dropped because nothing was left with them.
    """

    hits: tuple[Hit, ...]
    where: Filter | None = None
    only: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()


class WordFilters:
    """Makes filters from conditions that a picture cannot show."""

    def __init__(self) -> None:
        self._names: tuple[Mapping[str, Field], Names] | None = None
        self._warn = WarnOnce(_LOGGER)

    def heard(self, dialogue: Dialogue, store: SearchableStore) -> Heard:
        """Find the names in a dialogue that a store knows, such as brands.

        Args:
            dialogue: The dialogue of the search.
            store: A ``DescribedStore``, or another store whose ``facets`` are used.
        """
        try:
            fields = fields_of(store)
        # The store may be third-party code, and can be searched without filters.
        except Exception as error:
            failed = f"the store's fields were not read, no words filter: {of_error(error)}"
            self._warn(failed)
            return Heard(dialogue, dialogue, fallbacks=(failed,))
        known = self._names
        if known is None or known[0] is not fields:
            known = self._names = fields, Names(fields)
        rest, names = known[1].heard(dialogue)
        filters = (part.phrase for part in dialogue.locked if part.kind == "filter")
        locked = [condition for phrase in filters for condition in known[1].stated(phrase)]
        # They are of any subject, also of one that begins with the last turn.
        end = len(dialogue.turns)
        names = tuple(each for each in names if each[1] not in locked)
        names += tuple((end, condition) for condition in locked)
        # Where nothing else was said, the names are what there is to search with.
        said = any(turn.has_content for turn in rest.turns)
        return Heard(dialogue, rest if said else dialogue, names, fields)

    def fields_of_answer(
        self, dialogue: Dialogue, store: SearchableStore, reader: Reformulator
    ) -> set[str]:
        """The fields that what was said last filters by.

        Args:
            dialogue: A dialogue that ends with an answer.
            store: The store of the fields.
            reader: Reads conditions such as prices in the dialogue.
        """
        heard = self.heard(dialogue, store)
        read = reader.reformulate(heard.dialogue).conditions
        conditions = [*(condition for _, condition in heard.names), *read]
        made = resolved(conditions, heard.fields)
        filters = [each.where for each in made if isinstance(each, WordFilter)]
        return {name for where in filters for name in fields_of_filter(where)}


def filtered_search(
    conditions: Sequence[Condition],
    fields: Mapping[str, Field],
    where: Filter | None,
    find: Callable[[int | None, Filter | None], Sequence[Hit]],
) -> Filtered:
    """Search with the conditions as filters, and drop some of them if nothing would be left.

    Args:
        conditions: Conditions that a picture cannot show.
        fields: The store's fields.
        where: The caller's own filter, which is always kept.
        find: Searches with a maximum number of hits (None for the usual one) and a filter.
    """
    made = resolved(conditions, fields)
    filters = [each for each in made if isinstance(each, WordFilter)]
    left_out = [f"{e.said!r} was left out: {e.why}" for e in made if isinstance(e, LeftOut)]
    reasons = []
    most = _results(conditions)
    if most is not None:
        reasons.append(f"at most {most} results, from {_said(conditions)!r}")
    failed: list[str] = []
    for kept in _by_number(filters):
        words = _joined(kept)
        try:
            hits = tuple(find(most, both(where, words)))
        except InvalidFilterError as error:
            if not kept:
                raise
            failed = [f"the store refuses a filter from words: {of_error(error)}"]
            continue
        if hits or not kept:
            break
    lost = [each for each in filters if each not in kept] if hits else []
    dropped = [f"no image is left with {e.text} ({e.said!r}), so it was dropped" for e in lost]
    reasons += [f"only images with {e.text}, from {e.said!r}" for e in kept]
    only = tuple(each.text for each in kept)
    return Filtered(hits, words, only, tuple(left_out), tuple(reasons), tuple(failed or dropped))


def fields_of(store: SearchableStore) -> Mapping[str, Field]:
    """The fields of a store's metadata by name; its facets if it does not know more."""
    if isinstance(store, DescribedStore):
        return store.fields()
    return {name: Field(name, "text", tuple(texts)) for name, texts in store.facets().items()}


def _by_number(filters: Sequence[WordFilter]) -> list[tuple[WordFilter, ...]]:
    """The combinations of filters to try: larger ones first, then those said last."""
    tries: list[tuple[WordFilter, ...]] = []
    for count in range(len(filters), 0, -1):
        tries += [kept[::-1] for kept in combinations(filters[::-1], count)]
    return [*tries[:_MOST_TRIES], ()]


def _joined(filters: Sequence[WordFilter]) -> Filter | None:
    where: Filter | None = None
    for each in filters:
        where = both(where, each.where)
    return where


def _results(conditions: Sequence[Condition]) -> int | None:
    wanted = [str(each.value) for each in conditions if each.about == "results"]
    number = float(wanted[-1]) if wanted and wanted[-1].replace(".", "", 1).isdecimal() else 0
    return int(number) if number >= 1 else None


def _said(conditions: Sequence[Condition]) -> str:
    return next(each.said for each in reversed(conditions) if each.about == "results")
