"""What was said so far, after one more statement: answers anew, corrections, things ruled out."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from dar_retriever.reformulation.english import phrases
from dar_retriever.reformulation.english.lexicon import (
    ANY_COLOUR,
    COLOURS,
    CONTRARIES,
    DETERMINERS,
    PLACES,
    SHADED_COLOUR,
    stem,
)
from dar_retriever.reformulation.english.statements import Statement

_FIRST_COLOUR: Final = re.compile(rf"\b{SHADED_COLOUR}\b")


def revised(kept: list[Statement], new: Statement) -> list[Statement]:
    """The statements after one more: what it corrects or answers anew is replaced."""
    if new.replaces and new.text:
        changed = _substituted(kept, new) or _replaced(
            kept, rf"\b{re.escape(new.replaces)}\b", new.text
        )
        if changed is not None:
            return changed
    contraries = CONTRARIES.get(new.text, frozenset())
    kept = [old for old in kept if old.text not in contraries]
    if new.topic and (new.text or new.excluded):
        kept = [old for old in kept if old.topic != new.topic]
    if new.excluded in COLOURS and not new.text:
        # Said of the whole thing, so of the description, not of the dots that were asked about.
        loose = [old for old in kept if not old.topic]
        bare = _replaced(loose, rf"\b{new.excluded} (?=\w)", "") or loose
        kept = [bare[loose.index(old)] if old in loose else old for old in kept]
    words = new.text.split()
    if len(words) == 2 and words[0] in COLOURS and (new.topic or new.corrects):
        # "red dots" after "white dots" names the thing whose colour changes.
        changed = _replaced(kept, rf"\b{ANY_COLOUR} {re.escape(words[1])}\b", new.text)
        if changed is not None:
            return changed
    if new.corrects and words:
        return _corrected(kept, new, words)
    if new.excluded and not (new.text or new.topic):
        return _without(kept, new.excluded)
    return [*kept, new] if new.text else kept


def _corrected(kept: list[Statement], new: Statement, words: list[str]) -> list[Statement]:
    """The statements with a new one in the place of what it changes, else behind them."""
    if words[-1] in COLOURS:
        return _recoloured(kept, new) if len(words) <= 2 else [*kept, new]
    elsewhere = words[0] in PLACES and words[1:2] and words[1] in DETERMINERS
    for number in reversed(range(len(kept))):
        text: str | None = phrases.exchanged(kept[number].text, _named(new.text))
        if text is None and elsewhere:
            text = phrases.moved(kept[number].text, new.text)
        if text is not None:
            return [*kept[:number], replace(kept[number], text=text), *kept[number + 1 :]]
    return [*kept, new]


def _recoloured(kept: list[Statement], new: Statement) -> list[Statement]:
    """The statements after "make it green": a colour that stood alone is meant, or the first."""
    alone = [old for old in kept if old.text in COLOURS]
    for old in [*alone[-1:], *kept]:
        if _FIRST_COLOUR.search(old.text):
            text = _FIRST_COLOUR.sub(new.text, old.text, count=1)
            return [replace(other, text=text) if other is old else other for other in kept]
    return [*kept, new]


def _named(phrase: str) -> str:
    """What a phrase is about, without the place word before it: "on a sky background"."""
    words = phrase.split()
    return " ".join(words[1:]) if words[0] in PLACES and len(words) > 1 else phrase


def _without(kept: list[Statement], noun: str) -> list[Statement]:
    """The statements without the last phrase about a thing; the description's own thing stays.

    Without stripes nothing is striped either.
    """
    name = stem(noun.rsplit(maxsplit=1)[-1])
    having = rf"\b{re.escape(name)}(?:d|ed|{re.escape(name[-1])}ed)\b ?"
    kept = _replaced(kept, having, "") or kept
    for number in reversed(range(len(kept))):
        text = phrases.without(kept[number].text, noun.rsplit(maxsplit=1)[-1])
        if text is not None:
            return [*kept[:number], replace(kept[number], text=text), *kept[number + 1 :]]
        if number and phrases.is_about(kept[number].text, noun.rsplit(maxsplit=1)[-1]):
            return [*kept[:number], *kept[number + 1 :]]
    return kept


def _substituted(kept: list[Statement], new: Statement) -> list[Statement] | None:
    """The statements with "a forest" in place of "a sandy beach"; None where that does not fit."""
    if new.text.split(maxsplit=1)[0] not in DETERMINERS:
        return None
    for number in reversed(range(len(kept))):
        text = phrases.substituted(kept[number].text, new.replaces.split()[-1], new.text)
        if text is not None:
            return [*kept[:number], replace(kept[number], text=text), *kept[number + 1 :]]
    return None


def _replaced(kept: list[Statement], pattern: str, text: str) -> list[Statement] | None:
    """The statements with what matches put as ``text``; none where nothing matches."""
    found = re.compile(pattern)
    if not any(found.search(old.text) for old in kept):
        return None
    # "Is it teal?" made teal the topic as well; once teal is taken back, white is.
    return [
        replace(
            old,
            # Once: what replaces a word may hold it, and would grow turn by turn.
            text=found.sub(lambda _: text, old.text, count=1),
            topic=found.sub(lambda _: text, old.topic, count=1),
        )
        for old in kept
    ]
