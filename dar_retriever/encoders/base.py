"""The joint image-text model: one space for captions, generated images and stored images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Vectors: TypeAlias = NDArray[np.float32]


class JointEncoder(Protocol):
    """Encodes texts and images into unit vectors of one space."""

    @property
    def name(self) -> str:
        """What a person calls the model."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes with the model, its weights and its preprocessing, not with the device."""
        ...

    @property
    def dimension(self) -> int:
        """The length d of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """The most tokens of a text that the model reads; what is beyond is cut off."""
        ...

    def count_tokens(self, text: str) -> int:
        """Number of tokens of a text, special ones included, before anything is cut off."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode texts: float32 (N, d), unit length."""
        ...

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        """Encode RGB images: float32 (N, d), unit length."""
        ...


@runtime_checkable
class PreprocessingEncoder(JointEncoder, Protocol):
    """An encoder whose way from image to vector can be gone in two steps.

    Both together are ``encode_images``; an ingest takes the first in threads.
    """

    @property
    def useful_side(self) -> int | None:
        """Pixels of an image's side beyond which more change nothing; None where all count."""
        ...

    @property
    def parallel_calls(self) -> int:
        """How many calls of ``encode_preprocessed`` are best made at once, on one core each.

        1 where a single call keeps the device busy.
        """
        ...

    def preprocess(self, image: Image.Image) -> Any:
        """An RGB image as the model reads it; safe to call from many threads at once."""
        ...

    def encode_preprocessed(self, images: Sequence[Any]) -> Vectors:
        """Encode what ``preprocess`` gave: float32 (N, d), unit length."""
        ...
