"""Questions about the metadata of the candidates, without a language model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

import numpy as np

from dar_retriever.questions.asked import fields_asked
from dar_retriever.questions.base import Question
from dar_retriever.questions.trials import Candidates, Trials
from dar_retriever.retriever import DiffusionAugmentedRetriever, SearchResult

_CHOICES: Final = 8
_FACETS: Final = 12
_LEAST_GAIN: Final = 0.1
# Rarer choices are not worth offering.
_LEAST_SHARE: Final = 0.01
_TINY: Final = 1e-6

Shares = dict[str, float]


class FacetQuestions:
    """Asks for the metadata field whose value would narrow the candidates down most.

    The value of a question is the expected decrease of the candidates' entropy in bits (Quinlan
    1986). It is measured by trying: each choice is added to the dialogue, and the probabilities of
    the candidates with that value are compared before and after. So it asks for nothing that was
    said already, and for nothing that the encoder cannot see.

    Args:
        retriever: The retriever, whose store has the metadata and whose encoder reads the answers.
    """

    def __init__(self, retriever: DiffusionAugmentedRetriever) -> None:
        self._trials = Trials(retriever)

    def next_question(self, result: SearchResult) -> Question | None:
        """See ``Questioner``."""
        candidates = self._trials.candidates(result)
        if candidates.clear:
            return None
        names = {name for hit in candidates.hits for name in hit.metadata}
        asked = fields_asked(result.subject, names)
        facets = {n: shares for n, shares in facets_of(candidates).items() if n not in asked}
        vaguest = sorted(facets, key=lambda name: entropy(facets[name]))[-_FACETS:]
        choices = {name: _choices(facets[name]) for name in vaguest}
        gains = self._gains(result, candidates, choices)
        name = max(gains, key=lambda name: gains[name], default="")
        if not name or gains[name] < _LEAST_GAIN:
            return None
        reason = f"{name} narrows {len(candidates.hits)} candidates down by {gains[name]:.1f} bits"
        return Question(question_about(name), choices[name], reason)

    def _gains(
        self,
        result: SearchResult,
        candidates: Candidates,
        choices: Mapping[str, tuple[str, ...]],
    ) -> dict[str, float]:
        """The expected gain of each field's answer, in bits."""
        pairs = [(name, value) for name in choices for value in choices[name]]
        answers = [(question_about(name), value) for name, value in pairs]
        before, after = self._trials.shares(result, candidates, answers)
        gains = dict.fromkeys(choices, 0.0)
        for (name, value), shares in zip(pairs, after, strict=True):
            has = np.asarray([hit.metadata.get(name) == value for hit in candidates.hits])
            told = np.log2((shares[has] + _TINY) / (before[has] + _TINY))
            gains[name] += float((candidates.shares[has] * told).sum())
        return gains


def _choices(shares: Shares) -> tuple[str, ...]:
    likely = sorted((v for v in shares if v), key=lambda value: (-shares[value], value))
    return tuple(value for value in likely if shares[value] >= _LEAST_SHARE)[:_CHOICES]


def question_about(field: str) -> str:
    """The question that asks for a metadata field."""
    return f"Which {field.replace('_', ' ').replace('-', ' ').strip().lower()}?"


def entropy(shares: Mapping[str, float]) -> float:
    """The entropy of probabilities that sum to 1, in bits."""
    some = np.asarray([share for share in shares.values() if share > 0])
    return float(-(some * np.log2(some)).sum())


def facets_of(candidates: Candidates) -> dict[str, Shares]:
    """The probability of each value of each field; "" stands for candidates without a value.

    Only text fields whose values repeat are used; others hold names and descriptions.
    """
    counts: dict[str, Counter[str]] = {}
    for hit in candidates.hits:
        for name, value in hit.metadata.items():
            if isinstance(value, str):
                counts.setdefault(name, Counter())[value] += 1
    facets: dict[str, Shares] = {}
    for name, count in counts.items():
        if 1 < len(count) <= count.total() / 2:
            shares: Shares = {}
            for hit, share in zip(candidates.hits, candidates.shares, strict=True):
                value = str(hit.metadata.get(name, ""))
                shares[value] = shares.get(value, 0.0) + float(share)
            facets[name] = shares
    return facets
