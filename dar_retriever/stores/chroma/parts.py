"""The vectors of entries' parts, in a second collection beside that of the entries."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from dar_retriever.encoders.base import ImageEncoder, Vectors
from dar_retriever.stores.chroma.check import lost_in, write_again
from dar_retriever.stores.chroma.collections import Opened, opened
from dar_retriever.stores.chroma.connection import Connection
from dar_retriever.stores.chroma.index import product_of
from dar_retriever.stores.chroma.records import (
    PAGE,
    Record,
    Upsert,
    once,
    pages_of,
    record_of,
    stretches,
    unit_rows,
)
from dar_retriever.stores.entry_parts import EntryPart, StoredPart, part_id
from dar_retriever.stores.hits import StoredImage
from dar_retriever.support.batches import in_batches

_ENTRY: Final = "entry"
_PART: Final = "part"
# Entries that an engine is asked for by name; among more, its best parts are looked through.
_FEW: Final = 500
_PARTS_A_HIT: Final = 4
_MORE: Final = 4
# Seconds after which it is looked again whether another process has stored parts.
_PATIENCE: Final = 5.0

Best: TypeAlias = dict[str, "Matched"]


class Matched(NamedTuple):
    """The best part of an entry, and the product of its vector with the query."""

    score: float
    part: EntryPart


class Parts:
    """Parts of a store's entries; their collection is there once the first one is stored.

    The entries' own collection does not change, so a store without parts is as it always was.

    Args:
        entries: Connection to the collection of the entries.
        name: Name of the parts' collection.
        encoder: The store's encoder; None if the store was opened without.
        usual: How many of the best parts are of one entry.
    """

    def __init__(
        self,
        entries: Connection,
        name: str,
        encoder: ImageEncoder | None,
        usual: int = _PARTS_A_HIT,
    ) -> None:
        self._usual = usual
        self._entries, self._name, self._encoder = entries, name, encoder
        self._opened: tuple[Connection, Opened] | None = None
        self._look_again = 0.0

    def __bool__(self) -> bool:
        """Whether there are any."""
        return self._there() is not None

    def write(self, entries: Sequence[str], records: Sequence[Record]) -> None:
        """Store the parts of some entries in place of those that are stored; see ``part_record``.

        Args:
            entries: Ids of the entries, with or without parts.
            records: All their parts.
        """
        kept = {record[0] for record in records}
        there = self._there()
        if there is not None:
            for some in in_batches(entries, _FEW):
                found = there[0].read(partial(_ids, where=_of(some)))
                if gone := [id_ for id_ in found if id_ not in kept]:
                    there[0].write(partial(_delete, ids=gone))
        if records:
            chroma = self._made()
            for page in pages_of(records):
                chroma.write(Upsert(page))

    def delete(self, ids: Sequence[str]) -> None:
        """Delete all parts of some entries."""
        if (there := self._there()) is not None:
            for some in in_batches(once(ids), _FEW):
                there[0].write(partial(_delete, where=_of(some)))

    def best(
        self,
        vector: Vectors,
        k: int,
        allowed: Callable[[], list[str]] | None,
        exclude: Collection[str],
    ) -> Best:
        """The best part of each of the k entries whose parts fit best, or of more.

        Args:
            vector: The query.
            k: Number of entries.
            allowed: Lists the entries among which to search; all by default.
            exclude: Ids of entries to leave out.
        """
        there = self._there()
        if there is None:
            return {}
        among = None if allowed is None else set(allowed()) - set(exclude)
        if among is not None and not among:
            return {}
        few = _of(sorted(among)) if among is not None and len(among) <= _FEW else None
        asked = self._usual * (k + len(exclude))
        while True:
            found, number = self._nearest(there, vector, asked, few), asked
            best: Best = {}
            for entry, matched in found:
                if entry not in exclude and (among is None or entry in among):
                    best.setdefault(entry, matched)
            wanted = k if among is None else min(k, len(among))
            if len(best) >= wanted or len(found) < number:
                return best
            asked *= _MORE

    def entries(self, ids: Iterable[str]) -> set[str]:
        """The entries among these that have parts."""
        there = self._there()
        if there is None:
            return set()
        # The first part of each is enough to know.
        asked = {part_id(id_, 0): id_ for id_ in ids}
        pages = in_batches(list(asked), PAGE)
        found = (there[0].read(partial(_ids, ids=page)) for page in pages)
        return {asked[id_] for page in found for id_ in page}

    def vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        """The vectors of parts by their ids; see ``part_id``. Unknown ids are left out."""
        there = self._there()
        if there is None or not ids:
            return {}
        found = there[0].read(lambda c: c.get(once(ids), include=["embeddings"]))
        return dict(zip(found["ids"], found["embeddings"], strict=True))

    def of(self, ids: Sequence[str]) -> dict[str, list[StoredPart]]:
        """All parts of some entries, in their order."""
        there = self._there()
        if there is None:
            return {}
        chroma, state = there
        parts: dict[str, list[StoredPart]] = {}
        for some in in_batches(once(ids), _FEW):
            found = chroma.read(partial(_whole, where=_of(some)))
            rows = zip(found["metadatas"], unit_rows(state.width, found["embeddings"]), strict=True)
            for metadata, row in rows:
                stored = StoredPart(EntryPart.of_text(metadata[_PART]), row)
                parts.setdefault(metadata[_ENTRY], []).append(stored)
        return {id_: sorted(each, key=lambda s: s.part.number) for id_, each in parts.items()}

    def count(self) -> int:
        """How many there are."""
        there = self._there()
        return 0 if there is None else there[0].read(lambda c: int(c.count()))

    def named(self, ids: Iterable[str]) -> dict[str, EntryPart]:
        """The first part of each of some entries, without its vector."""
        there = self._there()
        if there is None:
            return {}
        pages = in_batches([part_id(id_, 0) for id_ in once(ids)], PAGE)
        found = (there[0].read(partial(_described, ids=page)) for page in pages)
        told = (metadata for page in found for metadata in page["metadatas"])
        return {each[_ENTRY]: EntryPart.of_text(each[_PART]) for each in told}

    def some(self, most: int) -> dict[str, Vectors]:
        """The vectors of some random parts by their entry: float32 (d,), unit length."""
        there = self._there()
        if there is None:
            return {}
        chroma, state = there
        found: dict[str, Vectors] = {}
        for start, number in stretches(self.count(), most):
            asked = {"limit": number, "offset": start}
            page = chroma.read(partial(_whole, **asked))
            rows = unit_rows(state.width, page["embeddings"])
            found |= {each[_ENTRY]: row for each, row in zip(page["metadatas"], rows, strict=True)}
        return found

    def lost(self, *, repair: bool) -> list[str]:
        """See ``ImageStore.lost``."""
        there = self._there()
        if there is None:
            return []
        lost = there[0].read(lambda c: [id_ for page in lost_in(c) for id_ in page])
        if repair and lost:
            there[0].write(lambda c: write_again(c, lost))
        return lost

    def _nearest(
        self, there: tuple[Connection, Opened], vector: Vectors, k: int, where: Any
    ) -> list[tuple[str, Matched]]:
        chroma, state = there
        norm = float(np.linalg.norm(vector))
        found = chroma.read(
            lambda collection: collection.query(
                query_embeddings=vector[None],
                n_results=k,
                where=where,
                include=["metadatas", "distances"],
            )
        )
        return [
            (
                metadata[_ENTRY],
                Matched(
                    product_of(float(distance), norm, state.space),
                    EntryPart.of_text(metadata[_PART]),
                ),
            )
            for distance, metadata in zip(found["distances"][0], found["metadatas"][0], strict=True)
        ]

    def _there(self) -> tuple[Connection, Opened] | None:
        if self._opened is None and time.monotonic() >= self._look_again:
            beside = self._entries.beside()
            if beside.has(self._name):
                self._opened = beside, opened(beside, self._name, self._encoder)
            else:
                self._look_again = time.monotonic() + _PATIENCE
        return self._opened

    def _made(self) -> Connection:
        if self._opened is None:
            beside = self._entries.beside()
            self._opened = beside, opened(beside, self._name, self._encoder)
        return self._opened[0]


def part_record(entry: str, stored: StoredPart, width: int) -> Record:
    """A part of an entry as a checked Chroma record."""
    id_ = part_id(entry, stored.part.number)
    _, vector, text, _ = record_of(StoredImage(id_, stored.vector, ""), width)
    return id_, vector, text, {_ENTRY: entry, _PART: stored.part.as_text()}


def _ids(collection: Any, **asked: Any) -> list[str]:
    return list(collection.get(include=[], **asked)["ids"])


def _described(collection: Any, **asked: Any) -> Any:
    return collection.get(include=["metadatas"], **asked)


def _whole(collection: Any, **asked: Any) -> Any:
    return collection.get(include=["embeddings", "metadatas"], **asked)


def _delete(collection: Any, **asked: Any) -> None:
    collection.delete(**asked)


def _of(entries: Sequence[str]) -> dict[str, Any]:
    return {_ENTRY: {"$in": list(entries)}}
