"""The picture side of the generator: 128 x 128 pixels as 16 x 16 latents of 8 channels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

import torch
from diffusers import AutoencoderTiny
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock
from rich.progress import track
from torch import Tensor, nn

from dar_retriever.demo.training.loop import Schedule, device, train
from dar_retriever.demo.training.pool import Pool, pixels

LATENT_CHANNELS: Final = 8
_WIDTH: Final = 32
_LATENT_NOISE: Final = 0.1
_SQUARES: Final = 2.0
_EDGES: Final = 0.5
_STANDARDISE: Final = 0.05


def train_autoencoder(pool: Pool, schedule: Schedule, state: Path) -> Any:
    """Train a small autoencoder in the manner of TAESD, with latents of mean 0 and variance 1.

    Noise on the latents makes the decoder forgive the small errors of the diffusion model.

    Args:
        pool: Pictures to learn from.
        schedule: How long and how fast.
        state: File that the training can go on from.

    Returns:
        The ``AutoencoderTiny``.
    """
    torch.manual_seed(0)
    model = AutoencoderTiny(
        encoder_block_out_channels=(_WIDTH,) * 4,
        decoder_block_out_channels=(_WIDTH,) * 4,
        # Nothing but the scaling happens at full resolution, where it would cost most.
        num_encoder_blocks=(0, 1, 2, 2),
        num_decoder_blocks=(2, 2, 1, 0),
        latent_channels=LATENT_CHANNELS,
    ).to(device=device(), memory_format=torch.channels_last)
    _start_from_mean_colours(model, pool)
    encode: Callable[[Tensor], Tensor] = torch.compile(model.encoder)
    decode: Callable[[Tensor], Tensor] = torch.compile(model.decoder)

    def loss_of(_: nn.Module, random: Random) -> Tensor:
        pictures = pixels(pool, pool.batch(schedule.batch, random), random)
        latents = encode(pictures).float()
        mean, variance = latents.mean((0, 2, 3)), latents.var((0, 2, 3))
        standard = mean.square().mean() + (variance - 1).square().mean()
        return _difference(decode(_noisy(latents)), pictures) + _STANDARDISE * standard

    return train(model, loss_of, schedule, state)


@torch.inference_mode()
def encode_pool(model: Any, pool: Pool, batch: int = 64) -> Tensor:
    """Latents of all pictures: float16 (N, 8, 16, 16)."""
    parts = []
    for start in track(range(0, len(pool.subjects), batch), "Encoding the pool"):
        pictures = torch.from_numpy(pool.pictures[start : start + batch].copy()).to(device())
        pictures = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.autocast(device().type, torch.bfloat16):
            parts.append(model.encode(pictures).latents.to("cpu", torch.float16))
    return torch.cat(parts)


def _noisy(latents: Tensor) -> Tensor:
    return latents + _LATENT_NOISE * torch.randn_like(latents)


def _difference(made: Tensor, pictures: Tensor) -> Tensor:
    """Mean absolute and squared error of the pixels, and absolute error of their edges."""
    error = made.float() - pictures
    edges = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
    return error.abs().mean() + _SQUARES * error.square().mean() + _EDGES * edges


@torch.no_grad()
def _start_from_mean_colours(model: Any, pool: Pool) -> None:
    """Initialise so that three latents are the mean colour of their 8 x 8 pixels, and back.

    From random weights, shapes are learned in minutes but colours only after hours.
    """
    sample = torch.from_numpy(pool.pictures[:: max(1, len(pool.subjects) // 500)].copy()) / 255
    means = sample.unflatten(1, (-1, 8)).unflatten(3, (-1, 8)).mean((2, 4)).flatten(0, 2)
    for half in (model.encoder, model.decoder):
        for block in half.modules():
            if isinstance(block, AutoencoderTinyBlock):
                nn.init.zeros_(block.conv[-1].weight)
                nn.init.zeros_(block.conv[-1].bias)
        for layer in _convolutions(half):
            _pass_colours_on(layer)
    last, first = _convolutions(model.encoder)[-1], _convolutions(model.decoder)[0]
    spread, middle = means.std(0).to(device()), means.mean(0).to(device())
    last.weight[:3] /= spread[:, None, None, None]
    last.bias[:3] = -middle / spread
    first.weight[:3] *= spread[:, None, None, None]
    first.bias[:3] = middle


def _convolutions(half: Any) -> list[Any]:
    return [layer for layer in half.layers if isinstance(layer, nn.Conv2d)]


def _pass_colours_on(layer: Any) -> None:
    """Let the first three channels through; of stride 2, as the mean of four pixels."""
    halves = layer.stride == (2, 2)
    taps = slice(1, 3) if halves else slice(1, 2)
    layer.weight[:3] = 0
    for colour in range(3):
        layer.weight[colour, colour, taps, taps] = 0.25 if halves else 1.0
    if layer.bias is not None:
        layer.bias[:3] = 0
