"""Reformulation by a small tagger that has read many chats, together with the rules."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.reformulation.base import Reformulation
from dar_retriever.reformulation.budget import CLIP_TOKENS, count_clip_tokens
from dar_retriever.reformulation.languages import language_of, rules_of
from dar_retriever.reformulation.rules import written
from dar_retriever.reformulation.tagging import TaggedEnglish, WordTagger


class TaggingReformulator:
    """Writes one caption and one prompt from what rules and a tagger read in a dialogue.

    The tagger is a small token classifier (MiniLM, arXiv 2002.10957) that was trained on thousands
    of marked chats; it is told what the rules make of each word. It reads English, about 20 ms a
    dialogue on a CPU; other languages are read as ``RuleReformulator`` reads them.

    Args:
        count_tokens: Length of a text for the encoder in use; CLIP's own by default.
        max_tokens: The most tokens a caption may have; see ``RuleReformulator``.
        tagger: What tags the words; the embedded one by default.
        today: What "last summer" is told from; the day of the call by default.
    """

    def __init__(
        self,
        count_tokens: Callable[[str], int] = count_clip_tokens,
        max_tokens: int = CLIP_TOKENS,
        tagger: WordTagger | None = None,
        today: date | None = None,
    ) -> None:
        self._count_tokens = count_tokens
        self._max_tokens = max_tokens
        self._english = TaggedEnglish(tagger, today)

    def reformulate(self, dialogue: Dialogue) -> Reformulation:
        """See ``Reformulator``."""
        language = language_of(dialogue)
        rules = self._english if language == "en" else rules_of(language)
        return written(rules.read(dialogue), rules, self._count_tokens, self._max_tokens)
