"""Reads single propositions off stored vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.fusion.calibration import FLAT, Calibration
from dar_retriever.ranking.base import Scores
from dar_retriever.ranking.propositions import Proposition, propositions
from dar_retriever.support.remembering import Remembered

_REMEMBERED: Final = 512


@dataclass(frozen=True, slots=True)
class Reading:
    """What images show of a caption's propositions.

    Attributes:
        parts: The propositions, the subject first.
        subject: How well each image fits the subject, in standard deviations above the store's
            mean: (N,).
        others: For each other proposition, how much better each image fits the subject with it
            than without, in standard deviations over the store: (M, N).
    """

    parts: tuple[Proposition, ...]
    subject: Scores
    others: Scores

    @property
    def worst(self) -> Scores:
        """Each image's score for what it shows least of all that is wanted, at most 0: (N,)."""
        wanted = [row for part, row in zip(self.parts[1:], self.others, strict=True) if part.wanted]
        least: Scores = np.min([np.zeros_like(self.subject), *wanted], axis=0)
        return least


class PropositionReader:
    """Compares each image's score for "blue skirt" with that for "skirt", on what is usual.

    Args:
        encoder: The store's encoder. It is asked once for each text, and remembers the last ones.
        calibration: Calibration of the store.
    """

    def __init__(self, encoder: JointEncoder, calibration: Calibration) -> None:
        self.encoder = encoder
        self.calibration = calibration
        self._known = Remembered[Vectors](encoder.encode_texts, _REMEMBERED)

    def read(self, caption: str, exclusions: Sequence[str], images: Vectors) -> Reading | None:
        """Read a caption's propositions off stored vectors.

        Args:
            caption: What is wanted.
            exclusions: What is not.
            images: (N, d).

        Returns:
            The reading; None without a caption, or if the store is too small to tell what is usual.
        """
        parts, sample = propositions(caption, exclusions), self.calibration.sample()
        if not parts or sample is None:
            return None
        subject, *texts = self._known.of([part.text for part in parts])
        ways = np.array([subject, *(text - subject for text in texts)])
        usual = sample @ ways.T
        scores = images @ ways.T
        scores[:, 0] -= usual[:, 0].mean()
        scores /= np.maximum(usual.std(0), FLAT)
        return Reading(parts, scores[:, 0], scores[:, 1:].T)
