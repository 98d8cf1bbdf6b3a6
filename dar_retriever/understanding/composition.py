"""Reference images and words as one vector: "like this, but in blue"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError

Captioner = Callable[[Image.Image], str]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a query with reference images is composed of, all of unit length.

    Attributes:
        references: (S, d), of the images, at least one.
        words: (d,), of the user's words by themselves; None where nothing was said.
        before: (d,), of the references' captions; None without a captioner.
        after: (d,), of those captions rewritten by the words; None without a captioner.
    """

    references: Vectors
    words: Vectors | None = None
    before: Vectors | None = None
    after: Vectors | None = None


class Composition(Protocol):
    """Makes one vector of the parts; no strategy is trained."""

    def compose(self, parts: Parts) -> Vectors:
        """The vector of what is meant: (d,) of unit length."""
        ...


class WeightedModalities:
    """The weighted mean of words and images (WeiMoCIR, arXiv 2409.04918, its query side).

    Args:
        text_weight: What the words count, from 0 to 1.

    Raises:
        InvalidInputError: ``text_weight`` is outside of that.
    """

    def __init__(self, text_weight: float = 0.5) -> None:
        self._text_weight = _share(text_weight)

    def compose(self, parts: Parts) -> Vectors:
        """See ``Composition``. Without words the images count all."""
        images = unit(parts.references.mean(0))
        if parts.words is None:
            return images
        return unit((1 - self._text_weight) * images + self._text_weight * parts.words)


class PromptDirection:
    """Moves the image as its caption moves (PDV, arXiv 2502.07215, its fused form).

    The prompt's direction is the rewritten caption less the caption. What the captioner gets wrong
    stands in both and cancels out, so that the image keeps what words cannot say of it.

    Args:
        scale: How far to go along the direction; 1 as far as the words do.
        text_weight: What the moved caption counts beside the moved image, from 0 to 1.

    Raises:
        InvalidInputError: ``text_weight`` is outside of that, or ``scale`` is not finite.
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
    """The rewritten caption alone (CIReVL, "Vision-by-Language", arXiv 2310.09291)."""

    def compose(self, parts: Parts) -> Vectors:
        """See ``Composition``. Without captions, as ``WeightedModalities``."""
        return WeightedModalities().compose(parts) if parts.after is None else parts.after


def unit(vector: Vectors) -> Vectors:
    """A vector at unit length; one without length as it is."""
    length = float(np.linalg.norm(vector))
    scaled: Vectors = (vector / length if length else vector).astype(np.float32)
    return scaled


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise InvalidInputError(f"text_weight={value}: a share of the whole, from 0 to 1")
    return value
