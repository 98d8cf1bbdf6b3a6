"""Questions that give choices: "is it red, blue or green?"."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from dar_retriever.reformulation.english.lexicon import ANY_DETERMINER, AUXILIARY, PRONOUNS

_FRAME: Final = re.compile(
    rf"^(?:.*?[:,] )??(?:(?:would|do|did|should|shall) (?:you|i) (?:like|want|prefer|need|mean|"
    rf"have|"
    rf"look for)|are you (?:looking for|after|thinking of)|{AUXILIARY}(?:n't)?)?"
    rf"(?: {PRONOUNS})?(?: (?:be|have|in|made of|something|with|it|them|one|to be|look|more)\b)* ?"
)
_SUBJECT: Final = re.compile(
    r"^(?:the|his|her|their|its|your) [\w-]+ (?:be |have |made of |look )?"
)
_DETERMINED: Final = re.compile(rf"^(?:{ANY_DETERMINER} )+")
_LAST: Final = re.compile(r",? (?:then|instead|perhaps|maybe|please)$")
_MOST: Final = 6
_ORDINALS: Final = {
    "first": 0,
    "1st": 0,
    "former": 0,
    "second": 1,
    "2nd": 1,
    "latter": 1,
    "third": 2,
    "3rd": 2,
    "fourth": 3,
    "last": -1,
}
_ORDINAL: Final = re.compile(
    rf"^(?:i (?:like|want|prefer|choose)|i'd (?:like|say|prefer)|maybe|probably|yes|yeah)?,? ?"
    rf"the (?P<which>{'|'.join(_ORDINALS)})(?: one| option| choice)?(?: please)?$"
)


@lru_cache(maxsize=1024)
def alternatives(question: str) -> tuple[str, ...]:
    """What a question gives to choose from; empty where it gives no choice of a few words."""
    text = _LAST.sub("", question.rstrip("? "))
    if ": " in text:
        text = text.rpartition(": ")[2]
    before, _, last = text.rpartition(" or ")
    first = _SUBJECT.sub("", _FRAME.sub("", before, count=1), count=1)
    parts = [*re.split(r", (?:or )?", first), last]
    choices = tuple(_DETERMINED.sub("", part.strip(" ,")) for part in parts if part.strip(" ,"))
    short = all(0 < len(choice.split()) <= 4 for choice in choices)
    asks = re.match(rf"(?:{AUXILIARY}|would|what|not|something|anything)\b", last)
    empty = last in ("not", "something else", "anything else", "so", "more", "other")
    return choices if 2 <= len(choices) <= _MOST and short and not asks and not empty else ()


def whole_choice(answer: str, choices: tuple[str, ...]) -> str:
    """The choice that an answer of one word cuts short: "long", of short or long sleeves."""
    *rest, last = choices
    words = last.split()
    if len(words) == 2 and all(len(choice.split()) == 1 for choice in rest):
        noun = "" if words[1] in ("one", "ones") else f" {words[1]}"
        return f"{answer}{noun}" if answer in (*rest, words[0]) else ""
    return ""


def place_of_choice(answer: str, many: int) -> int | None:
    """Which of the choices "the second" means; None where the answer names none by its place."""
    found = _ORDINAL.match(answer)
    if found is None:
        return None
    place = (
        _ORDINALS[found["which"]] % many if found["which"] == "last" else _ORDINALS[found["which"]]
    )
    return place if place < many else None
