"""A vector as a text that tells which encoder made it, for engines that give no vectors back."""

from __future__ import annotations

import base64
import binascii
from typing import Final

import numpy as np

from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.errors import EncoderMismatchError, StoreError

_MARK: Final = "dar-vector"
_NUMBERS: Final = "<f4"
_SHOWN: Final = 40


def text_of(vector: Vectors, encoder: JointEncoder) -> str:
    """A vector (d,) as text; ``vector_of`` reads it back to the bit."""
    numbers = base64.b64encode(vector.astype(_NUMBERS).tobytes()).decode()
    return f"{_MARK}:{encoder.fingerprint}:{numbers}"


def is_vector_text(text: str) -> bool:
    """Whether ``text_of`` wrote it."""
    return text.startswith(f"{_MARK}:")


def vector_of(text: str, encoder: JointEncoder) -> Vectors:
    """Read a vector back: float32 (d,).

    Args:
        text: Of ``text_of``.
        encoder: The one that is searched with.

    Raises:
        EncoderMismatchError: Another encoder made the vector.
        StoreError: The text holds no vector.
    """
    if not is_vector_text(text):
        raise StoreError(
            f"a record holds no vector of this package but {text[:_SHOWN]!r}; fill a collection "
            "of its own through the adapter, with ingest(...)"
        )
    fingerprint, _, numbers = text.removeprefix(f"{_MARK}:").rpartition(":")
    if fingerprint != encoder.fingerprint:
        raise EncoderMismatchError(
            f"the store was filled by an encoder of fingerprint {fingerprint!r}, not by "
            f"{encoder.name!r} ({encoder.fingerprint}); search it with that encoder, or index the "
            "images into another collection"
        )
    try:
        vector = np.frombuffer(base64.b64decode(numbers, validate=True), _NUMBERS)
    except (binascii.Error, ValueError) as error:
        raise StoreError(_cut(encoder, str(error))) from error
    if vector.shape != (encoder.dimension,):
        raise StoreError(_cut(encoder, f"{len(vector)} numbers"))
    return vector.astype(np.float32)


def _cut(encoder: JointEncoder, found: str) -> str:
    return (
        f"a record's vector is not whole ({found} for {encoder.dimension} numbers); the engine cut "
        "its text: give the field more room and index the images again"
    )
