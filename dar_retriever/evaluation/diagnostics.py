"""Tests whether the encoder reads more than single words: word order, attributes, wording."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import numpy as np

from dar_retriever.conversation.dialogue import Dialogue, Turn
from dar_retriever.evaluation.metrics import Ranks
from dar_retriever.evaluation.ranking import target_ranks
from dar_retriever.evaluation.statistics import Interval, bootstrap
from dar_retriever.evaluation.values import Evaluation, Models, Outcome
from dar_retriever.reformulation.english.lexicon import COLOURS

_SEED: Final = 0
# Attributes in captions, beside colours; enough to find two that can be exchanged.
_ATTRIBUTES: Final = COLOURS | frozenset(
    {
        *("big", "small", "large", "little", "long", "short", "tall", "wide", "narrow", "high"),
        *("old", "young", "new", "wooden", "metal", "plastic", "glass", "leather", "plain"),
        *("striped", "dotted", "checked", "pinstriped", "zigzag", "round", "square", "flat"),
        *("light", "dark", "bright", "open", "closed", "empty", "full", "wet", "dry"),
    }
)
_OPENINGS: Final = ("", "", "i think ", "well, ", "it is ", "i'd say ")
_CLOSINGS: Final = ("", "", ", i think", ", please", " i guess", ".")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """How the ranking changes when captions are changed.

    Attributes:
        name: "word order", "attributes swapped" or "reworded".
        what: Description of the change.
        cases: Number of dialogues whose caption could be changed in this way.
        right: Share of these dialogues in which the right caption scores the target higher than
            the changed caption does. For "reworded": in which both captions find the target in the
            top 10, or neither does.
        places: Median ratio of the rank with the changed caption to the rank with the right one.
    """

    name: str
    what: str
    cases: int
    right: Interval
    places: float


def diagnose(evaluation: Evaluation, outcome: Outcome) -> list[Diagnosis]:
    """Change the captions of the last round and compare the ranks.

    Word order and swapped attributes are tested as in the ARO benchmark (Yuksekgonul et al., ICLR
    2023, arXiv 2210.01936). A model that understands composition gives the picture a lower score
    if the caption's words are shuffled or its attributes exchanged.

    Args:
        evaluation: The evaluation.
        outcome: The outcome of a method without images.
    """
    bench = _Bench(evaluation, outcome)
    said = [captions[-1] for captions in outcome.captions]
    random = Random(_SEED)
    shuffled = [_shuffled(caption, random) for caption in said]
    swapped = [_swapped(caption, random) for caption in said]
    models, joined = evaluation.models[outcome.method.preset], outcome.method.joined
    reworded = [
        _reworded(case.rounds[-1], models, random, joined=joined)
        for case in evaluation.dataset.cases
    ]
    diagnoses = [
        bench.compared("word order", "the words of the caption shuffled", shuffled, _higher),
        bench.compared(
            "attributes swapped", "two attributes of the caption exchanged", swapped, _higher
        ),
    ]
    if not evaluation.dataset.whole_queries:
        diagnoses.append(
            bench.compared("reworded", "the user's turns phrased in other words", reworded, _alike)
        )
    return diagnoses


Judge = Callable[[np.ndarray, np.ndarray, Ranks, Ranks], np.ndarray]


def _higher(score: np.ndarray, changed: np.ndarray, _rank: Ranks, _changed: Ranks) -> np.ndarray:
    return np.asarray(score > changed)


def _alike(_score: np.ndarray, _changed: np.ndarray, rank: Ranks, changed: Ranks) -> np.ndarray:
    return np.asarray((rank <= 10) == (changed <= 10))


class _Bench:
    """The pool, and the ranks of the unchanged captions."""

    def __init__(self, evaluation: Evaluation, outcome: Outcome) -> None:
        self._encoder = evaluation.models[outcome.method.preset].encoder
        self._pool = np.asarray(evaluation.pools[outcome.method.preset])
        self._targets = np.array([case.target for case in evaluation.dataset.cases])
        self._queries = outcome.queries[:, -1]
        self._ranks = outcome.ranks[:, -1]

    def compared(self, name: str, what: str, changed: Sequence[str], judge: Judge) -> Diagnosis:
        """Compare ranks with changed captions; dialogues with an empty one are left out."""
        chosen = np.array([place for place, caption in enumerate(changed) if caption], int)
        if not len(chosen):
            nothing = np.array(np.nan)
            return Diagnosis(name, what, 0, Interval(nothing, nothing, nothing), float("nan"))
        queries = self._encoder.encode_texts([changed[place] for place in chosen])
        targets = self._targets[chosen]
        ranks = target_ranks(queries, self._pool, targets)
        pictures = self._pool[targets]
        before = (self._queries[chosen] * pictures).sum(-1)
        after = (queries * pictures).sum(-1)
        right = judge(before, after, self._ranks[chosen], ranks)
        places = float(np.median(ranks / self._ranks[chosen]))
        return Diagnosis(name, what, len(chosen), bootstrap(right), places)


def _shuffled(caption: str, random: Random) -> str:
    """The same words in another order; empty if there is no other order."""
    words = caption.replace(",", " ").split()
    if len(set(words)) < 3:
        return ""
    shuffled = words
    while shuffled == words:
        shuffled = random.sample(words, len(words))
    return " ".join(shuffled)


def _swapped(caption: str, random: Random) -> str:
    """The caption with two different attributes exchanged; empty if it does not have two."""
    parts = re.split(r"(\W+)", caption)
    places = [place for place, part in enumerate(parts) if part.lower() in _ATTRIBUTES]
    pairs = [
        (one, other)
        for number, one in enumerate(places)
        for other in places[number + 1 :]
        if parts[one].lower() != parts[other].lower()
    ]
    if not pairs:
        return ""
    one, other = random.choice(pairs)
    parts[one], parts[other] = parts[other], parts[one]
    return "".join(parts)


def _reworded(dialogue: Dialogue, models: Models, random: Random, *, joined: bool) -> str:
    """The caption of the dialogue if the user phrases every turn in other words."""
    turns = [
        Turn("user", f"{random.choice(_OPENINGS)}{turn.text}{random.choice(_CLOSINGS)}")
        if turn.role == "user" and place and turn.text.strip()
        else turn
        for place, turn in enumerate(dialogue.turns)
    ]
    return (
        models.reformulator(joined=joined).reformulate(Dialogue(tuple(turns), dialogue.id)).caption
    )
