"""Facets that any picture has, judged by the encoder: for stores without metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

import numpy as np

from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.fusion.calibration import FLAT
from dar_retriever.questions.dividing import look_facet
from dar_retriever.questions.facet import Facet
from dar_retriever.questions.looks import Looks
from dar_retriever.questions.trials import Candidates
from dar_retriever.stores.base import SearchableStore

# Each value in two wordings; the first is offered.
FACETS: Final[Mapping[str, Mapping[str, str]]] = {
    "colour": {
        colour: f"something {colour}"
        for colour in (
            *("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black"),
            *("white", "grey", "teal"),
        )
    },
    "pattern": {
        "plain": "without a pattern",
        "striped": "with stripes",
        "dotted": "with dots",
        "checked": "with checks",
        "floral": "with flowers",
    },
    "material": {
        "wood": "made of timber",
        "metal": "made of steel",
        "glass": "transparent glass",
        "leather": "made of hide",
        "fabric": "made of cloth",
    },
    "background": {
        "white background": "in front of white",
        "dark background": "in front of something dark",
        "colourful background": "in front of bright colours",
    },
    "setting": {
        "indoors": "inside a room",
        "in a city": "on a street",
        "in nature": "in the countryside",
        "at the sea": "by the water",
    },
    "viewpoint": {
        "close-up": "detail shot",
        "seen from the side": "in profile",
        "seen from above": "bird's-eye view",
        "seen from far away": "distant view",
    },
    "number of people": {
        "no people": "nobody",
        "one person": "a portrait of somebody",
        "two people": "a couple",
        "many people": "a crowd",
    },
    "time of day": {
        "in daylight": "by day",
        "at sunset": "in the evening sun",
        "at night": "in the dark",
    },
    "kind of picture": {
        "photograph": "photo",
        "drawing": "sketch",
        "painting": "oil on canvas",
    },
}
_CHOICES: Final = 8
_LEAST_SHARE: Final = 0.01
# The least correlation of the scores of two wordings. Over the drawn products, the embedded encoder
# has 0.9 or more for what they show, and below 0.5 for what they do not.
_AGREEMENT: Final = 0.7
_FEWEST: Final = 20


class VisualFacets:
    """Judges zero-shot which picture has which of some generic values (CLIP; Radford et al. 2021).

    A facet is left out if the encoder cannot tell its values apart in this store: if two wordings
    of a value do not lead to similar scores of the stored images. One more facet offers other words
    that divide the candidates; see ``look_facet``.

    Args:
        encoder: The joint encoder.
        store: The store.
        looks: Judges which candidates show which words.
    """

    def __init__(self, encoder: JointEncoder, store: SearchableStore, looks: Looks) -> None:
        self._encoder = encoder
        self._store = store
        self._looks = looks

    def facets(self, candidates: Candidates, said: Sequence[str] = ()) -> list[Facet]:
        """The facets of some candidates; none in a store of fewer than 20 images.

        Args:
            candidates: The candidates.
            said: What the user has said already, as it was understood.
        """
        sample = self._store.sample()
        if len(sample) < _FEWEST:
            return []
        judged = (
            _judged(name, vectors, sample, candidates) for name, vectors in self._texts.items()
        )
        facets = [facet for facet in judged if facet is not None]
        return [*facets, *look_facet(self._looks.seen(candidates.vectors), facets, said)]

    @cached_property
    def _texts(self) -> dict[str, Vectors]:
        """The vectors of each facet's values and of their other wordings: (2 A, d)."""
        texts = [text for facet in FACETS.values() for text in (*facet, *facet.values())]
        ends = np.cumsum([2 * len(facet) for facet in FACETS.values()])[:-1]
        vectors = np.split(self._encoder.encode_texts(texts), ends)
        return dict(zip(FACETS, vectors, strict=True))


def _judged(name: str, texts: Vectors, sample: Vectors, candidates: Candidates) -> Facet | None:
    usual = sample @ texts.T
    # Some texts score high with every picture.
    mean, spread = usual.mean(0), np.maximum(usual.std(0), FLAT)
    values = tuple(FACETS[name])

    def standard(scores: Vectors) -> Vectors:
        """How much each image stands out in each value and wording: (N, 2, A)."""
        each = ((scores - mean) / spread).reshape(len(scores), 2, len(values))
        return np.asarray(each - each.mean(2, keepdims=True))

    if _agreement(standard(usual)) < _AGREEMENT:
        return None
    nearest = standard(candidates.vectors @ texts.T).mean(1).argmax(1)
    holds = (nearest == np.arange(len(values))[:, None]).astype(np.float32)
    likely = holds @ candidates.shares
    order = [choice for choice in np.argsort(-likely) if likely[choice] >= _LEAST_SHARE][:_CHOICES]
    if len(order) < 2:
        return None
    return Facet(name, tuple(values[choice] for choice in order), holds[order])


def _agreement(standard: Vectors) -> float:
    """The correlation of two wordings over images: the mean over values of (N, 2, A)."""
    centred = standard - standard.mean(0)
    one, other = centred[:, 0], centred[:, 1]
    lengths = np.linalg.norm(one, axis=0) * np.linalg.norm(other, axis=0)
    return float(((one * other).sum(0) / np.maximum(lengths, FLAT)).mean())
