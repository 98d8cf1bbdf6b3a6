"""Storing the images of a folder, and keeping a store in step with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dar_retriever.captioning.base import Captioner
from dar_retriever.encoders.base import ImageEncoder
from dar_retriever.errors import StoreError
from dar_retriever.ingest.files import Source, files_of
from dar_retriever.ingest.pipeline import Options, run
from dar_retriever.ingest.reader import Facts
from dar_retriever.ingest.report import IngestReport, Progress
from dar_retriever.stores.base import FillableStore, TrackingStore, has_parts
from dar_retriever.stores.hits import Metadata


def ingest(
    source: Source,
    store: FillableStore,
    encoder: ImageEncoder,
    *,
    metadata: Mapping[str, Metadata] | None = None,
    exif: bool = True,
    location: bool = False,
    near_duplicates: bool = False,
    parts: bool = False,
    captioner: Captioner | None = None,
    caption_progress: Progress | None = None,
    outlines: bool = False,
    outline_progress: Progress | None = None,
    batch_size: int = 64,
    workers: int | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Store the images of a folder or of a list of files.

    An image's id is the hash of its file, so an image that is stored already is not encoded again,
    and an ingest that was stopped continues where it stopped. What the store knows of the files
    follows: places of files that were moved, changed metadata, edited files. Files that are gone
    are only counted; ``sync`` removes them.

    Files whose size and time of modification are as before are not read. Memory holds the
    preprocessed pixels of two batches, and about 2 KB for each file and stored image.

    Args:
        source: A folder, which is searched with its subfolders, or a list of files.
        store: The store to fill. Those opened by their place follow everything. An ``EngineStore``
            follows files that were moved, and otherwise keeps what it was first told of an image.
        encoder: The encoder that the store was opened with.
        metadata: Metadata by file: by the path as given, or relative to the folder. The key
            "caption" becomes the image's caption. By default the files ``metadata.jsonl`` and
            ``metadata.csv`` of the folder and its subfolders are read, in the form of Hugging
            Face's ImageFolder. Without any, stored metadata stay.
        exif: Whether what the camera wrote becomes metadata: "taken" (a day such as 20190704),
            "taken_at" and "camera".
        location: Whether "latitude" and "longitude" become metadata too.
        near_duplicates: Whether added images that are nearly the same as another one are marked,
            with "near_duplicate_of"; see ``without_near_duplicates``. This searches an
            store once for each, and needs the extra "near-duplicates".
        parts: Whether pieces of pictures, frames of animations and films (extra: video) and pages
            of PDFs (extra: pdf) are stored too; then an entry is found by its best part, and its
            hit says which that is. A store that has parts keeps getting them.
        captioner: Puts pictures into words that people gave no caption, those stored before too:
            any function, ``TransformersCaptioner``, ``ChatCaptioner`` or ``OcrCaptioner``. Its
            captions are marked in the metadata, "captioned_by". A store on Chroma keeps the vectors
            of all captions, and its searches read them.
        caption_progress: Called with the number of pictures that were captioned or failed, and of
            all that need a caption.
        outlines: Whether outlines of the pictures are stored too, those stored before included, so
            that a line drawing finds them; for an ``ImageStore`` on Chroma. A store that has
            outlines keeps getting them.
        outline_progress: Like ``caption_progress``, for outlines.
        batch_size: Number of images that are encoded and written at once.
        workers: Number of threads that read and decode; one per core by default.
        progress: Called with the number of files done (stored, known or left out) and of all files.

    Returns:
        What was done, and the files that were left out, with reasons.

    Raises:
        IngestError: The folder is missing or holds no images, or a file of metadata is broken.
        InvalidInputError: ``batch_size`` or ``workers`` is below 1.
        StoreError: The store cannot be written to. Files that ``progress`` has counted are stored.
    """
    parts = parts or has_parts(store)
    facts = Facts(exif, location, near_duplicates)
    options = Options(
        metadata,
        facts,
        batch_size,
        workers,
        progress,
        parts=parts,
        captioner=captioner,
        caption_progress=caption_progress,
        outlines=outlines,
        outline_progress=outline_progress,
    )
    return run(files_of(source, parts=parts), store, encoder, options)


def sync(
    folder: str | Path,
    store: FillableStore,
    encoder: ImageEncoder,
    *,
    prune: bool = True,
    root: str = "",
    metadata: Mapping[str, Metadata] | None = None,
    exif: bool = True,
    location: bool = False,
    near_duplicates: bool = False,
    parts: bool = False,
    captioner: Captioner | None = None,
    caption_progress: Progress | None = None,
    outlines: bool = False,
    outline_progress: Progress | None = None,
    batch_size: int = 64,
    workers: int | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Bring a store into step with a folder: like ``ingest``, and images that are gone go.

    A sync can be killed at any time and repeated. An empty folder is refused, because that is what
    a disk looks like that is not connected; use ``store.delete`` to remove everything.

    Args:
        folder: The folder. The store keeps paths relative to it, or to an outer folder that it
            knows already.
        store: An ``ImageStore`` or ``AddressStore``.
        encoder: See ``ingest``.
        prune: Whether images whose files are gone are removed. Otherwise they are counted.
        root: Name of a folder that the store knows (``store.roots``) and that lies here now. By
            default a folder that is gone is recognised by its files.
        metadata: See ``ingest``.
        exif: See ``ingest``.
        location: See ``ingest``.
        near_duplicates: See ``ingest``.
        parts: See ``ingest``.
        captioner: See ``ingest``.
        caption_progress: See ``ingest``.
        outlines: See ``ingest``.
        outline_progress: See ``ingest``.
        batch_size: See ``ingest``.
        workers: See ``ingest``.
        progress: See ``ingest``.

    Raises:
        IngestError: See ``ingest``.
        InvalidInputError: See ``ingest``.
        StoreError: The store cannot follow files, or cannot be written to.
    """
    if not isinstance(store, TrackingStore):
        raise StoreError(
            f"{type(store).__name__} does not remember the files of its images, so it cannot be "
            "kept in step; fill it with ingest(...), or use an ImageStore"
        )
    parts = parts or has_parts(store)
    facts = Facts(exif, location, near_duplicates)
    options = Options(
        metadata,
        facts,
        batch_size,
        workers,
        progress,
        root=root,
        prune=prune,
        parts=parts,
        captioner=captioner,
        caption_progress=caption_progress,
        outlines=outlines,
        outline_progress=outline_progress,
    )
    return run(files_of(Path(folder), parts=parts), store, encoder, options)
