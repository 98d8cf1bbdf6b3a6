"""Names of brands, places and people in what is said: when they are meant as a condition."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from dar_retriever.reformulation.english.conditions.ordinary_names import ORDINARY_NAMES
from dar_retriever.reformulation.english.conditions.phrase import (
    NEGATION,
    clause_before,
    is_filler,
    is_written,
    trail_after,
)
from dar_retriever.reformulation.english.lexicon import COLOURS
from dar_retriever.reformulation.english.nouns import THINGS, kind_of

_REACH: Final = 90
_JOINING: Final = ("-", "#", "@", "/")

Kind = Literal["maker", "place", "person", "other"]

_PICTURES: Final = (
    r"(?:any|everything|anything|something|goods|photos?|pictures?|pics|images?|shots?|ones?|those|results?|stuff|things|items|"
    r"products)"
)
_MADE: Final = (
    r"(?:made|designed|shot|taken|photographed|painted|published|sold|drawn|produced|built|created|"
    r"manufactured|signed|captured)"
)
_FRAME: Final = (
    r"(?:(?:only|just|but|and|the|that|which|is|are|was|were|it|it's|they|should|must|be|come|"
    r"comes|"
    rf"show|me|i|want|prefer|like|please|actually|rather|any|some|all|{_PICTURES}|{_MADE})\s+)*"
)
# What goes with a name and is nothing without it, by what is named.
_CUES: Final[dict[Kind, re.Pattern[str]]] = {
    "maker": re.compile(
        rf"(?<![\w'-]){_FRAME}(?:by|from|only|just|brand)\s+(?:the\s+)?$",
        re.IGNORECASE,
    ),
    "place": re.compile(
        rf"(?:(?<![\w'-])(?:only|just)\s+{_FRAME}|(?<![\w'-]){_FRAME}"
        rf"(?:{_PICTURES}|{_MADE})\s+{_FRAME}|"
        r"(?<![\w'-])(?:(?:that|which|it|they|to|must|should|has to|have to|needs? to)\s+)+"
        r"(?:be\s+|comes?\s+|is\s+|are\s+)+(?:coming\s+)?|"
        r"^\s*|(?<=[,;.!]\s))(?:from|in|at|of)\s+(?:the\s+)?$",
        re.IGNORECASE,
    ),
    "person": re.compile(
        rf"(?<![\w'-]){_FRAME}(?:{_PICTURES}\s+)(?:of|with)\s+$|(?<![\w'-])(?:only|just)\s+$",
        re.IGNORECASE,
    ),
}
_NOT: Final = re.compile(
    r"(?:\b(?:(?:any|every)thing but|exclude|leave out|skip|avoid|hide|remove|drop|without|hates?|"
    r"dislikes?|other than|except(?: for)?|excluding|but not|but no|not|no|never|"
    r"nothing|none|"
    r"(?:do not|don't) (?:want|like|need|show me))\s+)(?:(?:by|from|in|at|any|the|of|made|"
    r"designed|produced|ones?)\s+)*$",
    re.IGNORECASE,
)
_FROM: Final = re.compile(r"(?<![\w'-])(?:from|in)\s+$", re.IGNORECASE)
_ONLY: Final = re.compile(r"\s+only\b", re.IGNORECASE)
_ALONE: Final = re.compile(r",? (?:only|please)\b", re.IGNORECASE)
_WITHOUT: Final = re.compile(r"\b(?:with no|without)\b", re.IGNORECASE)
_ENDS: Final = re.compile(
    r"\s*(?:$|[,.;!?)]|(?:on|in|at|with|and|or|but|under|over|for|of|to|by|from|near|that|which|is|"
    r"are|was|please)\b)",
    re.IGNORECASE,
)
_CLAUSE_ENDS: Final = re.compile(
    r"\s*(?:$|[,.;!?)]|(?:please|either|only|brand|ones?|thanks|and|but|or)\b)", re.IGNORECASE
)
_DETERMINER: Final = re.compile(
    r"(?<![\w'-])(?<!make )(?:an?|the|two|three|some|several|many|his|her|my|their|this|that|"
    r"one)\s+$",
    re.IGNORECASE,
)
# What a name is seen on: "a Nike logo" is in the picture.
_SEEN: Final = re.compile(
    r"\s*(?:logos?|signs?|swoosh|symbols?|emblems?|badges?|lettering|billboards?|posters?|"
    r"stickers?|"
    r"flags?|map|style|trees?|pies?|juice|letters|text)\b",
    re.IGNORECASE,
)
_GOODS: Final = re.compile(r"\s+(?:stuff|products?|items?|gear|goods)\b", re.IGNORECASE)
_SOLD: Final = THINGS | {"headgear"}
_ONES: Final = re.compile(
    r"\s+(?:ones?|designs?|stuff|products?|items?|goods|things|models?)\b", re.IGNORECASE
)
# "The summer collection".
_LINES: Final = re.compile(r"\s+(?:coll?ections?|range|line|season)\b(?! of\b)", re.IGNORECASE)
_OF_LINES: Final = re.compile(
    r"(?<![\w'-])(?:(?:from|of|in|only|just|for|the|your|my|this|new)\s+)*$", re.IGNORECASE
)
_LINED: Final = frozenset({"season", "collection", "line", "range", "saison"})
_NAMED_AFTER: Final = re.compile(r"\s+brand(?:ed)?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mention:
    """A name that is meant as a condition.

    Attributes:
        start: Of the words that go with it.
        end: Likewise.
        denied: Whether it is what is not wanted.
    """

    start: int
    end: int
    denied: bool = False


def mention_of(text: str, start: int, end: int, kind: Kind, field: str) -> Mention | None:
    """How a name in a message is meant; None where the picture may be meant as well.

    Args:
        text: The message.
        start: Where the name begins.
        end: Where it ends.
        kind: What is named. Others than makers, places and people are meant only where their field
            is named as well: "season: summer".
        field: What the field is called, in words.
    """
    before = text[max(0, start - _REACH) : start]
    named = re.search(
        rf"(?<![\w'-])(?:the )?(?:{re.escape(field)}{'|origin' * (kind == 'place')})(?: of \w+)?"
        r"(?: ?[:=]| is| should be)? ?$",
        before,
        re.IGNORECASE,
    )
    if named:
        return Mention(start - len(before) + named.start(), trail_after(text, end))
    part_of_a_word = text[start - 1 : start] in _JOINING or text[end : end + 1] in _JOINING
    lines = _LINES.match(text, end)
    if kind == "other" and lines and field in _LINED and not NEGATION.search(before):
        cue = _OF_LINES.search(before)
        begin = start - len(before) + cue.start() if cue else start
        return Mention(begin, trail_after(text, lines.end()))
    if kind == "other" or part_of_a_word or is_written(text, start) or _SEEN.match(text, end):
        return None
    denied = _NOT.search(before)
    if denied:
        begin = start - len(before) + denied.start()
        ones = _ONES.match(text, end)
        said = Mention(begin, trail_after(text, ones.end() if ones else end), denied=True)
        return said if _CLAUSE_ENDS.match(text, ones.end() if ones else end) else None
    return _wanted(text, start, end, kind)


def _wanted(text: str, start: int, end: int, kind: Kind) -> Mention | None:
    before = text[max(0, start - _REACH) : start]
    if NEGATION.search(_WITHOUT.sub("", clause_before(text, start))):
        return None
    cue = _CUES[kind].search(before)
    alone = kind != "other" and _ALONE.match(text, end) and is_filler(clause_before(text, start))
    if kind == "place" and (_ONLY.match(text, end) or _is_sold(before)):
        cue = cue or _FROM.search(before)
    if cue is None and not alone and not _is_bare_name(text, start, end, kind):
        return None
    called = _NAMED_AFTER.match(text, end)
    begin = start - len(before) + cue.start() if cue else start
    return Mention(begin, trail_after(text, called.end() if called else end))


def _is_sold(before: str) -> bool:
    """Whether a thing that shops sell is what comes "from" there: "vases from Japan"."""
    found = re.search(r"([\w-]+) from (?:the )?$", before, re.IGNORECASE)
    return found is not None and kind_of(found[1].lower()) in THINGS


def _is_bare_name(text: str, start: int, end: int, kind: Kind) -> bool:
    """Whether a name without a word that points to it is a condition: "red Nike shoes"."""
    name = text[start:end]
    # All in capitals, and at a sentence's beginning, a capital tells nothing.
    capital = name != name.lower() and text != text.upper() and start > 0
    if kind == "person":
        return " " in name or capital or (is_filler(text[:start]) and is_filler(text[end:]))
    if kind == "place":
        return False
    if _DETERMINER.search(text[max(0, start - 20) : start]) and _ENDS.match(text, end):
        return False
    if name.lower() in COLOURS:
        return capital
    following = re.match(r" ([\w-]+)", text[end:])
    compound = following is not None and kind_of(following[1].lower()) in _SOLD
    goods = compound or _GOODS.match(text, end) is not None
    return capital or goods or " " in name or name.lower() not in ORDINARY_NAMES
