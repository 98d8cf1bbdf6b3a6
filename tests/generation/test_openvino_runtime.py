"""Denoisers in OpenVINO: the same images, and PyTorch where it fails."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from dar_retriever import (
    Acceleration,
    BatchingGenerator,
    CachedGenerator,
    DARQueryEncoder,
    DiffusersGenerator,
    GeneratedImage,
    ImageRequest,
    InvalidInputError,
    MissingExtraError,
    OpenClipEncoder,
)
from dar_retriever.generation import openvino_runtime
from dar_retriever.generation.acceleration import place

IN_OPENVINO = Acceleration(runtime="openvino")
REQUESTS = [
    ImageRequest("a red dress", seed=1),
    ImageRequest("a long green coat with a hood", seed=2),
]

Checkpoint = Callable[[str], str]


@pytest.fixture
def openvino() -> None:
    pytest.importorskip("openvino", reason="OpenVINO is large and optional (extra: openvino)")


def opened(folder: str, acceleration: Acceleration | None = None, **options: Any) -> Any:
    settings = {"steps": 2, "size": (32, 24), "device": "cpu", **options}
    return DiffusersGenerator(folder, acceleration=acceleration, **settings)


def furthest(left: list[GeneratedImage], right: list[GeneratedImage]) -> int:
    pairs = zip(left, right, strict=True)
    arrays = ((np.asarray(a.image).astype(int), np.asarray(b.image)) for a, b in pairs)
    return max(int(np.abs(a - b).max()) for a, b in arrays)


@pytest.mark.usefixtures("openvino")
@pytest.mark.parametrize("name", ["stable_diffusion", "stable_diffusion_3", "flux"])
def test_images_and_fingerprint_stay_the_same(name: str, checkpoint: Checkpoint) -> None:
    plain = opened(checkpoint(name))
    faster = opened(checkpoint(name), IN_OPENVINO)

    drawn = faster.generate(REQUESTS)
    assert furthest(drawn, plain.generate(REQUESTS)) <= 2
    assert faster.fingerprint == plain.fingerprint
    assert [image.instead for image in drawn] == ["", ""]


@pytest.mark.usefixtures("openvino")
def test_it_compiles_once_for_each_shape(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[Any] = []
    compile_ = openvino_runtime._compile

    def counted(*args: Any) -> Any:
        compiled.append(compile_(*args))
        return compiled[-1]

    monkeypatch.setattr(openvino_runtime, "_compile", counted)
    generator = opened(checkpoint("stable_diffusion"), IN_OPENVINO)
    generator.generate([*REQUESTS, ImageRequest("blue", seed=3)])
    assert len(compiled) == 1

    denoiser, latents = generator._pipeline.unet, torch.zeros(1, 4, 8, 8)
    caption = torch.zeros(1, 77, denoiser.config.cross_attention_dim)
    with torch.no_grad():
        [made] = denoiser(latents, torch.tensor(5), caption, return_dict=False)
        whole = denoiser(latents, torch.tensor(5), caption)
    assert len(compiled) == 2
    assert torch.allclose(made, whole.sample, atol=1e-4)


@pytest.mark.usefixtures("openvino")
def test_torch_goes_on_where_it_fails_and_the_trace_says_so(
    checkpoint: Checkpoint,
    tiny_encoder: OpenClipEncoder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(*_: Any) -> Any:
        raise RuntimeError("no such operation")

    monkeypatch.setattr(openvino_runtime, "_compile", fails)
    plain = opened(checkpoint("stable_diffusion"))
    generator = opened(checkpoint("stable_diffusion"), IN_OPENVINO)
    drawn = generator.generate(REQUESTS)

    assert furthest(drawn, plain.generate(REQUESTS)) == 0
    queries = DARQueryEncoder(tiny_encoder, CachedGenerator(BatchingGenerator(generator)))
    for words in ("a red dress", "a green coat"):
        assert queries.encode(words).trace.fallbacks == (drawn[0].instead,)
    assert caplog.text.count(drawn[0].instead) == 1
    assert drawn[0].instead == (
        "OpenVINO does not run UNet2DConditionModel, PyTorch draws instead: "
        "RuntimeError: no such operation"
    )


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"dar-retriever\[openvino\]"):
        DiffusersGenerator("never opened", device="cpu", acceleration=IN_OPENVINO)


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="runtime='onnx' is not one of torch, openvino"):
        Acceleration(runtime="onnx")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="both compile"):
        Acceleration(runtime="openvino", compile=True)
    with pytest.raises(InvalidInputError, match="it serves CPUs"):
        IN_OPENVINO.on(torch.device("cuda"))


@pytest.mark.usefixtures("openvino")
def test_a_pipeline_without_a_denoiser_is_named() -> None:
    class Empty:
        def to(self, _device: Any) -> None:
            pass

    with pytest.raises(InvalidInputError, match="runtime='openvino': Empty has no unet or"):
        place(Empty(), torch.device("cpu"), IN_OPENVINO.on(torch.device("cpu")))
