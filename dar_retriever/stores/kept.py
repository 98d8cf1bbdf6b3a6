"""Images in the form in which every engine can keep them: a document and flat metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.stores.copies import RECORD, PictureRecord
from dar_retriever.stores.hits import URI, StoredImage
from dar_retriever.stores.values import (
    ELSEWHERE,
    MOST_OF_VALUE,
    NOT_UNICODE,
    TOO_LONG,
    Value,
    is_unicode,
    kept_value,
    shown,
    why_not_a_name,
)

NO_VECTOR: Final[Vectors] = np.empty(0, np.float32)
_MOST_OF_IMAGE: Final = 4 * 2**20


def document_and_metadata(image: StoredImage) -> tuple[str, dict[str, Value]]:
    """An image's document and flat metadata; see ``kept_value`` for what becomes of the values.

    Raises:
        InvalidInputError: Something cannot be stored: a field name that is empty, not text or
            reserved; a value that is not JSON, not finite, an integer beyond 64 bits, or text that
            is not valid Unicode; a caption or value of over 64 KiB, or over 4 MiB in all.
    """
    flat = {name: kept for name, kept in _fields(image) if kept is not None}
    if not isinstance(image.caption, str):
        raise _unfit(image, f"caption {shown(image.caption)}", "give it as text")
    texts = {"caption": image.caption, URI: image.uri}
    for what, text in texts.items():
        if not is_unicode(text):
            raise _unfit(image, f"{what} {shown(text)}", NOT_UNICODE)
    if len(image.caption.encode()) > MOST_OF_VALUE:
        raise _unfit(image, f"caption {shown(image.caption)}", f"{TOO_LONG}, or shorten it")
    flat[URI] = image.uri
    if image.record is not None:
        flat[RECORD] = image.record.as_text()
    size = sum(len(json.dumps(part)) for part in flat.items())
    if size > _MOST_OF_IMAGE:
        raise _unfit(
            image, f"{size:,} bytes of metadata and uri", f"the limit is 4 MiB; {ELSEWHERE}"
        )
    return image.caption, flat


def _fields(image: StoredImage) -> Iterator[tuple[str, Value | None]]:
    for name, value in image.metadata.items():
        reason = why_not_a_name(name)
        if reason:
            raise _unfit(image, f"metadata field {shown(name)}", reason)
        try:
            yield name, kept_value(value)
        except ValueError as error:
            what = f"metadata field {shown(name)}: {shown(value)}"
            raise _unfit(image, what, str(error)) from None


def stored_image(record: PictureRecord, vector: Vectors = NO_VECTOR) -> StoredImage:
    """The image to store for a record, with its vector."""
    path = record.copies[0].path
    uri = path if is_unicode(path) else path.encode("utf-8", "backslashreplace").decode()
    return StoredImage(record.id, vector, uri, record.caption, record.metadata, record)


def _unfit(image: StoredImage, what: str, reason: str) -> InvalidInputError:
    return InvalidInputError(f"{shown(image.id)} cannot be stored with {what}: {reason}")
