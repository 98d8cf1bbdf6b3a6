"""The pool as the encoder's vectors, which the models behind the search learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import open_clip
import torch
from PIL import Image
from rich.progress import track
from torch import Tensor
from torch.nn import functional

from dar_retriever.demo.training.pool import Pool

_BATCH: Final = 256


def image_vectors(file: Path, pool: Pool, encoder: Path) -> Tensor:
    """The vectors of a pool's pictures: float32 (N, d), of unit length.

    Args:
        file: An .npy file that keeps them; they are encoded where it is missing.
        pool: Pictures that the encoder was not trained on. Those that it was trained on have
            vectors that tell more than others do.
        encoder: Folder of the encoder, as open_clip opens it.
    """
    if not file.exists():
        np.save(file, _encoded(encoder, pool))
    return torch.from_numpy(np.load(file))


def _encoded(folder: Path, pool: Pool) -> Any:
    clip, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    see: Any = clip.visual.eval().to(memory_format=torch.channels_last)
    parts = []
    for start in track(range(0, len(pool.pictures), _BATCH), "Encoding the pictures"):
        some = [preprocess(Image.fromarray(p)) for p in pool.pictures[start : start + _BATCH]]
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            seen = see(torch.stack(some).contiguous(memory_format=torch.channels_last))
        parts.append(functional.normalize(seen.float(), dim=-1).numpy())
    return np.concatenate(parts)
