"""How many images to generate for a turn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.fusion.calibration import Calibration, Surroundings

# In standard deviations of the text's scores: closer hits count as nearly equal.
_TEMPERATURE: Final = 0.1
_CERTAIN: Final = 0.1
_VAGUE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Budget:
    """The number of images, and the reason for people."""

    images: int
    reason: str


class Spending(Protocol):
    """Decides how many images to generate for a text."""

    def budget(self, text: Vectors, at_most: int) -> Budget:
        """The number of images, from 0 to ``at_most``, for a text of vector (d,)."""
        ...


class UncertaintySpending:
    """Generates images if the text leaves a few candidates.

    The uncertainty tells how many of the text's best hits are nearly equal. It is the logarithm of
    the effective number of candidates (inverse Simpson index of the hits' softmax), scaled to 0 if
    one hit is far ahead and 1 if none stands out. If the text is certain, nothing is generated.
    From there the number grows with the uncertainty, up to ``at_most`` at 0.5. Above that the text
    is too vague: images could only guess, but one is generated to show what was understood.

    Args:
        calibration: Calibration of the store that is searched.
    """

    def __init__(self, calibration: Calibration) -> None:
        self._calibration = calibration

    def budget(self, text: Vectors, at_most: int) -> Budget:
        """See ``Spending``."""
        around = self._calibration.around(text)
        if around is None:
            return Budget(at_most, "the store is too small to tell how certain the text is")
        uncertainty = uncertainty_of(around)
        what = f"uncertainty of the text {uncertainty:.2f}"
        if uncertainty < _CERTAIN:
            return Budget(0, f"{what}: no image is needed")
        if uncertainty > _VAGUE:
            return Budget(min(1, at_most), f"{what}: too vague for more than one image")
        images = math.ceil(at_most * uncertainty / _VAGUE)
        return Budget(images, f"{what}: {images} of {at_most} images")


def uncertainty_of(around: Surroundings) -> float:
    """From 0 (one hit is far ahead) to 1 (all are alike); see ``UncertaintySpending``."""
    if len(around.scores) < 2:
        return 0.0
    logits = (around.scores - around.scores.max()) / (_TEMPERATURE * around.spread)
    shares = np.exp(logits)
    shares /= shares.sum()
    effective = -math.log(float((shares**2).sum())) / math.log(len(shares))
    return min(1.0, max(0.0, effective))
