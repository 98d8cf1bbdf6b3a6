"""The matching head: what a caption tells, and what a stored vector shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer

from dar_retriever.demo.captions import FIELDS
from dar_retriever.demo.training.encoder import CONTEXT_LENGTH
from dar_retriever.demo.training.facts import COLUMNS, Facts
from dar_retriever.demo.training.loop import Schedule, device, train
from dar_retriever.demo.training.pool import Pool
from dar_retriever.demo.training.told import ToldCaptions
from dar_retriever.ranking.matching import CONFIG, WEIGHTS
from dar_retriever.ranking.matching_network import ImageReader

_IMAGE_WIDTH: Final = 448
_TEXT_WIDTH: Final = 96
_GRAIN: Final = 0.01


class MatchingHead(nn.Module):
    """Both sides of the head.

    Args:
        dimension: Dimensions of the encoder's vectors.
        tokenizer: Turns captions into tokens.
        sizes: How many values each attribute has.
    """

    def __init__(self, dimension: int, tokenizer: CLIPTokenizer, sizes: list[int]) -> None:
        super().__init__()
        self.captions: Any = CLIPTextModelWithProjection(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=_TEXT_WIDTH,
                intermediate_size=4 * _TEXT_WIDTH,
                projection_dim=sum(sizes) + len(sizes),
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=CONTEXT_LENGTH,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )
        self.images = ImageReader(dimension, _IMAGE_WIDTH, sizes)


def train_matching(
    pool: Pool, vectors: Tensor, tokenizer: CLIPTokenizer, schedule: Schedule, state: Path
) -> MatchingHead:
    """Train the head: what a caption tells, and what a vector shows, attribute by attribute.

    Args:
        pool: What the pictures show.
        vectors: The pictures' vectors, as ``image_vectors`` returns them.
        tokenizer: Turns captions into tokens.
        schedule: How long and how fast.
        state: File that the training can go on from.
    """
    torch.manual_seed(0)
    facts, captions = Facts(pool.subjects), ToldCaptions(pool.subjects)
    sizes = facts.sizes
    head = MatchingHead(vectors.shape[1], tokenizer, sizes).to(device())
    head.images.usual.copy_(_usual(facts))

    def loss_of(head: MatchingHead, random: Random) -> Tensor:
        numbers = pool.batch(schedule.batch, random)
        texts, told = zip(*(captions.of(n, random) for n in numbers), strict=True)
        tokens = tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=CONTEXT_LENGTH,
            return_tensors="pt",
        ).to(device())
        read = head.captions(tokens.input_ids, attention_mask=tokens.attention_mask).text_embeds
        seen = head.images(_grained(vectors[numbers]))
        codes = torch.from_numpy(facts.told(numbers, told)).to(device())
        # What is not told has the last number of its attribute.
        codes = torch.where(codes < 0, torch.tensor(sizes, device=device()), codes)
        shown = torch.from_numpy(facts.codes[numbers]).to(device())
        with torch.autocast(device().type, enabled=False):
            return _misread(read.float().split([n + 1 for n in sizes], 1), codes) + _misread(
                [part.float() for part in seen], shown
            )

    return train(head, loss_of, schedule, state)


def _misread(parts: Sequence[Tensor], codes: Tensor) -> Tensor:
    return torch.stack(
        [functional.cross_entropy(part, codes[:, n]) for n, part in enumerate(parts)]
    ).sum()


def _usual(facts: Facts) -> Tensor:
    counts = [
        np.bincount(facts.codes[:, column], minlength=size) / len(facts.codes)
        for column, size in enumerate(facts.sizes)
    ]
    return torch.from_numpy(np.log(np.concatenate(counts))).float()


def save_matching(head: MatchingHead, tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Write the folders that ``CaptionReader`` and ``MatchingReranker`` open, as float16."""
    head.captions.half().save_pretrained(folder / "reader")
    tokenizer.save_pretrained(folder / "reader")
    place = folder / "matching"
    place.mkdir(parents=True, exist_ok=True)
    dimension = next(head.images.parameters()).shape[1]
    config = {
        "dimension": dimension,
        "width": _IMAGE_WIDTH,
        "sizes": head.images.sizes,
        # Words that the reader does not know it takes for those of scenes.
        "explained": [COLUMNS.index(name) for name in ("kind", *FIELDS)],
    }
    (place / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
    weights = {name: value.half().contiguous() for name, value in head.images.state_dict().items()}
    save_file(weights, place / WEIGHTS, {"format": "pt"})


def _grained(vectors: Tensor) -> Tensor:
    grain = _GRAIN * torch.randn_like(vectors)
    return functional.normalize(vectors + grain, dim=-1).to(device())
