"""Strategies of ``asking_back.py`` that ask for something at random, or offer words."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

import numpy as np

from dar_retriever import Question, SearchableStore, SearchResult
from dar_retriever.questions.asked import fields_asked
from dar_retriever.questions.dividing import LOOK, dividing, named_in
from dar_retriever.questions.facet import Facet, question_about
from dar_retriever.questions.looks import Looks

Ask = Callable[[SearchResult], Question | None]

CHIPS: Final = 5


def at_random(random: Random, names: tuple[str, ...], told: frozenset[str] = frozenset()) -> Ask:
    """Asks for any field that was not asked for yet."""

    def ask(result: SearchResult) -> Question | None:
        asked = fields_asked(result.dialogue, names)
        left = [name for name in names if name not in asked | told]
        return Question(question_about(random.choice(left))) if left else None

    return ask


def chips(looks: Looks, store: SearchableStore, random: Random, *, best: bool) -> Ask:
    """Offers five words: those that divide the hits best and then any, or any."""
    offered: set[str] = set()

    def ask(result: SearchResult) -> Question | None:
        seen = looks.seen(store.vectors_of([hit.id for hit in result.hits]))
        assert seen is not None
        old = named_in([result.trace.caption], seen.words)
        old |= np.array([word in offered for word in seen.words])
        left = np.flatnonzero(~old).tolist()
        places = dividing(seen, old, CHIPS) if best else []
        others = [place for place in left if place not in places]
        places += random.sample(others, min(CHIPS - len(places), len(others)))
        words = tuple(seen.words[place] for place in places)
        offered.update(words)
        return Question(question_about(LOOK), words) if words else None

    return ask


def any_of(
    facets: Callable[[SearchResult], list[Facet]],
    random: Random,
    told: frozenset[str] = frozenset(),
) -> Ask:
    """Asks for any facet of the candidates that was not asked for yet."""

    def ask(result: SearchResult) -> Question | None:
        found = {each.name: each for each in facets(result)}
        asked = fields_asked(result.dialogue, found) | told
        left = [each for name, each in found.items() if name not in asked]
        chosen = random.choice(left) if left else None
        return Question(question_about(chosen.name), chosen.choices) if chosen else None

    return ask
