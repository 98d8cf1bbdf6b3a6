"""The matching head: how much likelier a picture is with a caption, learned by contrast."""

from __future__ import annotations

import json
import math
from pathlib import Path
from random import Random
from typing import Any, Final

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer

from dar_retriever.demo.training.encoder import CONTEXT_LENGTH, misread, multi_match
from dar_retriever.demo.training.facts import Facts, matches
from dar_retriever.demo.training.loop import Schedule, device, train
from dar_retriever.demo.training.pool import Pool
from dar_retriever.demo.training.told import ToldCaptions
from dar_retriever.ranking.matching import CONFIG, WEIGHTS
from dar_retriever.ranking.matching_network import ImageReader

_FEATURES: Final = 128
_IMAGE_WIDTH: Final = 320
_TEXT_WIDTH: Final = 96
_GRAIN: Final = 0.01
_FACT_WEIGHT: Final = 0.5


class MatchingHead(nn.Module):
    """Both sides of the head, and readers of attributes that are thrown away after the training."""

    def __init__(self, dimension: int, tokenizer: CLIPTokenizer, values: int) -> None:
        super().__init__()
        self.captions: Any = CLIPTextModelWithProjection(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=_TEXT_WIDTH,
                intermediate_size=4 * _TEXT_WIDTH,
                projection_dim=_FEATURES,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=CONTEXT_LENGTH,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )
        self.images = ImageReader(dimension, _IMAGE_WIDTH, _FEATURES)
        self.told = nn.Linear(_FEATURES, values)
        self.shown = nn.Linear(_FEATURES, values)


def train_matching(
    pool: Pool, vectors: Tensor, tokenizer: CLIPTokenizer, schedule: Schedule, state: Path
) -> MatchingHead:
    """Train the head: of all captions and pictures in a batch, those that are true go together.

    Args:
        pool: What the pictures show.
        vectors: The pictures' vectors, as ``image_vectors`` returns them.
        tokenizer: Turns captions into tokens.
        schedule: How long and how fast.
        state: File that the training can go on from.
    """
    torch.manual_seed(0)
    facts, captions = Facts(pool.subjects), ToldCaptions(pool.subjects)
    head = MatchingHead(vectors.shape[1], tokenizer, sum(facts.sizes)).to(device())

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
        told_codes, shown_codes = facts.told(numbers, told), facts.codes[numbers]
        match = torch.from_numpy(matches(told_codes, shown_codes)).to(device())
        read = head.captions(tokens.input_ids, attention_mask=tokens.attention_mask).text_embeds
        seen = head.images(_grained(vectors[numbers]))
        with torch.autocast(device().type, enabled=False):
            read, seen = read.float(), seen.float()
            scores = read @ seen.T / math.sqrt(_FEATURES)
            loss = (multi_match(scores, match) + multi_match(scores.T, match.T)) / 2
            for reader, features, codes in (
                (head.told, read, told_codes),
                (head.shown, seen, shown_codes),
            ):
                target = torch.from_numpy(codes).to(device())
                loss = loss + _FACT_WEIGHT * misread(reader(features), target, facts.sizes)
        return loss

    return train(head, loss_of, schedule, state)


def save_matching(head: MatchingHead, tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Write the folders that ``CaptionReader`` and ``MatchingReranker`` open, as float16."""
    head.captions.half().save_pretrained(folder / "reader")
    tokenizer.save_pretrained(folder / "reader")
    place = folder / "matching"
    place.mkdir(parents=True, exist_ok=True)
    dimension = next(head.images.parameters()).shape[1]
    config = {"dimension": dimension, "width": _IMAGE_WIDTH, "features": _FEATURES}
    (place / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
    weights = {name: value.half().contiguous() for name, value in head.images.state_dict().items()}
    save_file(weights, place / WEIGHTS, {"format": "pt"})


def _grained(vectors: Tensor) -> Tensor:
    grain = _GRAIN * torch.randn_like(vectors)
    return functional.normalize(vectors + grain, dim=-1).to(device())
