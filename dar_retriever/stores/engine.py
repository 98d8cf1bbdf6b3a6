"""Uses any vector engine as an image store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from threading import Lock
from typing import Final

import numpy as np

from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.stores.arguments import hit_count, require_stored, require_whole
from dar_retriever.stores.engine_failures import engine_errors
from dar_retriever.stores.fields import (
    Field,
    RememberedFields,
    fields_in,
    filterable_fields,
    some_captions,
)
from dar_retriever.stores.filters import Filter, predicate
from dar_retriever.stores.hits import Hit, Metadata, StoredImage, hit_of
from dar_retriever.stores.kept import document_and_metadata
from dar_retriever.stores.listed import flagged, has_item, unflagged, with_items
from dar_retriever.stores.vector_text import text_of, vector_of

_SAMPLE: Final = 1024
_PROBES: Final = 8
_GROWN: Final = 0.1


@dataclass(frozen=True, slots=True)
class Record:
    """One image in the form that an engine stores; queries return all of it.

    Attributes:
        id: Id of the image.
        vector: The vector as text; see ``text_of``.
        caption: The caption; empty if there is none.
        metadata: Flat metadata, with the location of the image as "uri".
    """

    id: str
    vector: str
    caption: str
    metadata: Metadata


class EngineStore(ABC):
    """An image store on any engine that can be queried by vector.

    A subclass implements four operations of its engine. The engine is only used to find candidates.
    Each record holds its vector and the fingerprint of its encoder. So scores are exact, however
    the engine computes its own, and a search that finds a record of another encoder is refused.

    Engines cannot list or count their records. So there is no length, and ``sample``, ``captions``
    and ``facets`` are estimated from some queries.

    Args:
        encoder: The encoder that fills the store and searches it.
        engine: Name of the engine for errors.
    """

    def __init__(self, encoder: JointEncoder, engine: str) -> None:
        self.encoder = encoder
        self._engine = engine
        self._sampled: _Sample | None = None
        self._changed = 0
        self._fields = RememberedFields()
        self._lock = Lock()

    @abstractmethod
    def _query(self, vector: Vectors, k: int, where: Filter | None) -> Sequence[Record]:
        """The k records nearest to a vector among those that match a filter.

        Args:
            vector: float32 (d,), of unit length.
            k: Maximum number of records.
            where: A filter in Chroma's form, with one field or operator per mapping; not empty.
        """

    @abstractmethod
    def _read(self, ids: Sequence[str]) -> Sequence[Record]:
        """The records with these ids, in any order; unknown ids are left out."""

    @abstractmethod
    def _write(self, records: Sequence[Record]) -> None:
        """Store records whose ids are not stored yet."""

    @abstractmethod
    def _remove(self, ids: Sequence[str]) -> None:
        """Delete records, all of which are stored."""

    @property
    def _filters(self) -> bool:
        """Whether searches can be filtered."""
        return True

    def add(self, images: Sequence[StoredImage]) -> None:
        """Store images; an image replaces the stored one with the same id.

        Raises:
            InvalidInputError: A vector is not of the encoder's length, 0, or not finite.
            StoreError: The engine failed.
        """
        require_whole(images, self._engine)
        # If an id is written again, some engines keep the old record and others refuse.
        by_id = {image.id: self._record(image) for image in images}
        if by_id:
            self.delete(list(by_id))
            with self._errors():
                self._write(list(by_id.values()))
            self._changed += len(by_id)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete images from the store, but not their files; unknown ids are ignored."""
        there = sorted(self.known(ids))
        if there:
            with self._errors():
                self._remove(there)
            self._changed += len(there)

    def search(
        self,
        vector: Vectors,
        k: int = 10,
        where: Filter | None = None,
        exclude: Collection[str] = (),
    ) -> list[Hit]:
        """See ``SearchableStore``.

        Raises:
            EncoderMismatchError: Another encoder filled the store.
            StoreError: The engine failed, or holds records of other programs.
        """
        # All excluded images may be among the best.
        records, vectors = self._ranked(vector, hit_count(k) + len(exclude), where or None)
        hits = [
            hit_of(record.id, float(score), record.caption, record.metadata)
            for record, score in zip(records, vectors @ vector, strict=True)
            if record.id not in exclude
        ]
        return hits[:k]

    def get(self, ids: Sequence[str]) -> list[Hit]:
        """Images by id, with score 0, in the order of the ids; unknown ids are left out."""
        records = self._by_id(ids)
        found = [records[id_] for id_ in ids if id_ in records]
        return [hit_of(record.id, 0.0, record.caption, record.metadata) for record in found]

    def known(self, ids: Iterable[str]) -> set[str]:
        """The ids among these that are stored."""
        return set(self._by_id(ids))

    def vectors_of(self, ids: Sequence[str]) -> Vectors:
        """The vectors of stored images: float32 (N, d) of unit length, in the order of the ids.

        Raises:
            StoreError: There is no image with one of the ids.
        """
        records = self._by_id(ids)
        require_stored(ids, records)
        return self._vectors([records[id_] for id_ in ids])

    def nearest(self, vector: Vectors, k: int) -> Vectors:
        """The stored vectors with the highest scores, best first: float32 (k or fewer, d)."""
        return self._ranked(vector, k, None)[1]

    def sample(self) -> Vectors:
        """Up to 1,024 stored vectors, all of them in a small store: float32 (N, d).

        In a larger store, 8 queries in random directions are made, and 128 of the best 1,024 of
        each are taken at random. This is not a uniform sample. On simulated collections, a text's
        mean score was off by 0.10 to 0.22 standard deviations on average (0.02 with a uniform
        sample). Its standard deviation was right within 5 % on average, and 0.4 to 1.6 times the
        true one at worst (0.9 to 1.15).

        Every call returns the same sample, until this object has added or deleted a tenth of its
        number.
        """
        return self._sample().vectors

    def captions(self, most: int) -> list[str]:
        """The captions of some images of the sample, without duplicates; the same at every call."""
        return some_captions((record.caption for record in self._sample().records), most)

    def facets(self) -> dict[str, list[str]]:
        """Fields to filter by: text fields with few values, by name, with the commonest first.

        They come from the images of the sample. Empty if searches cannot be filtered.
        """
        if not self._filters:
            return {}
        records = self._sample().records
        return filterable_fields(hit_of("", 0.0, None, each.metadata).metadata for each in records)

    def fields(self) -> dict[str, Field]:
        """The fields of texts or numbers by name, like ``facets``."""
        if not self._filters:
            return {}
        sample = self._sample()
        return self._fields.at((sample, self._changed), lambda: self._read_fields(sample.records))

    def _read_fields(self, records: Sequence[Record]) -> dict[str, Field]:
        # Fewer than were asked for are all, until one was written since.
        if self._changed and len(records) < _SAMPLE:
            records = self._probed()
        return fields_in((each.metadata for each in records), complete=len(records) < _SAMPLE)

    def _record(self, image: StoredImage) -> Record:
        vector, dimension = np.asarray(image.vector, np.float32), self.encoder.dimension
        length = float(np.linalg.norm(vector))
        if vector.shape != (dimension,) or not 0 < length < np.inf:
            raise InvalidInputError(
                f"{image.id}: a vector of shape {vector.shape} and length {length:.3g} is not one "
                f"of {self.encoder.name!r}, which makes {dimension} finite numbers; encode with it"
            )
        caption, metadata = document_and_metadata(image)
        text = text_of(vector / length, self.encoder)
        return Record(image.id, text, caption, flagged(metadata))

    def _ranked(
        self, vector: Vectors, k: int, where: Filter | None
    ) -> tuple[list[Record], Vectors]:
        """The records that the engine finds, sorted by exact scores, with their vectors."""
        length = max(float(np.linalg.norm(vector)), float(np.finfo(np.float32).tiny))
        plain = with_items(where, has_item, lambda name, _: self._holds_lists(name))
        with self._errors(where):
            found = map(_whole, self._query(vector / length, k, plain))
            # Some engines find too much, such as 2 for 2.5.
            fits = predicate(where) if where else None
            records = [each for each in found if fits is None or fits(each.metadata)]
        vectors = self._vectors(records)
        order = np.argsort(-(vectors @ vector), kind="stable")[:k]
        return [records[place] for place in order], vectors[order]

    def _by_id(self, ids: Iterable[str]) -> dict[str, Record]:
        asked = list(dict.fromkeys(ids))
        if not asked:
            return {}
        with self._errors():
            return {record.id: _whole(record) for record in self._read(asked)}

    def _vectors(self, records: Sequence[Record]) -> Vectors:
        rows = np.empty((len(records), self.encoder.dimension), np.float32)
        for place, record in enumerate(records):
            rows[place] = vector_of(record.vector, self.encoder)
        return rows

    def _sample(self) -> _Sample:
        with self._lock:
            known = self._sampled
            if known is None or self._changed > _GROWN * len(known.records):
                self._changed = 0
                records = self._probed()
                self._sampled = _Sample(records, self._vectors(records))
            assert self._sampled is not None
            return self._sampled

    def _probed(self) -> list[Record]:
        random = np.random.default_rng(0)
        found: dict[str, Record] = {}
        for _ in range(_PROBES):
            direction = random.normal(size=self.encoder.dimension).astype(np.float32)
            best, _ = self._ranked(direction, _SAMPLE, None)
            if len(best) < _SAMPLE:
                return best
            some = random.choice(len(best), _SAMPLE // _PROBES, replace=False)
            found |= {best[place].id: best[place] for place in some}
        return list(found.values())

    def _holds_lists(self, name: str) -> bool:
        field = self.fields().get(name)
        return field is not None and field.lists

    def _errors(self, where: Filter | None = None) -> AbstractContextManager[None]:
        holds = f"{self.encoder.dimension} numbers, those of {self.encoder.name!r}"
        return engine_errors(self._engine, holds, where)


def _whole(record: Record) -> Record:
    """A record with its lists as lists."""
    return replace(record, metadata=unflagged(record.metadata))


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    records: Sequence[Record]
    vectors: Vectors
