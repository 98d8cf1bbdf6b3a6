"""An encoder that is only known by what a store remembers of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from PIL import Image

from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.errors import StoreError
from dar_retriever.stores.base import WholeStore


@dataclass(frozen=True, slots=True)
class RecordedEncoder:
    """Opens stores of an encoder without the encoder; it cannot encode.

    Attributes:
        name: Name of the encoder.
        fingerprint: Fingerprint of the encoder.
        dimension: Numbers in a vector.
        max_tokens: Not known.
    """

    name: str
    fingerprint: str
    dimension: int
    max_tokens: int = 0

    def count_tokens(self, text: str) -> int:
        """Refused; see the class."""
        self._refuse(text)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Refused; see the class."""
        self._refuse(texts)

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        """Refused; see the class."""
        self._refuse(images)

    def _refuse(self, what: object) -> NoReturn:
        raise StoreError(
            f"{type(what).__name__}: this store was opened without its encoder {self.name!r}, to "
            "look after it; open it with the encoder to search it"
        )


def encoder_recorded_by(store: WholeStore) -> JointEncoder:
    """The encoder that filled a store.

    Raises:
        StoreError: The store does not name it, or holds nothing.
    """
    if not store.fingerprint or not store.width:
        raise StoreError(
            "the store holds nothing, or another program filled it and did not say with which "
            "encoder; open both stores with the encoder and call copy_store"
        )
    return RecordedEncoder(store.encoder_name, store.fingerprint, store.width)
