"""Images from any text-to-image pipeline of diffusers."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from itertools import groupby
from threading import Lock
from typing import Any

from dar_retriever.devices import choose_device, choose_dtype
from dar_retriever.errors import GenerationError, InvalidInputError
from dar_retriever.generation.base import GeneratedImage, ImageRequest
from dar_retriever.model_files import fingerprint_of, loading
from dar_retriever.threads import stop_requested


class DiffusersGenerator:
    """Generates with a pipeline in diffusers' format, opened at construction.

    Args:
        model: Hub id or local folder.
        steps: Denoising steps.
        guidance: Classifier-free guidance scale; distilled models want 0 or 1.
        size: Width and height in pixels, the pipeline's own by default.
        device: "cuda", "mps", "cpu"; the best there is by default.
        dtype: "float16", "bfloat16", "float32"; by device by default.
        variant: Weight file variant on the hub, such as "fp16".
        batch_size: The most images made at once.

    Raises:
        ModelLoadError: The pipeline cannot be opened.
        InvalidInputError: ``steps``, ``size`` or ``batch_size`` below 1.
    """

    def __init__(
        self,
        model: str,
        *,
        steps: int = 20,
        guidance: float = 5.0,
        size: tuple[int, int] | None = None,
        device: str | None = None,
        dtype: str | None = None,
        variant: str | None = None,
        batch_size: int = 8,
    ) -> None:
        if min(steps, batch_size, *(size or (1, 1))) < 1:
            raise InvalidInputError(
                f"steps={steps}, batch_size={batch_size}, size={size}: all must be at least 1"
            )
        self._device = choose_device(device)
        self._batch_size = batch_size
        self._options: dict[str, Any] = {"num_inference_steps": steps, "guidance_scale": guidance}
        if size is not None:
            self._options |= {"width": size[0], "height": size[1]}
        with loading("the text-to-image pipeline", model):
            import torch

            self._pipeline = _open_pipeline(model, choose_dtype(dtype, self._device), variant)
            self._pipeline.to(self._device)
        self._pipeline.set_progress_bar_config(disable=True)
        self._takes = frozenset(inspect.signature(self._pipeline.__call__).parameters)
        self._lock = Lock()
        parts = [part for _, part in sorted(self._pipeline.components.items())]
        self._fingerprint = fingerprint_of(
            json.dumps({"scheduler": str(self._pipeline.scheduler.config), **self._options}),
            *(part for part in parts if isinstance(part, torch.nn.Module)),
        )

    @property
    def fingerprint(self) -> str:
        """See ``ImageGenerator``."""
        return self._fingerprint

    def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        """See ``ImageGenerator``. Safe to call from several threads; they take turns."""
        with self._lock:
            _go_on()
            made: list[GeneratedImage] = []
            # SDXL takes an empty negative prompt for something else than none at all.
            for _, group in groupby(requests, lambda request: bool(request.negative_prompt)):
                alike = list(group)
                for start in range(0, len(alike), self._batch_size):
                    made += self._run(alike[start : start + self._batch_size])
            return made

    def _run(self, batch: Sequence[ImageRequest]) -> list[GeneratedImage]:
        import torch

        options = dict(self._options)
        if "negative_prompt" in self._takes and batch[0].negative_prompt:
            options["negative_prompt"] = [request.negative_prompt for request in batch]
        if "callback_on_step_end" in self._takes:
            options["callback_on_step_end"] = _after_step
        # Noise drawn on the CPU is the same on every device.
        noise = [torch.Generator("cpu").manual_seed(request.seed) for request in batch]
        prompts = [request.prompt for request in batch]
        try:
            with torch.inference_mode():
                made = self._pipeline(
                    prompt=prompts, generator=noise, output_type="pil", **options
                ).images
        # A pipeline may fail in any of its libraries; out of memory is a RuntimeError too.
        except Exception as error:
            raise GenerationError(
                f"the pipeline failed on {prompts!r} ({type(error).__name__}: {error}); try fewer "
                "images, a smaller size or another model"
            ) from error
        return [
            GeneratedImage(image.convert("RGB"), request.prompt, request.seed)
            for image, request in zip(made, batch, strict=True)
        ]


def _go_on() -> None:
    """Stop where nobody waits any more."""
    if stop_requested():
        raise GenerationError("stopped: nobody waits for the images any more")


def _after_step(_pipeline: Any, _step: int, _time: Any, values: dict[str, Any]) -> dict[str, Any]:
    _go_on()
    return values


def _open_pipeline(model: str, dtype: Any, variant: str | None) -> Any:
    from diffusers import AutoPipelineForText2Image, DiffusionPipeline

    options = {"dtype": dtype, "variant": variant, "use_safetensors": True}
    try:
        return AutoPipelineForText2Image.from_pretrained(model, **options)
    except ValueError:
        # Pipelines that the automatic table does not list name their own class.
        return DiffusionPipeline.from_pretrained(model, **options)
