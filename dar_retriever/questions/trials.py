"""Tries possible answers on the candidates of a search, before anybody is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.encoders.base import Vectors
from dar_retriever.fusion.calibration import FLAT, Calibration
from dar_retriever.query_encoder import EncodedQuery
from dar_retriever.reformulation.rules import RuleReformulator
from dar_retriever.retriever import DiffusionAugmentedRetriever, SearchResult
from dar_retriever.stores.hits import Hit

# In standard deviations of the query's scores over the store. With this value the targets of
# simulated dialogues have the highest likelihood (examples/benchmarks/understanding.md).
_TEMPERATURE: Final = 0.12
_MOST: Final = 200
_CLEAR: Final = 0.5


@dataclass(frozen=True, slots=True)
class Candidates:
    """The best hits of a search.

    Attributes:
        hits: The hits, best first.
        vectors: Their vectors: (N, d).
        shares: The probability that each is the wanted one, if one of them is: (N,), sum 1.
    """

    hits: Sequence[Hit]
    vectors: Vectors
    shares: Vectors

    @property
    def clear(self) -> bool:
        """Whether the best one is likelier than all others together, or is the only one."""
        return len(self.hits) < 2 or float(self.shares[0]) > _CLEAR


class Trials:
    """Continues a search with answers that nobody has given yet.

    Args:
        retriever: The retriever of the search.
    """

    def __init__(self, retriever: DiffusionAugmentedRetriever) -> None:
        self._store = retriever.store
        self._encoder = retriever.query_encoder.encoder
        self._rules = RuleReformulator(self._encoder.count_tokens, self._encoder.max_tokens)
        self._calibration = Calibration(retriever.store)

    def candidates(self, result: SearchResult) -> Candidates:
        """The candidates of a search, with its filter.

        Generated images are left out, because they guess the very things that should be asked.
        """
        query = _told(result.query)
        hits = self._store.search(query, _MOST, result.where, result.exclude)
        vectors = self._store.vectors_of([hit.id for hit in hits])
        return Candidates(hits, vectors, self._shares(query, vectors))

    def shares(
        self, result: SearchResult, candidates: Candidates, answers: Sequence[tuple[str, str]]
    ) -> tuple[Vectors, Vectors]:
        """The probability of each candidate by words only, now and after each answer.

        Args:
            result: The result of the search.
            candidates: Its N candidates.
            answers: A answers, each with its question.

        Returns:
            (N,) for the dialogue as it is, and (A, N) after each answer.
        """
        subject = result.subject
        dialogues = [subject.ask(question).say(answer) for question, answer in answers]
        texts = [self._caption(dialogue) for dialogue in (subject, *dialogues)]
        vectors = list(self._encoder.encode_texts([text or " " for text in texts]))
        if not texts[0]:
            # The user has only shown images so far.
            vectors[0] = _told(result.query)
        now, *after = (self._shares(vector, candidates.vectors) for vector in vectors)
        return now, np.stack(after) if after else np.empty((0, len(now)), np.float32)

    def _caption(self, dialogue: Dialogue) -> str:
        return self._rules.reformulate(dialogue).caption

    def _shares(self, query: Vectors, vectors: Vectors) -> Vectors:
        if not len(vectors):
            return np.empty(0, np.float32)
        scores = vectors @ query
        width = max(_TEMPERATURE * self._calibration.spread(query), FLAT)
        shares = np.exp((scores - scores.max()) / width)
        return np.asarray(shares / shares.sum(), np.float32)


def _told(query: EncodedQuery) -> Vectors:
    """The query of what the user has said and shown."""
    shown = (query.reference_vectors, query.liked_vectors, query.rejected_vectors)
    if query.text_vector is None or any(map(len, shown)):
        return query.vector
    return query.text_vector
