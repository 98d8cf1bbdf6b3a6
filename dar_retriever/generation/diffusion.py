"""Images from any text-to-image pipeline of diffusers."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Hashable, Sequence
from functools import cached_property
from itertools import takewhile
from threading import Lock
from typing import Any, Final

from dar_retriever.errors import GenerationError, InvalidInputError, ModelLoadError
from dar_retriever.generation.acceleration import Acceleration, place
from dar_retriever.generation.base import GeneratedImage, ImageRequest
from dar_retriever.generation.memory import ran_out_of_memory, release_memory
from dar_retriever.generation.starting import StartingPipeline
from dar_retriever.support.devices import choose_device, choose_dtype
from dar_retriever.support.model_files import fingerprint_of, loading
from dar_retriever.support.threads import stop_requested

_LOGGER: Final = logging.getLogger(__name__)


class _OutOfMemoryError(Exception):
    """A batch does not fit in memory."""


class DiffusersGenerator:
    """Generates images with a pipeline in diffusers' format, opened at construction.

    If a batch does not fit in memory, the batch size is halved for this and all later calls.
    Requests with a starting picture go through the pipeline's image-to-image sibling, which shares
    its weights. Where diffusers has none, they are drawn from noise and the trace says so.

    Args:
        model: Hub id or local folder.
        steps: Number of denoising steps.
        guidance: Classifier-free guidance scale; distilled models need 0 or 1.
        size: Width and height in pixels; the pipeline's own size by default.
        device: "cuda", "mps" or "cpu"; the best one available by default.
        dtype: "float16", "bfloat16" or "float32"; by default half precision on accelerators.
        variant: Weight file variant on the hub, such as "fp16".
        decoder: Hub id or folder of an ``AutoencoderTiny`` that decodes in place of the pipeline's
            own autoencoder: much faster on CPUs, a little less sharp.
        batch_size: Maximum number of images made at once.
        acceleration: Makes generation faster, or saves memory.

    Raises:
        ModelLoadError: The pipeline cannot be opened.
        InvalidInputError: ``steps``, ``size`` or ``batch_size`` is below 1, or the device or the
            pipeline does not support the acceleration.
        MissingExtraError: The acceleration needs a package that is not installed.
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
        decoder: str | None = None,
        batch_size: int = 8,
        acceleration: Acceleration | None = None,
    ) -> None:
        if min(steps, batch_size, *(size or (1, 1))) < 1:
            raise InvalidInputError(
                f"steps={steps}, batch_size={batch_size}, size={size}: all must be at least 1"
            )
        self._device = choose_device(device)
        acceleration = (acceleration or Acceleration()).on(self._device)
        # What OpenVINO compiles is of one batch size, and a CPU gains nothing by larger ones.
        self._batch_size = 1 if acceleration.runtime == "openvino" else batch_size
        self._options: dict[str, Any] = {"num_inference_steps": steps, "guidance_scale": guidance}
        if size is not None:
            self._options |= {"width": size[0], "height": size[1]}
        with loading("the text-to-image pipeline", model):
            chosen = choose_dtype(dtype, self._device)
            self._pipeline = _open_pipeline(model, chosen, variant, decoder)
            # Before offloading, because offloaded weights cannot be read.
            self._fingerprint = _fingerprint(self._pipeline, self._options)
            self._in_openvino = place(self._pipeline, self._device, acceleration)
        self._pipeline.set_progress_bar_config(disable=True)
        self._takes = frozenset(inspect.signature(self._pipeline.__call__).parameters)
        self._lock = Lock()

    @property
    def fingerprint(self) -> str:
        """See ``ImageGenerator``."""
        return self._fingerprint

    def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        """See ``ImageGenerator``. Safe to call from several threads; they take turns."""
        with self._lock:
            _go_on()
            made: list[GeneratedImage] = []
            while len(made) < len(requests):
                batch = self._alike(requests[len(made) : len(made) + self._batch_size])
                try:
                    made += self._run(batch)
                except _OutOfMemoryError as error:
                    if len(batch) == 1:
                        if made:
                            return made
                        raise self._no_room(error) from None
                    self._batch_size = len(batch) // 2
                    _LOGGER.warning(
                        "%d images at once do not fit in the memory of %r (%s); from now on %d",
                        len(batch),
                        str(self._device),
                        error,
                        self._batch_size,
                    )
            return made

    def _run(self, batch: Sequence[ImageRequest]) -> list[GeneratedImage]:
        try:
            return self._call(batch)
        # A pipeline can fail in any of its libraries.
        except Exception as error:
            # A pipeline that failed or was stopped has not offloaded its models again.
            self._pipeline.maybe_free_model_hooks()
            if not ran_out_of_memory(error):
                prompts = [request.prompt for request in batch]
                raise GenerationError(
                    f"the pipeline failed on {prompts!r} ({type(error).__name__}: {error}); try "
                    "fewer images, a smaller size or another model"
                ) from error
            reason = f"{type(error).__name__}: {str(error)[:200]}"
        release_memory(self._device)
        raise _OutOfMemoryError(reason)

    def _call(self, batch: Sequence[ImageRequest]) -> list[GeneratedImage]:
        import torch

        pipeline, options, takes = self._pipeline, dict(self._options), self._takes
        wanted, instead = batch[0].start is not None, list[str]()
        starting = self._starting if wanted else None
        if starting is not None:
            pipeline, options = starting.pipeline, starting.call_options(batch)
            takes = starting.takes
        elif wanted:
            instead.append(f"{type(pipeline).__name__} cannot draw from pictures, drawn from noise")
        if "negative_prompt" in takes and batch[0].negative_prompt:
            options["negative_prompt"] = [request.negative_prompt for request in batch]
        if "callback_on_step_end" in takes:
            options["callback_on_step_end"] = _after_step
        # Random numbers from the CPU are the same on every device.
        noise = [torch.Generator("cpu").manual_seed(request.seed) for request in batch]
        prompts = [request.prompt for request in batch]
        # Not inference mode: it marks the weights that offloading moves, which forces a recompile.
        with torch.no_grad():
            made = pipeline(prompt=prompts, generator=noise, output_type="pil", **options).images
        instead += [part.failure for part in self._in_openvino if part.failure]
        return [
            GeneratedImage(
                image.convert("RGB"),
                request.prompt,
                request.seed,
                instead="; ".join(instead),
                start=request.start.id if starting and request.start else "",
            )
            for image, request in zip(made, batch, strict=True)
        ]

    @cached_property
    def _starting(self) -> StartingPipeline | None:
        """Draws from pictures; None if this pipeline cannot."""
        try:
            return StartingPipeline(self._pipeline, self._options)
        except ValueError:
            return None

    def _alike(self, requests: Sequence[ImageRequest]) -> list[ImageRequest]:
        """The first requests, as many as can share one call of the pipeline."""
        first = self._kind(requests[0])
        return list(takewhile(lambda request: self._kind(request) == first, requests))

    def _kind(self, request: ImageRequest) -> Hashable:
        # SDXL treats an empty negative prompt differently from no negative prompt.
        ruled_out, start = bool(request.negative_prompt), request.start
        if start is None:
            return ruled_out, None
        return ruled_out, True, self._starting and self._starting.kind(start)

    def _no_room(self, error: _OutOfMemoryError) -> GenerationError:
        size = self._options.get("width"), self._options.get("height")
        shape = "its own size" if None in size else f"size={size}"
        return GenerationError(
            f"not a single image of {shape} fits in the memory of device={str(self._device)!r} "
            f"({error}); try a smaller size, acceleration=Acceleration(offload='model') on an "
            "accelerator, or fewer other models on the device"
        )


