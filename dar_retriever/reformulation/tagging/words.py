"""A conversation as words, each with its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dar_retriever.conversation.dialogue import Dialogue

_WORD: Final = re.compile(r"[^\W_]+(?:['\N{RIGHT SINGLE QUOTATION MARK}][^\W_]+)*|[^\w\s]|_")


class Tag(StrEnum):
    """What becomes of a word.

    Attributes:
        DROP: It says nothing of the picture, or was taken back.
        KEEP: The picture shows it.
        EXCLUDE: The picture must not show it.
        FILTER: No picture shows it, but the data of a shop or a photo library may: a price.
    """

    DROP = "drop"
    KEEP = "keep"
    EXCLUDE = "not"
    FILTER = "filter"


@dataclass(frozen=True, slots=True)
class Word:
    """A word or a punctuation mark.

    Attributes:
        turn: Place of its turn among the dialogue's.
        start: Place of its first character in the turn's text.
        end: Place after its last one.
        text: As it was written.
    """

    turn: int
    start: int
    end: int
    text: str


def words_in(text: str, turn: int = 0) -> list[Word]:
    """The words and punctuation marks of a message."""
    return [Word(turn, m.start(), m.end(), m[0]) for m in _WORD.finditer(text)]


def words_of(dialogue: Dialogue) -> list[list[Word]]:
    """The words of each turn."""
    return [words_in(turn.text, place) for place, turn in enumerate(dialogue.turns)]
