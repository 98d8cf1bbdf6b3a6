"""Questions proposed by a language model, as in ChatIR (NeurIPS 2023) and PlugIR (ACL 2024)."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import BaseModel, Field

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.language_models import LanguageModel, Phrase, ask
from dar_retriever.language_models.instructions import instructions as filled_in
from dar_retriever.questions.asked import was_asked
from dar_retriever.questions.base import Question, Questioner
from dar_retriever.questions.facets import FacetQuestions
from dar_retriever.questions.trials import Candidates, Trials
from dar_retriever.questions.values import values_of
from dar_retriever.reformulation.english.phrases import says
from dar_retriever.reformulation.llm import turns_as_data
from dar_retriever.retriever import DiffusionAugmentedRetriever, SearchResult
from dar_retriever.trace import WarnOnce, of_error

_LOGGER: Final = logging.getLogger(__name__)
_CLUSTERS: Final = 5
_NAMED: Final = 4
_VALUES: Final = 4
_LEAST_GAIN: Final = 0.1
_TINY: Final = 1e-9


class _Proposal(BaseModel):
    """A question with likely answers."""

    question: Phrase
    choices: list[Phrase] = Field(min_length=2, max_length=8)


class Proposals(BaseModel):
    """Questions to choose from."""

    questions: list[_Proposal] = Field(max_length=8)


class LLMQuestions:
    """Lets a language model propose questions, and asks the one that splits the candidates best.

    The model reads the dialogue and descriptions of clusters of the candidates. Redundant proposals
    are left out (PlugIR's filter): questions that were asked before, and questions whose answer is
    already in the caption. The others are tried on the candidates: each answer makes some of them
    more likely and others less. The value of a question is the mutual information of its answer and
    the candidate, in bits. If the model fails, ``fallback`` asks.

    Args:
        retriever: The retriever.
        model: Any ``LanguageModel``.
        proposals: Number of questions that the model should propose, 1 to 8.
        time_limit: Time limit for the model in seconds; None for no limit.
        instructions: Replaces this package's ``next_question.txt``: a text or the path of one, with
            the placeholder ``$questions``.
        fallback: Used if the model fails; ``FacetQuestions`` by default.

    Raises:
        InvalidInputError: ``proposals`` is out of range, or the instructions are not valid.
    """

    def __init__(
        self,
        retriever: DiffusionAugmentedRetriever,
        model: LanguageModel,
        *,
        proposals: int = 4,
        time_limit: float | None = 20.0,
        instructions: str | Path | None = None,
        fallback: Questioner | None = None,
    ) -> None:
        if not 1 <= proposals <= 8:
            raise InvalidInputError(f"proposals={proposals}: ask for 1 to 8")
        self._trials = Trials(retriever)
        self._model = model
        self._time_limit = time_limit
        self._instructions = filled_in("next_question", instructions, questions=proposals)
        self._fallback = fallback or FacetQuestions(retriever)
        self._warn = WarnOnce(_LOGGER)

    def next_question(self, result: SearchResult) -> Question | None:
        """See ``Questioner``."""
        candidates = self._trials.candidates(result)
        if candidates.clear:
            return None
        data = json.dumps(
            {
                "turns": turns_as_data(result.subject),
                "candidates": [_described(candidates, each) for each in clusters(candidates)],
            },
            ensure_ascii=False,
        )
        try:
            answer, _ = ask(self._model, self._instructions, data, Proposals, self._time_limit)
        # The language model may be third-party code or a remote service.
        except Exception as error:
            return self._fall_back(result, of_error(error))
        told = result.trace.caption
        new = [
            p
            for p in answer.questions
            if not was_asked(result.subject, p.question)
            and not any(says(told, choice) for choice in p.choices)
        ]
        worth = self._worth(result, candidates, new)
        if max(worth, default=0.0) < _LEAST_GAIN:
            return None
        best = int(np.argmax(worth))
        reason = f"tells {len(candidates.hits)} candidates apart by {worth[best]:.1f} bits"
        return Question(new[best].question, tuple(dict.fromkeys(new[best].choices)), reason)

    def _fall_back(self, result: SearchResult, why: str) -> Question | None:
        self._warn(f"the language model found no question, metadata are asked for: {why}")
        question = self._fallback.next_question(result)
        if question is None:
            return None
        reason = f"{question.reason}; the language model found no question: {why}"
        return Question(question.text, question.choices, reason)

    def _worth(
        self, result: SearchResult, candidates: Candidates, proposals: Sequence[_Proposal]
    ) -> list[float]:
        """The information that each question's answer gives about the wanted candidate, in bits."""
        answers = [(p.question, choice) for p in proposals for choice in p.choices]
        _, after = self._trials.shares(result, candidates, answers)
        ends = np.cumsum([len(p.choices) for p in proposals])[:-1]
        parts = np.split(after, ends) if proposals else []
        return [_mutual_information(part, candidates.shares) for part in parts]


def clusters(candidates: Candidates, most: int = _CLUSTERS) -> list[list[int]]:
    """Indices of the candidates, grouped around some that are far from each other.

    The first centre is the best hit. Each further centre is the candidate that is farthest from all
    centres so far (Gonzalez 1985). Every candidate joins its nearest centre.
    """
    vectors = candidates.vectors
    centres = [0]
    nearest: Vectors = vectors @ vectors[0]
    while len(centres) < min(most, len(vectors)):
        centres.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, vectors @ vectors[centres[-1]])
    joined = (vectors @ vectors[centres].T).argmax(1)
    groups = [np.flatnonzero(joined == number).tolist() for number in range(len(centres))]
    return [group for group in groups if group]


def _described(candidates: Candidates, group: Sequence[int]) -> dict[str, Any]:
    """A cluster in words: its probability, and titles and metadata of its likeliest images."""
    hits = [candidates.hits[place] for place in group]
    fields: dict[str, Counter[str]] = {}
    for hit in hits:
        for name in hit.metadata:
            for value in values_of(hit.metadata, name).values():
                fields.setdefault(name, Counter())[value] += 1
    common = {
        name: [value for value, _ in count.most_common(_VALUES)]
        for name, count in fields.items()
        if len(count) <= max(1, count.total() / 2)
    }
    return {
        "likelihood": round(float(candidates.shares[group].sum()), 3),
        "images": [hit.title for hit in hits[:_NAMED]],
        "metadata": common,
    }


def _mutual_information(after: Vectors, shares: Vectors) -> float:
    """The mutual information of answer and candidate, in bits.

    Args:
        after: The candidates' probabilities after each answer: (A, N).
        shares: Their probabilities now: (N,).
    """
    # How likely each answer is where each candidate is the wanted one.
    answering = after / np.maximum(after.sum(0), _TINY)
    return _entropy(answering @ shares) - float(shares @ _entropies(answering))


def _entropy(shares: Vectors) -> float:
    return float(_entropies(shares[:, None])[0])


def _entropies(shares: Vectors) -> Vectors:
    """Of each column, in bits."""
    return np.asarray(-(shares * np.log2(np.maximum(shares, _TINY))).sum(0))
