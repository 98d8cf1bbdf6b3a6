"""Recognises what the assistant has asked already."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from dar_retriever.conversation.dialogue import Dialogue

_WORD: Final = re.compile(r"[^\W_]+")
_SAME: Final = 0.7
# Words that occur in most questions.
_COMMON: Final = frozenset(
    {
        *("what", "which", "who", "where", "when", "how", "is", "are", "do", "does", "has", "have"),
        *(
            "can",
            "should",
            "would",
            "like",
            "want",
            "any",
            "it",
            "the",
            "a",
            "an",
            "of",
            "in",
            "on",
        ),
        *("or", "and", "that", "this", "you", "your", "there", "be", "kind", "type", "see"),
    }
)


def was_asked(dialogue: Dialogue, question: str) -> bool:
    """Whether a question was asked before, in nearly the same words."""
    words = _words(question) - _COMMON
    for before in _asked(dialogue):
        others = before - _COMMON
        if words and len(words & others) >= _SAME * len(words | others):
            return True
    return False


def fields_asked(dialogue: Dialogue, names: Collection[str]) -> set[str]:
    """The metadata fields that were asked for, in any words.

    A question about the second colour asks for "second_colour" and not for "colour".
    """
    fields = {name: _words(name) for name in names}
    asked = set()
    for words in _asked(dialogue):
        named = {name for name, own in fields.items() if own <= words}
        if len(named) > 1:
            # "What colour is the background?" asks for the background.
            named -= {name for name in named if fields[name] == {"colour"}}
        asked |= {n for n in named if not any(fields[n] < fields[other] for other in named)}
    return asked


def _asked(dialogue: Dialogue) -> list[set[str]]:
    return [_words(turn.text) for turn in dialogue.turns if turn.role == "assistant"]


def _words(text: str) -> set[str]:
    return {word.replace("color", "colour") for word in _WORD.findall(text.lower())}
