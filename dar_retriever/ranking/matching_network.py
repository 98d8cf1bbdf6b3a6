"""The image side of a matching head. It imports PyTorch; import it where a head is opened."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

# Chosen on dialogues of their own; from 0.02 to 0.3 hardly anything changes, and 0 is worse.
_WRONG: Final = 0.2


class ImageReader(nn.Module):
    """Reads the values of attributes off stored vectors.

    Args:
        dimension: Dimensions d of the encoder's vectors.
        width: Width of the hidden layers.
        sizes: How many values each of the C attributes has.
    """

    usual: Tensor

    def __init__(self, dimension: int, width: int, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = list(sizes)
        # Brings the components of unit vectors to about 1.
        self.scale = math.sqrt(dimension)
        # Logarithms of how often each value occurs.
        self.register_buffer("usual", torch.zeros(sum(sizes)))
        self.layers = nn.Sequential(
            nn.Linear(dimension, width),
            nn.GELU(),
            nn.Dropout(0.1),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Dropout(0.1),
            nn.Linear(width, sum(sizes)),
        )

    def forward(self, vectors: Tensor) -> list[Tensor]:
        """Logarithms of the values' probabilities.

        Args:
            vectors: float32 (N, d), of unit length.

        Returns:
            For each attribute float32 (N, values).
        """
        parts = self.layers(self.scale * vectors).split(self.sizes, 1)
        return [functional.log_softmax(part, 1) for part in parts]

    def evidence(self, vectors: Tensor) -> list[Tensor]:
        """How much likelier than usual each value is, as logarithms: see ``forward``.

        One thing in five may have been said wrongly, or will be taken back: so nothing that a
        picture lacks makes it less likely than a fifth of the usual.
        """
        usual = self.usual.split(self.sizes)
        likelier = [(read - part).exp() for read, part in zip(self(vectors), usual, strict=True)]
        return [torch.log((1 - _WRONG) * each + _WRONG) for each in likelier]
