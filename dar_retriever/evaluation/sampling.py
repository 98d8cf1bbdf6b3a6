"""The vectors that a prior samples for the turns of an evaluation."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.generation.base import SAMPLES, ImagePrior
from dar_retriever.presets.beside import Beside
from dar_retriever.presets.data import preset
from dar_retriever.reformulation.base import Reformulation


def samples_of(
    prior: ImagePrior, made: Sequence[Reformulation], texts: Vectors, seed: int
) -> dict[str, Vectors]:
    """A prior's samples of every caption: float32 (64, d) each.

    Args:
        prior: Samples what is meant.
        made: The reformulations: N.
        texts: Their captions' vectors: float32 (N, d).
        seed: Its seed.
    """
    sampled: dict[str, Vectors] = {}
    for reformulation, text in zip(made, texts, strict=True):
        caption = reformulation.caption
        if caption not in sampled:
            sampled[caption] = prior.sample(caption, text, SAMPLES, seed)
    return sampled


def sampled_beside(
    preset_name: str, made: Sequence[Reformulation], texts: Vectors, seed: int
) -> tuple[Vectors, float]:
    """The samples of the prior beside a preset's encoder.

    Args:
        preset_name: A preset that has a prior.
        made: The reformulations: N.
        texts: Their captions' vectors: float32 (N, d).
        seed: Seed of the samples.

    Returns:
        float32 (N, 64, d), and the seconds that a turn took.
    """
    prior = Beside(preset(preset_name).encoder).prior
    began = time.perf_counter()
    samples = samples_of(prior, made, texts, seed)
    vectors = np.stack([samples[reformulation.caption] for reformulation in made])
    return vectors, (time.perf_counter() - began) / len(made)
