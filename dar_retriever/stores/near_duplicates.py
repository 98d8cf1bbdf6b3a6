"""Pictures that are nearly the same: bursts, other sizes and qualities of one photograph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from dar_retriever.stores.base import WholeStore
from dar_retriever.stores.copies import PictureRecord
from dar_retriever.stores.hits import Hit
from dar_retriever.support.likeness import differing_bits

HASH: Final = "phash"
LEADER: Final = "near_duplicate_of"
# Both have to agree: vectors tell what is shown, hashes where in the picture it is.
_SCORE: Final = 0.9
_BITS: Final = 12
_LOOKED_AT: Final = 8


def mark_near_duplicates(store: WholeStore, added: Sequence[PictureRecord]) -> int:
    """Mark stored images that are nearly the same as one that was stored before them.

    They are kept. The metadata field "near_duplicate_of" names the first image of their kind.

    Args:
        store: The store.
        added: The records of the images to look at, with a perceptual hash each.

    Returns:
        The number of images that were marked.
    """
    order = sorted(added, key=lambda record: (record.copies[0].root, record.copies[0].path))
    waiting = {record.id for record in order}
    leaders: dict[str, str] = {}
    vectors = store.vectors_of([record.id for record in order])
    for record, vector in zip(order, vectors, strict=True):
        hits = store.search(vector, _LOOKED_AT, exclude={record.id})
        # Captions have no say in what looks alike.
        scores = store.vectors_of([hit.vector_id for hit in hits]) @ vector
        for hit, score in zip(hits, scores, strict=True):
            if hit.id not in waiting and score >= _SCORE and _look_alike(record, hit):
                leaders[record.id] = leaders.get(hit.id) or str(hit.metadata.get(LEADER) or hit.id)
                break
        waiting.discard(record.id)
    marked = [
        replace(record, facts={**record.facts, LEADER: leaders[record.id]})
        for record in store.records(leaders)
    ]
    store.rewrite(marked)
    return len(marked)


def without_near_duplicates(hits: Iterable[Hit]) -> list[Hit]:
    """Hits without those that are nearly the same as a better one; the order stays."""
    seen: set[str] = set()
    kept: list[Hit] = []
    for hit in hits:
        leader = str(hit.metadata.get(LEADER) or hit.id)
        if leader not in seen:
            kept.append(hit)
        seen.add(leader)
    return kept


def best_of_each(find: Callable[[int], Sequence[Hit]], k: int) -> list[Hit]:
    """The first k hits of a search, each for all that are nearly the same.

    Args:
        find: Searches with a number of hits.
        k: How many are wanted; more are searched for where hits are left out.
    """
    asked = k
    while True:
        hits = find(asked)
        kept = without_near_duplicates(hits)
        if len(kept) >= k or len(hits) < asked:
            return kept[:k]
        asked *= 2


def _look_alike(record: PictureRecord, hit: Hit) -> bool:
    one, other = record.facts.get(HASH), hit.metadata.get(HASH)
    return isinstance(other, str) and differing_bits(str(one), other) <= _BITS
