"""The joint encoder: a small CLIP, learned from short captions as published ones are."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import torch
from open_clip.model import CustomTextCLIP
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional
from transformers import CLIPTokenizer

from dar_retriever.demo.captions import FIELDS, short_caption
from dar_retriever.demo.products import Product
from dar_retriever.demo.training.loop import Schedule, device, train
from dar_retriever.demo.training.pool import Pool

CONTEXT_LENGTH: Final = 77
_SHORT_LENGTH: Final = 36
_LONG_TEXTS_EVERY: Final = 6
_CAPTIONS_PER_PICTURE: Final = 2
_SIZE: Final = 64
_ANY: Final = -1

PREPROCESSING: Final[dict[str, Any]] = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "interpolation": "bicubic",
    "resize_mode": "squash",
}


def model_config(vocabulary: int) -> dict[str, Any]:
    """The encoder's layout in open_clip's words."""
    return {
        "embed_dim": 192,
        "custom_text": True,
        "vision_cfg": {
            "image_size": _SIZE,
            "patch_size": 8,
            "width": 160,
            "layers": 5,
            "head_width": 80,
            "pool_type": "avg",
        },
        "text_cfg": {
            "context_length": CONTEXT_LENGTH,
            "vocab_size": vocabulary,
            "width": 160,
            "heads": 2,
            "layers": 3,
            "hf_tokenizer_name": "./",
        },
    }


def train_encoder(
    pool: Pool, tokenizer: CLIPTokenizer, schedule: Schedule, state: Path
) -> CustomTextCLIP:
    """Train the encoder contrastively (CLIP, arXiv 2103.00020) on captions of 0 to 2 attributes.

    A caption of few attributes is true of several pictures in a batch; each of them counts as
    its match, not only the one that it was written for.

    Args:
        pool: Pictures to learn from.
        tokenizer: Turns captions into tokens.
        schedule: How long and how fast.
        state: File that the training can go on from.
    """
    torch.manual_seed(0)
    config = model_config(len(tokenizer))
    layout = {name: value for name, value in config.items() if name != "custom_text"}
    layout["text_cfg"] = {k: v for k, v in layout["text_cfg"].items() if k != "hf_tokenizer_name"}
    model = CustomTextCLIP(**layout).to(device())
    codes, small = _product_codes(pool.products), _reduced(pool)
    causal = model.text.attn_mask

    def loss_of(model: CustomTextCLIP, random: Random) -> Tensor:
        numbers = pool.batch(schedule.batch, random)
        long = random.random() * _LONG_TEXTS_EVERY < 1
        length = CONTEXT_LENGTH if long else _SHORT_LENGTH
        texts, told = [], []
        for number in numbers * _CAPTIONS_PER_PICTURE:
            text, names = short_caption(pool.products[number], random, talk=15 if long else 4)
            texts.append(text)
            told.append([True, *(name in names for name in FIELDS)])
        batch = codes[numbers * _CAPTIONS_PER_PICTURE]
        caption_codes = np.where(np.array(told), batch, _ANY)
        match = torch.from_numpy(_matches(caption_codes, codes[numbers])).to(device())
        tokens = tokenizer(
            texts, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
        ).input_ids.to(device())
        # open_clip's text tower takes its mask at full length only.
        model.text.attn_mask = causal[:length, :length]
        text_vectors = functional.normalize(model.text(tokens).float(), dim=-1)
        pictures = _augmented(small[numbers], random)
        image_vectors = functional.normalize(model.visual(pictures).float(), dim=-1)
        model.text.attn_mask = causal
        with torch.autocast(device().type, enabled=False):
            scores = model.logit_scale.exp().clamp(max=100) * text_vectors @ image_vectors.T
            return (_multi_match(scores, match) + _multi_match(scores.T, match.T)) / 2

    return train(model, loss_of, schedule, state)


def save_encoder(model: CustomTextCLIP, tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Write the encoder as a folder that open_clip opens by ``local-dir:``, weights as float16."""
    tokenizer.save_pretrained(folder)
    config = {"model_cfg": model_config(len(tokenizer)), "preprocess_cfg": PREPROCESSING}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")
    weights = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors", {"format": "pt"})


def _product_codes(products: list[Product]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Each attribute as a number, the kind first: int64 (N, 6)."""
    numbers: dict[str, int] = {}
    rows = [
        [numbers.setdefault(getattr(p, name), len(numbers)) for name in ("kind", *FIELDS)]
        for p in products
    ]
    return np.array(rows)


def _matches(
    captions: np.ndarray[Any, np.dtype[np.int64]], pictures: np.ndarray[Any, np.dtype[np.int64]]
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which caption is true of which picture: bool (captions, pictures)."""
    told, true = captions[:, None], pictures[None]
    result: np.ndarray[Any, np.dtype[np.bool_]] = ((told == _ANY) | (told == true)).all(2)
    return result


def _multi_match(scores: Tensor, match: Tensor) -> Tensor:
    """Cross-entropy against all matches of a row in equal shares."""
    shares = match.float() / match.sum(1, keepdim=True)
    return -(shares * functional.log_softmax(scores, 1)).sum(1).mean()


def _reduced(pool: Pool, batch: int = 512) -> Tensor:
    """All pictures of the pool at the encoder's size: uint8 (N, 3, 64, 64)."""
    parts = []
    for start in range(0, len(pool.products), batch):
        pictures = torch.from_numpy(pool.pictures[start : start + batch].copy())
        reduced = functional.adaptive_avg_pool2d(pictures.permute(0, 3, 1, 2).float(), _SIZE)
        parts.append(reduced.round().to(torch.uint8).contiguous())
    return torch.cat(parts)


def _augmented(pictures: Tensor, random: Random) -> Tensor:
    """Mirror, shift by a few pixels, sometimes blur and grain as generated images have."""
    pictures = pictures.to(device()).float() / 127.5 - 1
    if random.random() < 0.5:
        pictures = pictures.flip(3)
    margin = 4
    x, y = random.randint(0, 2 * margin), random.randint(0, 2 * margin)
    padded = functional.pad(pictures, (margin,) * 4, mode="replicate")
    shifted = padded[:, :, y : y + _SIZE, x : x + _SIZE].clone()
    some = slice(0, len(shifted) // 4)
    coarse = functional.adaptive_avg_pool2d(shifted[some], random.randint(24, 56))
    blurred = functional.interpolate(coarse, size=_SIZE, mode="bilinear")
    shifted[some] = blurred + random.uniform(0, 0.1) * torch.randn_like(blurred)
    return shifted
