"""Weights that depend on how well text and generated images agree."""

from __future__ import annotations

from typing import Final

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.fusion.base import FusedQuery
from dar_retriever.fusion.calibration import FLAT, Calibration, Surroundings

CAP: Final = 0.7
_SINGLE: Final = 0.8


class AdaptiveFusion:
    """Weights generated images by how far they can be trusted, without any training.

    A generated image knows no more about the wanted image than its caption. Everything else in it
    is a guess, and a wrong guess makes the ranking worse. Three signals tell how much is guessed:

    *Depiction*, for each image: how well it shows the caption, according to the encoder. It is 1
    for images like the caption's best hits, and 0 from halfway between those and the store's
    average. It decides each image's share.

    *Concord*, for all images together: the correlation r between the scores that text and images
    give to the text's best hits. These hits are nearly equal. So two independent judges can only
    agree on their order if both judge what is wanted. They disagree if the caption leaves open
    which hit is meant, or if the images show something else.

    *Reliability*, for all images together: how far the images agree with each other on those hits,
    measured by the intraclass correlation of their mean, ICC(C,k) (McGraw and Wong, 1996).

    The images get the weight cap * (r * reliability)^2 * mean depiction, and the text gets the
    rest. Both are in standard deviations of their scores over the store, because cos(text, image)
    and cos(image, image) have different spreads. If the images cannot be trusted, only the text
    counts. Figures, ablations and what did worse: ``examples/benchmarks/adaptive_fusion.md``.

    Args:
        calibration: Calibration of the store that is searched.
        cap: Maximum weight of the images, from 0 to 1.

    Raises:
        InvalidInputError: ``cap`` is out of range.
    """

    def __init__(self, calibration: Calibration, cap: float = CAP) -> None:
        if not 0 <= cap <= 1:
            raise InvalidInputError(f"cap={cap}: a share of the whole weight, from 0 to 1")
        self._calibration = calibration
        self._cap = cap

    def fuse(self, text: Vectors, generated: Vectors, round: int) -> FusedQuery:  # noqa: ARG002
        """See ``Fusion``. The round is not used."""
        if not len(generated):
            return FusedQuery(text, 1.0, 0.0)
        around = self._calibration.around(text)
        if around is None:
            return _text_alone(
                text, generated, "the store is too small to tell what scores are usual"
            )
        depiction = depiction_of(text, generated, around)
        seen = [
            f"image {number} shows the caption at {value:.2f} (best hits 1, others 0)"
            for number, value in enumerate(depiction.tolist(), 1)
        ]
        if not depiction.any():
            return _text_alone(text, generated, "no image shows the caption", *seen)
        shares = depiction / depiction.sum()
        visual: Vectors = (shares @ generated).astype(np.float32)
        spread = self._calibration.spread(visual)
        concord = concord_of(visual, around)
        reliability = reliability_of(generated[depiction > 0], around)
        gate = min(1.0, self._cap * (concord * reliability) ** 2 * float(depiction.mean()))
        why = (
            f"text and images agree on the order of the best hits with r = {concord:.2f}, the "
            f"images agree with each other with {reliability:.2f}"
        )
        if not gate or spread < FLAT:
            return _text_alone(text, generated, why, *seen)
        text_part, image_part = (1 - gate) / around.spread, gate / spread
        text_weight = text_part / (text_part + image_part)
        vector: Vectors = np.float32(text_weight) * text + np.float32(1 - text_weight) * visual
        return FusedQuery(
            vector, text_weight, 1 - text_weight, tuple(shares.tolist()), (why, *seen)
        )


def depiction_of(text: Vectors, generated: Vectors, around: Surroundings) -> Vectors:
    """How well images show a caption, from 0 to 1: (K,); see ``AdaptiveFusion``."""
    level = float(around.scores.mean()) - around.mean
    if level <= 0:
        return np.zeros(len(generated), np.float32)
    shown: Vectors = 2 * (generated @ text - np.float32(around.mean)) / np.float32(level) - 1
    return shown.clip(0, 1)


def concord_of(visual: Vectors, around: Surroundings) -> float:
    """Correlation with the text's scores over its best hits, at least 0."""
    by_text = around.scores - around.scores.mean()
    by_images = around.hits @ visual
    by_images = by_images - by_images.mean()
    if min(float(by_text.std()), float(by_images.std())) < FLAT:
        return 0.0
    length = float(np.linalg.norm(by_text) * np.linalg.norm(by_images))
    return min(1.0, max(0.0, float(by_text @ by_images) / length))


def reliability_of(generated: Vectors, around: Surroundings) -> float:
    """Reliability of the images as judges of the text's best hits, from 0 to 1.

    The intraclass correlation ICC(C,k) of the mean of k judges. For a single image it cannot be
    measured, so a usual value is taken.
    """
    judges = len(generated)
    if judges < 2:
        return _SINGLE
    scores = around.hits @ generated.T
    scores = scores - scores.mean(0)
    verdict = scores.mean(1, keepdims=True)
    freedom = len(scores) - 1
    if not freedom or float(verdict.std()) < FLAT:
        return 0.0
    between = judges * float((verdict**2).sum()) / freedom
    within = float(((scores - verdict) ** 2).sum()) / (freedom * (judges - 1))
    return max(0.0, 1 - within / between)


def _text_alone(text: Vectors, generated: Vectors, *reasons: str) -> FusedQuery:
    return FusedQuery(text, 1.0, 0.0, (0.0,) * len(generated), reasons)
