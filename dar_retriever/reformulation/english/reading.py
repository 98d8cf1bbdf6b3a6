"""A dialogue read by the rules of English."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Final

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.reformulation.base import Condition, Reading
from dar_retriever.reformulation.english.conditions import heard
from dar_retriever.reformulation.english.exclusions import NO
from dar_retriever.reformulation.english.leftovers import without_negations
from dar_retriever.reformulation.english.lexicon import ANY_COLOUR, CONTRARIES, visibility
from dar_retriever.reformulation.english.phrases import says
from dar_retriever.reformulation.english.revision import last_thing, revised
from dar_retriever.reformulation.english.sayings import Saying, sayings
from dar_retriever.reformulation.english.statement import Statement
from dar_retriever.reformulation.english.statements import statement_of
from dar_retriever.reformulation.english.subjects import leaves, names_another
from dar_retriever.reformulation.english.unwanted import answered, narrowed

_EXCLUSIONS: Final = 40
# More than any encoder reads.
_STATEMENTS: Final = 64
_NO_MORE_OF_IT: Final = frozenset(f"{NO}{it}" for it in ("that", "this", "it", "them", "those"))

# What is said of the thing that is known already: "something green".
_SOMETHING: Final = re.compile(
    rf"^(?:maybe |perhaps )?(?:something|sth|smth) (?:in (?={ANY_COLOUR}\b)|"
    r"(?=with |(?!(?:else|like|similar|in|on|at|behind|to|for|that|which|about)\b)[a-z]))"
)


class English:
    """See ``LanguageRules``: about a tenth of a millisecond a turn.

    Args:
        today: What "last summer" is told from; the day of the call by default.
    """

    def __init__(self, today: date | None = None) -> None:
        self._today = today

    def read(self, dialogue: Dialogue) -> Reading:
        """See ``LanguageRules``."""
        dialogue, conditions = heard(dialogue, self._day())
        kept: list[Statement] = []
        excluded: list[str] = []
        since = 0
        left: tuple[list[Statement], list[str], int] | None = None
        done = False
        for place, saying in _said_at(dialogue):
            said = [statement.text for statement in kept if statement.text]
            another = not saying.question and names_another(saying.text, said, left=done)
            done = leaves(saying.text)
            if saying.anew or another:
                left = left if not (kept or excluded) and left else (kept, excluded, since)
                kept, excluded = [], []
            if left and not (kept or excluded):
                since = place
            text = f"{NO}{last_thing(kept)}" if saying.text in _NO_MORE_OF_IT else saying.text
            text = "" if done and not saying.question else text
            if kept and not saying.question:
                text = _SOMETHING.sub("", text)
            new = without_negations(statement_of(saying.question, text))
            kept, gone = revised(kept, new)
            kept = _most_visible(kept)
            caption = ", ".join(statement.text for statement in kept)
            out = new.excluded.split(", ")
            if saying.question and new.excluded:
                out = [answered(what, caption) for what in out]
            ruled_out = [*excluded, gone, *out][-_EXCLUSIONS:]
            excluded = [what for what in ruled_out if what and not says(caption, what)]
        if left and not kept and not any(t.images or t.like for t in dialogue.turns[since:]):
            # Until something is said of the new subject, there is only the old one.
            kept, excluded, since = left
        texts = tuple(statement.text for statement in kept if statement.text)
        still = tuple(condition for place, condition in conditions if place >= since)
        caption = ", ".join(texts)
        unseen = dict.fromkeys(narrowed(what, caption) for what in excluded if _is_seen(what))
        return Reading(texts, tuple(unseen), since, still)

    def conditions(
        self, dialogue: Dialogue, since: int, known: Mapping[int, Sequence[str]]
    ) -> tuple[Condition, ...]:
        """What was said that no picture shows, with phrases that are known to say so.

        Args:
            dialogue: As for ``read``.
            since: Place of the turn from which on it is about the present subject.
            known: The phrases, by the place of their turn.
        """
        said = heard(dialogue, self._day(), known)[1]
        return tuple(condition for place, condition in said if place >= since)

    def _day(self) -> date:
        return self._today or datetime.now().astimezone().date()

    def visibility(self, phrase: str) -> float:
        """See ``LanguageRules``."""
        return visibility(phrase)


def _is_seen(phrase: str) -> bool:
    """Whether a picture can show what a phrase says."""
    return visibility(phrase) > 0 or phrase in CONTRARIES


def _most_visible(kept: list[Statement]) -> list[Statement]:
    """So many statements as a caption may hold at most, by the order of the budget."""
    if len(kept) <= _STATEMENTS:
        return kept
    least = min(range(1, len(kept) - 1), key=lambda place: visibility(kept[place].text))
    return [*kept[:least], *kept[least + 1 :]]


def _said_at(dialogue: Dialogue) -> Iterator[tuple[int, Saying]]:
    """What the user said, each with the place of its turn in the dialogue."""
    places = (place for place, turn in enumerate(dialogue.turns) if turn.role == "user")
    for place, entry in zip(places, dialogue.rounds(), strict=True):
        for saying in sayings(entry):
            yield place, saying
