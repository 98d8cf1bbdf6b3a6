"""Reformulation by rules, with no language model: about a tenth of a millisecond a turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from dar_retriever.dialogue import Dialogue
from dar_retriever.reformulation.base import Reformulation
from dar_retriever.reformulation.budget import CLIP_TOKENS, count_clip_tokens, within_budget
from dar_retriever.reformulation.phrases import says
from dar_retriever.reformulation.revision import revised
from dar_retriever.reformulation.sayings import Saying, sayings
from dar_retriever.reformulation.statements import Statement, statement_of

_EXCLUSIONS: Final = 40


class RuleReformulator:
    """Writes one caption and one prompt from statements: what the user said, question by question.

    Args:
        count_tokens: Length of a text for the encoder in use; CLIP's own by default.
        max_tokens: The most tokens a caption may have. The first description and what was said
            last stay; of what was said in between goes first what a picture shows least.
    """

    def __init__(
        self,
        count_tokens: Callable[[str], int] = count_clip_tokens,
        max_tokens: int = CLIP_TOKENS,
    ) -> None:
        self._count_tokens = count_tokens
        self._max_tokens = max_tokens

    def reformulate(self, dialogue: Dialogue) -> Reformulation:
        """See ``Reformulator``."""
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
        texts = [statement.text for statement in kept if statement.text]
        caption = within_budget(texts, self._count_tokens, self._max_tokens)
        prompts = (caption,) if caption else ()
        return Reformulation(caption, prompts, ", ".join(dict.fromkeys(excluded)), since)


class JoinedTurns:
    """The baseline: all turns joined as they were said, which may overflow the encoder."""

    def reformulate(self, dialogue: Dialogue) -> Reformulation:
        """See ``Reformulator``."""
        text = ", ".join(turn.text for turn in dialogue.turns if turn.text)
        return Reformulation(text, (text,) if text else ())


def own_words(dialogue: Dialogue) -> Reformulation:
    """The user's words as they were said: the best there is where a caption came out empty."""
    words = " ".join(turn.text for turn in dialogue.user_turns)
    return Reformulation(words, (words,))


def _said_at(dialogue: Dialogue) -> Iterator[tuple[int, Saying]]:
    """What the user said, each with the place of its turn in the dialogue."""
    places = (place for place, turn in enumerate(dialogue.turns) if turn.role == "user")
    for place, entry in zip(places, dialogue.rounds(), strict=True):
        for saying in sayings(entry):
            yield place, saying
