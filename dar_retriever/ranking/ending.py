"""Where the list of hits ends: how many of them fit the request."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Final, Protocol

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.fusion.calibration import FLAT
from dar_retriever.ranking.base import Candidates, Scores
from dar_retriever.ranking.propositions import names_a_thing
from dar_retriever.ranking.reading import PropositionReader
from dar_retriever.stores.base import SearchableStore

# Chosen on simulated requests; for the error rates see examples/benchmarks/second_stage.md.
_MISS: Final = 0.2
_NOTHING: Final = 0.005
_USUAL: Final = 0.04
_NEAR_THE_BEST: Final = 0.3
_FEWEST: Final = 20
_ASKED: Final = 64


class Ending(Protocol):
    """Decides how many of the hits fit the request."""

    def fitting(self, candidates: Candidates) -> int | None:
        """How many of the candidates fit, from 0; None if it cannot be told."""
        ...


class StoreEnding:
    """Counts the hits that fit as well as stored images fit their own captions.

    How well an image fits is its score with the caption of the request, less a share of its score
    for the proposition that it shows least. All stored captions fit something in the store, and so
    do their beginnings ("a mug", "a mug with dots"). A hit fits if it does so as well as the best
    hits of 96 % of those do. Nothing fits if the best hit falls behind all but one in 200 of them;
    between the two, the best hit alone fits.

    In a store without captions, hits fit that are nearly as good as the best one, and so they do
    where the request names no thing, such as "something red". Then at least one always does, and
    ``Closeness`` alone can say that none does.

    Without words, or in a very small store, it cannot be told.

    Args:
        store: The store that is searched.
        reader: Reads propositions off the stored vectors.
    """

    def __init__(self, store: SearchableStore, reader: PropositionReader) -> None:
        self._store = store
        self._reader = reader
        self._usual: _Usual | None = None
        self._lock = Lock()

    def fitting(self, candidates: Candidates) -> int | None:
        """See ``Ending``."""
        text, sample = candidates.query.text_vector, self._reader.calibration.sample()
        caption = candidates.query.trace.caption
        if text is None or sample is None or not caption:
            return None
        if not len(candidates.vectors):
            return 0
        fits = self._fits(caption, text, candidates.vectors)
        best = float(fits.max())
        usual = self._levels(sample) if names_a_thing(caption) else None
        if usual is None:
            level = best - _NEAR_THE_BEST * self._reader.calibration.spread(text)
        elif best < usual[0]:
            return 0
        else:
            level = min(usual[1], best)
        return int(np.count_nonzero(fits >= level))

    def _fits(self, caption: str, text: Vectors, images: Vectors) -> Scores:
        scores: Scores = images @ text
        reading = self._reader.read(caption, (), images)
        if reading is None:
            return scores
        return scores + _MISS * max(self._reader.calibration.spread(text), FLAT) * reading.worst

    def _levels(self, sample: Vectors) -> tuple[float, float] | None:
        """What nearly all and what most fits reach; None if there are too few captions."""
        with self._lock:
            if self._usual is None or self._usual.sample is not sample:
                self._usual = _Usual(sample, self._measured())
            return self._usual.levels

    def _measured(self) -> tuple[float, float] | None:
        captions = self._store.captions(_ASKED)
        if len(captions) < _FEWEST:
            return None
        texts = sorted({text for caption in captions for text in _beginnings(caption)})
        vectors = self._reader.encoder.encode_texts(texts)
        best = [
            float(self._fits(text, vector, self._store.nearest(vector, 1)).max())
            for text, vector in zip(texts, vectors, strict=True)
        ]
        return float(np.quantile(best, _NOTHING)), float(np.quantile(best, _USUAL))


@dataclass(frozen=True, slots=True)
class _Usual:
    """What hits that fit reach, and the store's sample at the time of measuring."""

    sample: Vectors
    levels: tuple[float, float] | None


def _beginnings(caption: str) -> list[str]:
    """The caption, and what it begins with: up to each of its commas."""
    parts = caption.split(",")
    return [",".join(parts[:count]).strip() for count in range(1, len(parts) + 1)]
