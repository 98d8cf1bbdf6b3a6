"""Captions of stored pictures that people gave none, and the vectors of all captions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from PIL import Image

from dar_retriever.captioning.base import Captioned, Captioner, captioner_name, captions_of
from dar_retriever.encoders.base import ImageEncoder
from dar_retriever.errors import DARError, StoreError
from dar_retriever.ingest.report import IngestReport, LeftOut, Progress
from dar_retriever.stores.base import CaptionStore, FillableStore, WholeStore
from dar_retriever.stores.copies import CAPTIONED_BY, PictureRecord, record_of_location
from dar_retriever.stores.engine import EngineStore
from dar_retriever.stores.entry_parts import EntryPart, StoredPart
from dar_retriever.stores.hits import Hit
from dar_retriever.stores.kept import document_and_metadata, stored_image
from dar_retriever.support.batches import in_batches
from dar_retriever.trace import of_error

# So many captions are lost at most where an ingest is stopped.
_AT_ONCE: Final = 32
_PAGE: Final = 500
_OPENED_AT_ONCE: Final = 4
# A captioner that fails so often in a row is not asked again.
_FAILURES: Final = 20


def add_captions(
    store: FillableStore,
    encoder: ImageEncoder,
    captioner: Captioner | None,
    ids: Iterable[str],
    progress: Progress | None = None,
    *,
    begin: bool = False,
) -> IngestReport:
    """Put stored pictures into words, and keep the vectors of captions in step with them.

    Pictures with a caption by people, or by the same captioner, are not asked about. What a
    captioner wrote stays when another one takes its place, and is used again when it comes back.
    Each batch is stored at once, so that a run that was stopped goes on.

    Args:
        store: The store. Vectors of captions are kept by a ``CaptionStore`` alone.
        encoder: Its encoder; one of images alone makes no vectors of captions.
        captioner: Describes pictures; None to go on with the captions that there are.
        ids: The pictures.
        progress: Called with the number of pictures done and of all that need a caption.
        begin: Whether a store without vectors of captions gets them without a captioner, too.

    Returns:
        What was captioned, and what was not, with reasons.

    Raises:
        StoreError: The store cannot change what it knows of a picture, or cannot be written to.
    """
    entries, asked = _entries_of(store), list(dict.fromkeys(ids))
    keeper = _Keeper(store, encoder, begins=begin or captioner is not None)
    report = IngestReport()
    if captioner is not None:
        report = _Run(entries, captioner, keeper, progress).over(asked)
    for page in in_batches(asked, _PAGE):
        keeper.keep(entries.records(page))
    report.remarks += keeper.remarks
    return report


class _Entries(Protocol):
    """A store's pictures, as captions need them."""

    def records(self, ids: Iterable[str]) -> Iterable[PictureRecord]: ...

    def rewrite(self, records: Sequence[PictureRecord]) -> None: ...

    def get(self, ids: Sequence[str]) -> Sequence[Hit]: ...


class _OfEngine:
    """The pictures of an ``EngineStore``, which remembers hits and no records."""

    def __init__(self, store: EngineStore) -> None:
        self._store = store

    def records(self, ids: Iterable[str]) -> list[PictureRecord]:
        hits = self._store.get(list(ids))
        return [record_of_location(h.id, h.uri, h.caption, h.metadata) for h in hits]

    def rewrite(self, records: Sequence[PictureRecord]) -> None:
        vectors = self._store.vectors_of([record.id for record in records])
        self._store.add(list(map(stored_image, records, vectors)))

    def get(self, ids: Sequence[str]) -> Sequence[Hit]:
        return self._store.get(ids)


def _entries_of(store: FillableStore) -> _Entries:
    if isinstance(store, EngineStore):
        return _OfEngine(store)
    if isinstance(store, WholeStore):
        return store
    raise StoreError(
        f"captioner=...: {type(store).__name__} cannot change what it has stored; use an "
        "ImageStore, an AddressStore or an EngineStore"
    )


