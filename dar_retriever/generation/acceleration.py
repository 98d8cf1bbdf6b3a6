"""Makes a pipeline run faster, or in less memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from dar_retriever.errors import InvalidInputError
from dar_retriever.generation.openvino_runtime import OpenVinoDenoiser, require_openvino

if TYPE_CHECKING:
    import torch

Offload = Literal["none", "model", "sequential"]
Runtime = Literal["torch", "openvino"]
_DENOISERS: Final = ("unet", "transformer")


@dataclass(frozen=True, slots=True)
class Acceleration:
    """Ways to generate the same images faster, or in less memory.

    None of them changes an image by more than rounding, so fingerprints do not depend on them.

    Attributes:
        channels_last: Store the weights of convolutions as (N, H, W, C), which is faster on tensor
            cores. On by default on CUDA. Has no effect on models without convolutions.
        compile: Compile the denoiser with ``torch.compile``. The first call then takes half a
            minute to some minutes, and so does the first call with a new batch size. Needs a C++
            compiler on the CPU and Triton on CUDA.
        vae_slicing: Decode one image at a time. Saves memory if batches have several images.
        vae_tiling: Decode large images in overlapping tiles. Saves memory; seams may be faintly
            visible.
        offload: For devices that are too small for the whole pipeline. "model" keeps only the
            active model on the device (text encoder, denoiser or autoencoder). "sequential" keeps
            only the active layer, which is much slower.
        runtime: "openvino" runs the denoiser in OpenVINO, on CPUs only. It takes as much memory
            again for the denoiser's weights, and the first call takes about a minute longer. Images
            are made one at a time. If it fails, PyTorch draws and the trace says so.

    Raises:
        InvalidInputError: ``offload`` or ``runtime`` has another value, or does not go with
            ``compile``.
    """

    channels_last: bool | None = None
    compile: bool = False
    vae_slicing: bool = False
    vae_tiling: bool = False
    offload: Offload = "none"
    runtime: Runtime = "torch"

    def __post_init__(self) -> None:
        if self.offload not in get_args(Offload):
            raise InvalidInputError(
                f"offload={self.offload!r} is not one of {', '.join(get_args(Offload))}"
            )
        if self.runtime not in get_args(Runtime):
            raise InvalidInputError(
                f"runtime={self.runtime!r} is not one of {', '.join(get_args(Runtime))}"
            )
        if self.compile and self.runtime != "torch":
            raise InvalidInputError(
                f"compile=True with runtime={self.runtime!r}: both compile; leave one of them out"
            )
        if self.compile and self.offload == "sequential":
            raise InvalidInputError(
                "compile=True with offload='sequential': compiled code needs weights that stay on "
                "the device; use offload='model', or compile=False"
            )

    def on(self, device: torch.device) -> Acceleration:
        """These settings with the defaults of a device filled in.

        Raises:
            InvalidInputError: Offloading was asked for on the CPU, or OpenVINO elsewhere.
            MissingExtraError: OpenVINO was asked for and is not installed.
        """
        if self.runtime == "openvino":
            if device.type != "cpu":
                raise InvalidInputError(
                    f"runtime='openvino' on device {device.type!r}: it serves CPUs; leave it out, "
                    "or use device='cpu'"
                )
            require_openvino()
        if self.offload != "none" and device.type == "cpu":
            raise InvalidInputError(
                f"offload={self.offload!r} on device 'cpu': offloading moves weights from an "
                "accelerator to the CPU; use offload='none', or device='cuda'"
            )
        if self.channels_last is None:
            return replace(self, channels_last=device.type == "cuda")
        return self


def place(
    pipeline: Any, device: torch.device, acceleration: Acceleration
) -> list[OpenVinoDenoiser]:
    """Move a pipeline to a device and apply the acceleration.

    Args:
        pipeline: A pipeline of diffusers, on the CPU.
        device: The device to run on.
        acceleration: The result of ``Acceleration.on`` for that device.

    Returns:
        The denoisers that OpenVINO runs.

    Raises:
        InvalidInputError: The pipeline has no part that an option applies to.
    """
    if acceleration.vae_slicing:
        _autoencoder(pipeline, "vae_slicing", "enable_slicing")()
    if acceleration.vae_tiling:
        _autoencoder(pipeline, "vae_tiling", "enable_tiling")()
    if acceleration.channels_last:
        _to_channels_last(pipeline)
    if acceleration.offload == "none":
        pipeline.to(device)
    else:
        _offload(pipeline, device, acceleration.offload)
    if acceleration.compile:
        for model in _denoisers(pipeline, "compile=True"):
            # In place, because the pipeline checks the types of its parts.
            model.compile()
    if acceleration.runtime == "torch":
        return []
    return [OpenVinoDenoiser(model) for model in _denoisers(pipeline, "runtime='openvino'")]


def _autoencoder(pipeline: Any, option: str, method: str) -> Any:
    autoencoder = getattr(pipeline, "vae", None)
    # All autoencoders of diffusers have the method; only those that support it have the attribute.
    if not hasattr(autoencoder, method.replace("enable", "use")):
        raise InvalidInputError(
            f"{option}=True: {type(pipeline).__name__} has no autoencoder that supports it "
            f"({type(autoencoder).__name__}); leave the option out"
        )
    return getattr(autoencoder, method)


def _denoisers(pipeline: Any, wanted_by: str = "") -> list[Any]:
    """The pipeline's denoisers; an error if an option needs one and there is none."""
    found = (getattr(pipeline, name, None) for name in _DENOISERS)
    models = [model for model in found if model is not None]
    if wanted_by and not models:
        raise InvalidInputError(
            f"{wanted_by}: {type(pipeline).__name__} has no {' or '.join(_DENOISERS)}; leave the "
            "option out"
        )
    return models


def _to_channels_last(pipeline: Any) -> None:
    import torch

    for model in (*_denoisers(pipeline), getattr(pipeline, "vae", None)):
        for module in model.modules() if isinstance(model, torch.nn.Module) else ():
            # Other four-dimensional weights may be reshaped in ways that need the usual order.
            if isinstance(module, torch.nn.Conv2d):
                module.to(memory_format=torch.channels_last)


def _offload(pipeline: Any, device: torch.device, offload: Offload) -> None:
    if offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.enable_sequential_cpu_offload(device=device)
