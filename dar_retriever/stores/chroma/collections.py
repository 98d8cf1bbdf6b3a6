"""Opening a Chroma collection: whether it fits an encoder, and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from dar_retriever.encoders.base import ImageEncoder, Vectors
from dar_retriever.errors import EncoderMismatchError, StoreError
from dar_retriever.stores.chroma.connection import Connection
from dar_retriever.stores.chroma.index import INDEX, wider_search

_PEEKED: Final = 20
_FINGERPRINT: Final = "dar_encoder_fingerprint"
_ENCODER: Final = "dar_encoder"
_NEARLY: Final = 0.02


@dataclass(frozen=True, slots=True)
class Opened:
    """What is known of an open collection.

    Attributes:
        width: Numbers in a vector; 0 if no encoder was named and it holds none.
        space: Chroma's name of its distance.
        metadata: Its metadata.
        encoder: Name of the encoder that filled it; empty if it does not say.
        fingerprint: Fingerprint of the encoder; empty likewise.
    """

    width: int
    space: str
    metadata: Mapping[str, Any]
    encoder: str
    fingerprint: str


def opened(chroma: Connection, name: str, encoder: ImageEncoder | None) -> Opened:
    """Open a collection for an encoder, or create it; without an encoder, as it is.

    Raises:
        EncoderMismatchError: Another encoder filled the collection.
        StoreError: Its vectors are not of unit length, and it does not rank by cosine; or there is
            no such collection, and no encoder to create it for.
    """
    collection = chroma.open(name, None if encoder is None else metadata_naming(encoder), INDEX)
    metadata, configuration = collection.metadata or {}, collection.configuration
    hnsw = configuration.get("hnsw")
    space = (hnsw or configuration.get("spann"))["space"]
    if encoder is not None and require_same_encoder(collection, encoder):
        wider = wider_search(chroma.read(lambda c: int(c.count())), hnsw or {})
        if wider is not None and chroma.is_writable:
            chroma.configure({"ef_search": wider})
        return Opened(encoder.dimension, space, metadata, encoder.name, encoder.fingerprint)
    peeked = chroma.read(lambda c: c.peek(_PEEKED)["embeddings"])
    some = np.asarray(peeked, np.float32)
    if encoder is not None:
        require_fitting_vectors(name, some, space, encoder)
        return Opened(encoder.dimension, space, metadata, encoder.name, encoder.fingerprint)
    width = some.shape[1] if some.size else 0
    told = (str(metadata.get(key, "")) for key in (_ENCODER, _FINGERPRINT))
    return Opened(width, space, metadata, *told)


def metadata_naming(encoder: ImageEncoder) -> dict[str, str]:
    """The metadata by which a collection remembers its encoder."""
    return {_FINGERPRINT: encoder.fingerprint, _ENCODER: encoder.name}


def require_same_encoder(collection: Any, encoder: ImageEncoder) -> bool:
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
    collection: str, some: Vectors, space: str, encoder: ImageEncoder
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
