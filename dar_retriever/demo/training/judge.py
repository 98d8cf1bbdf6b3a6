"""A judge of drawings: reads the attributes off a picture, and shares nothing with the models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import update_bn

from dar_retriever.demo.training.facts import COLUMNS, Facts
from dar_retriever.demo.training.loop import Schedule, device, train
from dar_retriever.demo.training.pool import PICTURE_SIZE, Pool, pixels

_STATISTICS_BATCHES: Final = 16
_WIDTHS: Final = (32, 64, 96, 128)


class Judge(nn.Module):
    """A plain convolutional network with one linear reader for each attribute."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width in _WIDTHS:
            layers += [
                nn.Conv2d(before, width, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            before = width
        self.sizes = list(sizes)
        self.features = nn.Sequential(*layers)
        # Places matter in scenes: the last features are kept in a grid of 4 x 4.
        self.readers = nn.Sequential(
            nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * before, sum(sizes))
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Scores of all values of all attributes: (N, values)."""
        scores: Tensor = self.readers(self.features(pictures))
        return scores


def train_judge(pool: Pool, schedule: Schedule, state: Path) -> Judge:
    """Train a judge on the pool's pictures, some of them made softer, as drawings are.

    Args:
        pool: Pictures to learn from.
        schedule: How long and how fast.
        state: File that the training can go on from.
    """
    torch.manual_seed(1)
    facts = Facts(pool.subjects)
    judge = Judge(facts.sizes).to(device()).to(memory_format=torch.channels_last)
    read: Callable[[Tensor], Tensor] = torch.compile(judge)
    codes = torch.from_numpy(facts.codes)

    def loss_of(_: nn.Module, random: Random) -> Tensor:
        numbers = random.sample(range(len(pool.subjects)), schedule.batch)
        scores = read(_softened(pixels(pool, numbers, random), random)).float()
        parts = zip(scores.split(facts.sizes, 1), codes[numbers].to(device()).T, strict=True)
        return torch.stack([functional.cross_entropy(part, true) for part, true in parts]).mean()

    judge = train(judge, loss_of, schedule, state)
    update_bn(_batches(pool), judge, device())
    return judge


def _batches(pool: Pool) -> Iterator[Tensor]:
    """Batches on which the averaged weights take their batch statistics anew."""
    for seed in range(_STATISTICS_BATCHES):
        random = Random(seed)
        numbers = random.sample(range(len(pool.subjects)), min(128, len(pool.subjects)))
        yield pixels(pool, numbers, random)


@torch.inference_mode()
def read_attributes(
    judge: Judge, facts: Facts, pictures: Sequence[Image.Image], batch: int = 64
) -> list[dict[str, str]]:
    """What a judge sees in each picture: a value for each of ``facts.COLUMNS``."""
    values = [list(known) for known in facts.numbers]
    seen: list[dict[str, str]] = []
    for start in range(0, len(pictures), batch):
        scores = judge(_as_tensor(pictures[start : start + batch])).split(judge.sizes, 1)
        best = torch.stack([part.argmax(1) for part in scores], 1).tolist()
        seen += [{name: values[c][row[c]] for c, name in enumerate(COLUMNS)} for row in best]
    return seen


def _as_tensor(pictures: Sequence[Image.Image]) -> Tensor:
    arrays: list[NDArray[np.uint8]] = [
        np.asarray(p.convert("RGB").resize((PICTURE_SIZE, PICTURE_SIZE)), np.uint8)
        for p in pictures
    ]
    tensor = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return tensor.to(device()).contiguous(memory_format=torch.channels_last)


def _softened(pictures: Tensor, random: Random) -> Tensor:
    """A quarter of the pictures made coarser, and grained."""
    some = slice(0, len(pictures) // 4)
    coarse = functional.adaptive_avg_pool2d(pictures[some], random.randint(64, 110))
    soft = functional.interpolate(coarse, size=PICTURE_SIZE, mode="bilinear")
    pictures[some] = soft + random.uniform(0, 0.1) * torch.randn_like(soft)
    return pictures
