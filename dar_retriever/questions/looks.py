"""Which pictures show which words, judged by the encoder against what is usual in the store."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.fusion.calibration import FLAT
from dar_retriever.questions.vocabulary import SAY_NOTHING, Vocabulary, vocabulary_of
from dar_retriever.stores.base import SearchableStore
from dar_retriever.support.remembering import Remembered

Shows = NDArray[np.bool_]

_FEWEST: Final = 20
# A picture shows the words that it stands out in most, if it does by a standard deviation.
_SHOWN: Final = 4
_OUTSTANDING: Final = 1.0
# Words whose scores are so much alike over a store are one.
_SAME: Final = 0.85
_CAPTIONS: Final = 500
_PHRASES: Final = 40
_IN_MOST: Final = 10
_REMEMBERED: Final = 2000
_PART: Final = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*|[^\w\s-]")


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What N pictures show of W words.

    Attributes:
        words: The words.
        scores: How far each picture stands out in each word, in standard deviations of the store:
            (N, W).
        shows: Whether it shows it: (N, W).
        usual: The share of the store's pictures that show it: (W,).
    """

    words: tuple[str, ...]
    scores: Vectors
    shows: Shows
    usual: Vectors

    @property
    def above(self) -> Vectors:
        """How far the pictures that show a word stand out from the store: (W,)."""
        return _mean(self.scores, self.shows)

    @property
    def apart(self) -> Vectors:
        """How far the pictures that show a word stand out from the others: (W,)."""
        return _mean(self.scores, self.shows) - _mean(self.scores, ~self.shows)


@dataclass(frozen=True, slots=True, eq=False)
class _Usual:
    """The words of a vocabulary that differ in a store, and what is usual there."""

    sample: Vectors
    words: tuple[str, ...]
    vectors: Vectors
    mean: Vectors
    spread: Vectors
    usual: Vectors


class Looks:
    """Judges which pictures show which words.

    Args:
        encoder: The joint encoder.
        store: The store.
        words: The word list; see ``vocabulary_of``.
    """

    def __init__(
        self, encoder: JointEncoder, store: SearchableStore, words: Sequence[str] = ()
    ) -> None:
        self._encoder = encoder
        self._store = store
        self._list = words
        self._known: _Usual | None = None
        self._told: tuple[Vectors, list[set[str]]] | None = None
        self._texts: Remembered[Vectors] = Remembered(encoder.encode_texts, _REMEMBERED)

    def seen(self, vectors: Vectors) -> Seen | None:
        """What pictures show of the word list; None in a store of fewer than 20 images.

        Args:
            vectors: The pictures: (N, d).
        """
        sample = self._store.sample()
        if len(sample) < _FEWEST:
            return None
        known = self._known
        if known is None or known.sample is not sample:
            known = self._known = _usual(self._vocabulary, sample)
        scores = (vectors @ known.vectors.T - known.mean) / known.spread
        return Seen(known.words, scores, _shown(scores), known.usual)

    def of(self, vectors: Vectors, words: Sequence[str]) -> Seen | None:
        """What pictures show of any words, each judged by itself; None as above, or without words.

        Args:
            vectors: The pictures: (N, d).
            words: The words.
        """
        sample = self._store.sample()
        if len(sample) < _FEWEST or not words:
            return None
        texts = np.stack(self._texts.of(words))
        over = sample @ texts.T
        mean, spread = over.mean(0), np.maximum(over.std(0), FLAT)
        scores = (vectors @ texts.T - mean) / spread
        usual = ((over - mean) / spread > _OUTSTANDING).mean(0).astype(np.float32)
        return Seen(tuple(words), scores, scores > _OUTSTANDING, usual)

    def told(self, vectors: Vectors, captions: Sequence[str]) -> Seen | None:
        """What captions tell of pictures; None if they share no words, or as above.

        Args:
            vectors: The pictures: (N, d).
            captions: Their captions: N.
        """
        rows = [phrases_in(caption) for caption in captions]
        seen = self.of(vectors, _candidates(rows))
        if seen is None:
            return None
        others = self._others(self._store.sample())
        usual = np.array([sum(word in row for row in others) for word in seen.words]) / len(others)
        shows = np.array([[word in row for word in seen.words] for row in rows], bool)
        return Seen(seen.words, seen.scores, shows, usual.astype(np.float32))

    def _others(self, sample: Vectors) -> list[set[str]]:
        """The phrases of the store's captions; never empty."""
        if self._told is None or self._told[0] is not sample:
            said = self._store.captions(_CAPTIONS)
            self._told = (sample, [phrases_in(caption) for caption in said] or [set()])
        return self._told[1]

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return vocabulary_of(self._encoder, self._list)


def phrases_in(caption: str) -> set[str]:
    """The words of a caption and its pairs of neighbours, without words that say nothing."""
    parts = _PART.findall(caption.lower())
    pairs = {f"{one} {two}" for one, two in pairwise(parts) if _says(one) and _names(two)}
    return {part for part in parts if _says(part)} | pairs


def _candidates(rows: Sequence[set[str]]) -> list[str]:
    """The phrases that tell pictures apart or are in most, a longer one for a shorter."""
    counts = Counter(phrase for row in rows for phrase in row)
    shared = [phrase for phrase, times in counts.items() if times > 1]
    # A phrase that always comes with a word of its own says no less than the word.
    longer = [phrase for phrase in shared if " " in phrase]
    hidden = {w for p in longer for w in p.split() if counts[w] == counts[p]}
    half = len(rows) / 2
    left = [phrase for phrase in shared if phrase not in hidden]
    common = sorted(left, key=lambda phrase: (-counts[phrase], phrase))[:_IN_MOST]
    telling = sorted(left, key=lambda phrase: (abs(counts[phrase] - half), phrase))
    return list(dict.fromkeys([*common, *telling[:_PHRASES]]))


def _says(part: str) -> bool:
    return part[0].isalpha() and part not in SAY_NOTHING


def _names(part: str) -> bool:
    return part[0].isalpha() and (part not in SAY_NOTHING or part == "background")


def _usual(vocabulary: Vocabulary, sample: Vectors) -> _Usual:
    over = sample @ vocabulary.vectors.T
    mean, spread = over.mean(0), np.maximum(over.std(0), FLAT)
    standard = (over - mean) / spread
    alike = standard.T @ standard / len(sample)
    kept: list[int] = []
    for place in range(len(vocabulary.words)):
        if not kept or alike[place, kept].max() < _SAME:
            kept.append(place)
    words = tuple(vocabulary.words[place] for place in kept)
    usual = _shown(standard[:, kept]).mean(0).astype(np.float32)
    return _Usual(sample, words, vocabulary.vectors[kept], mean[kept], spread[kept], usual)


def _shown(scores: Vectors) -> Shows:
    ranks = (-scores).argsort(1).argsort(1)
    return np.asarray((ranks < _SHOWN) & (scores > _OUTSTANDING), bool)


def _mean(scores: Vectors, chosen: Shows) -> Vectors:
    total = np.where(chosen, scores, 0).sum(0)
    return np.asarray(total / np.maximum(chosen.sum(0), 1), np.float32)
