"""Drawing from pictures: every pipeline's image-to-image sibling, with the same weights."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dar_retriever import PRESETS, CachedGenerator, DiffusersGenerator, InvalidInputError
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import sample_products
from dar_retriever.generation.base import GeneratedImage, ImageRequest, StartingPicture

PIPELINES = ["stable_diffusion", "stable_diffusion_xl", "stable_diffusion_3", "flux"]
SIZE = (32, 24)


def noise(seed: int, size: tuple[int, int] = (40, 60)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (*size, 3), np.uint8)
    return Image.fromarray(pixels)


ONE, TWO = (StartingPicture(str(seed), noise(seed), 0.6) for seed in (1, 2))
PLAIN = ImageRequest("a red dress", seed=1)


def begun(start: StartingPicture, **changes: Any) -> ImageRequest:
    return dataclasses.replace(PLAIN, start=start, **changes)


def difference(left: GeneratedImage, right: GeneratedImage) -> int:
    one, other = (np.asarray(each.image).astype(int) for each in (left, right))
    return int(np.abs(one - other).max())


@pytest.fixture(scope="module")
def opened(checkpoint: Callable[[str], str]) -> Callable[[str], DiffusersGenerator]:
    @functools.cache
    def open_pipeline(name: str) -> DiffusersGenerator:
        size = (64, 64) if name == "flux2_klein" else SIZE
        return DiffusersGenerator(checkpoint(name), steps=2, size=size, device="cpu")

    return open_pipeline


@pytest.mark.parametrize("name", PIPELINES)
def test_the_picture_matters_and_nothing_else_changes(
    name: str, opened: Callable[[str], DiffusersGenerator]
) -> None:
    generator = opened(name)
    [before] = generator.generate([PLAIN])
    together = generator.generate([begun(ONE), begun(TWO), PLAIN])
    assert [each.start for each in together] == ["1", "2", ""]
    assert {each.image.size for each in together} == {SIZE}
    assert difference(together[0], together[1]) > 10
    assert difference(together[2], before) == 0
    for request, image in zip([begun(ONE), begun(TWO)], together, strict=False):
        assert difference(generator.generate([request])[0], image) <= 1


@pytest.mark.parametrize("strength", [0.01, 0.3, 0.7, 0.99, 1.0])
@pytest.mark.parametrize("name", ["stable_diffusion", "flux"])
def test_any_strength_goes_with_few_steps(
    name: str, strength: float, opened: Callable[[str], DiffusersGenerator]
) -> None:
    generator = opened(name)
    start = dataclasses.replace(ONE, strength=strength)
    other = dataclasses.replace(TWO, strength=strength)
    one, two = generator.generate([begun(start), begun(other)])
    assert difference(one, two) > 0 or strength == 1


def test_a_negative_prompt_counts_from_a_picture_too(
    opened: Callable[[str], DiffusersGenerator],
) -> None:
    generator = opened("stable_diffusion")
    made = generator.generate([begun(ONE), begun(ONE, negative_prompt="dots")])
    assert difference(*made) > 0


def test_reference_images_are_seen_by_their_own_image_alone(
    opened: Callable[[str], DiffusersGenerator],
) -> None:
    generator = opened("flux2_klein")
    requests = [begun(ONE, seed=3), begun(TWO, seed=3), dataclasses.replace(PLAIN, seed=3)]
    made = generator.generate(requests)
    assert [each.start for each in made] == ["1", "2", ""]
    assert {each.image.size for each in made} == {(64, 64)}
    assert difference(made[0], made[1]) > 0
    assert difference(generator.generate(requests[1:2])[0], made[1]) <= 1


def test_a_pipeline_that_cannot_draw_from_pictures_says_so(
    checkpoint: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffusers.pipelines import auto_pipeline

    generator = DiffusersGenerator(checkpoint("stable_diffusion"), steps=2, device="cpu")
    monkeypatch.setattr(auto_pipeline, "AUTO_IMAGE2IMAGE_PIPELINES_MAPPING", {})
    plain, made = generator.generate([PLAIN, begun(ONE)])
    assert difference(plain, made) == 0
    assert made.start == ""
    assert made.instead == "StableDiffusionPipeline cannot draw from pictures, drawn from noise"


def test_the_embedded_model_stays_near_the_picture_as_far_as_it_is_told() -> None:
    from random import Random

    product = sample_products(1, unseen=True, seed=3)[0]
    picture = draw(product, 128, Random(0))
    generator = DiffusersGenerator(PRESETS["demo"].generator, steps=4, guidance=2.0)
    strengths = (0.3, 0.6, 1.0)
    made = generator.generate(
        [begun(StartingPicture("picture", picture, strength)) for strength in strengths]
    )
    away = [
        float(np.abs(np.asarray(each.image).astype(int) - np.asarray(picture)).mean())
        for each in made
    ]
    assert away == sorted(away)
    assert away[0] < 0.5 * away[-1]


@pytest.mark.parametrize("strength", [0.0, -1.0, 1.1, float("nan")])
def test_a_strength_out_of_range_is_refused(strength: float) -> None:
    with pytest.raises(InvalidInputError, match="strength="):
        StartingPicture("a", noise(1), strength)


class Drawing:
    """Draws noise; honours starting pictures where told to."""

    fingerprint = "drawing"

    def __init__(self, *, honours: bool) -> None:
        self.asked: list[ImageRequest] = []
        self._honours = honours

    def generate(self, requests: Any) -> list[GeneratedImage]:
        self.asked += requests
        return [
            GeneratedImage(
                noise(len(self.asked)),
                each.prompt,
                each.seed,
                start=each.start.id if self._honours and each.start else "",
            )
            for each in requests
        ]


def test_the_cache_tells_pictures_and_strengths_apart() -> None:
    inner = Drawing(honours=True)
    cache = CachedGenerator(inner)
    other = dataclasses.replace(ONE, strength=0.5)
    requests = [PLAIN, begun(ONE), begun(TWO), begun(other)]
    cache.generate(requests)
    again = cache.generate(requests)
    assert len(inner.asked) == 4
    assert [(each.cached, each.start) for each in again] == [
        (True, start) for start in ("", "1", "2", "1")
    ]


def test_the_cache_keeps_nothing_that_was_drawn_from_noise_instead() -> None:
    inner = Drawing(honours=False)
    cache = CachedGenerator(inner)
    for _ in range(2):
        [made] = cache.generate([begun(ONE)])
        assert (made.cached, made.start) == (False, "")
    assert len(inner.asked) == 2
