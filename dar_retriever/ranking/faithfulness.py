"""How well drawings show what their prompts tell, read by the matching head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dar_retriever.encoders.base import JointEncoder
from dar_retriever.ranking.matching import MatchingReranker


class MatchedFaithfulness:
    """Encodes drawings and scores them with their prompts by a matching head.

    Args:
        encoder: The encoder that the head belongs to.
        head: Scores prompts with vectors.
    """

    def __init__(self, encoder: JointEncoder, head: MatchingReranker) -> None:
        self._encoder = encoder
        self._head = head

    @property
    def name(self) -> str:
        """See ``Faithfulness``."""
        return f"{self._head.name} on {self._encoder.fingerprint}"

    def scores(
        self, prompts: Sequence[str], images: Sequence[Image.Image]
    ) -> NDArray[np.floating[Any]]:
        """See ``Faithfulness``."""
        if not images:
            return np.empty(0)
        texts = list(dict.fromkeys(prompts))
        scores = self._head.matched(texts, self._encoder.encode_images(images))
        return scores[[texts.index(prompt) for prompt in prompts], range(len(images))]
