"""Questions from the metadata of the candidates, without a language model."""

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
# Below it nobody would miss the choice.
_LEAST_SHARE: Final = 0.01
_TINY: Final = 1e-6

Shares = dict[str, float]


class FacetQuestions:
    """Asks for the metadata field whose value would narrow the candidates down most.

    An answer is worth as many bits as it takes off the candidates' entropy (Quinlan 1986). What it
    takes off is not read from the metadata but tried: each choice is said in the dialogue, and the
    shares of the candidates that have it are compared before and after. So nothing is asked that
    was told already, and nothing that the encoder does not see.

    Args:
        retriever: What it asks for: its store's metadata, its encoder's reading of the answers.
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
        """By field, how many bits its answer is expected to tell."""
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
    """How a metadata field is asked for."""
    return f"Which {field.replace('_', ' ').replace('-', ' ').strip().lower()}?"


def entropy(shares: Mapping[str, float]) -> float:
    """Of shares that sum to 1, in bits."""
    some = np.asarray([share for share in shares.values() if share > 0])
    return float(-(some * np.log2(some)).sum())


def facets_of(candidates: Candidates) -> dict[str, Shares]:
    """By field the share of each value; "" where a candidate has none.

    Only fields of text whose values come again and again: others hold names and descriptions.
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