def _fingerprint(pipeline: Any, options: dict[str, Any]) -> str:
    import torch

    parts = [part for _, part in sorted(pipeline.components.items())]
    return fingerprint_of(
        json.dumps({"scheduler": str(pipeline.scheduler.config), **options}),
        *(part for part in parts if isinstance(part, torch.nn.Module)),
    )


def _go_on() -> None:
    """Raise an error if nobody waits for the images any more."""
    if stop_requested():
        raise GenerationError("stopped: nobody waits for the images any more")


def _after_step(_pipeline: Any, _step: int, _time: Any, values: dict[str, Any]) -> dict[str, Any]:
    _go_on()
    return values


def _open_pipeline(model: str, dtype: Any, variant: str | None, decoder: str | None) -> Any:
    from diffusers import AutoencoderTiny, AutoPipelineForText2Image, DiffusionPipeline

    options = {"dtype": dtype, "variant": variant, "use_safetensors": True}
    if decoder is not None:
        options["vae"] = AutoencoderTiny.from_pretrained(decoder, dtype=dtype, use_safetensors=True)
    try:
        return AutoPipelineForText2Image.from_pretrained(model, **options)
    except ValueError:
        # Pipelines that AutoPipeline does not know name their class. If it is a pair, it names a
        # file of code, which diffusers would fetch and run.
        if not isinstance(DiffusionPipeline.load_config(model).get("_class_name"), str):
            raise ModelLoadError(
                f"{model!r} comes with its own pipeline code, which is never run; use a model "
                "whose pipeline is part of diffusers"
            ) from None
        return DiffusionPipeline.from_pretrained(model, **options)
