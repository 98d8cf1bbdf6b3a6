"""Reformulation by rules, with no language model."""

from __future__ import annotations

from collections.abc import Callable

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.reformulation.base import LanguageRules, Reading, Reformulation
from dar_retriever.reformulation.budget import CLIP_TOKENS, count_clip_tokens, within_budget
from dar_retriever.reformulation.languages import language_of, rules_of


class RuleReformulator:
    """Writes one caption and one prompt from what the rules of a language read in a dialogue.

    Args:
        count_tokens: Length of a text for the encoder in use; CLIP's own by default.
        max_tokens: The most tokens a caption may have. The first description and what was said
            last stay; of what was said in between goes first what a picture shows least.
        language: How the dialogue is read; by default as the language of the user's words is:
            English, German, French and Spanish have rules, in others the user's own words stay.
    """

    def __init__(
        self,
        count_tokens: Callable[[str], int] = count_clip_tokens,
        max_tokens: int = CLIP_TOKENS,
        language: LanguageRules | None = None,
    ) -> None:
        self._count_tokens = count_tokens
        self._max_tokens = max_tokens
        self._language = language

    def reformulate(self, dialogue: Dialogue) -> Reformulation:
        """See ``Reformulator``."""
        language = self._language or rules_of(language_of(dialogue))
        return written(language.read(dialogue), language, self._count_tokens, self._max_tokens)


def written(
    reading: Reading, language: LanguageRules, count_tokens: Callable[[str], int], max_tokens: int
) -> Reformulation:
    """A reading as a reformulation whose caption fits the encoder."""
    caption = within_budget(reading.phrases, count_tokens, max_tokens, language.visibility)
    prompts = (caption,) if caption else ()
    return Reformulation(
        caption, prompts, reading.excluded, reading.since, reading.notes, reading.conditions
    )


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
