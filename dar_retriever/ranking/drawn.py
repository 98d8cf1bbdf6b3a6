"""Searches by a line drawing and words."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from dar_retriever.fusion.calibration import FLAT
from dar_retriever.query_encoder import EncodedQuery
from dar_retriever.stores.base import Outlines, SearchableStore, outlines_of
from dar_retriever.stores.filters import Filter
from dar_retriever.stores.hits import Hit
from dar_retriever.understanding.composition import unit
from dar_retriever.understanding.meaning import Meaning

# So many hits by words and by outlines are ordered by both.
_DEPTH: Final = 300


def searched(
    query: EncodedQuery,
    store: SearchableStore,
    k: int,
    where: Filter | None,
    exclude: Collection[str],
) -> list[Hit]:
    """The hits for a query: by its vector, and by the drawings in it where a store has outlines.

    Args:
        query: The query.
        store: The store.
        k: See ``SearchableStore.search`` for this and the next two.
        where: A metadata filter.
        exclude: Ids of images to leave out.
    """
    outlines = outlines_of(store)
    if outlines is None or query.meaning is None or not len(query.meaning.drawings):
        return store.search(query.vector, k, where, exclude)
    return _by_drawing(query, query.meaning, store, outlines, k, where, exclude)


def _by_drawing(
    query: EncodedQuery,
    meaning: Meaning,
    store: SearchableStore,
    outlines: Outlines,
    k: int,
    where: Filter | None,
    exclude: Collection[str],
) -> list[Hit]:
    """The images that fit the words and whose outlines fit a drawing, best first.

    Both scores are brought to the mean and the spread that the words' scores have in the store, as
    those of lines with lines are much higher. A hit's score is the mean of both.
    """
    drawing = unit(meaning.drawings.mean(0))
    if meaning.only_drawn:
        return outlines.search(drawing, k, where, exclude)
    depth = max(k, _DEPTH)
    said = {hit.id: hit for hit in store.search(query.vector, depth, where, exclude)}
    hits = {hit.id: hit for hit in outlines.search(drawing, depth, where, exclude)} | said
    others = [id_ for id_ in hits if id_ not in said]
    scores = {id_: hit.score for id_, hit in said.items()}
    scores |= dict(zip(others, store.vectors_of(others) @ query.vector, strict=True))
    usual, lines = store.sample() @ query.vector, outlines.sample() @ drawing
    stretch = float(usual.std()) / max(float(lines.std()), FLAT)
    there = outlines.vectors(list(hits))
    found = []
    for id_, hit in hits.items():
        # What has no outline yet counts as one that fits as well as most.
        away = float(there[id_] @ drawing - lines.mean()) if id_ in there else 0.0
        score = (float(scores[id_]) + float(usual.mean()) + stretch * away) / 2
        found.append(replace(hit, score=score))
    return sorted(found, key=lambda hit: -hit.score)[:k]
