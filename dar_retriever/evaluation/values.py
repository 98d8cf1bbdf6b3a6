"""What an evaluation runs on, and what it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.evaluation.datasets import Dataset
from dar_retriever.evaluation.methods import Method
from dar_retriever.evaluation.ranking import Ranks
from dar_retriever.generation.base import ImageGenerator

Progress: TypeAlias = Callable[[str], Callable[[int, int], None]]


@dataclass(frozen=True, slots=True)
class Models:
    """What a preset's methods run on.

    Attributes:
        encoder: Encodes texts, generated images and the pool.
        generator: Draws, or gives what was drawn before; None where no method needs it.
        images_per_turn: Number K of images.
        negative_prompts: Whether what the user ruled out goes to the generator.
    """

    encoder: JointEncoder
    generator: ImageGenerator | None
    images_per_turn: int
    negative_prompts: bool = False


class ModelsOf(Protocol):
    """Opens a preset's models."""

    def __call__(self, preset_name: str, *, draws: bool) -> Models:
        """Open them; the generator only where something is to be drawn."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one method did.

    Attributes:
        method: Which one.
        ranks: The target's rank by dialogue and round, from 1: int (D, R).
        captions: What the text encoder read, by dialogue and round.
        queries: The fused queries: float32 (D, R, d).
        seconds: Per turn, by step: "reformulate", "encode", "generate", "rank"; as made in
            batches, over all runs that made them. An image that an earlier run had generated costs
            only its reading.
        encoder: Fingerprint of the encoder.
        generator: Fingerprint of the generator, if any.
        undrawn: Turns for which no image could be had; their text counted alone.
        images: Images generated for each turn, without those that an earlier turn of the dialogue
            had asked for already: int (D, R).
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


@dataclass(frozen=True, slots=True)
class Encodings:
    """Everything that a fusion is tried on, encoded once.

    Attributes:
        texts: Of the reformulated dialogues: float32 (D, R, d).
        drawn: Of the generated images; not numbers where there is none: float32 (D, R, K, d).
        pool: float32 (P, d).
        targets: Places in the pool: int (D,).
        new: Whether a turn asks for other images than the dialogue's earlier ones: bool (D, R).
    """

    texts: Vectors
    drawn: Vectors
    pool: Vectors
    targets: NDArray[np.int64]
    new: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Methods side by side.

    Attributes:
        dataset: What they were tried on.
        outcomes: In the order asked for.
        pools: The pool's vectors by preset: float32 (P, d).
        models: By preset.
        seed: Of the first generated image of each turn.
    """

    dataset: Dataset
    outcomes: tuple[Outcome, ...]
    pools: dict[str, Vectors]
    models: dict[str, Models]
    seed: int
