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
from dar_retriever.reformulation.checked import CheckedReformulator
from dar_retriever.reformulation.llm import LLMReformulator
from dar_retriever.reformulation.rules import RuleReformulator
from dar_retriever.reformulation.tagged import TaggingReformulator
from dar_retriever.retriever import DiffusionAugmentedRetriever, SearchResult
from dar_retriever.stores.hits import Hit

# In standard deviations of the query's scores over the store. With these values the targets of
# simulated dialogues have the highest likelihood, and those of second pictures of a product at
# least 98 % (examples/benchmarks/understanding.md).
_TEMPERATURE: Final = 0.17
_OF_PICTURES: Final = 0.04
_SLOW: Final = (LLMReformulator, CheckedReformulator, TaggingReformulator)
_MOST: Final = 200
_CLEAR: Final = 0.5
# Over the drawn products, where the best hit is likelier than all others: 99 % of the descriptions
# of one product have 0.9 or more, and 1 of 11 requests that many fit.
_EXPLAINED: Final = 0.9


@dataclass(frozen=True, slots=True)
class Candidates:
    """The best hits of a search.

    Attributes:
        hits: The hits, best first.
        vectors: Their vectors: (N, d).
        shares: The probability that each is the wanted one, if one of them is: (N,), sum 1.
        explained: How far above the usual the query scores the best one, relative to how far the
            best one's own picture would; about 1 where everything in it was described.
    """

    hits: Sequence[Hit]
    vectors: Vectors
    shares: Vectors
    explained: float = 1.0

    @property
    def clear(self) -> bool:
        """Whether the best one is the only one, or fully described and likelier than all others."""
        if len(self.hits) < 2:
            return True
        return float(self.shares[0]) > _CLEAR and self.explained >= _EXPLAINED


class Trials:
    """Continues a search with answers that nobody has given yet.

    The retriever's own reformulator reads the answers. Models that read do not: one question may
    need 97 captions, so rules write those.

    Args:
        retriever: The retriever of the search.
    """

    def __init__(self, retriever: DiffusionAugmentedRetriever) -> None:
        self._store = retriever.store
        self._encoder = retriever.query_encoder.encoder
        self._word_filters = retriever.word_filters
        used = retriever.query_encoder.reformulator
        rules = RuleReformulator(self._encoder.count_tokens, self._encoder.max_tokens)
        self._reformulator = rules if isinstance(used, _SLOW) else used
        self._calibration = Calibration(retriever.store)

    def candidates(self, result: SearchResult) -> Candidates:
        """The candidates of a search, with its filter.

        Generated images are left out, because they guess the very things that should be asked.
        """
        query = _told(result.query)
        hits = self._store.search(query, _MOST, result.where, result.exclude)
        vectors = self._store.vectors_of([hit.vector_id for hit in hits])
        explained = self._explained(query, vectors[0]) if len(vectors) else 1.0
        shares = self._shares(query, vectors, _temperature(result.query))
        return Candidates(hits, vectors, shares, explained)

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
        temperatures = [_TEMPERATURE] * len(vectors)
        if not texts[0]:
            # The user has only shown images so far.
            vectors[0], temperatures[0] = _told(result.query), _temperature(result.query)
        now, *after = (
            self._shares(vector, candidates.vectors, temperature)
            for vector, temperature in zip(vectors, temperatures, strict=True)
        )
        return now, np.stack(after) if after else np.empty((0, len(now)), np.float32)

    def filtered(self, result: SearchResult, question: str, answer: str) -> set[str]:
        """The metadata fields that an answer would filter by."""
        if self._word_filters is None:
            return set()
        dialogue = result.subject.ask(question).say(answer)
        return self._word_filters.fields_of_answer(dialogue, self._store, self._reformulator)

    def _caption(self, dialogue: Dialogue) -> str:
        return self._reformulator.reformulate(dialogue).caption

    def _explained(self, query: Vectors, best: Vectors) -> float:
        """See ``Candidates``."""
        own = self._calibration.standing(best, best)
        return self._calibration.standing(query, best) / own if own > 0 else 1.0

    def _shares(self, query: Vectors, vectors: Vectors, temperature: float) -> Vectors:
        if not len(vectors):
            return np.empty(0, np.float32)
        scores = vectors @ query
        width = max(temperature * self._calibration.spread(query), FLAT)
        shares = np.exp((scores - scores.max()) / width)
        return np.asarray(shares / shares.sum(), np.float32)


def _temperature(query: EncodedQuery) -> float:
    return _OF_PICTURES if query.text_vector is None else _TEMPERATURE


def _told(query: EncodedQuery) -> Vectors:
    """The query of what the user has said and shown."""
    shown = (query.reference_vectors, query.liked_vectors, query.rejected_vectors)
    if query.text_vector is None or any(map(len, shown)):
        return query.vector
    return query.text_vector
