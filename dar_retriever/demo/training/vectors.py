"""The pool as the encoder's vectors, which the models behind the search learn from."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import open_clip
import torch
from PIL import Image
from rich.progress import track
from torch import Tensor
from torch.nn import functional

from dar_retriever.demo.captions import chattered
from dar_retriever.demo.training.pool import Pool
from dar_retriever.demo.training.words import Subject, fields_of, words_of

_CHATTERED: Final = 0.1
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


def any_caption(subject: Subject, random: Random) -> tuple[str, frozenset[str]]:
    """A caption that tells any number of attributes, from none to all, and which it tells."""
    fields = fields_of(subject)
    told = frozenset(random.sample(fields, random.randint(0, len(fields))))
    text = words_of(subject, told, random)
    return chattered(text, random, 3) if random.random() < _CHATTERED else text, told
