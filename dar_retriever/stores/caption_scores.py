"""How much captions count in the score of an entry, measured on the store itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dar_retriever.encoders.base import Vectors

# Fewer captions do not tell what is usual.
_FEWEST: Final = 50
# So many of a hundred captions of other pictures pass for a picture's own.
_BY_CHANCE: Final = 0.01
# What a caption that tells all of its own would weigh: as much as the picture.
_MOST: Final = 0.5
_LEAST: Final = 0.01
_FLAT: Final = 1e-6

Numbers = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class CaptionScale:
    """The scale of captions' scores in one query, which is not that of pictures' scores.

    Attributes:
        weight: The share of a caption in its entry's score, 0 to 1.
        shift: Added to a caption's score once it is stretched.
        stretch: How much wider pictures' scores are spread.
    """

    weight: float
    shift: float
    stretch: float

    def mixed(self, pictures: Numbers, captions: Numbers) -> Numbers:
        """Scores of entries from those of their picture and caption, on the scale of pictures."""
        theirs = self.stretch * captions + self.shift
        result: Numbers = (1 - self.weight) * pictures + self.weight * theirs
        return result


class CaptionCalibration:
    """Tells which captions are their picture's own, and what they weigh in a query.

    A caption is believed where it fits its picture better than 99 % of the sample's captions fit
    pictures that are not theirs, as image-text pairs are filtered by CLIP's score (LAION-400M,
    arXiv 2111.02114). A wrong one does no harm, and as many as pass by chance do not count.

    Scores of captions are brought to the mean and the spread that pictures have in the same query.
    Where both agree closely, captions tell nothing new and weigh little: half of the variance that
    they do not share.

    Args:
        captions: Vectors of some captions: float32 (N, d), unit length.
        pictures: Vectors of their pictures: float32 (N, d), unit length.
    """

    def __init__(self, captions: Vectors, pictures: Vectors) -> None:
        self._centre: Vectors = np.zeros(captions.shape[1], np.float32)
        self._spread: Vectors = np.zeros((captions.shape[1],) * 2, np.float32)
        self._lowest, self._believed = np.inf, 0.0
        self._captions, self._pictures = captions, pictures
        if len(captions) < _FEWEST:
            return
        self._centre = pictures.mean(0)
        centred = pictures - self._centre
        self._spread = (centred.T @ centred / len(pictures)).astype(np.float32)
        fits = self._standing(captions, captions @ pictures.T)
        own = np.diag(fits)
        others = fits[~np.eye(len(fits), dtype=bool)]
        self._lowest = float(np.quantile(others, 1 - _BY_CHANCE))
        good = own > self._lowest
        share = float(good.mean())
        beyond = (share - _BY_CHANCE) / (1 - _BY_CHANCE)
        self._believed = max(0.0, beyond / share) if share else 0.0
        self._captions, self._pictures = captions[good], pictures[good]

    @property
    def counts(self) -> bool:
        """Whether captions count at all here."""
        return self._believed > 0 and len(self._captions) > 1

    def own(self, captions: Vectors, pictures: Vectors) -> NDArray[np.bool_]:
        """Whether captions are believed to be those of their pictures.

        Args:
            captions: Vectors: float32 (N, d).
            pictures: Vectors of their pictures: float32 (N, d).
        """
        fits = (captions * pictures).sum(1, keepdims=True)
        own: NDArray[np.bool_] = self._standing(captions, fits)[:, 0] > self._lowest
        return own

    def scale(self, query: Vectors) -> CaptionScale | None:
        """What captions weigh in a query, and how their scores are read; None if nothing.

        Args:
            query: float32 (d,).
        """
        if not self.counts:
            return None
        theirs, seen = self._captions @ query, self._pictures @ query
        spreads = float(theirs.std()), float(seen.std())
        if min(spreads) < _FLAT:
            return None
        shared = float(((theirs - theirs.mean()) * (seen - seen.mean())).mean() / np.prod(spreads))
        weight = _MOST * self._believed * (1 - shared**2)
        if weight < _LEAST:
            return None
        stretch = spreads[1] / spreads[0]
        return CaptionScale(weight, float(seen.mean() - stretch * theirs.mean()), stretch)

    def _standing(self, captions: Vectors, fits: Numbers) -> Numbers:
        """Fits with pictures, in the spread of each caption's fits with all pictures."""
        usual = captions @ self._centre
        spread = np.sqrt(np.maximum(((captions @ self._spread) * captions).sum(1), _FLAT**2))
        standing: Numbers = (fits - usual[:, None]) / spread[:, None]
        return standing
