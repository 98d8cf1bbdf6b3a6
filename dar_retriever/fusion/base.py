"""What a fusion is given and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dar_retriever.encoders.base import Vectors


@dataclass(frozen=True, slots=True)
class FusedQuery:
    """One query vector and how it came about.

    Attributes:
        vector: float32 (d,), text_weight * text + image_weight * weighted mean of the images; not
            renormalised, so that its product with a stored vector is the method's score.
        text_weight: What the text counts.
        image_weight: What all images together count.
        shares: Each image's part of the image weight; they add up to 1, or are all 0 where the
            images count nothing.
        reasons: Why the weights are what they are, for people: what holds for all images, then a
            line for each image. Empty where they follow from the round alone.
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
