"""What was said so far, after one more statement: answers anew, corrections, things ruled out."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from dar_retriever.reformulation.english import phrases, sorts, unwanted
from dar_retriever.reformulation.english.corrections import corrected
from dar_retriever.reformulation.english.lexicon import (
    ANY_COLOUR,
    COLOURS,
    CONTRARIES,
    DETERMINERS,
    stem,
)
from dar_retriever.reformulation.english.statement import Statement

_THE: Final = re.compile(r"^(?:just |only )*the ")


def revised(kept: list[Statement], new: Statement) -> tuple[list[Statement], str]:
    """The statements after one more: what it corrects or answers anew is replaced.

    Returns:
        The statements, and what is not wanted any more, where another thing took its place.
    """
    if new.replaces and new.text:
        changed = _substituted(kept, new) or _replaced(
            kept, rf"\b{re.escape(new.replaces)}\b", new.text
        )
        if changed is not None:
            return changed, ""
    contraries = CONTRARIES.get(new.text, frozenset())
    kept = [old for old in kept if old.text not in contraries]
    if new.topic and (new.text or new.excluded):
        kept = [old for old in kept if old.topic != new.topic]
    words = new.text.split()
    if len(words) == 2 and words[0] in COLOURS and (new.topic or new.corrects):
        # "red dots" after "white dots" names the thing whose colour changes.
        changed = _recoloured(kept, new, words[1])
        if changed is not None:
            return changed, ""
    if new.corrects and words:
        return corrected(kept, new)
    if new.excluded and not new.text:
        out = unwanted.without_answered if new.topic else unwanted.without
        return out(kept, new.excluded), ""
    return (_added(kept, new) if new.text else kept), ""


def last_thing(kept: list[Statement]) -> str:
    """What "remove that" means: the thing beside the subject that was named last, if any."""
    found = [
        phrases.tokens_of(one.text)[span.stop - 1]
        for number, one in enumerate(kept[-2:] if len(kept) > 1 else kept)
        for span in phrases.noun_phrases(one.text)[int(len(kept) == 1 or not number) :]
    ]
    return found[-1] if found else ""


def _added(kept: list[Statement], new: Statement) -> list[Statement]:
    """The statements with one more, within another that names its thing where nothing is lost."""
    words = new.text.split()
    if kept and not new.topic and sorts.is_colour(words):
        text = sorts.recoloured(kept[0].text, new.text, anywhere=False)
        if text is not None:
            return [replace(kept[0], text=text), *kept[1:]]
    new = replace(new, text=_unrepeated(kept, new.text))
    if not new.topic and any(phrases.says(old.text, _THE.sub("", new.text)) for old in kept):
        return kept
    # "The door is open" says more of the door.
    said_of_it = len(words) == 2 and not {words[0]} & (DETERMINERS | COLOURS)
    if (new.topic or said_of_it) and phrases.is_one_thing(new.text):
        for number in reversed(range(len(kept))):
            text = phrases.exchanged(kept[number].text, new.text)
            if text is not None and phrases.holds_all(text, kept[number].text):
                return [*kept[:number], replace(kept[number], text=text), *kept[number + 1 :]]
    return [*kept, new]


def _unrepeated(kept: list[Statement], text: str) -> str:
    """A text without the subject's name where it only says more of it: "mugs with a pattern"."""
    tokens = phrases.tokens_of(text)
    subject = phrases.noun_phrases(kept[0].text)[:1] if kept and len(tokens) > 2 else ()
    if not subject or tokens[1] not in ("with", "in", "on", "that"):
        return text
    name = phrases.tokens_of(kept[0].text)[subject[0].stop - 1]
    return phrases.spelt(tokens[2:]) if stem(name) == stem(tokens[0]) else text


def _recoloured(kept: list[Statement], new: Statement, noun: str) -> list[Statement] | None:
    """The statements with another colour of a thing that had one; None where none had."""
    coloured = re.compile(rf"\b{ANY_COLOUR} {re.escape(noun)}\b")
    for number in reversed(range(len(kept))):
        if noun in kept[number].text and coloured.search(kept[number].text):
            text = phrases.exchanged(kept[number].text, new.text)
            if text is not None:
                topic = coloured.sub(lambda _: new.text, kept[number].topic, count=1)
                one = replace(kept[number], text=text, topic=topic)
                return [*kept[:number], one, *kept[number + 1 :]]
    return None


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
