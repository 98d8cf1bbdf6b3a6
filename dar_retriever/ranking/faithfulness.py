"""How well drawings show what their prompts tell."""

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


class EncodedFaithfulness:
    """Scores drawings by their cosine with their prompts.

    Args:
        encoder: Encodes both.
    """

    def __init__(self, encoder: JointEncoder) -> None:
        self._encoder = encoder

    @property
    def name(self) -> str:
        """See ``Faithfulness``."""
        return self._encoder.fingerprint

    def scores(
        self, prompts: Sequence[str], images: Sequence[Image.Image]
    ) -> NDArray[np.floating[Any]]:
        """See ``Faithfulness``."""
        if not images:
            return np.empty(0)
        texts = self._encoder.encode_texts(list(prompts))
        drawn = self._encoder.encode_images(list(images))
        scores: NDArray[np.floating[Any]] = (texts * drawn).sum(1)
        return scores
