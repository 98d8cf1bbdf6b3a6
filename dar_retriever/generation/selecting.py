"""A generator that draws more than was asked for and keeps what fits its prompt best."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dar_retriever.errors import InvalidInputError
from dar_retriever.generation.base import (
    GeneratedImage,
    ImageGenerator,
    ImageRequest,
    NotGenerated,
    Outcome,
    answered,
    usable_images,
)


class Faithfulness(Protocol):
    """Says how well images show what their prompts tell."""

    @property
    def name(self) -> str:
        """Changes whenever the same image could get another score."""
        ...

    def scores(
        self, prompts: Sequence[str], images: Sequence[Image.Image]
    ) -> NDArray[np.floating[Any]]:
        """One score for each prompt with the image at its place, higher is better: (N,)."""
        ...


class SelectingGenerator:
    """Wraps a generator: draws several images for each request and keeps the most faithful one.

    A small generator misses a pattern or a second colour now and then, but seldom three times in a
    row. Choosing among drawings comes from ImageSelect (Karthik et al., arXiv 2305.13308).

    Args:
        generator: Draws.
        faithfulness: Says which image fits its prompt best.
        tries: How many images are drawn for each that is kept.

    Raises:
        InvalidInputError: ``tries`` is below 1.
    """

    def __init__(
        self, generator: ImageGenerator, faithfulness: Faithfulness, tries: int = 3
    ) -> None:
        if tries < 1:
            raise InvalidInputError(f"tries={tries}: at least 1 image is drawn for each request")
        self._generator = generator
        self._faithfulness = faithfulness
        self._tries = tries

    @property
    def fingerprint(self) -> str:
        """See ``ImageGenerator``."""
        best = f"best of {self._tries} by {self._faithfulness.name}"
        return f"{self._generator.fingerprint}, {best}"

    def generate(self, requests: Sequence[ImageRequest]) -> Sequence[Outcome]:
        """See ``ImageGenerator``."""
        tries = [self._tried(request, n) for request in requests for n in range(self._tries)]
        made = dict(answered(tries, self._generator.generate(tries)))
        answers = [
            [made[tried] for tried in tries[start : start + self._tries] if tried in made]
            for start in range(0, len(tries), self._tries)
        ]
        drawn = [usable_images(each, len(each))[0] for each in answers]
        flat = [image for images in drawn for image in images]
        scores = iter(self._faithfulness.scores([i.prompt for i in flat], [i.image for i in flat]))
        result: list[Outcome] = []
        for request, images, answer in zip(requests, drawn, answers, strict=True):
            scored = [(next(scores), -number) for number in range(len(images))]
            if images:
                best = images[-max(scored)[1]]
                result.append(dataclasses.replace(best, seed=request.seed))
            elif answer:
                result.append(_instead(request, answer[0]))
        return result

    def _tried(self, request: ImageRequest, number: int) -> ImageRequest:
        # Each try of each request of a turn has a seed of its own.
        return dataclasses.replace(request, seed=request.seed * self._tries + number)


def _instead(request: ImageRequest, answer: Outcome) -> Outcome:
    if isinstance(answer, GeneratedImage):
        return dataclasses.replace(answer, seed=request.seed)
    return NotGenerated(request.prompt, request.seed, answer.reason)
