"""The generated images of an evaluation's turns."""

from __future__ import annotations

from collections.abc import Sequence

from dar_retriever.errors import GenerationError
from dar_retriever.evaluation.values import Models
from dar_retriever.generation.base import (
    GeneratedImage,
    ImageGenerator,
    ImageRequest,
    Outcome,
    requests_for,
)
from dar_retriever.reformulation.base import Reformulation


def requests_of(
    reformulation: Reformulation, models: Models, case: str, round: int, seed: int
) -> list[ImageRequest]:
    """The image requests of one turn, the same as the query encoder makes."""
    return requests_for(
        reformulation.prompts,
        models.images_per_turn,
        negative_prompt=reformulation.negative_prompt if models.negative_prompts else "",
        seed=seed,
        dialogue_id=case,
        round=round,
    )


def generated_for(
    generator: ImageGenerator, turns: Sequence[Sequence[ImageRequest]]
) -> list[list[GeneratedImage]]:
    """The images of several turns; a turn that fails has none, as in a search."""
    together = [request for turn in turns for request in turn]
    try:
        made = iter(generator.generate(together) if together else ())
        outcomes = [[outcome for _, outcome in zip(turn, made, strict=False)] for turn in turns]
    except GenerationError:
        return [_generated_alone(generator, turn) for turn in turns]
    if any(len(some) < len(turn) for some, turn in zip(outcomes, turns, strict=True)):
        return [_generated_alone(generator, turn) for turn in turns]
    return [_images(some) for some in outcomes]


def _generated_alone(
    generator: ImageGenerator, turn: Sequence[ImageRequest]
) -> list[GeneratedImage]:
    try:
        return _images(generator.generate(turn))[: len(turn)] if turn else []
    except GenerationError:
        return []


def _images(outcomes: Sequence[Outcome]) -> list[GeneratedImage]:
    return [outcome for outcome in outcomes if isinstance(outcome, GeneratedImage)]
