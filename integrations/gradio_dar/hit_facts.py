"""What there is to tell of one hit: its score, its fields, its file."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dar_retriever import DARError, Hit, SearchableStore, SearchResult
from dar_retriever.stores.filtering.names import words_of
from dar_retriever.support.images import data_url

_FULL: Final = 1600


def parts_of(result: SearchResult, hit: Hit, store: SearchableStore) -> list[tuple[str, float]]:
    """What each part of the query adds to a hit's score; together they are the score."""
    query, trace = result.query, result.trace
    vector = store.vectors_of([hit.vector_id])[0]
    drawn = 0.0
    if len(query.image_vectors):
        count = len(query.image_vectors)
        shares = np.asarray(trace.shares or (1 / count,) * count)
        drawn = float(trace.image_weight * (shares @ (query.image_vectors @ vector)))
    alone = not any(
        map(len, (query.reference_vectors, query.liked_vectors, query.rejected_vectors))
    )
    rest = "your words" if alone else "your words, the pictures you showed, your judgements"
    return [(rest, hit.score - drawn), ("the generated images", drawn), ("the score", hit.score)]


def in_words(hit: Hit) -> list[tuple[str, str]]:
    """What is stored with a hit, its fields called as people call them."""
    fields = {" ".join(words_of(name)) or name: _text(v) for name, v in hit.metadata.items()}
    file = [("file", hit.file_name)] if hit.file_name else []
    return [*file, *sorted(fields.items())]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def can_be_opened(hit: Hit) -> bool:
    """Whether a picture's file is there and can be read."""
    try:
        hit.open()
    except DARError:
        return False
    return True


def large(hit: Hit) -> str:
    """A picture as large as a screen; empty where its file is gone."""
    try:
        return data_url(hit.open(), _FULL)
    except DARError:
        return ""
