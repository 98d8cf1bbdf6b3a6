"""What a store holds, told from some of its records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from random import Random
from threading import Lock
from typing import Final, Literal

from dar_retriever.stores.hits import Metadata, hit_of

_VALUES: Final = 50
_MOST_TEXTS: Final = 5000
_LONGEST_TEXT: Final = 80


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a store's metadata, as filters see it.

    Attributes:
        name: What filters call it.
        type: What most of its values are.
        texts: Its different values, commonest first, where they are short texts, 5,000 at most.
        lowest: Of its numbers.
        highest: Likewise.
        complete: Whether these are the values of all images, not only of some.
    """

    name: str
    type: Literal["text", "number"]
    texts: tuple[str, ...] = ()
    lowest: float = 0.0
    highest: float = 0.0
    complete: bool = False


def fields_in(metadatas: Iterable[Metadata], *, complete: bool) -> dict[str, Field]:
    """The fields of texts or numbers by name.

    Args:
        metadatas: Of some images, or of all, as they are stored.
        complete: Whether of all.
    """
    texts: dict[str, Counter[str]] = {}
    numbers: dict[str, list[float]] = {}
    for stored in metadatas:
        for name, value in hit_of("", 0.0, None, stored).metadata.items():
            if isinstance(value, str) and value:
                texts.setdefault(name, Counter())[value] += 1
            elif isinstance(value, int | float) and not isinstance(value, bool):
                numbers.setdefault(name, []).append(value)
    fields = {}
    for name in sorted({*texts, *numbers}):
        count, found = texts.get(name, Counter()), numbers.get(name, [])
        if len(found) >= count.total():
            fields[name] = Field(name, "number", (), min(found), max(found), complete)
            continue
        short = tuple(text for text, _ in count.most_common() if len(text) <= _LONGEST_TEXT)
        kept = short if len(short) <= _MOST_TEXTS else ()
        fields[name] = Field(name, "text", kept, complete=complete and len(kept) == len(count))
    return fields


class RememberedFields:
    """A store's fields, read again only once the store is in another state."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: tuple[Hashable, dict[str, Field]] | None = None

    def at(self, state: Hashable, read: Callable[[], dict[str, Field]]) -> dict[str, Field]:
        """The fields of a state.

        Args:
            state: Of the store; equal to the one before where nothing has changed.
            read: Reads them.
        """
        with self._lock:
            if self._known is None or self._known[0] != state:
                self._known = state, read()
            return self._known[1]


def filterable_fields(metadatas: Iterable[Metadata]) -> dict[str, list[str]]:
    """Text fields of few values by name, values commonest first."""
    counts: dict[str, Counter[str]] = {}
    for metadata in metadatas:
        for name, value in metadata.items():
            if isinstance(value, str) and value:
                counts.setdefault(name, Counter())[value] += 1
    return {
        name: sorted(count, key=lambda value: (-count[value], value))
        for name, count in sorted(counts.items())
        # Where hardly any value comes twice, they are names, not kinds.
        if len(count) <= min(_VALUES, count.total() / 2)
    }


def some_captions(captions: Iterable[str], most: int) -> list[str]:
    """At most so many of the captions, at random, each once; the same at every call."""
    known = sorted({*captions} - {""})
    return Random(len(known)).sample(known, min(most, len(known)))
