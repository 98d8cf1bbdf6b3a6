"""Slips of typing, put right where it is sure what was meant."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dar_retriever.conversation.dialogue import Dialogue

if TYPE_CHECKING:
    from spellchecker import SpellChecker

WORDS: Final = Path(__file__).parent / "weights" / "words.txt"
"""What people look for, a word a line, the most frequent first."""

_WORD: Final = re.compile(r"\b(?<!['\u2019-])[a-z]{3,24}\b(?!['\u2019-])")
_LONG: Final = 5
# Times in the dictionary's texts, of 1.6 billion words.
_COMMON: Final = 1000
_VERY_COMMON: Final = 1_000_000
# Words of chats and of British English that the dictionary does not have.
_ALSO: Final = frozenset(("foto", "fotos", "carb", "carbs", "dont", "ive", "dpi", "abt"))
_BRITISH: Final = re.compile(r"(?:re|our|ourful)s?$")
_ENDINGS: Final = ("", "s", "es", "ing", "ed", "y", "ish", "less", "ful", "er", "est")


def spelt(dialogue: Dialogue) -> tuple[Dialogue, tuple[str, ...]]:
    """A conversation without slips in the user's words, and what was put right.

    A word is only put right if no dictionary knows it, and one letter lost, added, changed or
    swapped with its neighbour makes it a word for what people look for in pictures. Names stand:
    a word with a capital is left as it is.
    """
    notes: dict[str, None] = {}

    def right(match: re.Match[str]) -> str:
        word = _right(match[0])
        if word != match[0]:
            notes[f"{match[0]!r} was read as {word!r}"] = None
        return word

    turns = tuple(
        replace(turn, text=_WORD.sub(right, turn.text)) if turn.role == "user" else turn
        for turn in dialogue.turns
    )
    return (replace(dialogue, turns=turns), tuple(notes)) if notes else (dialogue, ())


@lru_cache(maxsize=10_000)
def _right(word: str) -> str:
    if (
        _BRITISH.search(word)
        or _is_known(word)
        or any(word.endswith(e) and _is_known(word[: -len(e)]) for e in _ENDINGS)
    ):
        return word
    meant = [near for near in _checker().edit_distance_1(word) if _is_meant(word, near)]
    return min(meant, key=lambda near: _likely(word, near), default=word)


def _is_meant(word: str, near: str) -> bool:
    """Whether a word may be meant by another: "monstera" is no slip of "monster" or "monsters"."""
    if sorted(word) == sorted(near):
        least = _COMMON if len(word) >= _LONG or near in _words() else _VERY_COMMON
        return _checker()[near] >= least
    ends = near.startswith(word) or (near[-1:] == word[-1] and word[:-1] != near)
    return len(word) >= _LONG and near in _words() and near[0] == word[0] and ends


def _likely(word: str, near: str) -> tuple[bool, bool, int]:
    """The order of what may be meant: swapped letters, a lost end, then what is asked for most."""
    swapped = sorted(word) == sorted(near)
    return not swapped, not near.startswith(word), _words().get(near, len(_words()))


def _is_known(word: str) -> bool:
    return word in _ALSO or word in _words() or word in _checker()


@cache
def _words() -> dict[str, int]:
    return {word: rank for rank, word in enumerate(WORDS.read_text(encoding="utf-8").split())}


@cache
def _checker() -> SpellChecker:
    """Most of a second once, then microseconds a word."""
    from spellchecker import SpellChecker

    return SpellChecker(distance=1)
