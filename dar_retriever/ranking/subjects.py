"""Whether a store has anything of the kind that is asked for."""

from __future__ import annotations

from threading import Lock
from typing import Final

import numpy as np

from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.ranking.propositions import names_a_thing, propositions
from dar_retriever.reformulation.english.lexicon import DETERMINERS
from dar_retriever.reformulation.english.nouns import singular
from dar_retriever.stores.base import SearchableStore
from dar_retriever.support.remembering import Remembered

_FEWEST: Final = 20
_ASKED: Final = 64
# How far a subject may fall behind all known ones, in standard deviations of their scores.
_SLACK: Final = 1.5
_REMEMBERED: Final = 256


class SubjectLevel:
    """Compares a subject ("banana") with those of the store's captions, by the encoder.

    Args:
        store: The store that is searched.
        encoder: Its encoder.
    """

    def __init__(self, store: SearchableStore, encoder: JointEncoder) -> None:
        self._store = store
        self._encoder = encoder
        self._known = Remembered[Vectors](encoder.encode_texts, _REMEMBERED)
        self._level: tuple[Vectors, float | None] | None = None
        self._lock = Lock()

    def strange(self, caption: str, images: Vectors) -> bool:
        """Whether no image fits the caption's subject nearly as well as is usual.

        Args:
            caption: What is asked for.
            images: The best hits' stored vectors: (N, d).

        Returns:
            False where the caption names no thing, or the store has too few captions to compare.
        """
        if not names_a_thing(caption):
            return False
        level = self._usual()
        if level is None:
            return False
        return float((images @ self.vectors(caption).T).max()) < level

    def vectors(self, caption: str) -> Vectors:
        """The vectors of what a caption is about, as it is, in the singular and by words."""
        return np.stack(self._known.of(_forms(caption)))

    def _usual(self) -> float | None:
        sample = self._store.sample()
        with self._lock:
            if self._level is None or self._level[0] is not sample:
                self._level = (sample, self._measured())
            return self._level[1]

    def _measured(self) -> float | None:
        captions = [text for text in self._store.captions(_ASKED) if names_a_thing(text)]
        if len(captions) < _FEWEST:
            return None
        subjects = list(dict.fromkeys(map(_forms, captions)))
        forms = list(dict.fromkeys(form for each in subjects for form in each))
        vectors = self._encoder.encode_texts(forms)
        best = {
            form: float((self._store.nearest(vector, 1) @ vector).max())
            for form, vector in zip(forms, vectors, strict=True)
        }
        scores = [max(best[form] for form in each) for each in subjects]
        return min(scores) - _SLACK * float(np.std(scores))


def _forms(caption: str) -> tuple[str, ...]:
    """What a caption is about, as it is and in the singular, and each of its words.

    "my friend had this boot" is about a boot too.
    """
    subject = propositions(caption)[0].text
    *before, noun = subject.split()
    words = [word for word in before if word not in DETERMINERS]
    return tuple(
        dict.fromkeys((subject, " ".join((*before, singular(noun))), singular(noun), *words))
    )
