"""Languages without rules: the user's words as they were said."""

from __future__ import annotations

from typing import Final

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.reformulation.base import Reading

# Characters of a message, many times what an encoder reads.
_READ: Final = 4000


class OwnWords:
    """Leaves every word as it is, for an encoder that reads the language; see ``LanguageRules``.

    Args:
        language: What it is called in English, for the note.
    """

    def __init__(self, language: str) -> None:
        self._note = f"the rules do not read {language}: the user's own words were searched"

    def read(self, dialogue: Dialogue) -> Reading:
        """See ``LanguageRules``."""
        words = tuple(turn.text[:_READ] for turn in dialogue.user_turns if turn.text)
        return Reading(words, notes=(self._note,))

    def visibility(self, phrase: str) -> float:
        """See ``LanguageRules``; nothing is known of words, so the oldest are left out first."""
        del phrase
        return 0.0
