"""A dialogue read by the rules of English."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Final

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.reformulation.base import Reading
from dar_retriever.reformulation.english.conditions import heard
from dar_retriever.reformulation.english.lexicon import visibility
from dar_retriever.reformulation.english.phrases import says
from dar_retriever.reformulation.english.revision import revised
from dar_retriever.reformulation.english.sayings import Saying, sayings
from dar_retriever.reformulation.english.statements import Statement, statement_of

_EXCLUSIONS: Final = 40


class English:
    """See ``LanguageRules``: about a tenth of a millisecond a turn.

    Args:
        today: What "last summer" is told from; the day of the call by default.
    """

    def __init__(self, today: date | None = None) -> None:
        self._today = today

    def read(self, dialogue: Dialogue) -> Reading:
        """See ``LanguageRules``."""
        dialogue, conditions = heard(dialogue, self._today or datetime.now().astimezone().date())
        kept: list[Statement] = []
        excluded: list[str] = []
        since = 0
        left: tuple[list[Statement], list[str], int] | None = None
        for place, saying in _said_at(dialogue):
            if saying.anew:
                left = left if not (kept or excluded) and left else (kept, excluded, since)
                kept, excluded = [], []
            if left and not (kept or excluded):
                since = place
            new = statement_of(saying.question, saying.text)
            kept = revised(kept, new)
            said = ", ".join(statement.text for statement in kept)
            ruled_out = [*excluded, *new.excluded.split(", ")][-_EXCLUSIONS:]
            excluded = [what for what in ruled_out if what and not says(said, what)]
        if left and not kept and not any(t.images or t.like for t in dialogue.turns[since:]):
            # Until something is said of the new subject, there is only the old one.
            kept, excluded, since = left
        texts = tuple(statement.text for statement in kept if statement.text)
        still = tuple(condition for place, condition in conditions if place >= since)
        return Reading(texts, tuple(dict.fromkeys(excluded)), since, still)

    def visibility(self, phrase: str) -> float:
        """See ``LanguageRules``."""
        return visibility(phrase)


def _said_at(dialogue: Dialogue) -> Iterator[tuple[int, Saying]]:
    """What the user said, each with the place of its turn in the dialogue."""
    places = (place for place, turn in enumerate(dialogue.turns) if turn.role == "user")
    for place, entry in zip(places, dialogue.rounds(), strict=True):
        for saying in sayings(entry):
            yield place, saying
