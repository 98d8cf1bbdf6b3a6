"""What any image generator keeps to, whatever makes its images."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_service import MODEL, Service

from dar_retriever.errors import GenerationError
from dar_retriever.generation import (
    BatchingGenerator,
    CachedGenerator,
    DiffusersGenerator,
    GeneratedImage,
    HostedGenerator,
    ImageGenerator,
    ImageRequest,
    OpenAIImageGenerator,
    ServiceLimits,
    StoredImageGenerator,
)
from dar_retriever.support.threads import waited_for_by

REQUESTS = [
    ImageRequest("a red dress", seed=1, dialogue_id="7", number=0),
    ImageRequest("a long green coat with a hood", seed=2, dialogue_id="7", number=1),
    ImageRequest("blue", seed=3, dialogue_id="7", number=2),
]
SIZE = (32, 32)
LIMITS = ServiceLimits(attempts=2, back_off=0.01, seconds=5)
Checkpoint = Callable[[str], str]


@dataclass
class Case:
    """One kind of generator.

    Attributes:
        settings: Opens it.
        fail: Lets all of its images fail from now on.
        stops: Whether it stops when nobody waits; reading a file is over before.
    """

    settings: Callable[[], ImageGenerator]
    fail: Callable[[], object]
    stops: bool = True

    def open(self) -> ImageGenerator:
        return self.settings()


def batched(settings: Callable[[], ImageGenerator]) -> ImageGenerator:
    return BatchingGenerator(settings())


def cached(settings: Callable[[], ImageGenerator]) -> ImageGenerator:
    return CachedGenerator(settings())


class Factory:
    """Makes the cases; the checkpoints and the folders are those of the tests."""

    def __init__(self, checkpoint: Checkpoint, service: Service, folder: Path) -> None:
        self._checkpoint, self.service, self._folder = checkpoint, service, folder

    def diffusers(self) -> Case:
        opener = partial(
            DiffusersGenerator,
            self._checkpoint("stable_diffusion"),
            steps=1,
            size=SIZE,
            device="cpu",
        )
        return Case(opener, lambda: opener.keywords.update(size=(33, 31)))

    def batching(self) -> Case:
        inner = self.diffusers()
        return Case(partial(batched, inner.settings), inner.fail)

    def cached(self) -> Case:
        inner = self.diffusers()
        return Case(partial(cached, inner.settings), inner.fail)

    def stored(self) -> Case:
        from fakes import drawn_image

        for request in REQUESTS:
            drawn_image(request.prompt, 0).save(self._folder / f"7_{request.number}.png")
        opener = partial(StoredImageGenerator, self._folder, "{dialogue_id}_{number}.png")
        return Case(opener, self._remove, stops=False)

    def endpoint(self) -> Case:
        return self._hosted(partial(HostedGenerator, self.service.endpoint, limits=LIMITS))

    def replicate(self) -> Case:
        return self._hosted(
            partial(HostedGenerator, MODEL, provider="replicate", limits=LIMITS, size=SIZE)
        )

    def openai(self) -> Case:
        return self._hosted(
            partial(OpenAIImageGenerator, "draws", base_url=self.service.openai, limits=LIMITS)
        )

    def _hosted(self, settings: Callable[[], ImageGenerator]) -> Case:
        return Case(settings, lambda: setattr(self.service, "fault", lambda _: "refused"))

    def _remove(self) -> None:
        for file in self._folder.iterdir():
            file.unlink()


CASES = ["diffusers", "batching", "cached", "stored", "endpoint", "replicate", "openai"]


@pytest.fixture(params=CASES)
def case(
    request: pytest.FixtureRequest, checkpoint: Checkpoint, image_service: Service, tmp_path: Path
) -> Case:
    return getattr(Factory(checkpoint, image_service, tmp_path), request.param)()


def images_of(generator: ImageGenerator, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
    made = generator.generate(requests)
    assert all(isinstance(image, GeneratedImage) for image in made)
    return list(made)  # type: ignore[arg-type]


def pixels(image: GeneratedImage) -> np.ndarray[Any, Any]:
    return np.asarray(image.image).astype(int)


def test_each_request_is_answered_in_its_place(case: Case) -> None:
    made = images_of(case.open(), REQUESTS)
    assert [(image.prompt, image.seed) for image in made] == [(r.prompt, r.seed) for r in REQUESTS]
    assert all(image.image.mode == "RGB" and min(image.image.size) > 1 for image in made)
    assert len({image.image.tobytes() for image in made}) == 3


def test_nothing_asked_for_is_nothing_made(case: Case) -> None:
    assert list(case.open().generate([])) == []


def test_an_image_does_not_depend_on_its_neighbours(case: Case) -> None:
    generator = case.open()
    together = images_of(generator, REQUESTS)
    for image, request in zip(together, REQUESTS, strict=True):
        [alone] = images_of(case.open(), [request])
        if "openai" not in type(generator).__module__:  # that protocol has no seed
            assert np.abs(pixels(alone) - pixels(image)).max() <= 2


def test_threads_get_what_one_gets(case: Case) -> None:
    generator = case.open()
    expected = images_of(generator, REQUESTS)
    made: dict[int, GeneratedImage] = {}

    def make(number: int) -> None:
        made[number] = images_of(generator, [REQUESTS[number % 3]])[0]

    threads = [threading.Thread(target=make, args=(number,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 9
    for number, image in made.items():
        assert (image.prompt, image.seed) == (
            REQUESTS[number % 3].prompt,
            REQUESTS[number % 3].seed,
        )
        assert np.abs(pixels(image) - pixels(expected[number % 3])).max() <= 2


def test_its_settings_travel_and_open_the_same(case: Case) -> None:
    there = pickle.dumps(case.settings)
    assert b"hf_" not in there
    opened, again = case.open(), pickle.loads(there)()  # noqa: S301 (made in the line above)
    assert opened.fingerprint == again.fingerprint
    assert opened.fingerprint
    assert len(images_of(again, REQUESTS)) == 3


def test_where_nothing_can_be_made_there_is_one_kind_of_error(case: Case) -> None:
    case.fail()
    with pytest.raises(GenerationError):
        case.open().generate(REQUESTS)


def test_it_works_again_after_a_failure(case: Case, image_service: Service) -> None:
    generator = case.open()
    image_service.fault = lambda _: "refused"
    nothing = [ImageRequest(None, dialogue_id="none")]  # type: ignore[arg-type]
    with pytest.raises(GenerationError):
        generator.generate(nothing)
    image_service.fault = lambda _: ""
    assert len(images_of(generator, REQUESTS)) == 3


def test_it_stops_when_nobody_waits(case: Case) -> None:
    if not case.stops:
        pytest.skip("reads a file, which is over at once")
    generator = case.open()
    with pytest.raises(GenerationError, match="stopped"):
        waited_for_by(lambda: True).run(generator.generate, REQUESTS)
