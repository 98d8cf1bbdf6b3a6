"""Exclusions as directions: where the words for what is not wanted lead from the caption."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from dar_retriever.encoders.base import Vectors

# Each costs an encoded text; the latest count.
MOST: Final = 8
_NOWHERE: Final = 1e-6


def exclusion_texts(caption: str, exclusions: Sequence[str]) -> list[str]:
    """What is encoded for each exclusion, at most the last eight: it in its context."""
    return [f"{caption}, {phrase}" if caption else phrase for phrase in exclusions[-MOST:]]


def directions(texts: Vectors, caption: Vectors | None) -> Vectors:
    """From the vectors of ``exclusion_texts``: float32 (E, d) of unit length, or 0 for none.

    Args:
        texts: (E, d).
        caption: (d,), the caption's own vector; None where nothing else was said.
    """
    led = texts if caption is None else texts - caption
    lengths = np.linalg.norm(led, axis=1, keepdims=True)
    found: Vectors = np.where(lengths > _NOWHERE, led / np.maximum(lengths, _NOWHERE), 0)
    return found.astype(np.float32)
