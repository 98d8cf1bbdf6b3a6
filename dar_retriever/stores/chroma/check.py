"""Finds vectors that Chroma's index has lost, and writes them again.

When Chroma replays its log after it was killed, on several threads and with a batch in it twice, a
vector of another batch is now and then left without a way to it. The record is there, but no search
finds it. Writing it again mends that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

_AT_ONCE: Final = 100
# Images of one vector hide each other; so many are looked at to tell them from a lost one.
_FEW: Final = 3
_MANY: Final = 100
_SAME: Final = 1e-5
# Larger collections are looked through from their end: the log holds what was written last.
_MOST: Final = 20_000


def lost_in(collection: Any, most: int | None = None) -> Iterator[list[str]]:
    """The ids that are not found by their own vectors, page by page; pages may be empty.

    Args:
        collection: A Chroma collection.
        most: Look at so many of the newest records only; at all by default.
    """
    count = collection.count()
    start = 0 if most is None else max(0, count - most)
    for offset in range(start, count, _AT_ONCE):
        page = collection.get(limit=_AT_ONCE, offset=offset, include=["embeddings"])
        yield _lost_among(collection, page["ids"], np.asarray(page["embeddings"], np.float32))


def write_again(collection: Any, ids: Sequence[str]) -> None:
    """Write records again, with everything they hold."""
    if ids:
        found = collection.get(list(ids), include=["embeddings", "documents", "metadatas"])
        collection.upsert(
            ids=found["ids"],
            embeddings=found["embeddings"],
            documents=found["documents"],
            metadatas=found["metadatas"],
        )


def mend(collection: Any) -> int:
    """Write again what a recovery has lost; returns how many records."""
    lost = [id_ for page in lost_in(collection, _MOST) for id_ in page]
    write_again(collection, lost)
    return len(lost)


def _lost_among(collection: Any, ids: Sequence[str], vectors: Any) -> list[str]:
    missed = _missed(collection, ids, vectors, _FEW)
    rows = [place for place, id_ in enumerate(ids) if id_ in missed]
    if not rows:
        return []
    again = _missed(collection, [ids[row] for row in rows], vectors[rows], _MANY)
    return [id_ for id_ in ids if id_ in again]


def _missed(collection: Any, ids: Sequence[str], vectors: Any, k: int) -> set[str]:
    if not len(ids):
        return set()
    found = collection.query(query_embeddings=vectors, n_results=k, include=["distances"])
    rows = zip(ids, found["ids"], found["distances"], strict=True)
    # If all that was found lies in the same place, others of that place may be hidden behind it.
    return {
        id_
        for id_, hits, distances in rows
        if id_ not in hits and not (len(hits) == _MANY and distances[-1] < _SAME)
    }
