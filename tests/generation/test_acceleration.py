"""What makes pipelines faster or smaller: applied for real, and the images stay the same."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMPipeline, DDIMScheduler, UNet2DModel

from dar_retriever import (
    Acceleration,
    DiffusersGenerator,
    GeneratedImage,
    GenerationError,
    ImageRequest,
    InvalidInputError,
    open_generator,
)
from dar_retriever.generation.acceleration import _offload, place

PIPELINES = ["stable_diffusion", "stable_diffusion_xl", "stable_diffusion_3", "flux"]
CPU = torch.device("cpu")
REQUESTS = [
    ImageRequest("a red dress", seed=1),
    ImageRequest("a long green coat with a hood", seed=2),
    ImageRequest("blue", seed=3),
]

Checkpoint = Callable[[str], str]
Plain = Callable[[str], tuple[str, list[GeneratedImage]]]


def opened(folder: str, acceleration: Acceleration | None = None, **options: Any) -> Any:
    settings = {"steps": 2, "size": (32, 24), "device": "cpu", **options}
    return DiffusersGenerator(folder, acceleration=acceleration, **settings)


@pytest.fixture(scope="module")
def plain(checkpoint: Checkpoint) -> Plain:
    """The fingerprint and the images of each pipeline as it is."""

    @functools.cache
    def made(name: str) -> tuple[str, list[GeneratedImage]]:
        generator = opened(checkpoint(name))
        return generator.fingerprint, generator.generate(REQUESTS)

    return made


def furthest(left: list[GeneratedImage], right: list[GeneratedImage]) -> int:
    pairs = zip(left, right, strict=True)
    arrays = ((np.asarray(a.image).astype(int), np.asarray(b.image)) for a, b in pairs)
    return max(int(np.abs(a - b).max()) for a, b in arrays)


def denoiser(generator: Any) -> torch.nn.Module:
    pipeline = generator._pipeline
    return getattr(pipeline, "unet", None) or pipeline.transformer


def wide_convolutions(model: torch.nn.Module) -> list[torch.nn.Conv2d]:
    # Of a single channel or pixel both orders are the same.
    layers = [module for module in model.modules() if isinstance(module, torch.nn.Conv2d)]
    return [layer for layer in layers if min(layer.weight.shape[1:]) > 1]


def batches_of(module: torch.nn.Module) -> list[int]:
    """Grows by the batch size of every call."""
    sizes: list[int] = []
    module.register_forward_hook(lambda _module, inputs, _output: sizes.append(len(inputs[0])))
    return sizes


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize(
    "acceleration",
    [
        Acceleration(channels_last=True),
        Acceleration(vae_slicing=True),
        Acceleration(vae_tiling=True),
        Acceleration(channels_last=True, vae_slicing=True, vae_tiling=True),
    ],
    ids=["channels_last", "vae_slicing", "vae_tiling", "all three"],
)
def test_images_and_fingerprint_stay_the_same(
    name: str, acceleration: Acceleration, checkpoint: Checkpoint, plain: Plain
) -> None:
    fingerprint, images = plain(name)
    generator = opened(checkpoint(name), acceleration)

    assert generator.fingerprint == fingerprint
    assert furthest(generator.generate(REQUESTS), images) <= 2


@pytest.mark.parametrize(
    "acceleration", [Acceleration(channels_last=True), Acceleration(channels_last=False)]
)
def test_convolutions_keep_their_channels_last(
    acceleration: Acceleration, checkpoint: Checkpoint
) -> None:
    generator = opened(checkpoint("stable_diffusion"), acceleration)

    for model in (generator._pipeline.unet, generator._pipeline.vae):
        last = [
            layer.weight.is_contiguous(memory_format=torch.channels_last)
            for layer in wide_convolutions(model)
        ]
        assert len(last) > 5
        assert set(last) == {acceleration.channels_last}


@pytest.mark.parametrize(
    ("acceleration", "batches"),
    [(Acceleration(vae_slicing=True), [1, 1, 1]), (Acceleration(), [3])],
)
def test_sliced_images_are_decoded_one_by_one(
    acceleration: Acceleration, batches: list[int], checkpoint: Checkpoint
) -> None:
    generator = opened(checkpoint("stable_diffusion"), acceleration)
    decoded = batches_of(generator._pipeline.vae.decoder)

    generator.generate(REQUESTS)

    assert decoded == batches


def test_large_images_are_decoded_in_tiles(checkpoint: Checkpoint) -> None:
    folder = checkpoint("stable_diffusion")
    tiled = opened(folder, Acceleration(vae_tiling=True), size=(64, 48))
    decoded = batches_of(tiled._pipeline.vae.decoder)

    [image] = tiled.generate(REQUESTS[:1])
    [whole] = opened(folder, size=(64, 48)).generate(REQUESTS[:1])

    assert len(decoded) > 1
    assert image.image.size == (64, 48)
    difference = np.asarray(image.image).astype(int) - np.asarray(whole.image)
    assert np.abs(difference).mean() < 8


def test_the_denoiser_is_compiled(
    checkpoint: Checkpoint, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The same tracing without a C++ compiler's work, which takes a minute or two here.
    traced = functools.partialmethod(torch.nn.Module.compile, backend="aot_eager")
    monkeypatch.setattr(torch.nn.Module, "compile", traced)
    torch._dynamo.reset()
    counters = torch._dynamo.utils.counters
    counters.clear()
    # Of the four, the one with the fewest operations to trace.
    fingerprint, images = plain("stable_diffusion_3")

    generator = opened(checkpoint("stable_diffusion_3"), Acceleration(compile=True))
    made = generator.generate(REQUESTS)

    assert furthest(made, images) <= 2
    assert generator.fingerprint == fingerprint
    # A frame may be traced again where a guard fails; the graph is one.
    assert counters["frames"]["ok"] >= 1
    assert counters["stats"]["unique_graphs"] == 1


@pytest.mark.parametrize("name", PIPELINES)
def test_whole_models_are_offloaded(name: str, checkpoint: Checkpoint, plain: Plain) -> None:
    generator = opened(checkpoint(name))
    # The CPU stands in for the accelerator: the same hooks move weights to where they are.
    _offload(generator._pipeline, CPU, "model")

    assert len(generator._pipeline._all_hooks) >= 3
    for _ in range(2):
        assert furthest(generator.generate(REQUESTS), plain(name)[1]) == 0


def test_offloaded_models_go_back_after_a_failure(checkpoint: Checkpoint, plain: Plain) -> None:
    generator = opened(checkpoint("stable_diffusion"))
    _offload(generator._pipeline, CPU, "model")
    before = generator._pipeline._all_hooks

    with pytest.raises(GenerationError):
        generator.generate([ImageRequest(None, seed=1)])  # type: ignore[arg-type]

    # Each call that ends well takes the hooks off, with what they left behind, and adds new ones.
    assert generator._pipeline._all_hooks is not before
    assert furthest(generator.generate(REQUESTS), plain("stable_diffusion")[1]) == 0


@pytest.mark.parametrize("name", PIPELINES)
def test_single_layers_are_offloaded(name: str, checkpoint: Checkpoint) -> None:
    generator = opened(checkpoint(name))
    _offload(generator._pipeline, CPU, "sequential")

    assert {weight.device.type for weight in denoiser(generator).parameters()} == {"meta"}


@pytest.mark.parametrize("offload", ["model", "sequential"])
def test_there_is_nothing_to_offload_from_on_a_cpu(offload: Any) -> None:
    with pytest.raises(InvalidInputError, match=f"offload='{offload}' on device 'cpu'") as error:
        DiffusersGenerator("never opened", device="cpu", acceleration=Acceleration(offload=offload))
    assert "device='cuda'" in str(error.value)


def test_meaningless_options_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="offload='disk' is not one of none, model"):
        Acceleration(offload="disk")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="offload='model', or compile=False"):
        Acceleration(compile=True, offload="sequential")


def test_channels_go_last_where_it_is_faster() -> None:
    cuda = torch.device("cuda")
    assert Acceleration().on(cuda) == Acceleration(channels_last=True)
    assert Acceleration().on(CPU) == Acceleration(channels_last=False)
    assert Acceleration(channels_last=True).on(CPU).channels_last is True
    assert Acceleration(channels_last=False).on(cuda).channels_last is False
    assert Acceleration(offload="model").on(torch.device("mps")).offload == "model"


@pytest.mark.parametrize("option", ["vae_slicing", "vae_tiling"])
def test_a_pipeline_without_an_autoencoder_is_named(option: str) -> None:
    unet = UNet2DModel(
        sample_size=8,
        block_out_channels=(8,),
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
        norm_num_groups=2,
    )
    pixels = DDIMPipeline(unet, DDIMScheduler())

    with pytest.raises(InvalidInputError, match=f"{option}=True: DDIMPipeline"):
        place(pixels, CPU, Acceleration(**{option: True}).on(CPU))
    place(pixels, CPU, Acceleration(channels_last=True).on(CPU))
    layers = wide_convolutions(unet)
    assert all(layer.weight.is_contiguous(memory_format=torch.channels_last) for layer in layers)


def test_a_pipeline_without_a_denoiser_is_named() -> None:
    pipeline = SimpleNamespace(to=lambda _device: None)

    with pytest.raises(InvalidInputError, match="no unet or transformer"):
        place(pipeline, CPU, Acceleration(compile=True).on(CPU))


def test_presets_pass_it_on() -> None:
    with pytest.raises(InvalidInputError, match="offload='model'"):
        open_generator("demo", device="cpu", acceleration=Acceleration(offload="model"))

    sliced: Any = open_generator("demo", device="cpu", acceleration=Acceleration(vae_slicing=True))
    plain = open_generator("demo", device="cpu")
    assert sliced.fingerprint == plain.fingerprint
    while hasattr(sliced, "_generator"):
        sliced = sliced._generator
    assert sliced._pipeline.vae.use_slicing
