"""Orders hits by single propositions, and says which of them each hit shows."""

from __future__ import annotations

from typing import Final

import numpy as np

from dar_retriever.errors import InvalidInputError, UndecidedError
from dar_retriever.fusion.calibration import FLAT
from dar_retriever.ranking.base import Candidates, Scores
from dar_retriever.ranking.reading import PropositionReader, Reading
from dar_retriever.stores.hits import Shown

# Chosen on simulated dialogues; see examples/benchmarks/second_stage.md. In standard deviations:
# from where on a proposition is read as shown, and from where on more does not count for more.
_SHOWN: Final = -0.45
_ENOUGH: Final = 0.45
_CERTAINTY: Final = 4.0
_SLOPE: Final = 2.2
_SUBJECT: Final = 6.0
_QUERY: Final = 2.0
# How far up from the store's mean to the best hit a subject is read as shown.
_LIKE_THE_BEST: Final = 0.7


class PropositionReranker:
    """Orders hits by the propositions of the caption, without training, and explains them.

    A logistic function of each proposition's score stops rising where it is certainly shown. So
    one miss counts, and no other part makes up for it. The scores of exclusions count against an
    image. The query's own score is added, because generated images, references and feedback are
    in no proposition. Nothing but stored vectors is read.

    Args:
        reader: Reads the propositions.
        depth: How many of the best hits are ordered.

    Raises:
        InvalidInputError: ``depth`` is below 1.
    """

    name = "propositions"
    reads_pictures = False

    def __init__(self, reader: PropositionReader, *, depth: int = 100) -> None:
        if depth < 1:
            raise InvalidInputError(f"depth={depth}: order at least 1 hit")
        self.depth = depth
        self._reader = reader

    def scores(self, candidates: Candidates) -> Scores:
        """See ``Reranker``.

        Raises:
            UndecidedError: Nothing was said, or the store is too small to tell what is usual.
        """
        reading, query = self._read(candidates), candidates.query.vector
        if reading is None:
            raise UndecidedError("there are no words, or too few stored images to compare with")
        total = _SUBJECT * reading.subject
        total += (
            _QUERY
            * (candidates.vectors @ query)
            / max(self._reader.calibration.spread(query), FLAT)
        )
        for part, score in zip(reading.parts[1:], reading.others, strict=True):
            total -= np.logaddexp(0, -_SLOPE * (score - _ENOUGH if part.wanted else -score))
        return total

    def shown(self, candidates: Candidates) -> list[tuple[Shown, ...]]:
        """See ``Explainer``."""
        reading = self._read(candidates)
        if reading is None or not len(candidates.vectors):
            return [() for _ in candidates.vectors]
        best = max(float(reading.subject.max()), FLAT)
        odds = np.stack([reading.subject / best - _LIKE_THE_BEST, *(reading.others - _SHOWN)])
        chances = np.exp(-np.logaddexp(0, -_CERTAINTY * odds))
        return [
            tuple(
                Shown(part.phrase, bool(chance > 0.5) is part.wanted, float(chance), part.wanted)
                for part, chance in zip(reading.parts, column, strict=True)
            )
            for column in chances.T
        ]

    def _read(self, candidates: Candidates) -> Reading | None:
        trace = candidates.query.trace
        return self._reader.read(trace.caption, trace.exclusions, candidates.vectors)
