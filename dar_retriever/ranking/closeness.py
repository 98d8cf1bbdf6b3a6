"""Decides whether anything in a store is close to the request."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Final, Protocol

import numpy as np

from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.fusion.calibration import FLAT, Calibration
from dar_retriever.query_encoder import EncodedQuery
from dar_retriever.stores.base import SearchableStore
from dar_retriever.stores.filters import Filter

# Chosen on simulated dialogues. For the error rates see examples/benchmarks/nothing_close.py.
_ODD: Final = 0.05
_MARGIN: Final = 0.1
_AGREES: Final = -1.0
_ASKED: Final = 64
_FEWEST: Final = 20
# A higher score means the same picture, perhaps at another size.
_COPY: Final = 0.999
_COPIES: Final = 4


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the best hits are close, and if not, the reason for people."""

    close: bool = True
    reason: str = ""


class Closeness(Protocol):
    """Decides whether the hits of a query are worth showing."""

    def verdict(self, query: EncodedQuery, where: Filter | None) -> Verdict:
        """Whether anything in the store that matches a metadata filter is close to a query."""
        ...


class StoreCloseness:
    """Compares the request with what is usual in the store, by generated images and by text.

    The text's own scores are not enough: the best of many images always stands out, whether it fits
    or not. But generated images can be compared with stored ones. Nothing is close if all of
    these hold:

    - The generated images are farther from their nearest stored image than 95 % of the stored
      images are from theirs.
    - They fit the text at least as well as its best hit does, within a tenth of a standard
      deviation of its scores. Without this, a generator of another style would make everything
      look far.
    - The text fits its best hit worse than the store's captions fit theirs, by a standard
      deviation. This is only checked if the store has captions, and never decides by itself,
      because a short text such as "something red" fits no image as well as a full caption does.

    What is usual is measured on the whole store; what is near is looked for among the images that
    match the filter of the search. Without generated images, or in a store of less than 20 images,
    everything counts as close.

    Args:
        store: The store that is searched.
        encoder: Encodes the store's captions.
        calibration: Calibration of the store.
    """

    def __init__(
        self, store: SearchableStore, encoder: JointEncoder, calibration: Calibration
    ) -> None:
        self._store = store
        self._encoder = encoder
        self._calibration = calibration
        self._usual: _Usual | None = None
        self._lock = Lock()

    def verdict(self, query: EncodedQuery, where: Filter | None = None) -> Verdict:
        """See ``Closeness``."""
        text, drawn = query.text_vector, query.image_vectors
        around = None if text is None or not len(drawn) else self._calibration.around(text)
        if text is None or around is None or not len(around.scores):
            return Verdict()
        best = float(around.scores[0]) if where is None else self._nearness(text, where)
        usual = self._usual_nearness()
        words = usual.deviation(best)
        if words is not None and words > _AGREES:
            return Verdict()
        rank = float((usual.images < np.mean([self._nearness(v, where) for v in drawn])).mean())
        better = (best - float((drawn @ text).mean())) / around.spread
        if rank >= _ODD or better > _MARGIN:
            return Verdict()
        return Verdict(
            False,
            f"nothing is close: {100 * (1 - rank):.0f} % of the stored images have a nearer "
            "neighbour than what was generated",
        )

    def _nearness(self, vector: Vectors, where: Filter | None = None) -> float:
        if where is None:
            return float((self._store.nearest(vector, 1) @ vector).max())
        return max((hit.score for hit in self._store.search(vector, 1, where)), default=-1.0)

    def _nearest_other(self, vector: Vectors) -> float:
        """The score of the nearest image that is not the vector's own image or a copy of it."""
        scores = self._store.nearest(vector, _COPIES) @ vector
        others = scores[scores < _COPY]
        return float(others.max() if len(others) else scores.min())

    def _usual_nearness(self) -> _Usual:
        sample = self._store.sample()
        with self._lock:
            if self._usual is None or self._usual.sample is not sample:
                step = max(1, len(sample) // _ASKED)
                images = [self._nearest_other(vector) for vector in sample[::step]]
                captions = self._store.captions(_ASKED)
                vectors = self._encoder.encode_texts(captions) if len(captions) >= _FEWEST else ()
                texts = [self._nearness(vector) for vector in vectors]
                self._usual = _Usual(sample, np.asarray(images), np.asarray(texts))
            return self._usual


@dataclass(frozen=True, slots=True)
class _Usual:
    """What is usual in a store.

    Attributes:
        sample: The store's sample that this was measured on.
        images: Scores of some stored images with their nearest other image.
        texts: Scores of some stored captions with their nearest image; empty if there are few.
    """

    sample: Vectors
    images: Vectors
    texts: Vectors

    def deviation(self, score: float) -> float | None:
        """A text's best score, in standard deviations from those of the stored captions."""
        if not len(self.texts) or self.texts.std() < FLAT:
            return None
        return float((score - self.texts.mean()) / self.texts.std())
