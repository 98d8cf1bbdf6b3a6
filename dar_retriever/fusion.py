"""How text and image vectors become one query."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError

_NONE: Final = np.empty((0, 0), np.float32)
# Rocchio's weight of what was turned down, as textbooks have it (Manning et al., 2008, 9.1.1).
_AWAY: Final = 0.15


@dataclass(frozen=True, slots=True)
class FusedQuery:
    """One query vector and how it came about.

    Attributes:
        vector: float32 (d,), text_weight * text + image_weight * weighted mean of the images,
            less what was turned down; not renormalised, so that its product with a stored
            vector is the method's score.
        text_weight: What the text counts.
        image_weight: What all images together count.
        shares: Each image's part of the image weight, generated ones first, then the user's;
            they add up to 1 where there are images.
    """

    vector: Vectors
    text_weight: float
    image_weight: float
    shares: tuple[float, ...] = ()


class Fusion(Protocol):
    """Combines the vectors of one turn."""

    def fuse(
        self,
        text: Vectors | None,
        generated: Vectors,
        round: int,
        shown: Vectors = _NONE,
        rejected: Vectors = _NONE,
    ) -> FusedQuery:
        """Combine the vectors of text and images.

        Args:
            text: (d,), or none.
            generated: (K, d), of generated images; K may be 0, as below.
            round: The dialogue's round.
            shown: (S, d), of images that the user showed or liked.
            rejected: (R, d), of images that the user turned down.

        Raises:
            InvalidInputError: There is no text, no generated image and none that was shown.
        """
        ...


class ScheduledFusion:
    """Fixed weights by round, all generated images alike.

    Images that the user shows are no guesses: all of them together count as much as all generated
    ones. From those turned down the query moves away (Rocchio, 1971).

    Because the score w_text * cos(text, x) + w_image * mean_k cos(image_k, x) is linear in the
    stored vector x, one search with the fused vector ranks as the two sums would.

    Args:
        weights: Text and image weight for rounds 0, 1, ...; the last pair holds from there on.

    Raises:
        InvalidInputError: No weights, one that is negative or not finite, or a pair of zeros.
    """

    def __init__(self, *weights: tuple[float, float]) -> None:
        if not weights or not all(_weighs(*pair) for pair in weights):
            raise InvalidInputError(
                f"weights={weights}: pairs of finite weights >= 0, one of them > 0"
            )
        self._weights = weights

    def fuse(
        self,
        text: Vectors | None,
        generated: Vectors,
        round: int,
        shown: Vectors = _NONE,
        rejected: Vectors = _NONE,
    ) -> FusedQuery:
        """See ``Fusion``. What is missing counts nothing and the other side counts all."""
        images = [vectors for vectors in (generated, shown) if len(vectors)]
        if text is None and not images:
            raise InvalidInputError("neither a text nor an image vector; there is nothing to fuse")
        text_weight, image_weight = self._weights[min(round, len(self._weights) - 1)]
        if text is None:
            text_weight, image_weight = 0.0, 1.0
        elif not images:
            text_weight, image_weight = 1.0, 0.0
        vector = np.zeros(images[0].shape[-1] if text is None else len(text), np.float32)
        if text is not None:
            vector += np.float32(text_weight) * text
        for vectors in images:
            vector += np.float32(image_weight / len(images)) * vectors.mean(0)
        if len(rejected):
            vector -= np.float32(_AWAY) * rejected.mean(0)
        shares = tuple(1 / len(images) / len(vectors) for vectors in images for _ in vectors)
        return FusedQuery(vector, text_weight, image_weight, shares)


def _weighs(text: float, image: float) -> bool:
    return math.isfinite(text + image) and min(text, image) >= 0 < max(text, image)


def paper_schedule() -> ScheduledFusion:
    """The weights of DAR's published evaluation code (arXiv 2501.15379): 0.8 / 0.2, then equal."""
    return ScheduledFusion((0.8, 0.2), (0.8, 0.2), (0.5, 0.5))


def text_only() -> ScheduledFusion:
    """The text counts all, generated images nothing."""
    return ScheduledFusion((1.0, 0.0))


def image_only() -> ScheduledFusion:
    """Generated images count all, the text nothing."""
    return ScheduledFusion((0.0, 1.0))
