"""A checkpoint of transformers at a byte a weight."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from torch import Tensor

_FILE: Final = "packed.safetensors"
_SCALE: Final = ".scale"


def pack(model: Any, folder: Path) -> None:
    """Write a model's settings and weights, each row of a matrix as bytes and their scale.

    Args:
        model: A model of transformers.
        folder: Where to; it is made if it is not there.
    """
    import torch
    from safetensors.torch import save_file

    tensors: dict[str, Tensor] = {}
    for name, weights in model.state_dict().items():
        if weights.ndim == 2:
            scale = weights.abs().amax(1).clamp_min(1e-12) / 127
            tensors[name] = (weights / scale[:, None]).round().to(torch.int8)
            tensors[name + _SCALE] = scale.half()
        elif weights.is_floating_point():
            tensors[name] = weights.half()
    folder.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(folder)
    save_file({name: each.contiguous() for name, each in tensors.items()}, folder / _FILE)


def unpack(folder: Path) -> Any:
    """Open a token classifier of BERT that was packed, in single precision.

    Raises:
        OSError: There is none in the folder.
    """
    from safetensors.torch import load_file
    from transformers import BertConfig, BertForTokenClassification

    tensors = load_file(folder / _FILE)
    # Made by hand: opening by transformers changes torch's default type for all threads meanwhile.
    model: Any = BertForTokenClassification(BertConfig.from_pretrained(folder)).float()
    weights = {
        name: each.float() * tensors[name + _SCALE].float()[:, None]
        if name + _SCALE in tensors
        else each.float()
        for name, each in tensors.items()
        if not name.endswith(_SCALE)
    }
    # What is not a weight, such as the numbers of the positions, is not written.
    model.load_state_dict(weights, strict=False)
    return model
