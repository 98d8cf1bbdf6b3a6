"""Corrections by the type of word: a colour for a colour, a violin for a guitar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dar_retriever.reformulation.english import phrases, sorts
from dar_retriever.reformulation.english.lexicon import (
    COLOURS,
    DETERMINERS,
    NUMBERS,
    PLACES,
    SHADES,
    TINTS,
)
from dar_retriever.reformulation.english.nouns import are_apart, kind_of
from dar_retriever.reformulation.english.statement import Statement

_ARTICLES = frozenset({"a", "an"})
_SOME = _ARTICLES | {"some"}
_KEPT = COLOURS | SHADES | TINTS | NUMBERS


def corrected(kept: list[Statement], new: Statement) -> tuple[list[Statement], str]:
    """The statements with a new one in the place of what it changes, else behind them.

    Returns:
        The statements, and the thing that is not wanted any more, if any.
    """
    words = new.text.split()
    if sorts.is_colour(_plainly(new.text).split()):
        return _recoloured(kept, new), ""
    if sorts.is_number(words):
        changed = _first(kept, lambda text: sorts.renumbered(text, new.text))
        return (changed or [*kept, new]), ""
    if len(words) == 1 and sorts.sort_of(words[0]) is not None:
        return _resorted(kept, new)
    changed = _last(kept, lambda text: phrases.exchanged(text, _named(new.text)))
    if changed is None and words[0] in PLACES and words[1:2]:
        changed = _last(kept, lambda text: phrases.moved(text, new.text))
    if changed is not None:
        return changed, ""
    return _renamed(kept, new)


def _recoloured(kept: list[Statement], new: Statement) -> list[Statement]:
    """The statements after "make it green": a colour that stood alone is meant, or the thing's."""
    colour = _plainly(new.text)
    for number in reversed(range(len(kept))):
        if sorts.is_colour(_plainly(kept[number].text).split()):
            one = replace(kept[number], text=colour)
            return [*kept[:number], one, *kept[number + 1 :]]
    first = _first(kept[:1], lambda text: sorts.recoloured(text, colour, anywhere=False))
    if first is not None:
        return [*first, *kept[1:]]
    return _first(kept, lambda text: sorts.recoloured(text, colour, anywhere=not new.of_it)) or [
        *kept,
        new,
    ]


def _resorted(kept: list[Statement], new: Statement) -> tuple[list[Statement], str]:
    """The statements after "make it glass": another material takes its place."""
    for number, old in enumerate(kept):
        changed = sorts.resorted(old.text, new.text)
        if changed is not None:
            text, gone = changed
            return [*kept[:number], replace(old, text=text), *kept[number + 1 :]], gone
    return [*kept, new], ""


def _renamed(kept: list[Statement], new: Statement) -> tuple[list[Statement], str]:
    """The statements after "no wait, a violin": a thing of a kind takes the other's place."""
    said = phrases.noun_phrases(new.text)
    tokens = phrases.tokens_of(new.text)
    if len(said) != 1 or said[0] != (0, len(tokens)):
        return [*kept, new], ""
    for number in reversed(range(len(kept))):
        old = phrases.tokens_of(kept[number].text)
        for span in phrases.noun_phrases(kept[number].text):
            noun = old[span.stop - 1]
            if kind_of(noun) and kind_of(noun) == kind_of(tokens[-1]):
                one = replace(kept[number], text=_renoun(old, span, tokens))
                gone = noun if are_apart(noun, tokens[-1]) else ""
                return [*kept[:number], one, *kept[number + 1 :]], gone
    slipped = (_beside(kept, tokens) or _subject(kept, tokens)) if new.slip else None
    return slipped or ([*kept, new], "")


def _beside(kept: list[Statement], tokens: tuple[str, ...]) -> tuple[list[Statement], str] | None:
    """The statements with a thing of an unknown kind in the place of the last one like it."""
    if tokens[0] in DETERMINERS - _ARTICLES:
        return None
    for number in reversed(range(len(kept))):
        old = phrases.tokens_of(kept[number].text)
        # The first thing of the description is what all the rest is about.
        for span in reversed(phrases.noun_phrases(kept[number].text)[int(not number) :]):
            noun = old[span.stop - 1]
            alike = len(tokens) == 1 or (old[span.start] in _ARTICLES) == (tokens[0] in _ARTICLES)
            other = {kind_of(noun), kind_of(tokens[-1]), ""} != {kind_of(noun), ""}
            if alike and not other and not sorts.is_said_of_things(noun):
                bare = len(tokens) == 1 and old[span.start] in _ARTICLES
                put = phrases.with_article(["a", *tokens]) if bare else tokens
                text = phrases.spelt([*old[: span.start], *put, *old[span.stop :]])
                gone = [word for word in old[span.start : span.stop] if word not in DETERMINERS]
                one = replace(kept[number], text=text)
                out = "" if noun in tokens[-1] else phrases.spelt(gone)
                return [*kept[:number], one, *kept[number + 1 :]], out
    return None


def _subject(kept: list[Statement], tokens: tuple[str, ...]) -> tuple[list[Statement], str] | None:
    """The statements with another subject: "a mug with dots" after "a lamp with dots"."""
    spans = phrases.noun_phrases(kept[0].text)[:1] if kept else ()
    old = phrases.tokens_of(kept[0].text) if spans else ()
    if not spans or spans[0].start or old[0] not in _SOME or tokens[0] not in _ARTICLES:
        return None
    return [replace(kept[0], text=_renoun(old, spans[0], tokens)), *kept[1:]], ""


def _renoun(old: tuple[str, ...], span: phrases.Span, tokens: tuple[str, ...]) -> str:
    """A text with another thing in a place of it, of the colour and the number that were there."""
    before = [word for word in old[span.start : span.stop - 1] if _stays(word)]
    put = phrases.merged(before, list(tokens))
    return phrases.spelt([*old[: span.start], *put, *old[span.stop :]])


def _stays(word: str) -> bool:
    return word in _KEPT or word in DETERMINERS or word.isdigit()


def _first(kept: list[Statement], change: Callable[[str], str | None]) -> list[Statement] | None:
    return _at(kept, change, range(len(kept)))


def _last(kept: list[Statement], change: Callable[[str], str | None]) -> list[Statement] | None:
    return _at(kept, change, range(len(kept) - 1, -1, -1))


def _at(
    kept: list[Statement], change: Callable[[str], str | None], places: range
) -> list[Statement] | None:
    """The statements with the first one that a change fits changed; None where it fits none."""
    for number in places:
        text = change(kept[number].text)
        if text is not None:
            return [*kept[:number], replace(kept[number], text=text), *kept[number + 1 :]]
    return None


def _plainly(text: str) -> str:
    """A colour without "in" before it."""
    return text.removeprefix("in ")


def _named(phrase: str) -> str:
    """What a phrase is about, without the place word before it: "on a sky background"."""
    words = phrase.split()
    return " ".join(words[1:]) if words[0] in PLACES and len(words) > 1 else phrase
