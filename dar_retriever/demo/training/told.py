"""Captions as a search gets them, with what each of them tells."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from rich.progress import track

from dar_retriever.demo.captions import chattered
from dar_retriever.demo.products import Product
from dar_retriever.demo.simulated_user import ROUNDS, simulate
from dar_retriever.demo.training.words import Subject, fields_of, words_of
from dar_retriever.reformulation.rules import RuleReformulator

_FROM_DIALOGUES: Final = 0.5
_CHATTERED: Final = 0.1

Told = tuple[str, frozenset[str]]


class ToldCaptions:
    """Captions of subjects that tell any number of attributes, from none to all.

    Half of those of products are what the rules make of a simulated dialogue, at any of its
    rounds and without wrong answers; the others are written at once.

    Args:
        subjects: What is described.
    """

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self._subjects = subjects
        rules = RuleReformulator()
        self._heard = [
            _heard(subject, number, rules) if isinstance(subject, Product) else None
            for number, subject in enumerate(track(subjects, "Playing dialogues"))
        ]

    def of(self, number: int, random: Random) -> Told:
        """A caption of one subject, and the fields that it tells beside the kind."""
        heard = self._heard[number]
        if heard is not None and random.random() < _FROM_DIALOGUES:
            return heard
        subject = self._subjects[number]
        fields = fields_of(subject)
        told = frozenset(random.sample(fields, random.randint(0, len(fields))))
        text = words_of(subject, told, random)
        return chattered(text, random, 3) if random.random() < _CHATTERED else text, told


def _heard(product: Product, seed: int, rules: RuleReformulator) -> Told:
    said = simulate(product, seed, correction=False)
    round_ = Random(seed).randint(0, ROUNDS)
    return rules.reformulate(said.dialogue.at_round(round_)).caption, said.told[round_]
