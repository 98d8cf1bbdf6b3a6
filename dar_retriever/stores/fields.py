"""The fields and captions of a store, found in some of its records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from random import Random
from threading import Lock
from typing import Any, Final, Literal

from dar_retriever.stores.copies import CAPTIONED_BY
from dar_retriever.stores.hits import Metadata, hit_of

_VALUES: Final = 50
_MOST_TEXTS: Final = 5000
_LONGEST_TEXT: Final = 80


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a store's metadata, as filters see it.

    Attributes:
        name: Name of the field in filters.
        type: Type of most of its values.
        texts: Its different values, commonest first, if they are short texts; at most 5,000.
        lowest: The lowest of its numbers.
        highest: The highest of its numbers.
        complete: Whether these are the values of all images and not only of some.
        lists: Whether some of its values are lists; ``texts`` holds their items.
    """

    name: str
    type: Literal["text", "number"]
    texts: tuple[str, ...] = ()
    lowest: float = 0.0
    highest: float = 0.0
    complete: bool = False
    lists: bool = False


def fields_in(metadatas: Iterable[Metadata], *, complete: bool) -> dict[str, Field]:
    """The fields of texts or numbers by name.

    Args:
        metadatas: The metadata of some or all images, as they are stored.
        complete: Whether these are all images.
    """
    texts: dict[str, Counter[str]] = {}
    numbers: dict[str, list[float]] = {}
    lists: set[str] = set()
    for stored in metadatas:
        for name, kept in _described(hit_of("", 0.0, None, stored).metadata):
            lists |= {name} if isinstance(kept, list) else set()
            for value in _items(kept):
                if isinstance(value, str) and value:
                    texts.setdefault(name, Counter())[value] += 1
                elif isinstance(value, int | float) and not isinstance(value, bool):
                    numbers.setdefault(name, []).append(value)
    fields = {}
    for name in sorted({*texts, *numbers}):
        count, found = texts.get(name, Counter()), numbers.get(name, [])
        if len(found) >= count.total():
            bounds = min(found), max(found)
            fields[name] = Field(name, "number", (), *bounds, complete, name in lists)
            continue
        short = tuple(text for text, _ in count.most_common() if len(text) <= _LONGEST_TEXT)
        kept = short if len(short) <= _MOST_TEXTS else ()
        whole = complete and len(kept) == len(count)
        fields[name] = Field(name, "text", kept, complete=whole, lists=name in lists)
    return fields


class RememberedFields:
    """A store's fields, which are only read again if the store has changed."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: tuple[Hashable, dict[str, Field]] | None = None

    def at(self, state: Hashable, read: Callable[[], dict[str, Field]]) -> dict[str, Field]:
        """The fields in a state of the store.

        Args:
            state: State of the store; equal to the last one if nothing has changed.
            read: Reads the fields.
        """
        with self._lock:
            if self._known is None or self._known[0] != state:
                self._known = state, read()
            return self._known[1]


def filterable_fields(metadatas: Iterable[Metadata]) -> dict[str, list[str]]:
    """Text fields with few values, by name, with the commonest value first."""
    counts: dict[str, Counter[str]] = {}
    for metadata in metadatas:
        for name, kept in _described(metadata):
            for value in _items(kept):
                if isinstance(value, str) and value:
                    counts.setdefault(name, Counter())[value] += 1
    return {
        name: sorted(count, key=lambda value: (-count[value], value))
        for name, count in sorted(counts.items())
        # If hardly any value occurs twice, they are names and not categories.
        if len(count) <= min(_VALUES, count.total() / 2)
    }


def some_captions(captions: Iterable[str], most: int) -> list[str]:
    """A random choice of captions, without duplicates; the same at every call."""
    known = sorted({*captions} - {""})
    return Random(len(known)).sample(known, min(most, len(known)))


def _described(metadata: Metadata) -> Iterator[tuple[str, Any]]:
    """What metadata say of a picture; nobody looks for the model that wrote its caption."""
    return (item for item in metadata.items() if item[0] != CAPTIONED_BY)


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
