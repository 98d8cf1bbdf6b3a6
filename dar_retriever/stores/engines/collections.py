"""Opens an engine's collection, and sees to it that its encoder is the right one."""

from __future__ import annotations

from typing import Final

from dar_retriever.encoders.base import ImageEncoder
from dar_retriever.errors import EncoderMismatchError, StoreError
from dar_retriever.stores.engines.base import Engine

FINGERPRINT: Final = "dar_fingerprint"
ENCODER: Final = "dar_encoder"
WIDTH: Final = "dar_width"


def opened(engine: Engine, encoder: ImageEncoder | None) -> dict[str, str]:
    """The settings of a collection, which is created if it is missing.

    Raises:
        EncoderMismatchError: Another encoder filled it.
        StoreError: It is missing and there is no encoder, or another program made it.
    """
    settings = engine.settings()
    if settings is None and encoder is not None:
        named = {
            FINGERPRINT: encoder.fingerprint,
            ENCODER: encoder.name,
            WIDTH: str(encoder.dimension),
        }
        engine.create(encoder.dimension, named)
        # Another process may have created it at the same time, for another encoder.
        settings = engine.settings()
    if settings is None:
        raise StoreError(
            f"{engine.name} has no such collection; fill it with 'dar index', or open it "
            "with the encoder that is to fill it"
        )
    fingerprint = settings.get(FINGERPRINT)
    if fingerprint is None:
        raise StoreError(
            f"{engine.name} has a collection of that name that another program made; "
            "name another collection"
        )
    if encoder is not None and fingerprint != encoder.fingerprint:
        raise EncoderMismatchError(
            f"the collection was filled by {settings[ENCODER]!r} (fingerprint {fingerprint}), "
            f"not by {encoder.name!r} ({encoder.fingerprint}); open it with that encoder, or "
            "index the images into another collection"
        )
    return settings
