"""Whether anything in a store is close to what was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Final, Protocol

import numpy as np

from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.fusion.calibration import FLAT, Calibration
from dar_retriever.query_encoder import EncodedQuery
from dar_retriever.stores.base import SearchableStore

# Chosen on simulated dialogues; how often they err: examples/benchmarks/nothing_close.py.
_ODD: Final = 0.05
_MARGIN: Final = 0.1
_AGREES: Final = -1.0
_ASKED: Final = 64
_FEWEST: Final = 20
# The same picture stored again, perhaps at another size.
_COPY: Final = 0.999
_COPIES: Final = 4


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the best hits are close, and why not, for people."""

    close: bool = True
    reason: str = ""


class Closeness(Protocol):
    """Decides whether the hits of a query are worth showing."""

    def verdict(self, query: EncodedQuery) -> Verdict:
        """Whether anything in the store is close to a query."""
        ...


class StoreCloseness:
    """Holds what was asked for against what is usual in the store, by drawings and by words.

    A text's scores among each other do not tell: the best of many images stands out whether it fits
    or not. A generated image is an image like the stored ones. Nothing is close where all hold:

    - The generated images lie farther from their nearest stored image than 95 % of the stored
      images from theirs.
    - They fit the text at least as well as its best hit does, to a tenth of a standard deviation of
      its scores; so a generator whose style is not the store's does not make everything look far.
    - The best hit fits the text less well, by a standard deviation, than the store's own captions
      are fitted by theirs, where the store has captions. Words alone decide nothing: "something
      red" fits nothing as well as a whole caption does.

    Without generated images, or in a store of too few, everything counts as close. Filters of a
    search are not looked at.

    Args:
        store: What is searched.
        encoder: Encodes the store's captions.
        calibration: Of the store.
    """

    def __init__(
        self, store: SearchableStore, encoder: JointEncoder, calibration: Calibration
    ) -> None:
        self._store = store
        self._encoder = encoder
        self._calibration = calibration
        self._usual: _Usual | None = None
        self._lock = Lock()

    def verdict(self, query: EncodedQuery) -> Verdict:
        """See ``Closeness``."""
        text, drawn = query.text_vector, query.image_vectors
        around = None if text is None or not len(drawn) else self._calibration.around(text)
        if text is None or around is None or not len(around.scores):
            return Verdict()
        usual = self._usual_nearness()
        words = usual.deviation(float(around.scores[0]))
        if words is not None and words > _AGREES:
            return Verdict()
        rank = float((usual.images < np.mean([self._nearness(v) for v in drawn])).mean())
        better = float(around.scores[0] - (drawn @ text).mean()) / around.spread
        if rank >= _ODD or better > _MARGIN:
            return Verdict()
        return Verdict(
            False,
            f"nothing is close: {100 * (1 - rank):.0f} % of the stored images have a nearer "
            "neighbour than what was generated",
        )

    def _nearness(self, vector: Vectors) -> float:
        return float((self._store.nearest(vector, 1) @ vector).max())

    def _nearest_other(self, vector: Vectors) -> float:
        """The score of the nearest image that is neither the vector's own nor a copy of it."""
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
        sample: The store's sample when it was looked at.
        images: Some stored images' scores with the nearest other one.
        texts: Some stored captions' scores with the nearest image; empty where there are few.
    """

    sample: Vectors
    images: Vectors
    texts: Vectors

    def deviation(self, score: float) -> float | None:
        """A text's best score, in standard deviations from those of the stored captions."""
        if not len(self.texts) or self.texts.std() < FLAT:
            return None
        return float((score - self.texts.mean()) / self.texts.std())
