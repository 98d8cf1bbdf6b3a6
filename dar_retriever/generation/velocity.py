"""The network of a flow prior. It imports PyTorch, so import it where a prior is opened."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

_FREQUENCIES: Final = 32
_LONGEST: Final = 1000.0
# Shift, scale and gate.
_MODULATIONS: Final = 3


class VelocityNetwork(nn.Module):
    """Tells in which direction a noisy image vector has to move.

    A residual network whose normalisations are set by the caption and the time: adaptive layer
    norm (Peebles and Xie, arXiv 2212.09748), computed once for all blocks (Chen et al., arXiv
    2310.00426).

    Args:
        dimension: Dimensions d of the encoder's vectors.
        features: Features that a caption is read into.
        width: Width of the hidden layers.
        depth: Number of residual blocks.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, dimension: int, features: int, width: int, depth: int) -> None:
        super().__init__()
        # Of the image vectors that it learns from.
        self.register_buffer("mean", torch.zeros(dimension))
        self.register_buffer("spread", torch.ones(dimension))
        self.into = nn.Linear(dimension, width)
        self.caption = nn.Sequential(nn.Linear(features, width), nn.SiLU(), nn.Linear(width, width))
        self.time = nn.Linear(2 * _FREQUENCIES, width)
        self.modulation = nn.Linear(width, _MODULATIONS * width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(depth))
        self.out = nn.Linear(width, dimension)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, noisy: Tensor, time: Tensor, caption: Tensor) -> Tensor:
        """Velocities.

        Args:
            noisy: float32 (N, d), standardised image vectors mixed with noise.
            time: float32 (N,), from 0 for noise to 1 for image vectors.
            caption: float32 (N, features).

        Returns:
            float32 (N, d).
        """
        condition = functional.silu(self.caption(caption) + self.time(_waves(time)))
        modulation = self.modulation(condition)
        hidden = self.into(noisy)
        for block in self.blocks:
            hidden = block(hidden, modulation)
        velocity: Tensor = self.out(functional.layer_norm(hidden, hidden.shape[-1:]))
        return velocity

    def standardised(self, vectors: Tensor) -> Tensor:
        """Image vectors with mean 0 and standard deviation 1 in each dimension."""
        return (vectors - self.mean) / self.spread

    def sampled(self, caption: Tensor, noise: Tensor, steps: int) -> Tensor:
        """Image vectors from noise, in equal steps of Euler's method.

        Args:
            caption: float32 (N, features).
            noise: float32 (N, d), normal.
            steps: Number of steps.

        Returns:
            float32 (N, d), of unit length.
        """
        vectors = noise
        for step in range(steps):
            time = torch.full((len(noise),), step / steps, device=noise.device)
            vectors = vectors + self(vectors, time, caption) / steps
        return functional.normalize(vectors * self.spread + self.mean, dim=-1)


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        # What this block's modulation differs from that of all.
        self.own = nn.Parameter(torch.zeros(_MODULATIONS * width))
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)

    def forward(self, hidden: Tensor, modulation: Tensor) -> Tensor:
        shift, scale, gate = (modulation + self.own).chunk(_MODULATIONS, -1)
        normal = functional.layer_norm(hidden, hidden.shape[-1:]) * (1 + scale) + shift
        inner = functional.silu(self.inner(normal))
        result: Tensor = hidden + gate * self.outer(inner)
        return result


def _waves(time: Tensor) -> Tensor:
    """Times as sines and cosines of falling frequency: (N, 64)."""
    falling = torch.arange(_FREQUENCIES, device=time.device) / (_FREQUENCIES - 1)
    angles = time[:, None] * _LONGEST ** (1 - falling)
    return torch.cat([angles.cos(), angles.sin()], -1)
