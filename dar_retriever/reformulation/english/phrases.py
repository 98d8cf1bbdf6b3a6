"""Phrases about one thing within a text: taking them out, and exchanging what they say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from dar_retriever.reformulation.english.lexicon import (
    COLOURS,
    DETERMINERS,
    JOINTS,
    NUMBERS,
    OPENERS,
    PLACES,
    SHADES,
    TINTS,
    WORN,
    stem,
)
from dar_retriever.reformulation.english.nouns import LIVING, kind_of

_TOKEN: Final = re.compile(r"[^\s,]+|,")
_ARTICLE: Final = re.compile(r"\ban?(?= ([a-z]))")
_MOST_MODIFIERS: Final = 4
_BREAKS: Final = JOINTS | PLACES | DETERMINERS


class Span(NamedTuple):
    """Places of a text's tokens, the last one excluded."""

    start: int
    stop: int


@lru_cache(maxsize=4096)
def tokens_of(text: str) -> tuple[str, ...]:
    """The words and commas of a text."""
    return tuple(_TOKEN.findall(text))


@lru_cache(maxsize=4096)
def noun_phrases(text: str) -> tuple[Span, ...]:
    """The phrases of a text that name things, each with what stands before its noun."""
    tokens = tokens_of(text)
    found = []
    for place, token in enumerate(tokens):
        following = tokens[place + 1] if place + 1 < len(tokens) else ","
        ends = following in _BREAKS or _opens(token, following)
        if ends and token not in _BREAKS and token not in OPENERS and not _is_colour(token):
            found.append(Span(_start(tokens, place), place + 1))
    return tuple(found)


def is_one_thing(text: str) -> bool:
    """Whether a text is one phrase that names one thing."""
    return noun_phrases(text) == (Span(0, len(tokens_of(text))),)


def holds_all(text: str, old: str) -> bool:
    """Whether every word of an old text stands in another, articles and plurals aside."""
    return {stem(token) for token in tokens_of(old)} - DETERMINERS <= _stems(text)


@lru_cache(maxsize=4096)
def _stems(text: str) -> frozenset[str]:
    return frozenset(map(stem, tokens_of(text)))


def says(text: str, phrase: str) -> bool:
    """Whether a text holds a phrase, as whole words and in any case."""
    if phrase.lower() not in text.lower():
        return False
    return re.search(rf"\b{re.escape(phrase)}\b", text, re.IGNORECASE) is not None


def without(text: str, noun: str) -> str | None:
    """A text without its last phrase about a noun.

    Args:
        text: Such as "a street at night with many people".
        noun: Such as "people".

    Returns:
        "a street at night"; None where there is no such phrase, or the text is about that noun
        itself.
    """
    tokens = tokens_of(text)
    place = _place(text, noun)
    if place is None:
        return None
    start, opening = _start(tokens, place), ""
    while start and (_joins(tokens[start - 1])):
        start -= 1
        opening = tokens[start]
    rest = list(tokens[place + 1 :])
    if not start:
        # "A surfer on a wave" without the surfer.
        held = rest[:1] and rest[0] in PLACES and rest[1:2] and rest[1] in DETERMINERS
        return spelt(rest[1:]) if held else None
    # "with dots and a belt" is "with a belt" then.
    if rest[:1] == ["and"]:
        rest[0] = opening
    return spelt([*tokens[:start], *rest])


def without_phrase(text: str, phrase: str) -> str | None:
    """A text without a phrase that it has word for word; None where it has none, or no other.

    Args:
        text: Such as "a chair made of wood".
        phrase: Such as "made of wood".
    """
    tokens, words = tokens_of(text), tokens_of(phrase)
    if not words or words[-1] not in tokens:
        return None
    for start in reversed(range(1, len(tokens) - len(words) + 1)):
        if tokens[start : start + len(words)] == words:
            before = tokens[:start]
            while before and (_joins(before[-1]) or before[-1] in DETERMINERS):
                before = before[:-1]
            return spelt([*before, *tokens[start + len(words) :]]) if before else None
    return None


def exchanged(text: str, phrase: str) -> str | None:
    """A text in which the last phrase about the same noun says what another phrase says of it.

    Number, colour and everything else that is said of a thing are exchanged each by itself.

    Args:
        text: Such as "a woman with long brown hair".
        phrase: Such as "short hair".

    Returns:
        "a woman with short brown hair"; None where no phrase of the text is about that noun.
    """
    new, tokens = list(tokens_of(phrase)), tokens_of(text)
    place = _place(text, new[-1]) if new else None
    if place is None or set(new[:-1]) & (_BREAKS - DETERMINERS):
        return None
    start = _start(tokens, place)
    old = list(tokens[start:place])
    if tokens[place] != new[-1] and _sorted(new[:-1])[1] and not _sorted(old)[1]:
        # "two handles" in place of "a square handle" are other handles.
        old = _sorted(old)[2]
    counted, now = (any(word in NUMBERS for word in words) for words in (old, new))
    if counted and not now and stem(tokens[place]) == stem(new[-1]):
        # "Big dog", said of two dogs.
        new[-1] = tokens[place]
    said = merged(old, new)
    return spelt([*tokens[:start], *said, *tokens[place + 1 :]])