@dataclass(slots=True)
class _Keeper:
    """Keeps the vectors of captions in step with the captions."""

    store: FillableStore
    encoder: ImageEncoder
    begins: bool
    remarks: list[str] = field(default_factory=list)

    def keep(self, records: Iterable[PictureRecord]) -> None:
        """Encode the captions that are new or have changed."""
        store = self.store
        if self.remarks or not isinstance(store, CaptionStore):
            return
        if not (self.begins or store.has_captions):
            return
        texts = {record.id: record.caption for record in records}
        kept = store.captions_of(texts)
        changed = {id_: text for id_, text in texts.items() if text != kept.get(id_, "")}
        vectors = self._encoded([text for text in changed.values() if text])
        if vectors is None:
            return
        rows = iter(vectors)
        parts = {
            id_: StoredPart(EntryPart(0, caption=text), next(rows)) if text else None
            for id_, text in changed.items()
        }
        if parts:
            store.keep_captions(parts)

    def _encoded(self, texts: list[str]) -> np.ndarray | None:
        if not texts:
            return np.empty((0, self.encoder.dimension), np.float32)
        encode, why = getattr(self.encoder, "encode_texts", None), ""
        if encode is None:
            why = f"{self.encoder.name} reads no texts"
        else:
            try:
                pages = list(map(encode, in_batches(texts, _AT_ONCE)))
                vectors: np.ndarray = np.concatenate(pages)
                why = "" if np.isfinite(vectors).all() else "a caption's vector is not finite"
            # The encoder may be third-party code, and the pictures are stored without it.
            except Exception as error:
                why = of_error(error)
        if why:
            self.remarks.append(f"captions do not count in the score: {why}")
            return None
        return vectors


@dataclass(slots=True)
class _Run:
    """Asks a captioner about the pictures that it has not described yet."""

    entries: _Entries
    captioner: Captioner
    keeper: _Keeper
    progress: Progress | None
    report: IngestReport = field(default_factory=IngestReport)
    failed_in_a_row: int = 0
    wordless: int = 0

    def over(self, ids: Sequence[str]) -> IngestReport:
        """Caption the pictures; returns what was done."""
        name, report = captioner_name(self.captioner), self.report
        waiting = [
            record
            for page in in_batches(ids, _PAGE)
            for record in self.entries.records(page)
            if not record.given_caption and record.facts.get(CAPTIONED_BY) != name
        ]
        done = 0
        with ThreadPoolExecutor(_OPENED_AT_ONCE, "dar-read") as readers:
            for batch in in_batches(waiting, _AT_ONCE):
                if self.failed_in_a_row >= _FAILURES:
                    break
                self._caption(batch, name, readers)
                done += len(batch)
                if self.progress is not None:
                    self.progress(done, len(waiting))
        if done < len(waiting):
            report.remarks.append(
                f"{len(waiting) - done} pictures were not captioned: {name} failed "
                f"{self.failed_in_a_row} times in a row; index again once that is mended"
            )
        if self.wordless:
            report.remarks.append(f"{name} had nothing to say of {self.wordless} pictures")
        return report

    def _caption(
        self, batch: Sequence[PictureRecord], name: str, readers: ThreadPoolExecutor
    ) -> None:
        known = [r.captioned(r.caption_by(name), name) for r in batch if r.caption_by(name)]
        asked = {record.id: record for record in batch if not record.caption_by(name)}
        hits = list(self.entries.get(list(asked)))
        opened = list(zip(hits, readers.map(_opened, hits), strict=True))
        there = {hit.id: image for hit, image in opened if isinstance(image, Image.Image)}
        made = dict(zip(there, captions_of(self.captioner, list(there.values())), strict=True))
        written = []
        for hit, image in opened:
            caption = image if isinstance(image, Exception) else made[hit.id]
            record = _captioned(asked[hit.id], caption, name)
            if isinstance(record, PictureRecord):
                written.append(record)
                self.wordless += not record.caption
                self.failed_in_a_row = 0
            else:
                self.report.uncaptioned.append(LeftOut(hit.uri, of_error(record)))
                self.failed_in_a_row += hit.id in made
        self.entries.rewrite([*known, *written])
        self.keeper.keep([*known, *written])
        self.report.captioned += len(known) + sum(bool(record.caption) for record in written)


def _opened(hit: Hit) -> Image.Image | Exception:
    try:
        return hit.open()
    except DARError as error:
        return error


def _captioned(record: PictureRecord, caption: Captioned, name: str) -> PictureRecord | Exception:
    """The record with a caption, or why it has none."""
    if isinstance(caption, Exception):
        return caption
    record = record.captioned(caption, name)
    try:
        document_and_metadata(stored_image(record))
    except DARError as error:
        return error
    return record
