"""The records of a Chroma collection without their vectors, and the roots of their paths."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from dar_retriever.stores.chroma.connection import Connection
from dar_retriever.stores.chroma.records import PAGE, once, rewrite
from dar_retriever.stores.copies import (
    RECORD,
    PictureRecord,
    record_of_location,
    record_of_text,
)
from dar_retriever.stores.hits import Hit, hit_of
from dar_retriever.stores.kept import document_and_metadata, stored_image
from dar_retriever.stores.roots import Roots

_ROOTS: Final = "dar_roots"
# Chroma does not let these be set again.
_SETTINGS: Final = "hnsw:"


class Catalogue:
    """Reads and rewrites what a collection remembers of its pictures' files.

    Args:
        chroma: The collection.
        metadata: Its metadata when it was opened.
        roots: Roots that count instead of those that the collection remembers.
    """

    def __init__(self, chroma: Connection, metadata: Mapping[str, Any], roots: Roots) -> None:
        self._chroma, self._given = chroma, roots
        self._roots = self._read(metadata)

    @property
    def roots(self) -> Roots:
        """The folders that paths are relative to."""
        return self._roots

    def roots_for(self, metadatas: Iterable[Mapping[str, Any] | None]) -> Roots:
        """Roots that are current enough for some records: another process may have named more."""
        names: set[str] = set().union(*map(_roots_in, metadatas))
        if not names <= {"", *self._roots.folders}:
            self._refresh()
        return self._roots

    def keep_root(self, name: str, folder: str) -> None:
        """Remember a root, or that it lies elsewhere now."""
        if Roots(self._stored(self._refresh())).folders.get(name) != folder:
            # Another process may name a root at the same time, so they are read while none writes.
            self._chroma.write(lambda collection: self._write_root(collection, name, folder))
            self._refresh()

    def _write_root(self, collection: Any, name: str, folder: str) -> None:
        metadata = self._chroma.metadata()
        kept = {key: value for key, value in metadata.items() if not key.startswith(_SETTINGS)}
        kept[_ROOTS] = json.dumps({**self._stored(metadata), name: folder})
        collection.modify(metadata=kept)
        given = {known: path for known, path in self._given.folders.items() if known != name}
        self._given = Roots(given)

    def hits(self, ids: Iterable[str]) -> dict[str, Hit]:
        """The images with these ids, with score 0."""
        found: dict[str, Hit] = {}
        for page in self._pages(ids):
            roots = self.roots_for(page["metadatas"])
            rows = zip(page["ids"], page["documents"], page["metadatas"], strict=True)
            found |= {id_: hit_of(id_, 0.0, text, metadata, roots) for id_, text, metadata in rows}
        return found

    def records(self, ids: Iterable[str] | None = None) -> Iterator[PictureRecord]:
        """The records with these ids, or all."""
        for page in self._pages(ids):
            rows = zip(page["ids"], page["documents"], page["metadatas"], strict=True)
            yield from (_record(*row) for row in rows)

    def rewrite(self, records: Sequence[PictureRecord]) -> None:
        """Replace what is known of stored pictures; their vectors stay."""
        for start in range(0, len(records), PAGE):
            page = [
                (record.id, *document_and_metadata(stored_image(record)))
                for record in records[start : start + PAGE]
            ]
            self._chroma.write(partial(rewrite, page))

    def _pages(self, ids: Iterable[str] | None) -> Iterator[Any]:
        if ids is not None:
            asked = once(ids)
            for start in range(0, len(asked), PAGE):
                yield self._page(ids=asked[start : start + PAGE])
            return
        offset = 0
        while (page := self._page(limit=PAGE, offset=offset))["ids"]:
            yield page
            offset += len(page["ids"])

    def _page(self, **asked: Any) -> Any:
        return self._chroma.read(
            lambda collection: collection.get(include=["documents", "metadatas"], **asked)
        )

    def _refresh(self) -> dict[str, Any]:
        metadata = self._chroma.metadata()
        self._roots = self._read(metadata)
        return metadata

    def _read(self, metadata: Mapping[str, Any]) -> Roots:
        return Roots(self._stored(metadata)).including(self._given.folders)

    @staticmethod
    def _stored(metadata: Mapping[str, Any]) -> dict[str, str]:
        return dict(json.loads(metadata.get(_ROOTS) or "{}"))


def _roots_in(metadata: Mapping[str, Any] | None) -> set[str]:
    text = (metadata or {}).get(RECORD)
    return {copy.root for copy in record_of_text("", str(text)).copies} if text else set()


def _record(id: str, document: str | None, metadata: Mapping[str, Any] | None) -> PictureRecord:
    text = (metadata or {}).get(RECORD)
    if text:
        return record_of_text(id, str(text))
    hit = hit_of(id, 0.0, document, metadata)
    return record_of_location(id, hit.uri, hit.caption, hit.metadata)
