"""Phrases about one thing within a text: taking them out, and exchanging what they say."""

from __future__ import annotations

import re
from typing import Final

from dar_retriever.reformulation.english.lexicon import (
    COLOURS,
    DETERMINERS,
    JOINTS,
    NUMBERS,
    OPENERS,
    PLACES,
    SHADES,
    WORN,
    stem,
)

_TOKEN: Final = re.compile(r"[^\s,]+|,")
_MOST_MODIFIERS: Final = 4
_BREAKS: Final = JOINTS | PLACES | DETERMINERS


def says(text: str, phrase: str) -> bool:
    """Whether a text holds a phrase, as whole words and in any case."""
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
    tokens = _TOKEN.findall(text)
    place = _place(tokens, noun)
    if place is None:
        return None
    start, opening = _start(tokens, place), ""
    while start and (_joins(tokens[start - 1])):
        start -= 1
        opening = tokens[start]
    if not start:
        return None
    rest = tokens[place + 1 :]
    # "with dots and a belt" is "with a belt" then.
    if rest[:1] == ["and"]:
        rest[0] = opening
    return _text([*tokens[:start], *rest])


def exchanged(text: str, phrase: str) -> str | None:
    """A text in which the last phrase about the same noun says what another phrase says of it.

    Number, colour and everything else that is said of a thing are exchanged each by itself.

    Args:
        text: Such as "a woman with long brown hair".
        phrase: Such as "short hair".

    Returns:
        "a woman with short brown hair"; None where no phrase of the text is about that noun.
    """
    new, tokens = _TOKEN.findall(phrase), _TOKEN.findall(text)
    place = _place(tokens, new[-1]) if new else None
    if place is None or set(new[:-1]) & (_BREAKS - DETERMINERS):
        return None
    start = _start(tokens, place)
    old = tokens[start:place]
    if tokens[place] != new[-1] and _sorted(new[:-1])[1] and not _sorted(old)[1]:
        # "two handles" in place of "a square handle" are other handles.
        old = _sorted(old)[2]
    said = _merged(old, new[:-1])
    return _text([*tokens[:start], *_with_article([*said, new[-1]]), *tokens[place + 1 :]])


def substituted(text: str, noun: str, phrase: str) -> str | None:
    """A text with another phrase in place of the last one about a noun; None where there is none.

    Args:
        text: Such as "a dog on a sandy beach".
        noun: Such as "beach".
        phrase: Such as "a forest".
    """
    tokens = _TOKEN.findall(text)
    place = _place(tokens, noun)
    if place is None:
        return None
    return _text([*tokens[: _start(tokens, place)], phrase, *tokens[place + 1 :]])


def moved(text: str, place: str) -> str | None:
    """A text whose last place, "on a beach", is another, "in the snow"; None where it has none."""
    tokens = _TOKEN.findall(text)
    for start in reversed(range(1, len(tokens) - 1)):
        if tokens[start] in PLACES and tokens[start + 1] in DETERMINERS:
            end = start + 2
            while end < len(tokens) and tokens[end] not in _BREAKS:
                end += 1
            if tokens[end - 1] in WORN:
                continue
            return _text([*tokens[:start], place, *tokens[end:]])
    return None


def is_about(text: str, noun: str) -> bool:
    """Whether a text is one phrase about a noun, "white dots" about "dots"."""
    tokens = _TOKEN.findall(text)
    place = _place(tokens, noun)
    return place is not None and place + 1 == len(tokens) and not _start(tokens, place)


def _place(tokens: list[str], noun: str) -> int | None:
    """Where a noun stands last, as a noun: "car" does not in "car park"."""
    for place in reversed(range(len(tokens))):
        ends = place + 1 == len(tokens) or tokens[place + 1] in _BREAKS
        ends = ends or tokens[place + 1] in OPENERS
        if ends and stem(tokens[place]) == stem(noun):
            return place
    return None


def _start(tokens: list[str], place: int) -> int:
    """Where the phrase begins whose noun stands at a place."""
    start = place
    while start and place - start < _MOST_MODIFIERS and tokens[start - 1] not in _BREAKS:
        # "holding" opens a phrase, it says nothing of what is held.
        if tokens[start - 1] in OPENERS:
            break
        start -= 1
    return start - 1 if start and tokens[start - 1] in DETERMINERS else start


def _joins(token: str) -> bool:
    return token in JOINTS or token in PLACES or token in OPENERS


def _merged(old: list[str], new: list[str]) -> list[str]:
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
    return [word for words in chosen for word in words]


def _with_article(words: list[str]) -> list[str]:
    if words[0] not in ("a", "an") or len(words) < 2:
        return words
    return ["an" if words[1][0] in "aeiou" else "a", *words[1:]]


def _sorted(modifiers: list[str]) -> tuple[list[str], list[str], list[str], list[str]]:
    """Determiners, numbers, colours with their shades, and the rest."""
    sorts: tuple[list[str], ...] = ([], [], [], [])
    for number, word in enumerate(modifiers):
        following = modifiers[number + 1] if number + 1 < len(modifiers) else ""
        coloured = word in COLOURS or (word in SHADES and following in COLOURS)
        counted = word in NUMBERS or word.isdigit()
        sorts[0 if word in DETERMINERS else 1 if counted else 2 if coloured else 3].append(word)
    return sorts[0], sorts[1], sorts[2], sorts[3]


def _text(tokens: list[str]) -> str:
    return " ".join(tokens).replace(" ,", ",").strip(" ,")
