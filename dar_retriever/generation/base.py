"""What image generators are asked for and what they give."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from dar_retriever.errors import GenerationError
from dar_retriever.support.images import to_rgb


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


def as_generated(value: object) -> GeneratedImage:
    """One of the things that a generator gave, complete and in mode RGB.

    Raises:
        GenerationError: It is no generated image, or its picture cannot be read.
    """
    if not isinstance(value, GeneratedImage):
        raise GenerationError(f"{_short(value)} is no GeneratedImage; check the generator")
    image: object = value.image
    if not isinstance(image, Image.Image):
        raise GenerationError(f"{_short(image)} is no PIL image; check the generator")
    if 0 in image.size:
        raise GenerationError(f"{_short(image)} has no pixels; check the generator")
    try:
        # Files are decoded only when their pixels are asked for.
        image.load()
        return dataclasses.replace(value, image=to_rgb(image))
    # Pillow's decoders raise whatever they meet in a broken file.
    except Exception as error:
        raise GenerationError(
            f"{_short(image)} cannot be read ({error}); check the generator"
        ) from error


def answered(
    requests: Sequence[ImageRequest], images: Sequence[GeneratedImage]
) -> list[tuple[ImageRequest, GeneratedImage]]:
    """Each image with the request that it was made for, in their order.

    Args:
        requests: What a generator was asked for.
        images: What it gave. Where these are fewer, an image belongs to the next request of its
            prompt and seed; generators in front of others may leave any of them out.
    """
    if len(images) == len(requests):
        return list(zip(requests, images, strict=True))
    pairs = []
    waiting = iter(requests)
    for image in images:
        for request in waiting:
            if (request.prompt, request.seed) == (image.prompt, image.seed):
                pairs.append((request, image))
                break
    return pairs


class ImageGenerator(Protocol):
    """Makes images from prompts."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same request would give another image."""
        ...

    def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        """Make one image for each request, in their order.

        Where memory does not suffice for all of them there are fewer: the first ones, and after
        them those that needed no memory. Each carries its request's prompt and seed.

        Raises:
            GenerationError: No image can be made.
        """
        ...


def _short(value: object) -> str:
    return repr(value)[:100]
