"""Searching a collection, the parts and the captions beside it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.stores.arguments import require_stored
from dar_retriever.stores.caption_scores import CaptionCalibration, CaptionScale
from dar_retriever.stores.chroma.beside import Beside
from dar_retriever.stores.chroma.catalogue import Catalogue
from dar_retriever.stores.chroma.connection import Connection
from dar_retriever.stores.chroma.index import product_of
from dar_retriever.stores.chroma.outlines import ChromaOutlines
from dar_retriever.stores.chroma.records import once, unit_rows
from dar_retriever.stores.chroma.survey import ChromaSurvey
from dar_retriever.stores.chroma.where import chroma_where
from dar_retriever.stores.entry_parts import part_id
from dar_retriever.stores.filters import Filter
from dar_retriever.stores.hits import Hit, hit_of

# Scores of one vector in two collections differ by less.
_SAME: Final = 1e-6
# Among so many more entries by pictures and by captions than asked for are those best by both.
_MORE: Final = 40
_DEEPER: Final = 4
_ROUNDS: Final = 3


class ChromaSearch:
    """Finds the entries with the best vectors, whole or of a part: each once.

    Of the k best entries, those that are best as a whole are among the k best wholes, and the
    others among the entries of the best parts. So two searches find them all.

    Args:
        chroma: The collection of the entries.
        space: Chroma's name of its distance.
        catalogue: Reads the entries.
        beside: Their parts and captions.
        survey: Knows their fields.

    Attributes:
        outlines: The outlines of the entries.
    """

    def __init__(
        self,
        chroma: Connection,
        space: str,
        catalogue: Catalogue,
        beside: Beside,
        survey: ChromaSurvey,
    ) -> None:
        self._chroma, self._space = chroma, space
        self._catalogue, self._beside, self._survey = catalogue, beside, survey
        self.outlines = ChromaOutlines(beside.outlines, catalogue, self.allowed, beside.width)

    def hits(
        self, vector: Vectors, k: int, where: Filter | None, exclude: Collection[str]
    ) -> list[Hit]:
        """See ``SearchableStore.search``."""
        plain = chroma_where(where, self._survey.holds_lists)
        allowed = self.allowed(where)

        def by_pictures(count: int) -> list[Hit]:
            found = self._whole(vector, count, where, plain, exclude)
            return self._with_parts(vector, count, allowed, exclude, found)

        def by_captions(count: int) -> Mapping[str, float]:
            best = self._beside.captions.best(vector, count, allowed, exclude)
            return {id_: score for id_, (score, _) in best.items()}

        calibration = self._beside.calibration()
        scale = calibration.scale(vector) if calibration else None
        if calibration is None or scale is None:
            return by_pictures(k)[:k]
        return self._by_both(vector, k, calibration, scale, by_pictures, by_captions)

    def allowed(self, where: Filter | None) -> Callable[[], list[str]] | None:
        """Lists the entries that a filter lets through; None if it lets all."""
        plain = chroma_where(where, self._survey.holds_lists)
        if not plain:
            return None
        return lambda: list(
            self._chroma.read(lambda c: c.get(where=plain, include=[])["ids"], where)
        )

    def nearest(self, vector: Vectors, k: int) -> Vectors:
        """See ``SearchableStore``."""
        found = self._chroma.read(
            lambda collection: collection.query(
                query_embeddings=vector[None], n_results=k, include=["embeddings"]
            )
        )
        return unit_rows(len(vector), *found["embeddings"])

    def vectors_of(self, ids: Sequence[str]) -> Vectors:
        """See ``SearchableStore``."""
        width = self._beside.width
        if not ids:
            return np.empty((0, width), np.float32)
        found = self._chroma.read(lambda c: c.get(once(ids), include=["embeddings"]))
        rows = dict(zip(found["ids"], found["embeddings"], strict=True))
        rows |= self._beside.parts.vectors([id_ for id_ in ids if id_ not in rows])
        require_stored(ids, rows)
        return unit_rows(width, [rows[id_] for id_ in ids])

    def _by_both(
        self,
        vector: Vectors,
        k: int,
        calibration: CaptionCalibration,
        scale: CaptionScale,
        by_pictures: Callable[[int], list[Hit]],
        by_captions: Callable[[int], Mapping[str, float]],
    ) -> list[Hit]:
        """The best entries by their pictures' and captions' scores mixed.

        Both lists grow until no entry outside of them can be better than those found (Fagin's
        threshold algorithm), or until they are long.
        """
        depth = k + _MORE
        for _ in range(_ROUNDS):
            seen, told = by_pictures(depth), by_captions(depth)
            hits = {hit.id: hit for hit in seen}
            wholes = self._beside.wholes({*hits, *told})
            hits |= self._others(vector, {id_: wholes[id_] for id_ in wholes.keys() - hits.keys()})
            mixed = self._mixed(vector, hits, wholes, calibration, scale)
            best = sorted(mixed.values(), key=lambda hit: -hit.score)[:k]
            if len(seen) < depth:
                break
            lowest = np.array([seen[-1].score]), np.array([min(told.values(), default=0.0)])
            beyond = max(seen[-1].score, float(scale.mixed(*lowest)[0]))
            if len(best) == k and best[-1].score >= beyond:
                break
            depth *= _DEEPER
        return best

    def _mixed(
        self,
        vector: Vectors,
        hits: Mapping[str, Hit],
        wholes: Mapping[str, Vectors],
        calibration: CaptionCalibration,
        scale: CaptionScale,
    ) -> dict[str, Hit]:
        """The hits, with the captions that are believed in their scores."""
        rows = self._beside.captions.vectors([part_id(id_, 0) for id_ in hits])
        ids = [id_ for id_ in hits if id_ in wholes and part_id(id_, 0) in rows]
        if not ids:
            return dict(hits)
        captions = np.stack([rows[part_id(id_, 0)] for id_ in ids])
        own = calibration.own(captions, np.stack([wholes[id_] for id_ in ids]))
        scores = scale.mixed(np.array([hits[id_].score for id_ in ids]), captions @ vector)
        rated = {
            id_: replace(hits[id_], score=float(score))
            for id_, is_own, score in zip(ids, own, scores, strict=True)
            if is_own
        }
        return {**hits, **rated}

    def _others(self, vector: Vectors, wholes: Mapping[str, Vectors]) -> dict[str, Hit]:
        """Hits that were not found by their pictures, with these pictures' scores."""
        hits, parts = self._catalogue.hits(wholes), self._beside.parts.of(list(wholes))
        found = {}
        for id_, hit in hits.items():
            scores = [(float(each.vector @ vector), each.part) for each in parts.get(id_, ())]
            whole = float(wholes[id_] @ vector)
            score, part = max([(whole, None), *scores], key=lambda each: each[0])
            found[id_] = replace(hit, score=score, part=part)
        return found

    def _with_parts(
        self,
        vector: Vectors,
        k: int,
        allowed: Callable[[], list[str]] | None,
        exclude: Collection[str],
        found: dict[str, Hit],
    ) -> list[Hit]:
        """The best entries, best first, of those found by their own vectors and by their parts."""
        best = self._beside.parts.best(vector, k, allowed, exclude)
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
