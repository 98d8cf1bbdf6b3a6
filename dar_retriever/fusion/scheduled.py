"""Fixed weights for each round, as DAR was published."""

from __future__ import annotations

import math

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.fusion.base import FusedQuery


class ScheduledFusion:
    """Fixed weights for each round, the same for all generated images.

    The score w_text * cos(text, x) + w_image * mean_k cos(image_k, x) is linear in the stored
    vector x. So a single search with the fused vector gives the ranking by this score.

    Args:
        weights: Text and image weight for rounds 0, 1, ...; the last pair is used for all further
            rounds.

    Raises:
        InvalidInputError: There are no weights, a weight is negative or not finite, or both
            weights of a pair are 0.
    """

    def __init__(self, *weights: tuple[float, float]) -> None:
        if not weights or not all(_weighs(*pair) for pair in weights):
            raise InvalidInputError(
                f"weights={weights}: pairs of finite weights >= 0, one of them > 0"
            )
        self._weights = weights

    def fuse(self, text: Vectors, generated: Vectors, round: int) -> FusedQuery:
        """See ``Fusion``. Without generated images only the text counts."""
        if not len(generated):
            return FusedQuery(text, 1.0, 0.0)
        text_weight, image_weight = self._weights[min(round, len(self._weights) - 1)]
        vector = np.float32(text_weight) * text + np.float32(image_weight) * generated.mean(0)
        share = 1 / len(generated) if image_weight else 0.0
        return FusedQuery(vector, text_weight, image_weight, (share,) * len(generated))


def _weighs(text: float, image: float) -> bool:
    return math.isfinite(text + image) and min(text, image) >= 0 < max(text, image)


def paper_schedule() -> ScheduledFusion:
    """The weights of DAR's published evaluation code (arXiv 2501.15379): 0.8 / 0.2, then equal."""
    return ScheduledFusion((0.8, 0.2), (0.8, 0.2), (0.5, 0.5))


def text_only() -> ScheduledFusion:
    """Only the text counts."""
    return ScheduledFusion((1.0, 0.0))


def image_only() -> ScheduledFusion:
    """Only the generated images count."""
    return ScheduledFusion((0.0, 1.0))
