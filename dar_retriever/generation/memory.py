"""Telling that a model ran out of memory, on any device, and giving back what it held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch

# PyTorch's CPU allocator on Linux and on Windows, CUDA and MPS, cuBLAS.
_SIGNS: Final = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "cublas_status_alloc_failed",
)


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice; PyTorch has no one type for it."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


def release_memory(device: torch.device) -> None:
    """Give back what PyTorch keeps on a device for tensors that are gone.

    To be called where no handler of the error is left: its traceback holds the frames of the
    failed call, and they hold its tensors.
    """
    import gc

    import torch

    if device.type == "cpu":
        return
    # Libraries that keep an error in a frame of its own traceback make a circle.
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
