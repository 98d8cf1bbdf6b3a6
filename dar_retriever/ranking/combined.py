"""Several re-rankers as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dar_retriever.errors import InvalidInputError, UndecidedError
from dar_retriever.ranking.base import Candidates, Reranker, Scores


class CombinedReranker:
    """Adds the scores of several re-rankers; those that are undecided do not count.

    Args:
        parts: Re-rankers with their weights. Weights make up for different scales.

    Raises:
        InvalidInputError: There are no parts.
    """

    def __init__(self, parts: Sequence[tuple[Reranker, float]]) -> None:
        if not parts:
            raise InvalidInputError("parts=(): name at least one re-ranker")
        self._parts = tuple(parts)
        self.name = " and ".join(part.name for part, _ in parts)
        self.depth = max(part.depth for part, _ in parts)
        self.reads_pictures = any(part.reads_pictures for part, _ in parts)

    def scores(self, candidates: Candidates) -> Scores:
        """See ``Reranker``.

        Raises:
            UndecidedError: All parts are undecided.
        """
        found, why = [], []
        for part, weight in self._parts:
            try:
                found.append(weight * np.asarray(part.scores(candidates), float))
            except UndecidedError as error:
                why.append(str(error))
        if not found:
            raise UndecidedError("; ".join(why))
        total: Scores = np.sum(found, axis=0)
        return total
