"""Indexing on one machine, with reading, encoding and writing at the same time."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from dar_retriever.captioning.base import Captioner
from dar_retriever.encoders.base import ImageEncoder
from dar_retriever.errors import InvalidInputError, StoreError
from dar_retriever.ingest.captioning import add_captions
from dar_retriever.ingest.files import FileState, FolderState, Listed
from dar_retriever.ingest.in_parts import InParts
from dar_retriever.ingest.mapper import Encode, Steps, images_of
from dar_retriever.ingest.metadata import Said, said_in, said_in_folder
from dar_retriever.ingest.outlining import add_outlines, outlined_store
from dar_retriever.ingest.reader import (
    Facts,
    Identified,
    Prepared,
    Reading,
    Unread,
    identify,
    prepare,
)
from dar_retriever.ingest.report import IngestReport, Progress
from dar_retriever.ingest.side_by_side import encoding
from dar_retriever.ingest.target import Target, target_of
from dar_retriever.stores.base import FillableStore, WholeStore, has_captions, outlines_of
from dar_retriever.stores.copies import PictureRecord
from dar_retriever.stores.hits import Metadata
from dar_retriever.stores.near_duplicates import mark_near_duplicates
from dar_retriever.support.batches import in_batches

T = TypeVar("T")

_MOST_WORKERS: Final = 16
# So many times fewer files make a batch where each of them has parts.
_PARTS: Final = 4


@dataclass(frozen=True, slots=True)
class Options:
    """How an ingest works; see ``ingest`` and ``sync``.

    Attributes:
        facts: What is kept of what the files tell.
        within: Of a list of files, the folder that their paths are to be relative to.
        parts: Whether parts of the images are stored too.
        captioner: Puts pictures into words that people gave no caption.
        caption_progress: Like ``progress``, for captions.
        outlines: Whether outlines of the images are stored too.
        outline_progress: Like ``progress``, for outlines.

    Raises:
        InvalidInputError: The size of a batch or the number of workers is below 1.
    """

    metadata: Mapping[str, Metadata] | None = None
    facts: Facts = field(default_factory=Facts)
    batch_size: int = 64
    workers: int | None = None
    progress: Progress | None = None
    within: Path | None = None
    root: str = ""
    prune: bool = False
    parts: bool = False
    captioner: Captioner | None = None
    caption_progress: Progress | None = None
    outlines: bool = False
    outline_progress: Progress | None = None

    def __post_init__(self) -> None:
        if min(self.batch_size, self.threads) < 1:
            raise InvalidInputError(
                f"batch_size={self.batch_size}, workers={self.threads}: at least 1 each"
            )

    @property
    def threads(self) -> int:
        """Number of threads that read and decode."""
        cores = min(_MOST_WORKERS, max(2, os.cpu_count() or 1))
        return cores if self.workers is None else self.workers


def run(
    source: FolderState | Listed, store: FillableStore, encoder: ImageEncoder, options: Options
) -> IngestReport:
    """Store the images of a source that are new, then set right what is known of the others.

    While one batch is written, the next is encoded, and the one after that is read, decoded and
    preprocessed in threads.

    Raises:
        IngestError: A file of metadata cannot be read.
        StoreError: The store cannot be written to, or near duplicates cannot be marked in it.
    """
    if options.facts.likeness and not isinstance(store, WholeStore):
        raise StoreError(
            f"near_duplicates=True: {type(store).__name__} cannot mark images that it has stored; "
            "leave near_duplicates out, or use an ImageStore or AddressStore"
        )
    if options.outlines:
        outlined_store(store)
    began = time.monotonic()
    said = said_of(source, options.metadata)
    within = source.path if isinstance(source, FolderState) else options.within
    target = target_of(store, source, said, within, options.root)
    if options.parts:
        target = InParts(target, store)
    steps = Steps.of(encoder)
    reading = Reading(steps.preprocess, steps.side, options.facts, options.parts)
    work = _Run(
        store,
        target,
        len(source) + len(source.left_out),
        options.progress,
        options.batch_size,
    )
    work.ids |= target.unchanged()
    work.done = len(work.ids) + len(source.left_out)
    to_read = [item for item in source.files.items() if item[0] not in work.ids]
    with (
        ThreadPoolExecutor(options.threads, "dar-read") as readers,
        ThreadPoolExecutor(1, "dar-write") as writer,
        encoding(steps) as encode,
    ):
        size = max(1, options.batch_size // _PARTS) if options.parts else options.batch_size
        files = _ahead(readers, identify, to_read, 2 * size)
        batches = in_batches(files, size)
        begun = (_Batch.begun(batch, target, readers, reading) for batch in batches)
        try:
            for batch in _one_ahead(begun):
                work.write(batch, writer, encode)
            work.finish()
        finally:
            # After an error the remaining files are not needed.
            readers.shutdown(wait=True, cancel_futures=True)
    work.report.include(target.settle(work.ids, work.unread, work.added, prune=options.prune))
    if options.facts.likeness and isinstance(store, WholeStore):
        added = list(store.records(work.added))
        work.report.near_duplicates = mark_near_duplicates(store, added)
    if options.captioner is not None or has_captions(store):
        stored = store.known(work.ids.values())
        part = add_captions(store, encoder, options.captioner, stored, options.caption_progress)
        work.report.include(part)
    if options.outlines or outlines_of(store):
        stored = store.known(work.ids.values())
        work.report.include(add_outlines(store, encoder, stored, options.outline_progress))
    work.report.left_out = [*source.left_out, *work.report.left_out]
    work.report.remarks = [*said.remarks, *work.report.remarks]
    work.report.passed_over = dict(source.passed_over)
    if not to_read and options.progress is not None:
        options.progress(work.done, work.total)
    work.report.seconds = time.monotonic() - began
    return work.report


def said_of(source: FolderState | Listed, metadata: Mapping[str, Metadata] | None) -> Said:
    """What is said of a source's files: by the caller, or else by the folder's own files."""
    if metadata is not None:
        return said_in(metadata, source.files)
    if isinstance(source, FolderState):
        return said_in_folder(source.path, source.listings, source.files)
    return Said({}, is_complete=False)


@dataclass(slots=True)
class _Batch:
    """A batch of files that are being read."""

    files: Sequence[Identified | Unread]
    reading: list[Future[Prepared | Unread]]

    @classmethod
    def begun(
        cls,
        files: Sequence[Identified | Unread],
        target: Target,
        readers: Executor,
        how: Reading,
    ) -> _Batch:
        """Start to read the files of a batch that are not stored yet."""
        identified = [file for file in files if isinstance(file, Identified)]
        known = target.known(file.id for file in identified)
        # Copies of a file are read too, in case one of them cannot be read.
        new = [file for file in identified if file.id not in known]
        return cls(files, [readers.submit(prepare, file, how) for file in new])


@dataclass(slots=True)
class _Run:
    """The encoding and writing part of an ingest.

    Attributes:
        ids: The ids of the files that were read, by key.
        unread: The keys of those that could not be.
        added: What was stored, by id.
        done: Number of files done.
    """

    store: FillableStore
    target: Target
    total: int
    progress: Progress | None
    at_once: int
    report: IngestReport = field(default_factory=IngestReport)
    ids: dict[str, str] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    added: dict[str, PictureRecord] = field(default_factory=dict)
    done: int = 0
    writing: _Writing | None = None

    def write(self, batch: _Batch, writer: Executor, encode: Encode) -> None:
        """Encode a batch, wait until the previous one is written, and start to write this one."""
        read = [future.result() for future in batch.reading]
        prepared = {p.file.id: p for p in reversed(read) if isinstance(p, Prepared)}
        new = [p for id_, p in reversed(prepared.items()) if id_ not in self.added]
        began = time.monotonic()
        images, unfit = images_of(new, encode, self.target.record_of, self.at_once)
        encoding = time.monotonic() - began
        for file in (*batch.files, *(p.file for p in read if isinstance(p, Prepared))):
            if isinstance(file, Identified):
                self.ids[file.key] = file.id
        unread = [each for each in (*batch.files, *read) if isinstance(each, Unread)]
        # What a broken file holds is known; only a file that cannot be read may be as it was.
        self.unread |= {each.key for each in batch.files if isinstance(each, Unread)}
        self.added |= {image.id: image.record for image in images if image.record is not None}
        left_out = [each.left_out for each in (*unread, *unfit)]
        part = IngestReport(len(images), left_out=left_out, encoding=encoding)
        self.finish()
        written = writer.submit(self.store.add, images)
        self.writing = _Writing(written, len(batch.files), part)

    def finish(self) -> None:
        """Wait until the current batch is written, and report progress."""
        if self.writing is not None:
            self.writing.future.result()
            self.report.include(self.writing.part)
            self.done += self.writing.files
            self.writing = None
            if self.progress is not None:
                self.progress(self.done, max(self.total, self.done))


@dataclass(frozen=True, slots=True)
class _Writing:
    """A batch that is being written."""

    future: Future[None]
    files: int
    part: IngestReport


def _ahead(
    executor: Executor,
    call: Callable[[str, FileState], T],
    items: Iterable[tuple[str, FileState]],
    most: int,
) -> Iterator[T]:
    """Results in the order of the items, with at most ``most`` of them computed in advance."""
    waiting: deque[Future[T]] = deque()
    for item in items:
        waiting.append(executor.submit(call, *item))
        if len(waiting) >= most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _one_ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, each one returned only when the next one has been fetched."""
    waiting: deque[T] = deque()
    for item in items:
        waiting.append(item)
        if len(waiting) > 1:
            yield waiting.popleft()
    yield from waiting
