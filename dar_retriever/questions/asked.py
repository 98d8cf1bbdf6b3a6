"""Recognises what the assistant has asked already."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.stores.filtering.names import words_of

_WORD: Final = re.compile(r"[^\W_]+")
_SAME: Final = 0.7
_NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})
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


def fields_asked(
    dialogue: Dialogue, names: Collection[str], labels: Mapping[str, str] = _NO_LABELS
) -> set[str]:
    """The metadata fields that were asked for, in any words.

    A question about the second colour asks for "second_colour" and not for "colour".

    Args:
        dialogue: The dialogue.
        names: Names of the fields.
        labels: What fields are called in questions, by name.
    """
    called = [(name, _words_of(name)) for name in names]
    called += [(name, _words(label)) for name, label in labels.items() if name in names]
    asked: set[str] = set()
    for words in _asked(dialogue):
        named = [(name, own) for name, own in called if own and own <= words]
        if len({name for name, _ in named}) > 1:
            # "What colour is the background?" asks for the background.
            named = [(name, own) for name, own in named if own != {"colour"}]
        asked |= {name for name, own in named if not any(own < other for _, other in named)}
    return asked


def _asked(dialogue: Dialogue) -> list[set[str]]:
    return [_words(turn.text) for turn in dialogue.turns if turn.role == "assistant"]


def _words_of(name: str) -> set[str]:
    return {word.replace("color", "colour") for word in words_of(name)}


def _words(text: str) -> set[str]:
    return {word.replace("color", "colour") for word in _WORD.findall(text.lower())}
