"""The protocols of encoders: one vector space for captions, drawings and stored images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Vectors: TypeAlias = NDArray[np.float32]


class ImageEncoder(Protocol):
    """Encodes images as unit vectors; what a store is filled with."""

    @property
    def name(self) -> str:
        """The model's name for people."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes with the model, its weights and its preprocessing, not with the device."""
        ...

    @property
    def dimension(self) -> int:
        """The number of dimensions d of a vector."""
        ...

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        """Encode RGB images: float32 (N, d), unit length."""
        ...


class JointEncoder(ImageEncoder, Protocol):
    """Encodes texts and images as unit vectors in one space."""

    @property
    def max_tokens(self) -> int:
        """Maximum number of tokens that the model reads of a text; the rest is cut off."""
        ...

    def count_tokens(self, text: str) -> int:
        """Number of tokens of the whole text, special tokens included."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode texts: float32 (N, d), unit length."""
        ...


@runtime_checkable
class PreprocessingEncoder(ImageEncoder, Protocol):
    """An encoder that encodes images in two steps: preprocessing, then the model.

    Together the two steps do what ``encode_images`` does. ``ingest`` runs the first one in threads.
    """

    @property
    def useful_side(self) -> int | None:
        """Images with sides of this many pixels are large enough; None if every pixel counts."""
        ...

    @property
    def parallel_calls(self) -> int:
        """How many calls of ``encode_preprocessed`` should run at once, each on one core.

        1 if a single call keeps the device busy.
        """
        ...

    def preprocess(self, image: Image.Image) -> Any:
        """Preprocess an RGB image for the model; may be called from many threads at once."""
        ...

    def encode_preprocessed(self, images: Sequence[Any]) -> Vectors:
        """Encode the results of ``preprocess``: float32 (N, d), unit length."""
        ...


@runtime_checkable
class ComposedEncoder(JointEncoder, Protocol):
    """An encoder that also encodes images and words in one input ("like this, but in blue").

    Where an encoder does, its own vector replaces the combination of separate ones; models trained
    for composed queries, such as MagicLens (arXiv 2403.19651), are used this way.
    """

    @property
    def composes(self) -> bool:
        """Whether the opened model takes such an input."""
        ...

    def encode_composed(self, images: Sequence[Image.Image], words: str) -> Vectors:
        """Encode images and what is said about them: float32 (d,), unit length.

        Args:
            images: At least one RGB image.
            words: What the user says; not empty.
        """
        ...
