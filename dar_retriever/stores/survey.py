"""What a store holds, seen in some or all of its records."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from threading import Lock
from typing import Any, Final, TypeAlias

from dar_retriever.encoders.base import Vectors
from dar_retriever.stores.fields import (
    Field,
    RememberedFields,
    fields_in,
    filterable_fields,
    some_captions,
)
from dar_retriever.stores.hits import hit_of

# So many records tell what is usual, and name the fields to filter by.
SAMPLE: Final = 1024
_CAPTIONED: Final = 2000
_DESCRIBED: Final = 10_000
_GROWN: Final = 0.1
# A turn asks for the sample several times, and counting costs as much as a small search.
_LOOK_AGAIN: Final = 1.0

# Caption and metadata as they are stored.
Description: TypeAlias = tuple[str | None, dict[str, Any] | None]


class Survey(ABC):
    """A sample of a store's vectors, its captions and its fields, each read when asked for.

    A subclass reads the records. What was read is remembered until the store has changed.
    """

    def __init__(self) -> None:
        self._sampling = Lock()
        self._sampled: tuple[int, Vectors] | None = None
        self._fields, self._writes = RememberedFields(), 0
        self._counted_at = (-1, 0.0)

    @abstractmethod
    def count(self) -> int:
        """Number of records."""

    @abstractmethod
    def vectors(self) -> tuple[list[str], Vectors]:
        """All ids and their vectors: float32 (N, d)."""

    @abstractmethod
    def _chosen_vectors(self, count: int) -> Vectors:
        """Up to ``SAMPLE`` vectors chosen at random from so many: float32 (N, d), unit length."""

    @abstractmethod
    def _descriptions(self, most: int) -> Iterator[Description]:
        """About so many descriptions from all over the store, the same ones every time."""

    def changed(self) -> None:
        """Say that records are being written."""
        self._writes += 1

    def sample(self) -> Vectors:
        """Random vectors; the same array until the store has grown or shrunk by a tenth.

        What other processes write is noticed within a second.
        """
        with self._sampling:
            writes, when = self._counted_at
            if self._sampled and writes == self._writes and time.monotonic() < when + _LOOK_AGAIN:
                return self._sampled[1]
            self._counted_at = self._writes, time.monotonic()
            count = self.count()
            if self._sampled is None or abs(count - self._sampled[0]) > _GROWN * self._sampled[0]:
                self._sampled = count, self._chosen_vectors(count)
            return self._sampled[1]

    def captions(self, most: int) -> list[str]:
        """The captions of some images, without duplicates."""
        hits = (hit_of("", 0.0, *each) for each in self._descriptions(_CAPTIONED))
        return some_captions((hit.caption for hit in hits), most)

    def facets(self, sample: int) -> dict[str, list[str]]:
        """Fields to filter by, found in so many records."""
        hits = (hit_of("", 0.0, *each) for each in self._descriptions(sample))
        return filterable_fields(hit.metadata for hit in hits)

    def fields(self) -> dict[str, Field]:
        """The fields by name, of all records of a small store."""
        count = self.count()
        whole = count <= _DESCRIBED
        state = (count, self._writes) if whole else int(math.log(count, 1 + _GROWN))
        return self._fields.at(state, lambda: self._read_fields(whole=whole))

    def holds_lists(self, name: str) -> bool:
        """Whether a field holds lists, as far as its records were looked at."""
        field = self.fields().get(name)
        return field is not None and field.lists

    def _read_fields(self, *, whole: bool) -> dict[str, Field]:
        found = (metadata or {} for _, metadata in self._descriptions(_DESCRIBED))
        return fields_in(found, complete=whole)
