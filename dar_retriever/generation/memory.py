"""Recognises that a model ran out of memory, and frees memory again."""

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
    """Whether an error means that memory ran out; PyTorch has no single type for it."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


def release_memory(device: torch.device) -> None:
    """Free the memory that PyTorch keeps on a device for deleted tensors.

    Call this after the handler of the error has ended: while the error exists, its traceback keeps
    the tensors of the failed call alive.
    """
    import gc

    import torch

    if device.type == "cpu":
        return
    # Collects reference cycles, which libraries create when they keep an error in a local variable.
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
