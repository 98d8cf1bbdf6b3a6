"""The joint encoder: a small CLIP, learned mostly from short captions as published ones are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

import torch
from open_clip.model import CustomTextCLIP
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import update_bn
from transformers import CLIPTokenizer

from dar_retriever.demo.products import Product
from dar_retriever.demo.training.facts import Facts, matches
from dar_retriever.demo.training.loop import Schedule, device, train
from dar_retriever.demo.training.pool import Pool
from dar_retriever.demo.training.words import encoder_caption

CONTEXT_LENGTH: Final = 77
_SIZE: Final = 64
_WIDTH: Final = 192
# Most clauses of chatter around a caption, the tokens that it may have, and how often.
_STYLES: Final = ((0, 28, 0.5), (4, 40, 0.4), (15, CONTEXT_LENGTH, 0.1))
_STATISTICS_BATCHES: Final = 16
_FACT_SHARPNESS: Final = 16.0
_FACT_WEIGHTS: Final = (0.6, 0.3)

PREPROCESSING: Final[dict[str, Any]] = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "interpolation": "bicubic",
    "resize_mode": "squash",
}


def model_config(vocabulary: int) -> dict[str, Any]:
    """The encoder's layout in open_clip's words: CLIP's ResNet and a text transformer."""
    return {
        "embed_dim": _WIDTH,
        "custom_text": True,
        "vision_cfg": {
            "image_size": _SIZE,
            "layers": [1, 2, 2, 1],
            "width": 20,
            "head_width": 64,
        },
        "text_cfg": {
            "context_length": CONTEXT_LENGTH,
            "vocab_size": vocabulary,
            "width": 160,
            "heads": 4,
            "layers": 3,
            "hf_tokenizer_name": "./",
        },
    }


class _Learner(nn.Module):
    """The encoder, and readers of single attributes that are thrown away after the training.

    One set of readers serves both sides, so that an attribute lies in the same direction for
    pictures and for texts.
    """

    def __init__(self, config: dict[str, Any], values: int) -> None:
        super().__init__()
        layout = {name: value for name, value in config.items() if name != "custom_text"}
        text = {k: v for k, v in layout["text_cfg"].items() if k != "hf_tokenizer_name"}
        self.clip = CustomTextCLIP(**{**layout, "text_cfg": text})
        self.readers = nn.Linear(_WIDTH, values)

    def facts(self, vectors: Tensor) -> Tensor:
        """Scores of all values of all attributes: (N, values)."""
        scores: Tensor = self.readers(_FACT_SHARPNESS * vectors)
        return scores


def train_encoder(
    pool: Pool, tokenizer: CLIPTokenizer, schedule: Schedule, state: Path
) -> CustomTextCLIP:
    """Train the encoder contrastively (CLIP, arXiv 2103.00020), mostly on short captions.

    A caption of few attributes is true of several pictures in a batch; each of them counts as
    its match, not only the one that it was written for. Attributes are read off the vectors
    meanwhile, which keeps details in them that short captions seldom name.

    Args:
        pool: Pictures to learn from.
        tokenizer: Turns captions into tokens.
        schedule: How long and how fast.
        state: File that the training can go on from.
    """
    torch.manual_seed(0)
    facts, small = Facts(pool.subjects), _reduced(pool)
    learner = _Learner(model_config(len(tokenizer)), sum(facts.sizes)).to(device())
    learner = learner.to(memory_format=torch.channels_last)
    products = torch.tensor([isinstance(subject, Product) for subject in pool.subjects])
    see: Callable[[Tensor], Tensor] = torch.compile(learner.clip.visual)
    causal = learner.clip.text.attn_mask

    def loss_of(learner: _Learner, random: Random) -> Tensor:
        numbers = pool.batch(schedule.batch, random)
        talk, length, _ = random.choices(_STYLES, [share for *_, share in _STYLES])[0]
        texts, names = [], []
        for number in numbers:
            text, told = encoder_caption(pool.subjects[number], random, talk)
            texts.append(text)
            names.append(told)
        tokens = tokenizer(
            texts, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
        ).input_ids.to(device())
        # open_clip's text tower takes its mask at full length only.
        learner.clip.text.attn_mask = causal[:length, :length]
        text_vectors = functional.normalize(learner.clip.text(tokens).float(), dim=-1)
        learner.clip.text.attn_mask = causal
        pictures = _augmented(small[numbers], products[numbers], random)
        image_vectors = functional.normalize(see(pictures).float(), dim=-1)
        shown, told_codes = facts.codes[numbers], facts.told(numbers, names)
        match = torch.from_numpy(matches(told_codes, shown)).to(device())
        with torch.autocast(device().type, enabled=False):
            scale = learner.clip.logit_scale.exp().clamp(max=100)
            scores = scale * text_vectors @ image_vectors.T
            loss = (_multi_match(scores, match) + _multi_match(scores.T, match.T)) / 2
            for vectors, codes, weight in zip(
                (image_vectors, text_vectors), (shown, told_codes), _FACT_WEIGHTS, strict=True
            ):
                target = torch.from_numpy(codes).to(device())
                loss = loss + weight * _misread(learner.facts(vectors), target, facts.sizes)
            return loss

    clip = train(learner, loss_of, schedule, state).clip
    update_bn(_views(pool, small), clip.visual, device())
    return clip


