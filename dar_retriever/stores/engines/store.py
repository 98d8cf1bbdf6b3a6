"""The image store on engines at an address."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, TypeVar

import numpy as np

from dar_retriever.encoders.base import ImageEncoder, Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.stores.arguments import hit_count, require_stored, require_whole
from dar_retriever.stores.copies import (
    RECORD,
    PictureRecord,
    record_of_location,
    record_of_text,
)
from dar_retriever.stores.engine_failures import engine_errors
from dar_retriever.stores.engines.base import Engine, Row
from dar_retriever.stores.engines.collections import ENCODER, FINGERPRINT, WIDTH, opened
from dar_retriever.stores.engines.survey import EngineSurvey, matrix_of
from dar_retriever.stores.fields import Field
from dar_retriever.stores.filters import Filter, predicate
from dar_retriever.stores.hits import Hit, StoredImage, hit_of
from dar_retriever.stores.kept import document_and_metadata, stored_image
from dar_retriever.stores.roots import NOWHERE_ELSE, Folders, Roots
from dar_retriever.stores.survey import SAMPLE
from dar_retriever.stores.values import is_unicode

_ROOTS: Final = "dar_roots"
_PAGE: Final = 500

Item = TypeVar("Item")


class AddressStore:
    """An image store on an engine such as Postgres, Qdrant, Milvus or LanceDB.

    Open one with ``open_store("postgresql://...", encoder)``. The engine finds candidates. Their
    scores are those of the exact vectors, which the engine keeps beside its codes. How many more
    candidates than hits codes need is measured on the store itself.

    Threads and processes can share a store as far as its engine allows it; folders of Qdrant and
    files of Milvus Lite belong to one process at a time. Once ``add`` has returned, its images stay
    stored. An ``add`` that fails or is killed may have stored a part and can be repeated.

    Args:
        engine: The collection.
        encoder: The encoder of the collection; None opens one that is there, to look after it.
        roots: Where folders lie on this machine, by the name that the store knows them by.

    Raises:
        EncoderMismatchError: Another encoder filled the collection.
        StoreError: There is no collection and no encoder to create it for, or the engine failed.
        StoreUnavailableError: The engine does not answer.
    """

    def __init__(
        self, engine: Engine, encoder: ImageEncoder | None, *, roots: Folders = NOWHERE_ELSE
    ) -> None:
        self._engine = engine
        self.encoder_name, self.fingerprint, self.width = "", "", 0
        self._given = Roots.of(roots)
        with self._errors():
            settings = opened(engine, encoder)
        self.encoder_name, self.fingerprint = settings[ENCODER], settings[FINGERPRINT]
        self.width = int(settings[WIDTH])
        self._survey = EngineSurvey(engine, self.width, self._errors)
        self._roots = self._read_roots(settings)

    def __len__(self) -> int:
        return self._survey.count()

    def add(self, images: Sequence[StoredImage]) -> None:
        """Store images; an image replaces the stored one with the same id.

        Raises:
            InvalidInputError: An image's id, vector, caption or metadata cannot be stored. Then
                none of the images is stored.
            StoreError: The engine failed.
        """
        require_whole(images, self._engine.name)
        self._write(list({image.id: self._row(image) for image in images}.values()))

    def delete(self, ids: Sequence[str]) -> None:
        """See ``ImageStore``."""
        self._survey.changed()
        for page in _pages_of(list(dict.fromkeys(ids))):
            with self._errors():
                self._engine.remove(page)

    def search(
        self,
        vector: Vectors,
        k: int = 10,
        where: Filter | None = None,
        exclude: Collection[str] = (),
    ) -> list[Hit]:
        """See ``SearchableStore``."""
        rows, scores = self._ranked(vector, hit_count(k) + len(exclude), where or None)
        hits = [
            self._hit(row, float(score))
            for row, score in zip(rows, scores, strict=True)
            if row.id not in exclude
        ]
        return hits[:k]

    def get(self, ids: Sequence[str]) -> list[Hit]:
        """See ``ImageStore``."""
        rows = self._by_id(ids)
        return [self._hit(rows[id_], 0.0) for id_ in ids if id_ in rows]

    def known(self, ids: Iterable[str]) -> set[str]:
        """See ``ImageStore``."""
        return set(self._by_id(ids))

    def vectors_of(self, ids: Sequence[str]) -> Vectors:
        """See ``ImageStore``."""
        rows = self._by_id(ids, vectors=True)
        require_stored(ids, rows)
        return matrix_of([rows[id_] for id_ in ids], self.width)

    def vectors(self) -> tuple[list[str], Vectors]:
        """See ``ImageStore``."""
        return self._survey.vectors()

    def nearest(self, vector: Vectors, k: int) -> Vectors:
        """See ``ImageStore``."""
        return matrix_of(self._ranked(vector, k, None)[0], self.width)

    def sample(self) -> Vectors:
        """See ``ImageStore``."""
        return self._survey.sample()

    def captions(self, most: int) -> list[str]:
        """See ``ImageStore``."""
        return self._survey.captions(most)

    def facets(self, sample: int = SAMPLE) -> dict[str, list[str]]:
        """See ``ImageStore``."""
        return self._survey.facets(sample)

    def fields(self) -> dict[str, Field]:
        """See ``ImageStore``."""
        return self._survey.fields()

    @property
    def roots(self) -> Roots:
        """See ``ImageStore``."""
        return self._roots

    def keep_root(self, name: str, folder: str) -> None:
        """See ``ImageStore``."""
        with self._errors():
            stored = _stored_roots(self._engine.settings() or {})
            if stored.get(name) != folder:
                stored[name] = folder
                self._engine.keep({_ROOTS: json.dumps(stored)})
        given = {known: path for known, path in self._given.folders.items() if known != name}
        self._given = Roots(given)
        self._roots = Roots(stored).including(given)

    def records(self, ids: Iterable[str] | None = None) -> Iterator[PictureRecord]:
        """See ``ImageStore``."""
        return map(_record, self._survey.rows() if ids is None else self._by_id(ids).values())

    def rewrite(self, records: Sequence[PictureRecord]) -> None:
        """See ``ImageStore``."""
        for page in _pages_of(records):
            rows = self._by_id([record.id for record in page], vectors=True)
            self._write(
                [
                    Row.of(
                        record.id,
                        rows[record.id].vector,
                        *document_and_metadata(stored_image(record)),
                    )
                    for record in page
                    if record.id in rows
                ]
            )

    def _row(self, image: StoredImage) -> Row:
        if not image.id or not is_unicode(image.id):
            raise InvalidInputError(
                f"id {image.id!r}: empty, or no valid Unicode; name an image by plain text, such "
                "as the hash of its file"
            )
        vector = np.asarray(image.vector, np.float32)
        length = float(np.linalg.norm(vector))
        if vector.shape != (self.width,) or not 0 < length < np.inf:
            raise InvalidInputError(
                f"{image.id}: a vector of shape {vector.shape} and length {length:.3g} in a store "
                f"of {self.width} finite numbers each; encode it with the store's encoder"
            )
        return Row.of(image.id, vector / length, *document_and_metadata(image))

    def _write(self, rows: Sequence[Row]) -> None:
        self._survey.changed()
        for page in _pages_of(rows):
            with self._errors():
                self._engine.write(page)

    def _ranked(self, vector: Vectors, k: int, where: Filter | None) -> tuple[list[Row], Vectors]:
        """The rows that the engine finds, sorted by exact scores, with these."""
        length = max(float(np.linalg.norm(vector)), float(np.finfo(np.float32).tiny))
        unit = np.asarray(vector / length, np.float32)
        fits = predicate(where) if where else None
        wanted = k * self._survey.oversampling()
        with self._errors(where):
            found = self._engine.nearest(unit, wanted, where)
        rows = [row for row in found if fits is None or fits(row.metadata)]
        scores = matrix_of(rows, self.width) @ vector
        order = np.argsort(-scores, kind="stable")[:k]
        return [rows[place] for place in order], scores[order]

    def _by_id(self, ids: Iterable[str], *, vectors: bool = False) -> dict[str, Row]:
        found: dict[str, Row] = {}
        for page in _pages_of(list(dict.fromkeys(ids))):
            with self._errors():
                found |= {row.id: row for row in self._engine.read(page, vectors=vectors)}
        return found

    def _hit(self, row: Row, score: float) -> Hit:
        metadata = row.metadata
        record = metadata.get(RECORD)
        if record is not None:
            named = {copy.root for copy in record_of_text("", str(record)).copies}
            if not named <= {"", *self._roots.folders}:
                with self._errors():
                    self._roots = self._read_roots(self._engine.settings() or {})
        return hit_of(row.id, score, row.caption, metadata, self._roots)

    def _read_roots(self, settings: Mapping[str, str]) -> Roots:
        return Roots(_stored_roots(settings)).including(self._given.folders)

    def _errors(self, where: Filter | None = None) -> AbstractContextManager[None]:
        holds = f"{self.width} numbers, those of {self.encoder_name!r}"
        return engine_errors(self._engine.name, holds, where)


def _stored_roots(settings: Mapping[str, str]) -> dict[str, str]:
    return dict(json.loads(settings.get(_ROOTS) or "{}"))


def _record(row: Row) -> PictureRecord:
    metadata = row.metadata
    text = metadata.get(RECORD)
    if text:
        return record_of_text(row.id, str(text))
    hit = hit_of(row.id, 0.0, row.caption, metadata)
    return record_of_location(row.id, hit.uri, hit.caption, hit.metadata)


def _pages_of(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), _PAGE):
        yield items[start : start + _PAGE]
