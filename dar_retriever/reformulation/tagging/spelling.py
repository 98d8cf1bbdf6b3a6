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

RARE: Final = 300
"""Times in the dictionary's texts, of 1.6 billion words; a rarer word may be a slip."""
_WORD: Final = re.compile(r"\b(?<!['\u2019-])[a-z]{3,24}\b(?!['\u2019-])")
_LONG: Final = 5
# Times in the dictionary's texts, of 1.6 billion words.
_COMMON: Final = 1000
_VERY_COMMON: Final = 1_000_000
# Rank among what people look for.
_OFTEN: Final = 1000
# Words of chats and of British English that the dictionary does not have.
_ALSO: Final = frozenset(
    ("foto", "fotos", "carb", "carbs", "dont", "ive", "dpi", "abt", "chai", "nana")
)
_DOUBLE: Final = re.compile(r"(.)\1")
_VOWEL: Final = re.compile(r"[aeiou]")
_BRITISH: Final = re.compile(r"^centre|(?:re|our|ourful)s?$")
_ENDINGS: Final = ("s", "es", "ing", "ed", "y", "ish", "less", "ful", "er", "est")


def spelt(dialogue: Dialogue) -> tuple[Dialogue, tuple[str, ...]]:
    """A conversation without slips in the user's words, and what was put right.

    A word is only put right if no dictionary knows it, and one letter lost, added, changed or
    swapped with its neighbour makes it a word for what people look for in pictures. Rare words that
    a dictionary knows are put right only to what people often look for. Names stand: a word with a
    capital is left as it is.
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
    if _BRITISH.search(word) or word in _ALSO or word in _words() or _checker()[word] >= RARE:
        return word
    if word in _checker() and len(word) < _LONG:
        return word
    derived = any(word.endswith(end) and _is_known(word[: -len(end)]) for end in _ENDINGS)
    is_meant = _is_slip if derived or word in _checker() else _is_meant
    meant = [near for near in _checker().edit_distance_1(word) if is_meant(word, near)]
    return min(meant, key=lambda near: _likely(word, near), default=word)


def _is_slip(word: str, near: str) -> bool:
    """Whether a word that there may be is rather one that people often look for.

    Only with two letters swapped or one lost: "weding" is a slip, "glade" is none of "blade".
    """
    slip = _is_swapped(word, near) or len(near) > len(word) >= _LONG - 1
    return slip and _is_often(near) and near[0] == word[0]


def _is_meant(word: str, near: str) -> bool:
    """Whether a word may be meant by another: "monstera" is no slip of "monster" or "monsters"."""
    if _is_swapped(word, near):
        least = _COMMON if len(word) >= _LONG else _VERY_COMMON
        return near in _words() or _checker()[near] >= least
    if len(word) < _LONG:
        return _is_slip(word, near)
    ends = near.startswith(word) or (near[-1:] == word[-1] and word[:-1] != near)
    return near in _words() and near[0] == word[0] and ends


def _likely(word: str, near: str) -> tuple[bool | int, ...]:
    """The order of what may be meant.

    What is often asked for; swapped letters, a lost end, a letter lost or typed twice; another
    vowel; then what is asked for most.
    """
    added = len(near) < len(word) and not _DOUBLE.search(word)
    changed = len(near) == len(word) and not _is_swapped(word, near)
    vowel = _VOWEL.sub("", word) == _VOWEL.sub("", near)
    return (
        not _is_often(near),
        not _is_swapped(word, near),
        not near.startswith(word),
        added,
        changed and not vowel,
        _words().get(near, len(_words())),
    )


def _is_swapped(word: str, near: str) -> bool:
    return sorted(word) == sorted(near)


def _is_often(word: str) -> bool:
    return _words().get(word, _OFTEN) < _OFTEN


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
