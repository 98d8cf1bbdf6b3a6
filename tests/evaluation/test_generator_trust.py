"""Whether a generator can be trusted in a store, seen from the store's own captions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dar_retriever import DiffusionAugmentedRetriever, ImageStore, InvalidInputError
from dar_retriever.cli import APP
from dar_retriever.demo.captions import description
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.gallery import gallery_products
from dar_retriever.evaluation.trust import trust
from dar_retriever.generation import GeneratedImage, ImageRequest, NotGenerated, Outcome

PRODUCTS = {description(product): product for product in gallery_products(120)}


class Painter:
    """Draws the product of a caption as the catalogue does, after a fault of its own."""

    fingerprint = "painter"

    def __init__(self, paint: Callable[[str, Random], Image.Image | None]) -> None:
        self._paint = paint

    def generate(self, requests: Sequence[ImageRequest]) -> Sequence[Outcome]:
        made: list[Outcome] = []
        for each in requests:
            image = self._paint(each.prompt, Random(each.seed))
            made.append(
                GeneratedImage(image, each.prompt, each.seed)
                if image
                else NotGenerated(each.prompt, each.seed, "refused")
            )
        return made


def faithful(prompt: str, random: Random) -> Image.Image:
    return draw(PRODUCTS[prompt], 64, random)


def shuffled(prompt: str, random: Random) -> Image.Image:
    return faithful(random.choice(list(PRODUCTS)), random)


def noise(prompt: str, random: Random) -> Image.Image:
    pixels = np.random.default_rng(random.getrandbits(32)).integers(0, 256, (64, 64, 3), np.uint8)
    return Image.fromarray(pixels)


def one_for_all(prompt: str, random: Random) -> Image.Image:
    return faithful(next(iter(PRODUCTS)), Random(0))


def nothing(prompt: str, random: Random) -> None:
    return None


def judged(
    demo: DiffusionAugmentedRetriever, paint: Callable[[str, Random], Image.Image | None], seed: int
) -> bool:
    """Whether the doctor would say that the drawings are worth nothing."""
    encoder = demo.query_encoder.encoder
    return trust(Painter(paint), encoder, demo.store, seed=seed).worthless


def test_all_broken_generators_are_found_out(demo: DiffusionAugmentedRetriever) -> None:
    broken = [(paint, seed) for paint in (shuffled, noise, one_for_all) for seed in range(3)]
    flagged = [judged(demo, paint, seed) for paint, seed in [*broken, (nothing, 0)]]
    assert flagged == [True] * 10


def test_no_good_generator_is_blamed(demo: DiffusionAugmentedRetriever) -> None:
    assert [judged(demo, faithful, seed) for seed in range(10)] == [False] * 10


def test_the_demos_own_drawings_are_trusted(demo: DiffusionAugmentedRetriever) -> None:
    generator = demo.query_encoder.generator
    assert generator is not None
    steps: list[tuple[int, int]] = []
    found = trust(
        generator,
        demo.query_encoder.encoder,
        demo.store,
        captions=12,
        progress=lambda done, of: steps.append((done, of)),
    )
    assert steps == [(8, 12), (12, 12)]
    assert found.captions == 12
    assert found.missing == 0
    assert not found.worthless
    assert found.text > 0.9


def test_a_store_without_captions_cannot_tell(demo: DiffusionAugmentedRetriever) -> None:
    encoder = demo.query_encoder.encoder
    with pytest.raises(InvalidInputError, match="0 captions"):
        trust(Painter(faithful), encoder, ImageStore.in_memory(encoder))


def test_the_doctor_refuses_a_store_that_is_not_there() -> None:
    done = CliRunner().invoke(APP, ["doctor", "--store", "nowhere"])
    assert isinstance(done.exception, InvalidInputError)
    assert "nowhere" in str(done.exception)
