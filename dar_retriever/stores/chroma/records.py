"""Images as records of a Chroma collection, in pages that Chroma accepts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, Final, TypeAlias

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.stores.hits import StoredImage
from dar_retriever.stores.kept import document_and_metadata
from dar_retriever.stores.values import Value, is_unicode

PAGE: Final = 2000
# Chroma's server accepts requests of up to 40 MiB.
_PAGE_BYTES: Final = 16 * 2**20
# Bytes of one number of a vector: in base64, or as text if an old server needs that.
_NUMBER_BYTES: Final = 12
_STRETCH: Final = 32

# Id, vector, caption and metadata.
Record: TypeAlias = tuple[str, Vectors, str, dict[str, Value]]
Description: TypeAlias = tuple[str, str, dict[str, Value]]


def record_of(image: StoredImage, width: int) -> Record:
    """An image as a checked Chroma record; checking first avoids writing half a batch."""
    if not image.id or not is_unicode(image.id):
        raise InvalidInputError(
            f"id {image.id!r}: empty, or no valid Unicode; name an image by plain text, such as "
            "the hash of its file"
        )
    vector = np.asarray(image.vector, np.float32)
    if vector.shape != (width,):
        raise InvalidInputError(
            f"{image.id}: a vector of shape {vector.shape} in a store of {width} numbers each; "
            "encode it with the store's encoder"
        )
    if not np.isfinite(vector).all():
        raise InvalidInputError(
            f"{image.id}: its vector is not finite; the encoder failed on the image"
        )
    return image.id, vector, *document_and_metadata(image)


class Upsert:
    """Writes records; each replaces the record with its id.

    Called again, after a failure, it only writes what has not arrived. If Chroma replays a log in
    which a batch stands twice, it may lose vectors.

    Args:
        page: The records.
    """

    def __init__(self, page: Sequence[Record]) -> None:
        self._page = page
        self._is_repeated = False

    def __call__(self, collection: Any) -> None:
        """Write the records into a collection."""
        page = _not_there(self._page, collection) if self._is_repeated else self._page
        self._is_repeated = True
        if page:
            upsert(page, collection)


def upsert(page: Sequence[Record], collection: Any) -> None:
    """Write records; each replaces the record with its id."""
    ids, vectors, documents, metadatas = zip(*page, strict=True)
    collection.upsert(
        ids=list(ids),
        embeddings=np.stack(vectors),
        documents=list(documents),
        metadatas=_replacing(ids, metadatas, collection),
    )


def _not_there(page: Sequence[Record], collection: Any) -> list[Record]:
    found = collection.get(once(record[0] for record in page), include=["documents", "metadatas"])
    rows = zip(found["ids"], found["documents"], found["metadatas"], strict=True)
    there = {id_: (document or "", _texts(metadata or {})) for id_, document, metadata in rows}
    return [each for each in page if there.get(each[0]) != (each[2], _texts(each[3]))]


def _texts(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What can be compared exactly; Chroma changes the last bits of fractions."""
    return {name: None if isinstance(each, float) else each for name, each in metadata.items()}


def rewrite(page: Sequence[Description], collection: Any) -> None:
    """Replace the captions and metadata of stored records; their vectors stay."""
    by_id = {id_: (document, metadata) for id_, document, metadata in page}
    before = collection.get(list(by_id), include=["documents"])
    rows = zip(before["ids"], before["documents"], strict=True)
    # Chroma takes a new caption only together with a vector.
    recaptioned = {id_ for id_, document in rows if (document or "") != by_id[id_][0]}
    same = [id_ for id_ in before["ids"] if id_ not in recaptioned]
    if same:
        metadatas = _replacing(same, [by_id[id_][1] for id_ in same], collection)
        collection.update(ids=same, metadatas=metadatas)
    if recaptioned:
        found = collection.get(list(recaptioned), include=["embeddings"])
        rows = zip(found["ids"], found["embeddings"], strict=True)
        upsert([(id_, np.asarray(v, np.float32), *by_id[id_]) for id_, v in rows], collection)


def _replacing(
    ids: Sequence[str], metadatas: Sequence[dict[str, Value]], collection: Any
) -> list[dict[str, Value | None]]:
    """Metadata that replace the stored ones, whose fields Chroma keeps unless they become None."""
    before = collection.get(once(ids), include=["metadatas"])
    gone = {
        id_: dict.fromkeys(metadata or ())
        for id_, metadata in zip(before["ids"], before["metadatas"], strict=True)
    }
    return [gone.get(id_, {}) | metadata for id_, metadata in zip(ids, metadatas, strict=True)]


def pages_of(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Split records into pages that Chroma accepts, by number and by bytes."""
    page: list[Record] = []
    room = _PAGE_BYTES
    for record in records:
        size = _NUMBER_BYTES * len(record[1]) + len(json.dumps([record[0], *record[2:]]))
        if page and (len(page) == PAGE or size > room):
            yield page
            page, room = [], _PAGE_BYTES
        page.append(record)
        room -= size
    if page:
        yield page


def once(ids: Iterable[str]) -> list[str]:
    """Ids without repetitions, because Chroma refuses lists that name an id twice."""
    return list(dict.fromkeys(ids))


def stretches(count: int, most: int) -> list[tuple[int, int]]:
    """Places and lengths of stretches of records that make up a random choice of them.

    Chroma cannot choose at random. Short stretches avoid many similar images from one folder.
    """
    if count <= most:
        return [(0, most)]
    starts = Random(count).sample(range(count // _STRETCH), most // _STRETCH)
    return [(start * _STRETCH, _STRETCH) for start in sorted(starts)]


def unit_rows(width: int, *parts: Any) -> Vectors:
    """All rows at unit length; other programs may have stored them at another length."""
    rows = np.concatenate([np.asarray(p, np.float32).reshape(-1, width) for p in parts])
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return rows
