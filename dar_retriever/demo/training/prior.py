"""The prior: image vectors that a caption could stand for, learned by flow matching."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Final

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from dar_retriever.demo.training.loop import Schedule, device, train
from dar_retriever.demo.training.pool import Pool
from dar_retriever.demo.training.vectors import any_caption
from dar_retriever.generation.prior import CONFIG, WEIGHTS
from dar_retriever.generation.velocity import VelocityNetwork
from dar_retriever.support.caption_reader import CaptionReader

_WIDTH: Final = 256
_DEPTH: Final = 3
_CAPTIONS: Final = 8
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
    random = Random(0)
    starts = range(0, len(pool.subjects), _BATCH)
    return torch.stack(
        [
            torch.cat(
                [
                    torch.from_numpy(
                        reader.read([any_caption(subject, random)[0] for subject in some])
                    )
                    for some in (pool.subjects[start : start + _BATCH] for start in starts)
                ]
            )
            for _ in range(_CAPTIONS)
        ]
    )


def save_prior(network: VelocityNetwork, folder: Path) -> None:
    """Write the prior as a folder that ``FlowPrior`` opens, weights as float16."""
    folder.mkdir(parents=True, exist_ok=True)
    features = network.caption[0].in_features
    layout = {"dimension": len(network.mean), "features": features}
    config = {**layout, "width": _WIDTH, "depth": _DEPTH}
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
    weights = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    save_file(weights, folder / WEIGHTS, {"format": "pt"})
