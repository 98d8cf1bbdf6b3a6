"""Whether a generator's drawings can be trusted in a store, seen from its own captions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

import numpy as np

from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.generation.base import ImageGenerator, ImageRequest, usable_images
from dar_retriever.stores.base import SearchableStore

# Of the share that chance gives: the standard deviation of one uniform rank.
_CHANCE: Final = 0.5
_SPREAD: Final = 1 / math.sqrt(12)
_DEVIATIONS: Final = 3
_FEWEST: Final = 10
_BATCH: Final = 8


@dataclass(frozen=True, slots=True)
class Trust:
    """How well drawings of stored captions find the images that the captions belong to.

    Attributes:
        captions: How many captions were drawn.
        drawn: Mean share of the store that a drawing is less like than the caption's own image:
            1 if it always finds its image first, 0.5 by chance.
        text: The same for the captions themselves.
        missing: How many captions have no usable drawing.
    """

    captions: int
    drawn: float
    text: float
    missing: int

    @property
    def worthless(self) -> bool:
        """Whether the drawings find no more than chance does, three standard deviations aside."""
        return self.drawn < _CHANCE + _DEVIATIONS * _SPREAD / math.sqrt(self.captions)


def trust(
    generator: ImageGenerator,
    encoder: JointEncoder,
    store: SearchableStore,
    *,
    captions: int = 24,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Trust:
    """Draw some stored captions and rank their own images by the drawings.

    KITTEN (arXiv 2410.11824) and Image2Struct (arXiv 2410.22456) judge generators by what is known
    of a domain; here a store's own captions tell what its images show.

    Args:
        generator: Draws.
        encoder: The joint encoder that filled the store.
        store: Images with captions.
        captions: How many captions are drawn.
        seed: Chooses the captions, and is the seed of the first drawing.
        progress: Called after each batch with the number of captions drawn, and of all.

    Raises:
        InvalidInputError: Fewer than 10 stored images have captions of their own.
        GenerationError: Nothing can be drawn at all.
    """
    sample = store.sample()
    owners = described(store, sample, captions, seed)
    if len(owners) < _FEWEST:
        raise InvalidInputError(
            f"{len(owners)} captions were found; whether drawings can be trusted needs {_FEWEST}: "
            "index the images with captions in metadata.jsonl"
        )
    texts = list(owners)
    vectors = encoder.encode_texts(texts)
    by_text = [_share(sample, owners[t], v) for t, v in zip(texts, vectors, strict=True)]
    by_drawing = []
    requests = [ImageRequest(text, seed=seed + number) for number, text in enumerate(texts)]
    for start in range(0, len(requests), _BATCH):
        batch = requests[start : start + _BATCH]
        usable, _ = usable_images(generator.generate(batch), len(batch))
        drawings = encoder.encode_images([made.image for made in usable])
        by_drawing += [
            _share(sample, owners[made.prompt], drawing)
            for made, drawing in zip(usable, drawings, strict=True)
        ]
        if progress:
            progress(start + len(batch), len(texts))
    missing = len(texts) - len(by_drawing)
    # What was not drawn finds as much as chance does.
    drawn = float(np.mean([*by_drawing, *[_CHANCE] * missing]))
    return Trust(len(texts), drawn, float(np.mean(by_text)), missing)


def described(store: SearchableStore, sample: Vectors, most: int, seed: int) -> dict[str, int]:
    """Captions of random images of a store's sample, and their places in it.

    Args:
        store: Images with captions.
        sample: Its sample: (N, d).
        most: How many captions at most.
        seed: Chooses them.
    """
    owners: dict[str, int] = {}
    for place in Random(seed).sample(range(len(sample)), len(sample)):
        # The image that is nearest to a stored vector is its own.
        [hit, *_] = store.search(sample[place], 1)
        if hit.caption:
            owners.setdefault(hit.caption, place)
        if len(owners) == most:
            break
    return owners


def _share(sample: Vectors, own: int, vector: Vectors) -> float:
    """The share of the other images that a vector is less like than an image of the sample."""
    scores = sample @ vector
    others = np.delete(scores, own)
    return float((np.sign(np.round(scores[own] - others, 6)) + 1).mean() / 2)
