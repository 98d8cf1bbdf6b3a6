"""The spread of the samples is the query: what is meant against anything, as two Gaussians."""

from __future__ import annotations

from threading import Lock
from typing import Final

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import UndecidedError
from dar_retriever.fusion.calibration import Neighbours
from dar_retriever.query_encoder import EncodedQuery
from dar_retriever.ranking.base import (
    Candidates,
    Scores,
    fit,
    require_words_alone,
    standardised,
)
from dar_retriever.ranking.gaussian import Gaussian, centred, root

# Chosen on dialogues of their own; see examples/benchmarks/spread.md.
_BOUND: Final = 1.5
_SHARE: Final = 0.5
_OWN: Final = 0.8
_NOISE: Final = 0.05
# Sixteen find less than the text alone: examples/benchmarks/spread.md.
_FEWEST: Final = 32
_FEWEST_STORED: Final = 50
_ALIKE: Final = 0.01
# The samples of a working prior nearly all fit the text as well as the last candidate does; where
# half of them are foreign, half of them do.
_FITTING: Final = 2 / 3
# In a small store, the candidates are nearly everything.
_BEST_PART: Final = 4


class DensityRatioReranker:
    """Orders hits by the samples of what is meant: where they agree, and where they differ.

    Where drawings or samples of a caption agree, the user has said something. Where they differ,
    it was left open. Their mean cannot tell which is which; a distribution can. So a stored vector
    v is scored by

        log N(v; the samples) - log N(v; the store),

    the quadratic discriminant of "what is meant" against "anything". This project's own method;
    figures and what did worse: ``examples/benchmarks/spread.md``.

    The covariance of the samples is shrunk towards that of the store: 0.8 of its own and 0.2 of
    the store's, and 0.05 of the mean variance is added in each dimension.

    Samples that fit the text worse than all candidates do, or than a quarter of a small store, are
    dropped. The order of the search stands if more than a third of them are dropped, as they
    contradict the text; if there are fewer than 32 samples or 50 stored images; and if the samples
    are all but equal, as those of a broken generator are.

    Args:
        neighbours: The store that is searched.
        depth: See ``Reranker``.
        text: Whether the text's own score counts as well. Then the ratio, in standard deviations
            among the candidates, counts half, and no more than 1.5 of them either way: samples that
            are wrong about something that was told cannot move a hit far. Without it the samples
            decide alone, such as beside a matching head.
    """

    name = "density ratio"
    reads_pictures = False

    def __init__(self, neighbours: Neighbours, depth: int = 200, *, text: bool = True) -> None:
        self._neighbours = neighbours
        self.depth = depth
        self._text = text
        self._anything: _Anything | None = None
        self._lock = Lock()

    def scores(self, candidates: Candidates) -> Scores:
        """See ``Reranker``.

        Raises:
            UndecidedError: The samples or the store are too few, or the samples all but equal, or
                they contradict the text; or pictures were shown or judged, which the samples know
                nothing of.
        """
        require_words_alone(candidates.query, self.name)
        given, anything = _samples(candidates.query), self._stored()
        samples = _fitting(given, candidates, len(anything.sample) // _BEST_PART)
        own = centred(samples)
        if (own**2).sum() < _ALIKE * anything.variance:
            raise UndecidedError("the samples of what is meant are all but equal")
        factors = np.concatenate([_OWN**0.5 * own, (1 - _OWN) ** 0.5 * anything.factors])
        noise = _NOISE * float((factors**2).sum()) / factors.shape[1]
        meant = Gaussian(samples.mean(0), factors, noise)
        vectors = candidates.vectors
        ratio = meant.log_density(vectors) - anything.gaussian.log_density(vectors)
        text = candidates.query.text_vector
        if not self._text or text is None:
            return ratio
        bounded = np.clip(standardised(ratio), -_BOUND, _BOUND)
        scores: Scores = fit(candidates, text) + _SHARE * bounded
        return scores

    def _stored(self) -> _Anything:
        sample = self._neighbours.sample()
        with self._lock:
            if self._anything is None or self._anything.sample is not sample:
                self._anything = _Anything(sample)
            return self._anything


class _Anything:
    """The Gaussian of a store.

    Raises:
        UndecidedError: The store is too small to tell what is usual.
    """

    def __init__(self, sample: Vectors) -> None:
        if len(sample) < _FEWEST_STORED:
            raise UndecidedError("the store is too small to tell what is usual")
        self.sample = sample
        self.factors = root(centred(sample))
        self.variance = float((self.factors**2).sum())
        noise = _NOISE * self.variance / self.factors.shape[1]
        self.gaussian = Gaussian(sample.mean(0), self.factors, noise)


def _fitting(samples: Vectors, candidates: Candidates, most: int) -> Vectors:
    """The samples that fit the text as well as the candidates do, of which the best count.

    Raises:
        UndecidedError: Too many do not.
    """
    text = candidates.query.text_vector
    if text is None or not len(candidates.vectors):
        return samples
    level = np.sort(candidates.vectors @ text)[::-1][:most].min()
    fitting: Vectors = samples[samples @ text >= level]
    if len(fitting) < _FITTING * len(samples):
        lost = len(samples) - len(fitting)
        raise UndecidedError(f"{lost} of {len(samples)} samples contradict the text")
    return fitting


def _samples(query: EncodedQuery) -> Vectors:
    given = [some for some in (query.sampled_vectors, query.image_vectors) if len(some)]
    count = sum(map(len, given))
    if count < _FEWEST:
        raise UndecidedError(f"{count} samples of what is meant say too little")
    return np.concatenate(given)
