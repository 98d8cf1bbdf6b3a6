"""The image side of a matching head. It imports PyTorch; import it where a head is opened."""

from __future__ import annotations

import math

from torch import Tensor, nn


class ImageReader(nn.Module):
    """Reads stored vectors into the features that a caption reader reads out of captions.

    Args:
        dimension: Dimensions d of the encoder's vectors.
        width: Width of the hidden layers.
        features: How many features are compared.
    """

    def __init__(self, dimension: int, width: int, features: int) -> None:
        super().__init__()
        # Brings the components of unit vectors to about 1.
        self.scale = math.sqrt(dimension)
        self.layers = nn.Sequential(
            nn.Linear(dimension, width),
            nn.GELU(),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Linear(width, features),
        )

    def forward(self, vectors: Tensor) -> Tensor:
        """Features of image vectors: float32 (N, d) of unit length to (N, features)."""
        features: Tensor = self.layers(self.scale * vectors)
        return features
