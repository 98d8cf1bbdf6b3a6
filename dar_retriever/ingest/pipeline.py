"""Indexing on one machine, with reading, encoding and writing at the same time."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from dar_retriever.encoders.base import JointEncoder
from dar_retriever.errors import InvalidInputError
from dar_retriever.ingest.files import Folder, Source, files_of
from dar_retriever.ingest.mapper import Encode, MetadataOf, Steps, images_of
from dar_retriever.ingest.metadata import folder_metadata
from dar_retriever.ingest.reader import Identified, Prepared, identify, prepare
from dar_retriever.ingest.report import IngestReport, LeftOut, Progress
from dar_retriever.ingest.side_by_side import encoding
from dar_retriever.stores.base import FillableStore
from dar_retriever.stores.hits import Metadata

S = TypeVar("S")
T = TypeVar("T")

_MOST_WORKERS: Final = 16


def ingest(
    source: Source,
    store: FillableStore,
    encoder: JointEncoder,
    *,
    metadata: Mapping[str, Metadata] | None = None,
    batch_size: int = 64,
    workers: int | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Store the images of a folder or of a list of files.

    While one batch is written, the next is encoded, and the one after that is read, decoded and
    preprocessed in threads. Memory holds the preprocessed pixels of two batches, however many files
    there are. An image's id is the hash of its file, so files that are stored already are skipped,
    and an ingest that was stopped continues where it stopped.

    Args:
        source: A folder, which is searched with its subfolders, or a list of files.
        store: The store to fill.
        encoder: The encoder that the store was opened with.
        metadata: Metadata by file: by the path as given, or relative to the folder. The key
            "caption" becomes the image's caption. By default the folder's ``metadata.jsonl`` is
            read, in the form of Hugging Face's ImageFolder.
        batch_size: Number of images that are encoded and written at once.
        workers: Number of threads that read and decode; one per core by default.
        progress: Called with the number of files done (stored, known or left out) and of all files.

    Returns:
        What was stored, and the files that were left out, with reasons.

    Raises:
        IngestError: The folder is missing or holds no images.
        InvalidInputError: ``batch_size`` or ``workers`` is below 1.
        StoreError: The store cannot be written to. Files that ``progress`` has counted are stored.
    """
    threads = workers if workers is not None else min(_MOST_WORKERS, max(2, os.cpu_count() or 1))
    if min(batch_size, threads) < 1:
        raise InvalidInputError(f"batch_size={batch_size}, workers={workers}: at least 1 each")
    files = files_of(source)
    if metadata is None:
        metadata = folder_metadata(files.path) if isinstance(files, Folder) else {}
    known_as = metadata
    steps = Steps.of(encoder)
    with (
        ThreadPoolExecutor(threads, "dar-read") as readers,
        ThreadPoolExecutor(1, "dar-write") as writer,
        encoding(steps) as encode,
    ):
        run = _Run(store, len(files), progress)
        batches = _in_batches(_ahead(readers, _identified, files, 2 * batch_size), batch_size)
        reading = (_Batch.begun(batch, store, readers, steps) for batch in batches)
        try:
            for batch in _one_ahead(reading):
                run.write(batch, writer, encode, lambda path: known_as.get(files.key(path), {}))
            run.finish()
        finally:
            # After an error the remaining files are not needed.
            readers.shutdown(wait=True, cancel_futures=True)
    return run.report


@dataclass(slots=True)
class _Batch:
    """A batch of files that are being read."""

    files: int
    left_out: list[LeftOut]
    reading: list[Future[Prepared | LeftOut]]

    @classmethod
    def begun(
        cls,
        files: Sequence[Identified | LeftOut],
        store: FillableStore,
        readers: Executor,
        steps: Steps,
    ) -> _Batch:
        """Start to read the files of a batch that are not stored yet."""
        ids = [file.id for file in files if isinstance(file, Identified)]
        known = store.known(ids)
        # Copies of a file are read too, in case one of them cannot be read.
        new = [file for file in files if isinstance(file, Identified) and file.id not in known]
        return cls(
            len(files),
            [file for file in files if isinstance(file, LeftOut)],
            [readers.submit(prepare, file, steps.preprocess, steps.side) for file in new],
        )


@dataclass(slots=True)
class _Run:
    """The encoding and writing part of an ingest."""

    store: FillableStore
    total: int
    progress: Progress | None
    report: IngestReport = field(default_factory=IngestReport)
    began: float = field(default_factory=time.monotonic)
    done: int = 0
    writing: _Writing | None = None
    # Ids of recent batches: they may not have been written when later files were looked up.
    recent: deque[set[str]] = field(default_factory=lambda: deque(maxlen=3))

    def write(
        self, batch: _Batch, writer: Executor, encode: Encode, metadata_of: MetadataOf
    ) -> None:
        """Encode a batch, wait until the previous one is written, and start to write this one."""
        read = [future.result() for future in batch.reading]
        written = set().union(*self.recent)
        prepared = {p.file.id: p for p in reversed(read) if isinstance(p, Prepared)}
        new = [p for id_, p in reversed(prepared.items()) if id_ not in written]
        began = time.monotonic()
        images, unfit = images_of(new, encode, metadata_of)
        encoding = time.monotonic() - began
        self.recent.append({image.id for image in images})
        unread = [outcome for outcome in read if isinstance(outcome, LeftOut)]
        left_out = [*batch.left_out, *unread, *unfit]
        known = batch.files - len(images) - len(left_out)
        part = IngestReport(len(images), known, left_out, encoding=encoding)
        self.finish()
        self.writing = _Writing(writer.submit(self.store.add, images), batch.files, part)

    def finish(self) -> None:
        """Wait until the current batch is written, and report progress."""
        if self.writing is not None:
            self.writing.future.result()
            self.report.include(self.writing.part)
            self.done += self.writing.files
            self.writing = None
            if self.progress is not None:
                self.progress(self.done, max(self.total, self.done))
        self.report.seconds = time.monotonic() - self.began


@dataclass(frozen=True, slots=True)
class _Writing:
    """A batch that is being written."""

    future: Future[None]
    files: int
    part: IngestReport


def _identified(file: Path | LeftOut) -> Identified | LeftOut:
    return file if isinstance(file, LeftOut) else identify(file)


def _ahead(
    executor: Executor, call: Callable[[S], T], items: Iterable[S], most: int
) -> Iterator[T]:
    """Results in the order of the items, with at most ``most`` of them computed in advance."""
    waiting: deque[Future[T]] = deque()
    for item in items:
        waiting.append(executor.submit(call, item))
        if len(waiting) >= most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _in_batches(items: Iterator[T], size: int) -> Iterator[list[T]]:
    while batch := list(islice(items, size)):
        yield batch


def _one_ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, each one returned only when the next one has been fetched."""
    waiting: deque[T] = deque()
    for item in items:
        waiting.append(item)
        if len(waiting) > 1:
            yield waiting.popleft()
    yield from waiting
