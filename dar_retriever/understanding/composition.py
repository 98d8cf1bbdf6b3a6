"""Combines reference images and words in one vector: "like this, but in blue"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from dar_retriever.encoders.base import ComposedEncoder, JointEncoder, Vectors
from dar_retriever.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a query with reference images; all vectors have unit length.

    Attributes:
        references: Vectors of the images: (S, d), at least one.
        words: Vector of the user's words by themselves: (d,); None if nothing was said.
        before: Vector of the references' captions: (d,); None without a captioner.
        after: Vector of those captions changed by the words: (d,); None without a captioner.
        images: The images themselves.
        said: The user's words themselves; empty if nothing was said.
    """

    references: Vectors
    words: Vectors | None = None
    before: Vectors | None = None
    after: Vectors | None = None
    images: tuple[Image.Image, ...] = ()
    said: str = ""


class Composition(Protocol):
    """Makes one vector of the parts, without any training."""

    def compose(self, parts: Parts) -> Vectors:
        """The combined vector: (d,) of unit length."""
        ...


class WeightedModalities:
    """The weighted mean of words and images (WeiMoCIR, arXiv 2409.04918, its query side).

    Args:
        text_weight: Weight of the words, from 0 to 1.

    Raises:
        InvalidInputError: ``text_weight`` is out of range.
    """

    def __init__(self, text_weight: float = 0.5) -> None:
        self._text_weight = _share(text_weight)

    def compose(self, parts: Parts) -> Vectors:
        """See ``Composition``. Without words only the images count."""
        images = unit(parts.references.mean(0))
        if parts.words is None:
            return images
        return unit((1 - self._text_weight) * images + self._text_weight * parts.words)


class PromptDirection:
    """Moves the image in the direction in which its caption changes (PDV, arXiv 2502.07215, fused).

    The direction is the vector of the changed caption minus that of the caption. Mistakes of the
    captioner are in both and cancel out, and the image keeps details that words cannot describe.

    Args:
        scale: How far to move in the direction; 1 is as far as the caption moves.
        text_weight: Weight of the moved caption against the moved image, from 0 to 1.

    Raises:
        InvalidInputError: ``text_weight`` is out of range, or ``scale`` is not finite.
    """

    def __init__(self, scale: float = 1.0, text_weight: float = 0.5) -> None:
        if not np.isfinite(scale):
            raise InvalidInputError(f"scale={scale}: a finite number, such as 1")
        self._scale = scale
        self._text_weight = _share(text_weight)

    def compose(self, parts: Parts) -> Vectors:
        """See ``Composition``. Without captions, as ``WeightedModalities``."""
        if parts.before is None or parts.after is None:
            return WeightedModalities().compose(parts)
        direction = self._scale * (parts.after - parts.before)
        image = unit(unit(parts.references.mean(0)) + direction)
        text = unit(parts.before + direction)
        return unit((1 - self._text_weight) * image + self._text_weight * text)


class CaptionedReference:
    """Only the changed caption (CIReVL, "Vision-by-Language", arXiv 2310.09291)."""

    def compose(self, parts: Parts) -> Vectors:
        """See ``Composition``. Without captions, as ``WeightedModalities``."""
        return WeightedModalities().compose(parts) if parts.after is None else parts.after


class EncodedTogether:
    """Images and words in one input of the encoder, where it takes one.

    Args:
        encoder: The encoder that also filled the store.
    """

    def __init__(self, encoder: ComposedEncoder) -> None:
        self._encoder = encoder

    def compose(self, parts: Parts) -> Vectors:
        """See ``Composition``. Without words only the images count."""
        if not parts.said or not parts.images:
            return WeightedModalities().compose(parts)
        return unit(self._encoder.encode_composed(parts.images, parts.said))


def composition_for(encoder: JointEncoder) -> Composition:
    """The composition that suits an encoder best."""
    if isinstance(encoder, ComposedEncoder) and encoder.composes:
        return EncodedTogether(encoder)
    return PromptDirection()


def unit(vector: Vectors) -> Vectors:
    """A vector scaled to unit length; a zero vector stays as it is."""
    length = float(np.linalg.norm(vector))
    scaled: Vectors = (vector / length if length else vector).astype(np.float32)
    return scaled


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise InvalidInputError(f"text_weight={value}: a share of the whole, from 0 to 1")
    return value
