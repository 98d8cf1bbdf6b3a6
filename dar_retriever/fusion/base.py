"""The protocol of fusions, and their result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dar_retriever.encoders.base import Vectors


@dataclass(frozen=True, slots=True)
class FusedQuery:
    """One query vector, with its weights and their reasons.

    Attributes:
        vector: float32 (d,), text_weight * text + image_weight * weighted mean of the images. It is
            not renormalised, so that its product with a stored vector is the method's score.
        text_weight: Weight of the text.
        image_weight: Weight of all images together.
        shares: Each image's share of the image weight. They add up to 1, or are all 0 if the images
            have no weight.
        reasons: Explanations of the weights for people: first for all images, then one for each
            image. Empty if the weights only depend on the round.
    """

    vector: Vectors
    text_weight: float
    image_weight: float
    shares: tuple[float, ...] = ()
    reasons: tuple[str, ...] = ()


class Fusion(Protocol):
    """Combines the vectors of one turn."""

    def fuse(self, text: Vectors, generated: Vectors, round: int) -> FusedQuery:
        """Combine what the user means with images generated from it.

        Args:
            text: (d,) of unit length: the caption, or caption and reference images composed.
            generated: (K, d) of unit length, of generated images; K may be 0.
            round: The dialogue's round.
        """
        ...
