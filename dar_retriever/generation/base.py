"""The protocols of generators of images and of vectors, with requests and results."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dar_retriever.errors import GenerationError, InvalidInputError
from dar_retriever.support.images import is_blank, to_rgb

Samples: TypeAlias = NDArray[np.float32]

STRENGTH: Final = 0.7
# How many vectors a prior samples for a turn.
SAMPLES: Final = 64


@dataclass(frozen=True, slots=True)
class StartingPicture:
    """A picture that an image is drawn from, rather than from noise alone.

    Attributes:
        id: The same id stands for the same picture.
        image: The picture, in mode RGB.
        strength: How far the image may go from it, above 0 and at most 1: the share of the
            denoising that is done (SDEdit; Meng et al., arXiv 2108.01073). Models that take
            reference images have no such number, and ignore it.

    Raises:
        InvalidInputError: ``strength`` is out of range.
    """

    id: str
    image: Image.Image = field(compare=False, repr=False)
    strength: float = STRENGTH

    def __post_init__(self) -> None:
        if not 0 < self.strength <= 1:
            raise InvalidInputError(f"strength={self.strength}: above 0, and at most 1")


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """A request for one image.

    Attributes:
        prompt: What the image should show.
        negative_prompt: What it should not show, for models that support this.
        seed: The same request, model and seed give the same image.
        dialogue_id: Id of the dialogue. Only generators of images made earlier use it, and
            ``round`` and ``number``.
        round: Round of the dialogue.
        number: Number of the image within the round, from 0.
        start: The picture to draw from, for models that can; others draw from noise.
    """

    prompt: str
    negative_prompt: str = ""
    seed: int = 0
    dialogue_id: str = ""
    round: int = 0
    number: int = 0
    start: StartingPicture | None = None


@dataclass(frozen=True, slots=True)
class GeneratedImage:
    """An image that a model made; never a search result.

    Attributes:
        image: The image, in mode RGB.
        prompt: The prompt that it was made from.
        seed: Seed of the model's noise.
        cached: Whether it came from a cache.
        instead: What failed and what was done instead while it was made, for the trace.
        start: Id of the picture that it was drawn from; empty if it was drawn from noise.
    """

    image: Image.Image
    prompt: str
    seed: int
    cached: bool = False
    instead: str = ""
    start: str = ""


@dataclass(frozen=True, slots=True)
class NotGenerated:
    """Stands where a request has no image, so that the others of its turn are still used.

    Attributes:
        prompt: The prompt of the request.
        seed: The seed of the request.
        reason: Why there is no image, for the trace.
    """

    prompt: str
    seed: int
    reason: str


Outcome: TypeAlias = GeneratedImage | NotGenerated


def requests_for(
    prompts: Sequence[str],
    count: int,
    *,
    negative_prompt: str = "",
    seed: int = 0,
    dialogue_id: str = "",
    round: int = 0,
    starts: Sequence[StartingPicture] = (),
) -> list[ImageRequest]:
    """The requests for the images of one turn.

    Args:
        prompts: Used in order; if there are fewer prompts than images, they are repeated.
        count: Number of images. Without prompts there are none.
        negative_prompt: What the images should not show.
        seed: Seed of the first image; each further image adds 1.
        dialogue_id: Id of the dialogue.
        round: Round of the dialogue.
        starts: Pictures to draw from, used in order and repeated.
    """
    return [
        ImageRequest(
            prompts[number % len(prompts)],
            negative_prompt,
            seed + number,
            dialogue_id,
            round,
            number,
            starts[number % len(starts)] if starts else None,
        )
        for number in range(count if prompts else 0)
    ]


def as_generated(value: object) -> GeneratedImage:
    """Check one result of a generator and convert it to RGB.

    Raises:
        GenerationError: It is not a generated image, or its picture cannot be read.
    """
    if not isinstance(value, GeneratedImage):
        raise GenerationError(f"{_short(value)} is not a GeneratedImage; check the generator")
    image: object = value.image
    if not isinstance(image, Image.Image):
        raise GenerationError(f"{_short(image)} is not a PIL image; check the generator")
    if 0 in image.size:
        raise GenerationError(f"{_short(image)} has no pixels; check the generator")
    try:
        # Pillow decodes a file only when its pixels are needed.
        image.load()
        return dataclasses.replace(value, image=to_rgb(image))
    # On a broken file Pillow's decoders can raise anything.
    except Exception as error:
        raise GenerationError(
            f"{_short(image)} cannot be read ({error}); check the generator"
        ) from error


def usable_images(made: Sequence[object], wanted: int) -> tuple[list[GeneratedImage], list[str]]:
    """The usable images of a generator's answer, and what failed while they were made."""
    wrong = []
    if len(made) < wanted:
        wrong.append(f"fewer images were generated than asked for: {len(made)} of {wanted}")
    if len(made) > wanted:
        wrong.append(
            f"more images were generated than asked for, the first were used: {len(made)} for "
            f"{wanted}"
        )
    images = []
    for value in made[:wanted]:
        if isinstance(value, NotGenerated):
            wrong.append(f"an image was not generated: {value.reason}")
            continue
        try:
            images.append(as_generated(value))
        except GenerationError as error:
            wrong.append(f"an unusable generated image was dropped: {error}")
    good = [image for image in images if not is_blank(image.image)]
    if len(good) < len(images):
        lost = len(images) - len(good)
        wrong.append(f"blank generated images were dropped: {lost} of {len(images)}")
    wrong += dict.fromkeys(image.instead for image in images if image.instead)
    return good, wrong


def usable_samples(sampled: Samples, shape: tuple[int, int]) -> tuple[Samples, list[str]]:
    """The usable vectors of a prior's answer, and what was wrong with the others."""
    if sampled.shape != shape:
        why = f"the prior's samples were not used: {sampled.shape} instead of {shape}"
        return np.empty((0, shape[1]), np.float32), [why]
    usable = np.isfinite(sampled).all(1)
    lost = int((~usable).sum())
    return sampled[usable], [f"{lost} samples of the prior are not finite"] if lost else []


def answered(
    requests: Sequence[ImageRequest], images: Sequence[Outcome]
) -> list[tuple[ImageRequest, Outcome]]:
    """Pair each answer with its request.

    Args:
        requests: What a generator was asked for.
        images: What it returned, in the same order. Some images may be missing; then each image
            belongs to the next request with its prompt and seed.
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
        """A text that changes whenever the same request would give another image."""
        ...

    def generate(self, requests: Sequence[ImageRequest]) -> Sequence[Outcome]:
        """Make one image for each request, in the same order.

        If memory runs out, later images may be missing. Each image has its request's prompt and
        seed. A request that fails while others succeed is answered with ``NotGenerated``.

        Raises:
            GenerationError: No image can be made.
        """
        ...


class ImagePrior(Protocol):
    """Samples the vectors of images that a caption describes.

    What the caption tells is the same in all samples; what it leaves open differs between them as
    it does between the images that the prior has learned from.
    """

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same call would give other vectors."""
        ...

    def sample(self, caption: str, text: Samples, count: int, seed: int) -> Samples:
        """Sample image vectors.

        Args:
            caption: The caption.
            text: float32 (d,): the caption encoded by the joint encoder, of unit length.
            count: How many.
            seed: Same arguments, same vectors.

        Returns:
            float32 (count, d), of unit length, in the space of the joint encoder.
        """
        ...


def _short(value: object) -> str:
    return repr(value)[:100]
