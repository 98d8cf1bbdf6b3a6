"""Inputs and results of an evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.evaluation.datasets import Dataset
from dar_retriever.evaluation.methods import Method
from dar_retriever.evaluation.metrics import Ranks
from dar_retriever.generation.base import ImageGenerator
from dar_retriever.reformulation.base import Reformulator
from dar_retriever.reformulation.rules import JoinedTurns
from dar_retriever.reformulation.tagged import TaggingReformulator

Progress: TypeAlias = Callable[[str], Callable[[int, int], None]]


@dataclass(frozen=True, slots=True)
class Models:
    """The models of a preset.

    Attributes:
        encoder: Encodes texts, generated images and the pool.
        generator: Generates images, or reads those generated before; None if no method needs it.
        images_per_turn: Number K of images.
        negative_prompts: Whether exclusions go to the generator.
    """

    encoder: JointEncoder
    generator: ImageGenerator | None
    images_per_turn: int
    negative_prompts: bool = False

    def reformulator(self, *, joined: bool) -> Reformulator:
        """What joins all turns, or what is the default for the encoder."""
        if joined:
            return JoinedTurns()
        return TaggingReformulator(self.encoder.count_tokens, self.encoder.max_tokens)


class ModelsOf(Protocol):
    """Opens a preset's models."""

    def __call__(self, preset_name: str, *, draws: bool) -> Models:
        """Open them; the generator only if images are needed."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """The results of one method.

    Attributes:
        method: The method.
        ranks: The target's rank by dialogue and round, from 1; of several right answers the best
            one's: int (D, R).
        captions: The captions by dialogue and round.
        queries: The fused queries: float32 (D, R, d).
        seconds: Seconds per turn for each step: "reformulate", "encode", "generate", "rank". They
            are measured in batches, over all runs. An image that an earlier run had generated
            costs only the time to read it.
        encoder: Fingerprint of the encoder.
        generator: Fingerprint of the generator, if any.
        undrawn: Number of turns for which no image could be generated; only their text was used.
        images: Number of new images generated for each turn: int (D, R).
        precision: Average precision at 50 over all right answers: float (D, R).
        gain: nDCG at 50 over all right answers: float (D, R).
    """

    method: Method
    ranks: Ranks
    captions: tuple[tuple[str, ...], ...]
    queries: Vectors
    seconds: dict[str, float]
    encoder: str
    generator: str
    undrawn: int
    images: NDArray[np.int64]
    precision: NDArray[np.float64]
    gain: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Encodings:
    """All vectors that a fusion needs, encoded once.

    Attributes:
        texts: Vectors of the reformulated dialogues: float32 (D, R, d).
        drawn: Vectors of the generated images; NaN if one is missing: float32 (D, R, K, d).
        pool: Vectors of the pool: float32 (P, d).
        targets: Indices of the targets in the pool: int (D,).
        new: Whether a turn needs images that no earlier turn of the dialogue had: bool (D, R).
    """

    texts: Vectors
    drawn: Vectors
    pool: Vectors
    targets: NDArray[np.int64]
    new: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The results of all methods.

    Attributes:
        dataset: The data set.
        outcomes: The outcome of each method, in the given order.
        pools: The pool's vectors by preset: float32 (P, d).
        models: The models by preset.
        seed: Seed of the first generated image of each turn.
    """

    dataset: Dataset
    outcomes: tuple[Outcome, ...]
    pools: dict[str, Vectors]
    models: dict[str, Models]
    seed: int
