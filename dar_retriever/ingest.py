"""Files -> vectors -> image store: read, encode and write, overlapped."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from PIL import Image

from dar_retriever.encoders.base import JointEncoder
from dar_retriever.errors import DARError, IngestError, InvalidImageError, InvalidInputError
from dar_retriever.hits import Metadata, StoredImage
from dar_retriever.image_store import ImageStore
from dar_retriever.images import SUFFIXES, read_image, to_rgb

METADATA_FILE: Final = "metadata.jsonl"

_PNG_MODES: Final = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"})

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that was not stored, and why."""

    path: str
    reason: str


@dataclass(slots=True)
class IngestReport:
    """What an ingest did.

    Attributes:
        added: Images stored now.
        known: Images that were stored before.
        left_out: Files that could not be used.
        seconds: How long it took.
    """

    added: int = 0
    known: int = 0
    left_out: list[LeftOut] = field(default_factory=list)
    seconds: float = 0.0


def ingest(
    source: str | Path | Iterable[str | Path],
    store: ImageStore,
    encoder: JointEncoder,
    *,
    metadata: Mapping[str, Metadata] | None = None,
    batch_size: int = 64,
    workers: int = 4,
    progress: Progress | None = None,
) -> IngestReport:
    """Store the images of a folder or of a list of files.

    An image's id is the hash of its file, so files that are stored already are skipped and an
    ingest that was stopped goes on where it was.

    Args:
        source: A folder, searched with its subfolders, or files.
        store: Where they go.
        encoder: The one that the store was opened with.
        metadata: What to store with a file, by its path as given or, in a folder, relative to
            it; the key "caption" is stored as the image's caption. By default a folder's
            ``metadata.jsonl`` in the form of Hugging Face's ImageFolder is read.
        batch_size: Images encoded and written at once.
        workers: Threads that read and decode.
        progress: Called with the number of files done and the number of all.

    Returns:
        What was stored, and every file left out with its reason.

    Raises:
        IngestError: The folder is missing or holds no image.
        InvalidInputError: ``batch_size`` or ``workers`` is below 1.
    """
    if min(batch_size, workers) < 1:
        raise InvalidInputError(f"batch_size={batch_size}, workers={workers}: at least 1 each")
    files = _files_of(source)
    if metadata is None:
        metadata = _folder_metadata(source) if isinstance(source, str | Path) else {}
    root = Path(source) if isinstance(source, str | Path) else None
    report, began = IngestReport(), time.monotonic()
    with ThreadPoolExecutor(workers) as readers, ThreadPoolExecutor(1) as writer:
        writing: Future[None] | None = None
        seen: set[str] = set()
        done = 0
        for batch in _batches(_read_ahead(files, readers, 2 * batch_size), batch_size):
            new = _new_files(batch, store, seen, report)
            images = _encoded(new, encoder, metadata, root)
            if writing is not None:
                writing.result()
            writing = writer.submit(store.add, images)
            report.added += len(images)
            done += len(batch)
            if progress is not None:
                progress(done, len(files))
        if writing is not None:
            writing.result()
    report.seconds = time.monotonic() - began
    return report


