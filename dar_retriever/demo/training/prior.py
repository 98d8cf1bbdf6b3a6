"""The prior: image vectors that a caption could stand for, learned by flow matching."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Final

import torch
from rich.progress import track
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from dar_retriever.demo.training.loop import Schedule, device, train
from dar_retriever.demo.training.pool import Pool
from dar_retriever.demo.training.told import ToldCaptions
from dar_retriever.generation.prior import CONFIG, WEIGHTS
from dar_retriever.generation.velocity import VelocityNetwork
from dar_retriever.support.caption_reader import CaptionReader

_WIDTH: Final = 176
_DEPTH: Final = 3
_CAPTIONS: Final = 4
_BATCH: Final = 256


def train_prior(
    pool: Pool, vectors: Tensor, reader: CaptionReader, schedule: Schedule, state: Path
) -> VelocityNetwork:
    """Train the prior on captions that tell any number of attributes.

    There is no guidance, and captions are never left out for it: guidance would narrow what the
    caption leaves open, and that spread is what the search reads.

    Args:
        pool: What the pictures show.
        vectors: The pictures' vectors, as ``image_vectors`` returns them.
        reader: Reads the captions.
        schedule: How long and how fast.
        state: File that the training can go on from.
    """
    torch.manual_seed(0)
    images = vectors.to(device())
    captions = _read(pool, reader).to(device())
    network = VelocityNetwork(images.shape[1], reader.features, _WIDTH, _DEPTH).to(device())
    network.mean.copy_(images.mean(0))
    network.spread.copy_(images.std(0))

    def loss_of(network: VelocityNetwork, random: Random) -> Tensor:  # noqa: ARG001
        chosen = torch.randint(len(images), (schedule.batch,), device=device())
        told = torch.randint(_CAPTIONS, (schedule.batch,), device=device())
        clean = network.standardised(images[chosen])
        noise = torch.randn_like(clean)
        # Times in the middle are the hardest (Esser et al., arXiv 2403.03206).
        time = torch.sigmoid(torch.randn(schedule.batch, device=device()))
        noisy = noise + time[:, None] * (clean - noise)
        velocity = network(noisy, time, captions[told, chosen])
        return functional.mse_loss(velocity.float(), clean - noise)

    return train(network, loss_of, schedule, state)


def _read(pool: Pool, reader: CaptionReader) -> Tensor:
    """Captions of each picture, read into features: (captions, N, features)."""
    random, captions = Random(0), ToldCaptions(pool.subjects)
    numbers = range(len(pool.subjects))
    texts = [captions.of(number, random)[0] for _ in range(_CAPTIONS) for number in numbers]
    starts = range(0, len(texts), _BATCH)
    read = [
        torch.from_numpy(reader.read(texts[start : start + _BATCH]))
        for start in track(starts, "Reading the captions")
    ]
    return torch.cat(read).reshape(_CAPTIONS, len(numbers), -1)


def save_prior(network: VelocityNetwork, folder: Path) -> None:
    """Write the prior as a folder that ``FlowPrior`` opens, weights as float16."""
    folder.mkdir(parents=True, exist_ok=True)
    features = network.caption[0].in_features
    layout = {"dimension": len(network.mean), "features": features}
    config = {**layout, "width": _WIDTH, "depth": _DEPTH}
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
    weights = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    save_file(weights, folder / WEIGHTS, {"format": "pt"})
