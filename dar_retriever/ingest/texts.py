"""Storing texts, to be found by a picture."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from dar_retriever.encoders.base import JointEncoder
from dar_retriever.errors import DARError, InvalidInputError
from dar_retriever.ingest.report import IngestReport, LeftOut, Progress
from dar_retriever.stores.base import FillableStore
from dar_retriever.stores.hits import Metadata, StoredImage
from dar_retriever.stores.kept import NO_VECTOR, document_and_metadata
from dar_retriever.support.batches import in_batches


def ingest_texts(
    texts: Iterable[str] | Mapping[str, Metadata],
    store: FillableStore,
    encoder: JointEncoder,
    *,
    batch_size: int = 256,
    progress: Progress | None = None,
) -> IngestReport:
    """Store texts by their vectors, so that a search by a picture finds what is said of it.

    A hit has the text as its caption, and no file. Give texts a store of their own: words are
    nearer to words, so among pictures they would come first whatever is asked.

    Args:
        texts: The texts, or the metadata by text.
        store: The store to fill. A text that it holds is not encoded again.
        encoder: The encoder that the store was opened with.
        batch_size: Number of texts that are encoded and written at once.
        progress: Called with the number of texts done and of all texts.

    Returns:
        What was done, and the texts that were left out, with reasons.

    Raises:
        InvalidInputError: ``batch_size`` is below 1.
        StoreError: The store cannot be written to.
    """
    if batch_size < 1:
        raise InvalidInputError(f"batch_size={batch_size}: at least 1")
    began, report = time.monotonic(), IngestReport()
    told = texts if isinstance(texts, Mapping) else {text: {} for text in texts}
    done = 0
    for page in in_batches(told.items(), batch_size):
        images = list(_images(page, report))
        known = store.known(image.id for image in images)
        new = [image for image in images if image.id not in known]
        if new:
            store.add(_encoded(new, encoder))
        report.added, report.known = report.added + len(new), report.known + len(known)
        done += len(page)
        if progress is not None:
            progress(done, len(told))
    report.seconds = time.monotonic() - began
    return report


def _images(page: Iterable[tuple[str, Metadata]], report: IngestReport) -> Iterator[StoredImage]:
    """The texts as they are stored, without their vectors."""
    for text, metadata in page:
        try:
            _require_text(text)
            id_ = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
            image = StoredImage(id_, NO_VECTOR, "", text, metadata)
            document_and_metadata(image)
        except DARError as error:
            report.left_out.append(LeftOut(str(text)[:60], str(error)))
            continue
        yield image


def _require_text(text: object) -> None:
    if not isinstance(text, str) or not text.strip():
        raise InvalidInputError(f"{text!r} is no text")


def _encoded(images: list[StoredImage], encoder: JointEncoder) -> list[StoredImage]:
    vectors: np.ndarray = encoder.encode_texts([image.caption for image in images])
    return [replace(image, vector=row) for image, row in zip(images, vectors, strict=True)]
