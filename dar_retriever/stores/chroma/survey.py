"""What a Chroma collection holds, seen in some or all of its records."""

from __future__ import annotations

import math
from itertools import chain
from random import Random
from threading import Lock
from typing import Any, Final

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.stores.chroma.connection import Connection
from dar_retriever.stores.chroma.records import PAGE, unit_rows
from dar_retriever.stores.fields import (
    Field,
    RememberedFields,
    fields_in,
    filterable_fields,
    some_captions,
)
from dar_retriever.stores.hits import hit_of

SAMPLE: Final = 1024
_STRETCH: Final = 32
_GROWN: Final = 0.1
_DESCRIBED: Final = 10_000


class Survey:
    """A sample of a collection's vectors, its captions and its fields, each read when asked for.

    Args:
        chroma: The collection.
        width: Numbers in a vector.
    """

    def __init__(self, chroma: Connection, width: int) -> None:
        self._chroma, self._width = chroma, width
        self._sampling = Lock()
        self._sampled: tuple[int, Vectors] | None = None
        self._fields, self._writes = RememberedFields(), 0

    def changed(self) -> None:
        """Say that records are being written."""
        self._writes += 1

    def vectors(self) -> tuple[list[str], Vectors]:
        """See ``ImageStore.vectors``."""
        ids: list[str] = []
        parts: list[Vectors] = []
        for offset in range(0, self._count(), PAGE):
            page = self._get(limit=PAGE, offset=offset, include=["embeddings"])
            ids += page["ids"]
            parts.append(np.asarray(page["embeddings"], np.float32))
        return ids, np.concatenate(parts) if parts else np.empty((0, 0), np.float32)

    def sample(self) -> Vectors:
        """See ``ImageStore.sample``."""
        with self._sampling:
            count = self._count()
            if self._sampled is None or abs(count - self._sampled[0]) > _GROWN * self._sampled[0]:
                self._sampled = count, self._chosen(count)
            return self._sampled[1]

    def captions(self, most: int) -> list[str]:
        """See ``ImageStore.captions``."""
        found = self._get(limit=PAGE, include=["documents", "metadatas"])
        rows = zip(found["documents"], found["metadatas"], strict=True)
        return some_captions((hit_of("", 0.0, *row).caption for row in rows), most)

    def facets(self, sample: int) -> dict[str, list[str]]:
        """See ``ImageStore.facets``."""
        found = self._get(limit=sample, include=["metadatas"])["metadatas"]
        return filterable_fields(hit_of("", 0.0, None, each).metadata for each in found)

    def fields(self) -> dict[str, Field]:
        """See ``ImageStore.fields``."""
        count = self._count()
        state = (count, self._writes) if count <= _DESCRIBED else int(math.log(count, 1 + _GROWN))
        return self._fields.at(state, lambda: self._read_fields(count))

    def holds_lists(self, name: str) -> bool:
        """Whether a field holds lists, as far as its records were looked at."""
        field = self.fields().get(name)
        return field is not None and field.lists

    def _read_fields(self, count: int) -> dict[str, Field]:
        places = range(0, count, max(PAGE, count * PAGE // _DESCRIBED))
        pages = (self._get(limit=PAGE, offset=n, include=["metadatas"]) for n in places)
        found = chain.from_iterable(page["metadatas"] for page in pages)
        return fields_in(found, complete=count <= _DESCRIBED)

    def _chosen(self, count: int) -> Vectors:
        """Vectors chosen at random from so many."""
        # Chroma cannot choose at random. Short stretches avoid many similar images from one folder.
        stretches = [(0, SAMPLE)]
        if count > SAMPLE:
            random = Random(count)
            starts = random.sample(range(count // _STRETCH), SAMPLE // _STRETCH)
            stretches = [(start * _STRETCH, _STRETCH) for start in sorted(starts)]
        found = (self._get(limit=n, offset=at, include=["embeddings"]) for at, n in stretches)
        return unit_rows(self._width, *(page["embeddings"] for page in found))

    def _count(self) -> int:
        return self._chroma.read(lambda collection: int(collection.count()))

    def _get(self, **asked: Any) -> Any:
        return self._chroma.read(lambda collection: collection.get(**asked))