def ingest_images(
    images: Iterable[tuple[Image.Image, Metadata]],
    folder: str | Path,
    store: ImageStore,
    encoder: JointEncoder,
    **options: Any,
) -> IngestReport:
    """Store PIL images with their metadata; each is saved as a PNG file in a folder first.

    Args:
        images: Images, each with what is to be stored with it.
        folder: Where the files go, so that hits can be opened later.
        store: See ``ingest``.
        encoder: See ``ingest``.
        **options: See ``ingest``.

    Raises:
        InvalidImageError: Something among the images is no PIL image.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    metadata: dict[str, Metadata] = {}
    for image, entry in images:
        if not isinstance(image, Image.Image):
            raise InvalidImageError(f"{image!r} is no PIL image; open it with PIL.Image.open first")
        form = (image.mode, image.size, image.getpalette(), image.info.get("transparency"))
        name = hashlib.sha256(image.tobytes() + repr(form).encode()).hexdigest()
        path = folder / f"{name[:32]}.png"
        if not path.exists():
            (image if image.mode in _PNG_MODES else to_rgb(image)).save(path)
        metadata[str(path)] = entry
    return ingest(list(metadata), store, encoder, metadata=metadata, **options)


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    id: str = ""
    image: Image.Image | None = None
    problem: str = ""


def _files_of(source: str | Path | Iterable[str | Path]) -> list[Path]:
    if not isinstance(source, str | Path):
        files = [Path(path) for path in source]
        if not files:
            raise IngestError("an empty list of files; name at least one image")
        return files
    folder = Path(source)
    if not folder.is_dir():
        raise IngestError(f"{str(folder)!r} is no folder; name the folder that holds the images")
    files = sorted(
        Path(parent) / name
        for parent, _, names in os.walk(folder)
        for name in names
        if Path(name).suffix.lower() in SUFFIXES
    )
    if not files:
        raise IngestError(
            f"{str(folder)!r} holds no image ({', '.join(sorted(SUFFIXES))}); check the path"
        )
    return files


def _folder_metadata(folder: str | Path) -> dict[str, Metadata]:
    listing = Path(folder) / METADATA_FILE
    if not listing.is_file():
        return {}
    entries: dict[str, Metadata] = {}
    # Not splitlines, which breaks at characters that JSON allows within a string.
    for number, line in enumerate(listing.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            entries[str(entry.pop("file_name"))] = entry
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise IngestError(
                f"{listing}, line {number}: no JSON object with a 'file_name' "
                f"({type(error).__name__}: {error}); mend the line or move the file away"
            ) from error
    return entries


def _read_ahead(files: list[Path], readers: ThreadPoolExecutor, ahead: int) -> Iterator[_File]:
    """Files in order, decoded by threads, never more than ``ahead`` of them in memory."""
    waiting: deque[Future[_File]] = deque()
    for path in files:
        waiting.append(readers.submit(_read, path))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _read(path: Path) -> _File:
    try:
        content = path.read_bytes()
    except OSError as error:
        return _File(path, problem=f"cannot be opened: {error.strerror}")
    try:
        return _File(path, hashlib.sha256(content).hexdigest()[:32], read_image(content, path.name))
    except DARError as error:
        return _File(path, problem=str(error))


def _batches(files: Iterator[_File], size: int) -> Iterator[list[_File]]:
    batch: list[_File] = []
    for file in files:
        batch.append(file)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _new_files(
    batch: list[_File], store: ImageStore, seen: set[str], report: IngestReport
) -> list[_File]:
    """The files of a batch that are to be stored; the others go into the report.

    ``seen`` holds the ids of this run, of which some are still being written.
    """
    readable = {file.id: file for file in batch if file.image is not None}
    report.left_out += [LeftOut(str(f.path), f.problem) for f in batch if f.image is None]
    known = store.known(readable) | (seen & readable.keys())
    seen.update(readable)
    report.known += sum(file.image is not None for file in batch) - len(readable) + len(known)
    return [file for id_, file in readable.items() if id_ not in known]


def _encoded(
    files: list[_File],
    encoder: JointEncoder,
    metadata: Mapping[str, Metadata],
    root: Path | None,
) -> list[StoredImage]:
    vectors = encoder.encode_images([file.image for file in files if file.image is not None])
    images = []
    for file, vector in zip(files, vectors, strict=True):
        key = str(file.path if root is None else file.path.relative_to(root).as_posix())
        entry = dict(metadata.get(key, {}))
        caption = str(entry.pop("caption", ""))
        size = {"width": file.image.width, "height": file.image.height} if file.image else {}
        images.append(
            StoredImage(file.id, vector, str(file.path.resolve()), caption, {**size, **entry})
        )
    return images
