"""Pipelines of every class that matters, images made earlier, and the cache."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import queue
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dar_retriever.errors import GenerationError, InvalidInputError, ModelLoadError
from dar_retriever.generation import (
    CachedGenerator,
    DiffusersGenerator,
    GeneratedImage,
    ImageRequest,
    StoredImageGenerator,
)
from dar_retriever.generation.memory import ran_out_of_memory
from dar_retriever.support.images import is_blank
from dar_retriever.support.threads import in_threads

PIPELINES = ["stable_diffusion", "stable_diffusion_xl", "stable_diffusion_3", "flux"]
SIZE = (32, 24)
REQUESTS = [
    ImageRequest("a red dress", seed=1),
    ImageRequest("a long green coat with a hood", seed=2),
    ImageRequest("blue", seed=3),
]

Checkpoint = Callable[[str], str]


def open_pipeline(folder: str, **options: Any) -> DiffusersGenerator:
    return DiffusersGenerator(folder, **{"steps": 2, "size": SIZE, "device": "cpu", **options})


@pytest.fixture(scope="module")
def pipelines(checkpoint: Checkpoint) -> Callable[[str], DiffusersGenerator]:
    """Opens each pipeline once."""

    @functools.cache
    def opened(name: str) -> DiffusersGenerator:
        return open_pipeline(checkpoint(name))

    return opened


@pytest.fixture(params=PIPELINES)
def pipeline(request: pytest.FixtureRequest, pipelines: Callable[[str], Any]) -> Any:
    return pipelines(request.param)


def pixels(image: GeneratedImage) -> np.ndarray:
    return np.asarray(image.image).astype(int)


def difference(left: GeneratedImage, right: GeneratedImage) -> int:
    return int(np.abs(pixels(left) - pixels(right)).max())


def test_each_request_gives_its_own_image(pipeline: DiffusersGenerator) -> None:
    made = pipeline.generate(REQUESTS)
    assert [(image.prompt, image.seed) for image in made] == [(r.prompt, r.seed) for r in REQUESTS]
    assert all(image.image.size == SIZE and image.image.mode == "RGB" for image in made)
    assert not any(image.cached or is_blank(image.image) for image in made)
    assert min(difference(made[0], made[1]), difference(made[1], made[2])) > 20


def test_the_seed_alone_decides_the_noise(pipeline: DiffusersGenerator) -> None:
    [first], [again] = (pipeline.generate([REQUESTS[0]]) for _ in range(2))
    [other] = pipeline.generate([ImageRequest(REQUESTS[0].prompt, seed=9)])
    assert difference(first, again) == 0
    assert difference(first, other) > 20


def test_the_prompt_matters(pipeline: DiffusersGenerator) -> None:
    [first] = pipeline.generate([ImageRequest("a red dress", seed=1)])
    [other] = pipeline.generate([ImageRequest("x", seed=1)])
    assert difference(first, other) > 0


def test_an_image_does_not_depend_on_its_neighbours(pipeline: DiffusersGenerator) -> None:
    together = pipeline.generate(REQUESTS)
    alone = [pipeline.generate([request])[0] for request in REQUESTS]
    # Sums in another order may move a value across a rounding step.
    assert max(difference(*pair) for pair in zip(together, alone, strict=True)) <= 2


def test_negative_prompts_of_some_requests_are_accepted(pipeline: DiffusersGenerator) -> None:
    requests = [ImageRequest("a red dress", "blurry", 1), ImageRequest("a red dress", "", 1)]
    made = pipeline.generate(requests)
    assert [image.image.size for image in made] == [SIZE, SIZE]
    [plain] = pipeline.generate([ImageRequest("a red dress", "", 1)])
    assert difference(made[1], plain) <= 2


@pytest.mark.parametrize("name", ["stable_diffusion", "stable_diffusion_xl", "stable_diffusion_3"])
def test_negative_prompts_matter_where_the_model_takes_them(
    name: str, pipelines: Callable[[str], DiffusersGenerator]
) -> None:
    [plain] = pipelines(name).generate([ImageRequest("a red dress", "", 1)])
    [other] = pipelines(name).generate([ImageRequest("a red dress", "blurry, dark", 1)])
    assert difference(plain, other) > 0


def test_the_size_is_the_pipelines_own_by_default(checkpoint: Checkpoint) -> None:
    generator = open_pipeline(checkpoint("stable_diffusion"), size=None)
    assert generator.generate(REQUESTS[:1])[0].image.size == (32, 32)


def test_batches_are_split_without_a_trace(
    checkpoint: Checkpoint, pipelines: Callable[[str], DiffusersGenerator]
) -> None:
    sizes = []
    split = open_pipeline(checkpoint("stable_diffusion"), batch_size=2)
    split._pipeline.text_encoder.register_forward_hook(
        lambda module, inputs, output: sizes.append(len(output.last_hidden_state))
    )
    whole = pipelines("stable_diffusion").generate(REQUESTS)
    made = split.generate(REQUESTS)
    assert max(difference(*pair) for pair in zip(made, whole, strict=True)) <= 2
    assert sizes == [2, 2, 1, 1]  # each batch with its negative prompts


def test_nothing_asked_for_nothing_made(pipelines: Callable[[str], DiffusersGenerator]) -> None:
    assert pipelines("stable_diffusion").generate([]) == []


def test_several_threads_get_what_one_gets(
    pipelines: Callable[[str], DiffusersGenerator],
) -> None:
    generator = pipelines("stable_diffusion")
    expected = [generator.generate([request])[0] for request in REQUESTS]
    made: dict[int, GeneratedImage] = {}

    def make(number: int) -> None:
        made[number] = generator.generate([REQUESTS[number]])[0]

    threads = [threading.Thread(target=make, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(difference(made[number], expected[number]) == 0 for number in range(3))


def test_a_failing_pipeline_is_a_generation_error(checkpoint: Checkpoint) -> None:
    generator = open_pipeline(checkpoint("stable_diffusion"), size=(33, 31))
    with pytest.raises(GenerationError, match="a red dress") as error:
        generator.generate(REQUESTS)
    assert "31" in str(error.value)
    assert "smaller size" in str(error.value)


def test_a_pipeline_works_again_after_a_failure(checkpoint: Checkpoint) -> None:
    generator = open_pipeline(checkpoint("stable_diffusion"))
    with pytest.raises(GenerationError):
        generator.generate([ImageRequest(None, seed=1)])  # type: ignore[arg-type]
    assert len(generator.generate(REQUESTS)) == 3


def test_fingerprints_follow_the_settings(checkpoint: Checkpoint) -> None:
    folder = checkpoint("stable_diffusion")
    settings: list[dict[str, Any]] = [
        {},
        {"steps": 3},
        {"guidance": 1.0},
        {"size": (32, 32)},
        {"dtype": "bfloat16"},
    ]
    fingerprints = [open_pipeline(folder, **options).fingerprint for options in settings]
    fingerprints.append(open_pipeline(checkpoint("flux")).fingerprint)
    assert len(set(fingerprints)) == 6
    assert open_pipeline(folder, batch_size=1).fingerprint == fingerprints[0]


def test_another_precision_works(checkpoint: Checkpoint) -> None:
    generator = open_pipeline(checkpoint("stable_diffusion"), dtype="bfloat16")
    assert generator.generate(REQUESTS[:1])[0].image.size == SIZE


@pytest.mark.parametrize(
    "options", [{"steps": 0}, {"batch_size": 0}, {"size": (0, 32)}, {"size": (32, -1)}]
)
def test_meaningless_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match="at least 1"):
        DiffusersGenerator("never opened", **options)


def test_models_that_cannot_be_opened_are_named(checkpoint: Checkpoint, tmp_path: Path) -> None:
    missing = str(tmp_path / "no pipeline")
    for model in (missing, str(tmp_path), "nobody/no-such-pipeline", checkpoint("bert")):
        with pytest.raises(ModelLoadError) as error:
            DiffusersGenerator(model, device="cpu")
        assert model in str(error.value)
        assert "'demo' preset needs no download" in str(error.value)


def allocate_on_the_cpu() -> None:
    torch.empty(2**55, dtype=torch.uint8)


def allocate_in_numpy() -> None:
    np.empty(2**55, np.uint8)


def allocate_in_python() -> None:
    bytearray(2**62)


ALLOCATORS = [allocate_on_the_cpu, allocate_in_numpy, allocate_in_python]
FIVE = [ImageRequest(f"dress {seed}", seed=seed) for seed in range(5)]


class Tight:
    """A pipeline in whose denoiser batches beyond a size cannot allocate what they need."""

    def __init__(
        self, folder: str, fits: int, allocate: Callable[[], None] = allocate_on_the_cpu
    ) -> None:
        # Without guidance the denoiser's batch is the number of images.
        self.generator = open_pipeline(folder, guidance=0.0)
        self.fits = fits
        self.allocate = allocate
        self.tried: list[int] = []
        self.generator._pipeline.unet.register_forward_pre_hook(self._claim)

    def _claim(self, _module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self.tried.append(len(inputs[0]))
        if len(inputs[0]) > self.fits:
            self.allocate()


@pytest.mark.parametrize("allocate", ALLOCATORS)
def test_a_batch_that_does_not_fit_is_halved(
    allocate: Callable[[], None], checkpoint: Checkpoint, caplog: pytest.LogCaptureFixture
) -> None:
    folder = checkpoint("stable_diffusion")
    tight = Tight(folder, 2, allocate)

    made = tight.generator.generate(FIVE)

    assert tight.tried == [5, 2, 2, 2, 2, 1, 1]  # two steps each
    roomy = open_pipeline(folder, guidance=0.0).generate(FIVE)
    assert max(difference(*pair) for pair in zip(made, roomy, strict=True)) <= 2
    assert [(image.prompt, image.seed) for image in made] == [(r.prompt, r.seed) for r in FIVE]
    told = [record.getMessage() for record in caplog.records if "do not fit" in record.msg]
    assert len(told) == 1
    assert told[0].startswith("5 images at once do not fit in the memory of 'cpu'")


def test_later_batches_stay_as_small(checkpoint: Checkpoint) -> None:
    tight = Tight(checkpoint("stable_diffusion"), 2)
    tight.generator.generate(FIVE)
    tight.tried.clear()

    assert len(tight.generator.generate(FIVE[:3])) == 3
    assert tight.tried == [2, 2, 1, 1]


def test_what_was_made_before_memory_ran_out_is_kept(checkpoint: Checkpoint) -> None:
    tight = Tight(checkpoint("stable_diffusion"), 1)
    generator = tight.generator
    decoded = []

    def fill(_module: Any, _inputs: Any, output: Any) -> None:
        decoded.append(output)
        # Another process takes the memory once two images are made.
        if len(decoded) == 2:
            tight.fits = 0

    generator._pipeline.vae.decoder.register_forward_hook(fill)
    made = generator.generate(FIVE)

    assert [image.seed for image in made] == [0, 1]
    alone = open_pipeline(checkpoint("stable_diffusion"), guidance=0.0).generate(FIVE[:2])
    assert max(difference(*pair) for pair in zip(made, alone, strict=True)) <= 2
    tight.fits = 1
    assert len(generator.generate(FIVE[2:])) == 3


def test_where_no_image_fits_the_error_names_size_and_way_out(checkpoint: Checkpoint) -> None:
    tight = Tight(checkpoint("stable_diffusion"), 0)

    with pytest.raises(GenerationError, match=r"not a single image of size=\(32, 24\)") as error:
        tight.generator.generate(FIVE)

    assert tight.tried == [5, 2, 1]
    assert "smaller size" in str(error.value)
    assert "offload='model'" in str(error.value)


def test_nothing_of_a_call_that_ran_out_of_memory_is_held(checkpoint: Checkpoint) -> None:
    tight = Tight(checkpoint("stable_diffusion"), 0)
    held: list[weakref.ref[torch.Tensor]] = []
    tight.generator._pipeline.unet.register_forward_pre_hook(
        lambda _module, inputs: held.append(weakref.ref(inputs[0])), prepend=True
    )

    with pytest.raises(GenerationError) as error:
        tight.generator.generate(FIVE[:1])

    assert len(held) == 1
    assert held[0]() is None
    assert error.value.__cause__ is None


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.74 GB)"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"),
        MemoryError(),
    ],
)
def test_running_out_of_memory_has_many_names(error: Exception) -> None:
    assert ran_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("out of memory")],
)
def test_other_failures_are_not_taken_for_lack_of_memory(error: Exception) -> None:
    assert not ran_out_of_memory(error)


def save_stored(folder: Path, names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        Image.new("RGB", (8, 8), (40 * number, 0, 0)).save(folder / name)


def test_stored_images_are_found_by_dialogue_and_round(tmp_path: Path) -> None:
    save_stored(tmp_path, ["17_0.jpg", "17_3.jpg", "18_3.jpg"])
    generator = StoredImageGenerator(tmp_path)
    requests = [ImageRequest("p", seed=n, dialogue_id="17", round=3, number=n) for n in range(4)]
    [made] = generator.generate(requests)
    assert (made.prompt, made.seed, made.cached) == ("p", 0, True)
    assert made.image.mode == "RGB"
    np.testing.assert_allclose(made.image.getpixel((4, 4)), (40, 0, 0), atol=3)


def test_stored_images_may_be_several_a_round(tmp_path: Path) -> None:
    save_stored(tmp_path, [f"a_1_{number}.png" for number in range(3)])
    generator = StoredImageGenerator(tmp_path, "{dialogue_id}_{round}_{number}.png")
    requests = [ImageRequest("p", dialogue_id="a", round=1, number=number) for number in range(3)]
    made = generator.generate(requests)
    assert [image.image.getpixel((0, 0))[0] for image in made] == [0, 40, 80]
    assert (
        generator.fingerprint
        == StoredImageGenerator(tmp_path, "{dialogue_id}_{round}_{number}.png").fingerprint
    )
    assert generator.fingerprint != StoredImageGenerator(tmp_path).fingerprint


def test_a_missing_stored_image_is_named(tmp_path: Path) -> None:
    save_stored(tmp_path, ["17_0.jpg"])
    with pytest.raises(GenerationError, match=r"17_1\.jpg") as error:
        StoredImageGenerator(tmp_path).generate([ImageRequest("p", dialogue_id="17", round=1)])
    assert "{dialogue_id}_{round}.jpg" in str(error.value)


def test_a_missing_folder_of_stored_images_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="not there"):
        StoredImageGenerator(tmp_path / "not there")


class CountingGenerator:
    """Draws a colour with noise from prompt, negative prompt and seed, and counts what it drew."""

    def __init__(self, fingerprint: str = "counting") -> None:
        self.fingerprint = fingerprint
        self.asked: list[ImageRequest] = []

    def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        self.asked += requests
        return [GeneratedImage(self._draw(r), r.prompt, r.seed) for r in requests]

    def _draw(self, request: ImageRequest) -> Image.Image:
        parts = f"{self.fingerprint}|{request.prompt}|{request.negative_prompt}|{request.seed}"
        digest = hashlib.sha256(parts.encode()).digest()
        noise = np.random.default_rng(list(digest)).integers(0, 30, (16, 16, 3))
        return Image.fromarray((noise + np.array(list(digest[:3])) * 0.8).astype(np.uint8))


def folder_or_none(where: str, tmp_path: Path) -> Path | None:
    return tmp_path / "made" / "here" if where == "disk" else None


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_a_repeated_request_generates_nothing(where: str, tmp_path: Path) -> None:
    inner = CountingGenerator()
    cache = CachedGenerator(inner, folder_or_none(where, tmp_path))
    first = cache.generate(REQUESTS)
    again = cache.generate(REQUESTS)
    assert len(inner.asked) == 3
    assert [image.cached for image in first + again] == [False] * 3 + [True] * 3
    assert [(image.prompt, image.seed) for image in again] == [(r.prompt, r.seed) for r in REQUESTS]
    assert all(difference(*pair) == 0 for pair in zip(first, again, strict=True))


def test_only_what_is_missing_is_generated_and_the_order_stays() -> None:
    inner = CountingGenerator()
    cache = CachedGenerator(inner)
    cache.generate([REQUESTS[1]])
    made = cache.generate(REQUESTS)
    assert inner.asked == [REQUESTS[1], REQUESTS[0], REQUESTS[2]]
    assert [image.cached for image in made] == [False, True, False]
    expected = CountingGenerator().generate(REQUESTS)
    assert all(difference(*pair) == 0 for pair in zip(made, expected, strict=True))


def test_the_key_is_fingerprint_prompt_negative_prompt_and_seed(tmp_path: Path) -> None:
    inner = CountingGenerator()
    cache = CachedGenerator(inner, tmp_path)
    base = ImageRequest("a", "b", 1, "dialogue", 2, 3)
    cache.generate([base])
    cache.generate([ImageRequest("a", "b", 1, "another dialogue", 5, 0)])
    assert len(inner.asked) == 1
    others = [ImageRequest("x", "b", 1), ImageRequest("a", "x", 1), ImageRequest("a", "b", 2)]
    others.append(ImageRequest("ab", "", 1))
    cache.generate(others)
    assert len(inner.asked) == 5
    another = CountingGenerator("another model")
    [made] = CachedGenerator(another, tmp_path).generate([base])
    assert not made.cached
    assert CachedGenerator(another).fingerprint == "another model"


def test_images_on_disk_outlive_the_process(tmp_path: Path) -> None:
    first = CachedGenerator(CountingGenerator(), tmp_path).generate(REQUESTS)
    inner = CountingGenerator()
    again = CachedGenerator(inner, tmp_path).generate(REQUESTS)
    assert inner.asked == []
    assert all(image.cached for image in again)
    assert all(difference(*pair) == 0 for pair in zip(first, again, strict=True))
    assert sorted({path.suffix for path in tmp_path.iterdir()}) == [".png"]


@pytest.mark.parametrize("damage", [b"", b"no image", None])
def test_a_broken_file_is_made_anew(damage: bytes | None, tmp_path: Path) -> None:
    [first] = CachedGenerator(CountingGenerator(), tmp_path).generate(REQUESTS[:1])
    [file] = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:300] if damage is None else damage)
    inner = CountingGenerator()
    [again] = CachedGenerator(inner, tmp_path).generate(REQUESTS[:1])
    assert len(inner.asked) == 1
    assert difference(first, again) == 0
    assert CachedGenerator(CountingGenerator(), tmp_path).generate(REQUESTS[:1])[0].cached


def test_the_image_used_longest_ago_goes_first() -> None:
    inner = CountingGenerator()
    cache = CachedGenerator(inner, capacity=2)
    for number in (0, 1, 0, 2):  # the third use saves image 0, so image 1 goes
        cache.generate([REQUESTS[number]])
    assert len(inner.asked) == 3
    assert [cache.generate([REQUESTS[number]])[0].cached for number in (0, 2, 1)] == [
        True,
        True,
        False,
    ]


def test_a_small_memory_still_answers_large_requests(tmp_path: Path) -> None:
    inner = CountingGenerator()
    cache = CachedGenerator(inner, tmp_path, capacity=1)
    assert len(cache.generate(REQUESTS)) == 3
    assert all(image.cached for image in cache.generate(REQUESTS))
    assert len(inner.asked) == 3


def test_threads_may_ask_for_the_same_image_at_once(tmp_path: Path) -> None:
    class Together(CountingGenerator):
        barrier = threading.Barrier(4)

        def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
            self.barrier.wait(timeout=10)
            return super().generate(requests)

    cache = CachedGenerator(Together(), tmp_path)
    made: list[GeneratedImage] = []
    requests = [ImageRequest("the same", seed=seed) for seed in range(8)]
    threads = [
        threading.Thread(target=lambda: made.extend(cache.generate(requests))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 32
    assert len(list(tmp_path.glob("*.png"))) == 8
    assert not list(tmp_path.glob("*.part"))


def test_a_failure_is_not_remembered() -> None:
    class Failing(CountingGenerator):
        fails = True

        def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
            if self.fails:
                raise GenerationError("out of memory")
            return super().generate(requests)

    inner = Failing()
    cache = CachedGenerator(inner)
    with pytest.raises(GenerationError):
        cache.generate(REQUESTS)
    inner.fails = False
    assert [image.cached for image in cache.generate(REQUESTS)] == [False] * 3


class ShortGenerator(CountingGenerator):
    """Memory suffices for so many images a call."""

    def __init__(self, fits: int) -> None:
        super().__init__()
        self._fits = fits

    def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        return super().generate(requests[: self._fits])


def test_requests_without_an_image_are_left_out_and_asked_for_again(tmp_path: Path) -> None:
    inner = ShortGenerator(2)
    cache = CachedGenerator(inner, tmp_path)
    expected = CountingGenerator().generate(REQUESTS)

    short = cache.generate(REQUESTS)
    whole = cache.generate(REQUESTS)

    assert [image.seed for image in short] == [1, 2]
    assert [(image.seed, image.cached) for image in whole] == [(1, True), (2, True), (3, False)]
    assert inner.asked == REQUESTS
    assert all(difference(*pair) == 0 for pair in zip(whole, expected, strict=True))


def test_a_repeated_request_shares_its_image_or_its_lack_of_one() -> None:
    first, second, third = REQUESTS
    cache = CachedGenerator(ShortGenerator(1))
    cache.generate([third])

    made = cache.generate([first, second, first, third, second])

    assert [(image.seed, image.cached) for image in made] == [(1, False), (1, False), (3, True)]


def test_a_cache_behind_a_cache_gives_every_request_its_own_image() -> None:
    inner = CachedGenerator(ShortGenerator(1))
    inner.generate([REQUESTS[2]])
    outer = CachedGenerator(inner)
    expected = CountingGenerator().generate(REQUESTS)

    # The inner one has the first and the last, and none between them.
    made = outer.generate(REQUESTS)
    again = outer.generate(REQUESTS)

    assert [image.seed for image in made] == [1, 3]
    assert difference(made[1], expected[2]) == 0
    assert [image.seed for image in again] == [1, 2, 3]
    assert all(difference(*pair) == 0 for pair in zip(again, expected, strict=True))


def test_a_folder_that_cannot_be_written_costs_no_image(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "made"
    cache = CachedGenerator(CountingGenerator(), folder)
    folder.rmdir()
    folder.write_text("a file where the folder was")

    made = cache.generate(REQUESTS)

    assert len(made) == 3
    assert all(image.cached for image in cache.generate(REQUESTS))
    (record,) = caplog.records
    assert str(folder) in record.getMessage()


def test_images_of_any_mode_are_kept(tmp_path: Path) -> None:
    class Printing(CountingGenerator):
        def _draw(self, request: ImageRequest) -> Image.Image:
            return super()._draw(request).convert("CMYK")

    CachedGenerator(Printing(), tmp_path).generate(REQUESTS)
    inner = Printing()

    assert len(CachedGenerator(inner, tmp_path).generate(REQUESTS)) == 3
    assert inner.asked == []


def test_a_tight_pipeline_behind_the_cache(checkpoint: Checkpoint) -> None:
    tight = Tight(checkpoint("stable_diffusion"), 0)
    cache = CachedGenerator(tight.generator)
    with pytest.raises(GenerationError, match="not a single image"):
        cache.generate(REQUESTS)
    tight.fits = 1

    assert [image.cached for image in cache.generate(REQUESTS)] == [False] * 3


def test_a_pipeline_behind_the_cache(checkpoint: Checkpoint, tmp_path: Path) -> None:
    first = CachedGenerator(open_pipeline(checkpoint("stable_diffusion")), tmp_path)
    made = first.generate(REQUESTS)
    again = CachedGenerator(open_pipeline(checkpoint("stable_diffusion")), tmp_path)
    found = again.generate(REQUESTS)
    assert all(image.cached for image in found)
    assert all(difference(*pair) == 0 for pair in zip(made, found, strict=True))
    assert len(list(tmp_path.iterdir())) == 3


async def test_a_pipeline_stops_between_steps_when_nobody_waits(
    pipeline: DiffusersGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, gone, outcome = threading.Event(), threading.Event(), queue.SimpleQueue()
    scheduler = pipeline._pipeline.scheduler
    step = scheduler.step

    def one_step(*arguments: Any, **options: Any) -> Any:
        begun.set()
        assert gone.wait(10)
        return step(*arguments, **options)

    def generate() -> Iterator[None]:
        try:
            outcome.put(pipeline.generate(REQUESTS[:1]))
        except GenerationError as error:
            outcome.put(error)
        yield

    async def consume() -> None:
        async for _ in in_threads(generate()):
            pass

    monkeypatch.setattr(scheduler, "step", one_step)
    task = asyncio.ensure_future(consume())
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gone.set()

    stopped = await asyncio.to_thread(outcome.get, timeout=10)
    assert isinstance(stopped, GenerationError)
    assert "nobody waits" in str(stopped)
    monkeypatch.undo()
    assert len(pipeline.generate(REQUESTS[:1])) == 1
