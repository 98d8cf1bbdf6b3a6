"""What image generators are asked for and what they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL import Image


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """One image that is wanted.

    Attributes:
        prompt: What it is to show.
        negative_prompt: What it is not to show, for models that take one.
        seed: Same request, model and seed, same image.
        dialogue_id: Whose image it is; only generators of images made earlier look at it.
        round: The dialogue's round, likewise.
        number: Which of the round's images it is, from 0, likewise.
    """

    prompt: str
    negative_prompt: str = ""
    seed: int = 0
    dialogue_id: str = ""
    round: int = 0
    number: int = 0


@dataclass(frozen=True, slots=True)
class GeneratedImage:
    """An image that a model made, never a search result.

    Attributes:
        image: RGB.
        prompt: What it was made from.
        seed: Of the model's noise.
        cached: Whether it had been made before.
    """

    image: Image.Image
    prompt: str
    seed: int
    cached: bool = False


def requests_for(
    prompts: Sequence[str],
    count: int,
    *,
    negative_prompt: str = "",
    seed: int = 0,
    dialogue_id: str = "",
    round: int = 0,
) -> list[ImageRequest]:
    """The images of one turn.

    Args:
        prompts: Taken in turn, and again from the first where there are fewer than images.
        count: Number of images; without prompts there are none.
        negative_prompt: What none of them is to show.
        seed: Of the first image; the others count up from it.
        dialogue_id: Whose images they are.
        round: The dialogue's round.
    """
    return [
        ImageRequest(
            prompts[number % len(prompts)],
            negative_prompt,
            seed + number,
            dialogue_id,
            round,
            number,
        )
        for number in range(count if prompts else 0)
    ]


class ImageGenerator(Protocol):
    """Makes images from prompts."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same request would give another image."""
        ...

    def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        """Make one image for each request, in their order.

        Raises:
            GenerationError: No image can be made.
        """
        ...