def _views(pool: Pool, small: Tensor) -> Iterator[Tensor]:
    """Batches on which the averaged weights take their batch statistics anew."""
    for seed in range(_STATISTICS_BATCHES):
        random = Random(seed)
        numbers = random.sample(range(len(pool.subjects)), min(192, len(pool.subjects)))
        yield _augmented(small[numbers], torch.zeros(len(numbers), dtype=torch.bool), random)


def save_encoder(model: CustomTextCLIP, tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Write the encoder as a folder that open_clip opens by ``local-dir:``, weights as float16."""
    tokenizer.save_pretrained(folder)
    config = {"model_cfg": model_config(len(tokenizer)), "preprocess_cfg": PREPROCESSING}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")
    weights = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors", {"format": "pt"})


def _misread(scores: Tensor, codes: Tensor, sizes: list[int]) -> Tensor:
    """Mean cross-entropy over the columns; what is not told (-1) does not count."""
    parts = [
        functional.cross_entropy(part, codes[:, column], ignore_index=-1, reduction="sum")
        / (codes[:, column] >= 0).sum().clamp(min=1)
        for column, part in enumerate(scores.split(sizes, 1))
    ]
    return torch.stack(parts).mean()


def _multi_match(scores: Tensor, match: Tensor) -> Tensor:
    """Cross-entropy against all matches of a row in equal shares."""
    shares = match.float() / match.sum(1, keepdim=True)
    return -(shares * functional.log_softmax(scores, 1)).sum(1).mean()


def _reduced(pool: Pool, batch: int = 512) -> Tensor:
    """All pictures of the pool at the encoder's size: uint8 (N, 3, 64, 64)."""
    parts = []
    for start in range(0, len(pool.subjects), batch):
        pictures = torch.from_numpy(pool.pictures[start : start + batch].copy())
        reduced = functional.adaptive_avg_pool2d(pictures.permute(0, 3, 1, 2).float(), _SIZE)
        parts.append(reduced.round().to(torch.uint8).contiguous())
    return torch.cat(parts)


def _augmented(pictures: Tensor, mirrored: Tensor, random: Random) -> Tensor:
    """Mirror those that may be, shift by a few pixels, sometimes blur and grain as in drawings."""
    pictures = pictures.to(device()).float() / 127.5 - 1
    if random.random() < 0.5:
        flip = mirrored.to(device())[:, None, None, None]
        pictures = torch.where(flip, pictures.flip(3), pictures)
    margin = 4
    x, y = random.randint(0, 2 * margin), random.randint(0, 2 * margin)
    padded = functional.pad(pictures, (margin,) * 4, mode="replicate")
    shifted = padded[:, :, y : y + _SIZE, x : x + _SIZE].clone()
    some = slice(0, len(shifted) // 4)
    coarse = functional.adaptive_avg_pool2d(shifted[some], random.randint(40, 60))
    blurred = functional.interpolate(coarse, size=_SIZE, mode="bilinear")
    shifted[some] = blurred + random.uniform(0, 0.1) * torch.randn_like(blurred)
    return shifted.contiguous(memory_format=torch.channels_last)
