"""Searching a collection and the parts beside it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.stores.chroma.catalogue import Catalogue
from dar_retriever.stores.chroma.connection import Connection
from dar_retriever.stores.chroma.index import product_of
from dar_retriever.stores.chroma.parts import Parts
from dar_retriever.stores.chroma.survey import ChromaSurvey
from dar_retriever.stores.chroma.where import chroma_where
from dar_retriever.stores.filters import Filter
from dar_retriever.stores.hits import Hit, hit_of

# Scores of one vector in two collections differ by less.
_SAME: Final = 1e-6


class ChromaSearch:
    """Finds the entries with the best vectors, whole or of a part: each once.

    Of the k best entries, those that are best as a whole are among the k best wholes, and the
    others among the entries of the best parts. So two searches find them all.

    Args:
        chroma: The collection of the entries.
        space: Chroma's name of its distance.
        catalogue: Reads the entries.
        parts: Their parts.
        survey: Knows their fields.
    """

    def __init__(
        self,
        chroma: Connection,
        space: str,
        catalogue: Catalogue,
        parts: Parts,
        survey: ChromaSurvey,
    ) -> None:
        self._chroma, self._space = chroma, space
        self._catalogue, self._parts, self._survey = catalogue, parts, survey

    def hits(
        self, vector: Vectors, k: int, where: Filter | None, exclude: Collection[str]
    ) -> list[Hit]:
        """See ``SearchableStore.search``."""
        plain = chroma_where(where, self._survey.holds_lists)
        found = self._whole(vector, k, where, plain, exclude)

        def matching() -> list[str]:
            return list(self._chroma.read(lambda c: c.get(where=plain, include=[])["ids"], where))

        best = self._parts.best(vector, k, matching if plain else None, exclude)
        missing = best.keys() - found.keys()
        if missing:
            # They are below the best wholes, so only their parts count.
            others = self._catalogue.hits(missing).items()
            found |= {id_: replace(hit, score=-np.inf) for id_, hit in others}
        for id_, (score, part) in best.items():
            # The first frame or page is all of an entry too, and says more as a part of it.
            if id_ in found and score > found[id_].score - _SAME:
                found[id_] = replace(found[id_], score=score, part=part)
        return sorted(found.values(), key=lambda hit: -hit.score)[:k]

    def _whole(
        self,
        vector: Vectors,
        k: int,
        where: Filter | None,
        plain: Filter | None,
        exclude: Collection[str],
    ) -> dict[str, Hit]:
        """The best entries by their own vectors, best first."""
        norm = float(np.linalg.norm(vector))
        found = self._chroma.read(
            lambda collection: collection.query(
                query_embeddings=vector[None],
                # Chroma cannot exclude ids, so ask for that many more.
                n_results=k + len(exclude),
                where=plain,
                include=["metadatas", "documents", "distances"],
            ),
            where,
        )
        columns = [found[name][0] for name in ("ids", "distances", "documents", "metadatas")]
        roots = self._catalogue.roots_for(columns[-1])
        return {
            id_: hit_of(
                id_, product_of(float(distance), norm, self._space), document, metadata, roots
            )
            for id_, distance, document, metadata in zip(*columns, strict=True)
            if id_ not in exclude
        }