def substituted(text: str, noun: str, phrase: str) -> str | None:
    """A text with another phrase in place of the last one about a noun; None where there is none.

    Args:
        text: Such as "a dog on a sandy beach".
        noun: Such as "beach".
        phrase: Such as "a forest".
    """
    tokens = tokens_of(text)
    place = _place(text, noun)
    if place is None:
        return None
    return spelt([*tokens[: _start(tokens, place)], phrase, *tokens[place + 1 :]])


def moved(text: str, place: str) -> str | None:
    """A text whose last place, "on a beach", is another, "in the snow"; None where it has none."""
    tokens = tokens_of(text)
    for start in reversed(range(1, len(tokens) - 1)):
        following = tokens[start + 1]
        if tokens[start] in PLACES and (following in DETERMINERS or kind_of(following) == "place"):
            end = start + 1 + (following in DETERMINERS)
            while end < len(tokens) and tokens[end] not in _BREAKS:
                end += 1
            if tokens[end - 1] in WORN:
                continue
            return spelt([*tokens[:start], place, *tokens[end:]])
    return None


def is_about(text: str, noun: str) -> bool:
    """Whether a text is one phrase about a noun, "white dots" about "dots"."""
    tokens = tokens_of(text)
    place = _place(text, noun)
    return place is not None and place + 1 == len(tokens) and not _start(tokens, place)


def _place(text: str, noun: str) -> int | None:
    """Where a noun stands last, as a noun: "car" does not in "car park"."""
    if stem(noun) not in _stems(text):
        return None
    tokens = tokens_of(text)
    for place in reversed(range(len(tokens))):
        ends = place + 1 == len(tokens) or tokens[place + 1] in _BREAKS
        ends = ends or _opens(tokens[place], tokens[place + 1])
        if ends and stem(tokens[place]) == stem(noun):
            return place
    return None


def _start(tokens: tuple[str, ...], place: int) -> int:
    """Where the phrase begins whose noun stands at a place."""
    start = place
    while start and place - start < _MOST_MODIFIERS:
        both = start > 1 and tokens[start - 1] == "and"
        if both and _is_colour(tokens[start]) and _is_colour(tokens[start - 2]):
            start -= 1
            continue
        if tokens[start - 1] in _BREAKS:
            break
        # "holding" opens a phrase, it says nothing of what is held.
        if tokens[start - 1] in OPENERS:
            break
        start -= 1
    return start - 1 if start and tokens[start - 1] in DETERMINERS else start


def _opens(noun: str, following: str) -> bool:
    """Whether a word opens a phrase of its own behind a noun: "kids building a castle"."""
    return following in OPENERS or (following.endswith("ing") and kind_of(noun) in LIVING)


def _is_colour(token: str) -> bool:
    return token in COLOURS


def _joins(token: str) -> bool:
    return token in JOINTS or token in PLACES or token in OPENERS


def merged(old: list[str], phrase: list[str]) -> list[str]:
    """A new phrase with those of an old one's modifiers that it does not exchange.

    Args:
        old: The words before the old noun.
        phrase: The new phrase, its noun last.
    """
    *new, noun = phrase
    determiners, numbers, colours, rest = map(list, zip(*map(_sorted, (old, new)), strict=True))
    if numbers[0] and determiners[1][:1] in (["a"], ["an"]):
        # "a dog" in place of "two dogs".
        determiners[0], numbers[0] = determiners[1], []
    if colours[0] and rest[1] and SHADES.issuperset(rest[1]):
        colours[1] = [*rest[1], *(word for word in colours[0] if word not in SHADES)]
        rest[1] = []
    chosen = [after or before for before, after in (determiners, numbers, rest, colours)]
    # "long hair" becomes "short hair", whether or not somebody says "a short hair".
    if numbers[1] or not (determiners[0] or numbers[0]):
        chosen[0] = determiners[1] if numbers[1] else []
    return with_article([*(word for words in chosen for word in words), noun])


def with_article(words: list[str]) -> list[str]:
    """Words with the article that fits the second of them."""
    if words[0] not in ("a", "an") or len(words) < 2:
        return words
    return ["an" if words[1][0] in "aeiou" else "a", *words[1:]]


def with_articles(text: str) -> str:
    """A text with "a" and "an" as the words behind them want it."""
    return _ARTICLE.sub(lambda found: "an" if found[1] in "aeiou" else "a", text)


def _sorted(modifiers: list[str]) -> tuple[list[str], list[str], list[str], list[str]]:
    """Determiners, numbers, colours with their shades, and the rest."""
    sorts: tuple[list[str], ...] = ([], [], [], [])
    for number, word in enumerate(modifiers):
        following = modifiers[number + 1] if number + 1 < len(modifiers) else ""
        coloured = word in COLOURS or (word in SHADES | TINTS and following in COLOURS)
        coloured = coloured or (word == "and" and following in COLOURS)
        counted = word in NUMBERS or word.isdigit()
        sorts[0 if word in DETERMINERS else 1 if counted else 2 if coloured else 3].append(word)
    return sorts[0], sorts[1], sorts[2], sorts[3]


def spelt(tokens: Sequence[str]) -> str:
    """Words and commas as a text."""
    return " ".join(tokens).replace(" ,", ",").strip(" ,")
