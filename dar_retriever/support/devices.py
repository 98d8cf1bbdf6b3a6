"""Default device, precision and batch size of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dar_retriever.errors import InvalidInputError

if TYPE_CHECKING:
    import torch


def choose_device(name: str | None = None) -> torch.device:
    """The named device, or by default the best one available: CUDA, Apple's MPS, else the CPU."""
    import torch

    if name is not None:
        try:
            return torch.device(name)
        except RuntimeError as error:
            raise InvalidInputError(
                f"device={name!r}: {error}; use 'cpu', 'cuda' or 'mps'"
            ) from error
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def choose_dtype(name: str | None, device: torch.device) -> torch.dtype:
    """The named precision, or by default half precision on accelerators and float32 on CPUs."""
    import torch

    if name is not None:
        dtype = getattr(torch, name, None)
        if not isinstance(dtype, torch.dtype):
            raise InvalidInputError(
                f"dtype={name!r} is not a dtype of torch; use 'float32', 'float16' or 'bfloat16'"
            )
        return dtype
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.float16 if device.type == "mps" else torch.float32


def choose_batch_size(size: int | None, device: torch.device) -> int:
    """The given batch size, or by default 16 on CPUs, whose caches are small, and 64 elsewhere."""
    if size is None:
        return 16 if device.type == "cpu" else 64
    if size < 1:
        raise InvalidInputError(f"batch_size={size}: must be at least 1")
    return size
