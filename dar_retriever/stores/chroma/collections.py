"""Whether a Chroma collection fits an encoder."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.errors import EncoderMismatchError, StoreError

_FINGERPRINT: Final = "dar_encoder_fingerprint"
_ENCODER: Final = "dar_encoder"
_NEARLY: Final = 0.02


def metadata_naming(encoder: JointEncoder) -> dict[str, str]:
    """The metadata by which a collection remembers its encoder."""
    return {_FINGERPRINT: encoder.fingerprint, _ENCODER: encoder.name}


def require_same_encoder(collection: Any, encoder: JointEncoder) -> bool:
    """Refuse a collection of another encoder. Returns whether the collection names its encoder."""
    metadata = collection.metadata or {}
    fingerprint = metadata.get(_FINGERPRINT)
    if fingerprint not in (None, encoder.fingerprint):
        raise EncoderMismatchError(
            f"collection {collection.name!r} was filled by {metadata.get(_ENCODER)!r} "
            f"(fingerprint {fingerprint}), not by {encoder.name!r} ({encoder.fingerprint}); open "
            "it with that encoder, or index the images into another collection"
        )
    return fingerprint is not None


def require_fitting_vectors(
    collection: str, some: Vectors, space: str, encoder: JointEncoder
) -> None:
    """Refuse vectors of another program that cannot be compared with this encoder's queries."""
    if not some.size:
        return
    if some.shape[1] != encoder.dimension:
        raise EncoderMismatchError(
            f"collection {collection!r} holds vectors of {some.shape[1]} numbers, {encoder.name!r} "
            f"makes {encoder.dimension}; open it with the encoder that filled it, or index the "
            "images into another collection"
        )
    lengths = np.linalg.norm(some, axis=1)
    if space != "cosine" and not np.allclose(lengths, 1, atol=_NEARLY):
        raise StoreError(
            f"collection {collection!r} ranks by {space!r} and holds vectors of lengths "
            f"{lengths.min():.2f} to {lengths.max():.2f}, so it would not rank by cosine; copy "
            "them into a collection with space 'cosine', or normalise them"
        )
