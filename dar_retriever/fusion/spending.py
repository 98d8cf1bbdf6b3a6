"""How many images a turn is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.fusion.calibration import Calibration, Surroundings

# In standard deviations of the text's scores: hits closer than that are near-equals.
_TEMPERATURE: Final = 0.1
_CERTAIN: Final = 0.1
_VAGUE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Budget:
    """How many images, and why, for people."""

    images: int
    reason: str


class Spending(Protocol):
    """Decides how many images are generated, from the text alone."""

    def budget(self, text: Vectors, at_most: int) -> Budget:
        """The number of images, from 0 to ``at_most``, for a text of vector (d,)."""
        ...


class UncertaintySpending:
    """Spends where the text hesitates between few images.

    Uncertainty is how many of the text's best hits are near-equals: the effective number of
    candidates (inverse Simpson index of the hits' softmax) as a share of its logarithm, 0 where
    one hit stands alone, 1 where none stands out. Where the text is certain nothing is
    generated. From there the number grows with uncertainty, up to ``at_most`` at 0.5. Above, the
    text is too vague and gets one image: what it leaves open, images can only guess, but one of
    them shows the user what was understood.

    Args:
        calibration: Of the store that is searched.
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
    """From 0, one hit stands alone, to 1, all are alike; see ``UncertaintySpending``."""
    if len(around.scores) < 2:
        return 0.0
    logits = (around.scores - around.scores.max()) / (_TEMPERATURE * around.spread)
    shares = np.exp(logits)
    shares /= shares.sum()
    effective = -math.log(float((shares**2).sum())) / math.log(len(shares))
    return min(1.0, max(0.0, effective))
