"""Reader, mapper and writer at work at the same time, on one machine."""

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

    Files are read, decoded and preprocessed in threads while the batch before is encoded and the
    one before that is written; in memory are the pixels of two batches, as the encoder wants them,
    whatever the number of files. An image's id is the hash of its file, so files that are stored
    already are skipped and an ingest that was stopped goes on where it was.

    Args:
        source: A folder, searched with its subfolders, or files.
        store: Where they go.
        encoder: The one that the store was opened with.
        metadata: What to store with a file, by its path as given or, in a folder, relative to
            it; the key "caption" is stored as the image's caption. By default a folder's
            ``metadata.jsonl`` in the form of Hugging Face's ImageFolder is read.
        batch_size: Images encoded and written at once.
        workers: Threads that read and decode; as many as there are cores by default.
        progress: Called with the number of files that are stored, known or left out for good, and
            the number of all.

    Returns:
        What was stored, and every file left out with its reason.

    Raises:
        IngestError: The folder is missing or holds no image.
        InvalidInputError: ``batch_size`` or ``workers`` is below 1.
        StoreError: The store cannot be written to; what ``progress`` has told of is stored.
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
            # After an error nobody waits for what is still to be read.
            readers.shutdown(wait=True, cancel_futures=True)
    return run.report


@dataclass(slots=True)
class _Batch:
    """Files that are being read."""

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
        """Begin to read those files of a batch that are not stored."""
        ids = [file.id for file in files if isinstance(file, Identified)]
        known = store.known(ids)
        # Copies are read too: where one cannot be, none can.
        new = [file for file in files if isinstance(file, Identified) and file.id not in known]
        return cls(
            len(files),
            [file for file in files if isinstance(file, LeftOut)],
            [readers.submit(prepare, file, steps.preprocess, steps.side) for file in new],
        )


@dataclass(slots=True)
class _Run:
    """The encoding and writing side of an ingest."""

    store: FillableStore
    total: int
    progress: Progress | None
    report: IngestReport = field(default_factory=IngestReport)
    began: float = field(default_factory=time.monotonic)
    done: int = 0
    writing: _Writing | None = None
    # Of batches that were perhaps not yet written when the files after them were looked up.
    recent: deque[set[str]] = field(default_factory=lambda: deque(maxlen=3))

    def write(
        self, batch: _Batch, writer: Executor, encode: Encode, metadata_of: MetadataOf
    ) -> None:
        """Encode a batch, wait until the one before is written, and begin to write this one."""
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
        """Wait until what was begun is written, and tell."""
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
    """A batch on its way into the store."""

    future: Future[None]
    files: int
    part: IngestReport


def _identified(file: Path | LeftOut) -> Identified | LeftOut:
    return file if isinstance(file, LeftOut) else identify(file)


def _ahead(
    executor: Executor, call: Callable[[S], T], items: Iterable[S], most: int
) -> Iterator[T]:
    """Results in the order of the items, never more than so many of them waiting."""
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
    """The same items, each given out when the next one is there."""
    waiting: deque[T] = deque()
    for item in items:
        waiting.append(item)
        if len(waiting) > 1:
            yield waiting.popleft()
    yield from waiting
