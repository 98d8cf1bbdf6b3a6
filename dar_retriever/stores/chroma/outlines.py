"""The outlines of a collection's pictures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.stores.arguments import hit_count
from dar_retriever.stores.chroma.catalogue import Catalogue
from dar_retriever.stores.chroma.parts import Parts, part_record
from dar_retriever.stores.entry_parts import EntryPart, StoredPart, part_id
from dar_retriever.stores.filters import Filter
from dar_retriever.stores.hits import Hit
from dar_retriever.stores.survey import SAMPLE

_GROWN: Final = 0.1


class ChromaOutlines:
    """See ``Outlines``.

    Args:
        kept: Their vectors.
        catalogue: Reads the entries.
        allowed: Lists the entries that a filter lets through.
        width: Numbers in a vector.
    """

    def __init__(
        self,
        kept: Parts,
        catalogue: Catalogue,
        allowed: Callable[[Filter | None], Callable[[], list[str]] | None],
        width: int,
    ) -> None:
        self._kept, self._catalogue = kept, catalogue
        self._allowed, self._width = allowed, width
        self._counted, self._sample = 0, np.empty((0, width), np.float32)

    def __bool__(self) -> bool:
        return bool(self._kept)

    def known(self, ids: Iterable[str]) -> set[str]:
        """See ``Outlines``."""
        return self._kept.entries(ids)

    def keep(self, vectors: Mapping[str, Vectors]) -> None:
        """See ``Outlines``."""
        records = [
            part_record(id_, StoredPart(EntryPart(0, outline=True), vector), self._width)
            for id_, vector in vectors.items()
        ]
        self._kept.write(list(vectors), records)

    def search(
        self, vector: Vectors, k: int, where: Filter | None = None, exclude: Collection[str] = ()
    ) -> list[Hit]:
        """See ``Outlines``."""
        best = self._kept.best(vector, hit_count(k), self._allowed(where), exclude)
        hits = self._catalogue.hits(best)
        found = [replace(hit, score=best[id_].score) for id_, hit in hits.items()]
        return sorted(found, key=lambda hit: -hit.score)[:k]

    def vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        """See ``Outlines``."""
        found = self._kept.vectors([part_id(id_, 0) for id_ in ids])
        return {id_: found[part_id(id_, 0)] for id_ in ids if part_id(id_, 0) in found}

    def sample(self) -> Vectors:
        """See ``Outlines``. It is read again once their number has changed by a tenth."""
        count = self._kept.count()
        if abs(count - self._counted) > _GROWN * self._counted:
            found = list(self._kept.some(SAMPLE).values())
            self._sample = np.stack(found) if found else self._sample[:0]
            self._counted = count
        return self._sample
