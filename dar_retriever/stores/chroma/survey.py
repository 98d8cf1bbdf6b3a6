"""What a Chroma collection holds, seen in some or all of its records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.stores.chroma.connection import Connection
from dar_retriever.stores.chroma.records import PAGE, stretches, unit_rows
from dar_retriever.stores.survey import SAMPLE, Description, Survey


class ChromaSurvey(Survey):
    """Reads a collection's records.

    Args:
        chroma: The collection.
        width: Numbers in a vector.
    """

    def __init__(self, chroma: Connection, width: int) -> None:
        super().__init__()
        self._chroma, self._width = chroma, width

    def count(self) -> int:
        """See ``Survey``."""
        return self._chroma.read(lambda collection: int(collection.count()))

    def vectors(self) -> tuple[list[str], Vectors]:
        """See ``Survey``."""
        ids: list[str] = []
        parts: list[Vectors] = []
        for offset in range(0, self.count(), PAGE):
            page = self._get(limit=PAGE, offset=offset, include=["embeddings"])
            ids += page["ids"]
            parts.append(np.asarray(page["embeddings"], np.float32))
        return ids, np.concatenate(parts) if parts else np.empty((0, 0), np.float32)

    def _chosen_vectors(self, count: int) -> Vectors:
        chosen = stretches(count, SAMPLE)
        found = (self._get(limit=n, offset=at, include=["embeddings"]) for at, n in chosen)
        return unit_rows(self._width, *(page["embeddings"] for page in found))

    def _descriptions(self, most: int) -> Iterator[Description]:
        page = min(PAGE, most)
        count = self.count()
        for place in range(0, count, max(page, count * page // most)):
            found = self._get(limit=page, offset=place, include=["documents", "metadatas"])
            yield from zip(found["documents"], found["metadatas"], strict=True)

    def _get(self, **asked: Any) -> Any:
        return self._chroma.read(lambda collection: collection.get(**asked))
