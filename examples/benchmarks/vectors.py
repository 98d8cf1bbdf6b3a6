"""Synthetic vectors that are distributed like a joint encoder's, by the million.

Random directions in 512 dimensions have no real neighbours: the best and the worst image are about
equally far away, and no index finds the best ten. Vectors of pictures are distributed differently.
These come from a mixture with the known properties of CLIP's vectors:

- Images share a mean: two random images have a cosine of 0.50 on average.
- The variance falls with the rank of its direction as 1 / rank (here 20 directions hold half of
  it, 240 hold 90 %).
- They form clusters of different sizes, and each cluster varies in its own directions. So the
  local intrinsic dimension (maximum likelihood, 100 neighbours; Levina and Bickel, 2004) is about
  20 among 50,000 images and 23 among a million. For the drawn products of the demo, which are not
  photographs, it is 7.
- Texts lie apart from images (the modality gap; Liang et al., 2022). A text has a cosine of 0.30
  with its own image and 0.18 with a random one. Among 5,000 images its own comes first for 38 % of
  the texts and in the top 10 for 68 %, close to the 30 % and 67 % of CLIP ViT-B/32 on COCO.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dar_retriever import Vectors

BLOCK: Final = 10_000

_CLUSTERS: Final = 2000
_ZIPF: Final = 0.7
_MEAN: Final = 0.7
_WITHIN: Final = 0.7
_UNEVEN: Final = 0.5
_TEXT_MEAN: Final = 0.25
_TEXT_OWN: Final = 0.175
_TEXT_BESIDE: Final = 0.2
_TEXT_NOISE: Final = 0.5


class SyntheticVectors:
    """Draws vectors of images and texts, the same for a seed at every call.

    Args:
        dimension: The length d of a vector.
        seed: Another one, another collection.
    """

    def __init__(self, dimension: int = 512, seed: int = 0) -> None:
        self.dimension = dimension
        self._seed = seed
        random = np.random.default_rng([seed, 0])
        self._falling = _unit(np.arange(1, dimension + 1, dtype=np.float32)[None] ** -0.5)[0]
        self._mean = _unit(random.standard_normal((1, dimension), np.float32))[0]
        offset = random.standard_normal(dimension).astype(np.float32)
        offset -= (offset @ self._mean) * self._mean
        self._gap = _unit(offset[None])[0]
        shape = (_CLUSTERS, dimension)
        self._centres = random.standard_normal(shape, np.float32) * self._falling
        uneven = np.exp(_UNEVEN * random.standard_normal(shape, np.float32))
        self._widths = _unit(self._falling * uneven)
        sizes = np.arange(1, _CLUSTERS + 1) ** -_ZIPF
        self._sizes: NDArray[np.float64] = sizes / sizes.sum()

    def images(self, block: int) -> Vectors:
        """One block of images, which any number of blocks can follow.

        Args:
            block: Its number, from 0.

        Returns:
            float32 (BLOCK, d) of unit length.
        """
        random = np.random.default_rng([self._seed, 1, block])
        cluster = random.choice(_CLUSTERS, BLOCK, p=self._sizes)
        around = self._widths[cluster] * random.standard_normal((BLOCK, self.dimension), np.float32)
        own = _beside(_WITHIN) * self._centres[cluster] + _WITHIN * around
        return _unit(_MEAN * self._mean + _beside(_MEAN) * own)

    def texts(self, images: Vectors) -> Vectors:
        """A text about each image: float32 (N, d) of unit length, for images of that shape."""
        random = np.random.default_rng([self._seed, 2])
        own = _unit(images - _MEAN * self._mean)
        beside = self._falling * random.standard_normal(images.shape, np.float32)
        noise = random.standard_normal(images.shape, np.float32) / np.sqrt(self.dimension)
        text = _TEXT_MEAN * self._mean + _TEXT_OWN * own
        text += _TEXT_BESIDE * beside + _TEXT_NOISE * noise
        parts = (_TEXT_MEAN, _TEXT_OWN, _TEXT_BESIDE, _TEXT_NOISE)
        return _unit(text + _beside(*parts) * self._gap).astype(np.float32)


def _beside(*parts: float) -> float:
    """How long what is left of a unit vector is, beside orthogonal parts of these lengths."""
    return float(np.sqrt(1 - sum(part**2 for part in parts)))


def _unit(rows: Vectors) -> Vectors:
    unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
