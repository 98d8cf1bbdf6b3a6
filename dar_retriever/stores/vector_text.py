"""Vectors stored as text, with their encoder's fingerprint, for engines that return no vectors."""

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
    """A vector (d,) as text; ``vector_of`` reads it back exactly."""
    numbers = base64.b64encode(vector.astype(_NUMBERS).tobytes()).decode()
    return f"{_MARK}:{encoder.fingerprint}:{numbers}"


def is_vector_text(text: str) -> bool:
    """Whether a text was written by ``text_of``."""
    return text.startswith(f"{_MARK}:")


def vector_of(text: str, encoder: JointEncoder) -> Vectors:
    """Read a vector back: float32 (d,).

    Args:
        text: A result of ``text_of``.
        encoder: The encoder of the search.

    Raises:
        EncoderMismatchError: Another encoder made the vector.
        StoreError: The text does not hold a vector.
    """
    if not is_vector_text(text):
        raise StoreError(
            f"a record holds {text[:_SHOWN]!r} in place of a vector of this package; fill a "
            "separate collection through the adapter, with ingest(...)"
        )
    fingerprint, _, numbers = text.removeprefix(f"{_MARK}:").rpartition(":")
    if fingerprint != encoder.fingerprint:
        raise EncoderMismatchError(
            f"the store was filled by an encoder with fingerprint {fingerprint!r}, not by "
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
        f"a record's vector is incomplete ({found} for {encoder.dimension} numbers); the engine "
        "cut its text: make the field longer and index the images again"
    )
