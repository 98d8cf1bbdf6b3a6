"""Where an opened pipeline runs: faster for memory, or in less memory for time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from dar_retriever.errors import InvalidInputError

if TYPE_CHECKING:
    import torch

Offload = Literal["none", "model", "sequential"]
_DENOISERS: Final = ("unet", "transformer")


@dataclass(frozen=True, slots=True)
class Acceleration:
    """Ways to generate the same images faster, or in less memory.

    None of them changes an image by more than rounding, so none is part of a fingerprint.

    Attributes:
        channels_last: Keep the convolutions' weights as (N, H, W, C), which tensor cores want;
            on CUDA by default. Models without convolutions are not touched.
        compile: Compile the denoiser with ``torch.compile``. The first call then takes from half a
            minute to some minutes, and so does the first with another number of images at once;
            needs a C++ compiler on the CPU and Triton on CUDA.
        vae_slicing: Decode one image at a time: less memory where several are made at once.
        vae_tiling: Decode an image in overlapping tiles where it is larger than the autoencoder's
            own size: less memory for large images, faint seams.
        offload: "model" keeps on the device only the model at work (text encoder, denoiser or
            autoencoder), "sequential" only the layer at work, which is much slower; for devices
            that the whole pipeline does not fit.

    Raises:
        InvalidInputError: ``offload`` is none of these, or goes not with ``compile``.
    """

    channels_last: bool | None = None
    compile: bool = False
    vae_slicing: bool = False
    vae_tiling: bool = False
    offload: Offload = "none"

    def __post_init__(self) -> None:
        if self.offload not in get_args(Offload):
            raise InvalidInputError(
                f"offload={self.offload!r} is not one of {', '.join(get_args(Offload))}"
            )
        if self.compile and self.offload == "sequential":
            raise InvalidInputError(
                "compile=True with offload='sequential': compiled code wants weights that stay; "
                "take offload='model', or compile=False"
            )

    def on(self, device: torch.device) -> Acceleration:
        """The same with every choice made that the device decides.

        Raises:
            InvalidInputError: Weights are to be offloaded from the CPU.
        """
        if self.offload != "none" and device.type == "cpu":
            raise InvalidInputError(
                f"offload={self.offload!r} on device 'cpu': weights are offloaded to the CPU from "
                "an accelerator, and there is none; take offload='none', or device='cuda'"
            )
        if self.channels_last is None:
            return replace(self, channels_last=device.type == "cuda")
        return self


def place(pipeline: Any, device: torch.device, acceleration: Acceleration) -> None:
    """Bring an opened pipeline to its device, accelerated.

    Args:
        pipeline: Of diffusers, on the CPU.
        device: Where it is to run.
        acceleration: What ``Acceleration.on`` of that device gave.

    Raises:
        InvalidInputError: The pipeline has no part that an option is about.
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
        _compile(pipeline)


def _autoencoder(pipeline: Any, option: str, method: str) -> Any:
    autoencoder = getattr(pipeline, "vae", None)
    # The method is there for all of diffusers' autoencoders, the attribute where they can.
    if not hasattr(autoencoder, method.replace("enable", "use")):
        raise InvalidInputError(
            f"{option}=True: {type(pipeline).__name__} has no autoencoder that can "
            f"({type(autoencoder).__name__}); leave the option out"
        )
    return getattr(autoencoder, method)


def _denoisers(pipeline: Any) -> list[Any]:
    found = (getattr(pipeline, name, None) for name in _DENOISERS)
    return [model for model in found if model is not None]


def _to_channels_last(pipeline: Any) -> None:
    import torch

    for model in (*_denoisers(pipeline), getattr(pipeline, "vae", None)):
        for module in model.modules() if isinstance(model, torch.nn.Module) else ():
            # Other weights of four dimensions may be viewed in ways that need their own order.
            if isinstance(module, torch.nn.Conv2d):
                module.to(memory_format=torch.channels_last)


def _offload(pipeline: Any, device: torch.device, offload: Offload) -> None:
    if offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.enable_sequential_cpu_offload(device=device)


def _compile(pipeline: Any) -> None:
    denoisers = _denoisers(pipeline)
    if not denoisers:
        raise InvalidInputError(
            f"compile=True: {type(pipeline).__name__} has no {' or '.join(_DENOISERS)}; leave the "
            "option out"
        )
    for model in denoisers:
        # In place, so that the pipeline's checks of its parts go on finding what they know.
        model.compile()
