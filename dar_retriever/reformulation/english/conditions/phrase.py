"""A phrase found in a message, and the message without it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from dar_retriever.reformulation.base import Condition

# Function words before a condition that say nothing without it: "my budget is", "and it costs".
_LEADING: Final = (
    r"what about|how about|for|at|and|but|with|that|which|it|its|it's|that's|this|should|must|can|"
    r"could|may|might|will|has|have|is|are|be|to|an?|the|my|our|i|we|i'm|i've|i'd|got|only|just|"
    r"keep|make|want|"
    r"would|like|please|was|thinking|let's say|as long as|ok|okay|ones?|something|anything|"
    r"them|if|possible|looking|need|wear|"
    r"show|me|find|now|actually|everything|stay|priced?|prices|costs?|costing|budget|budget's|"
    r"somewhere|spend|"
    r"spending|pay|paying|cheap|cheaper|expensive|range|limit|of|no|not|nothing|never|none|don't|"
    r"do|go|isn't|doesn't|can't|cannot|shouldn't|mustn't|won't"
)
_LEAD: Final = re.compile(rf"(?:(?<![\w'-])(?:{_LEADING})[:]?\s+)*$", re.IGNORECASE)
_TRAILING: Final = re.compile(
    r"(?:\s*,?\s*(?:please|only|if possible|thanks|thank you|range|in total|each|or so|"
    r"to spend(?: (?:on|for))?)\b)*",
    re.IGNORECASE,
)
NEGATION: Final = re.compile(r"\b(?:no|not|nothing|never|none|cannot)\b|n't\b", re.IGNORECASE)
# Words that something else may be written on are no condition: "a sign that says 50 euros".
_WRITTEN: Final = re.compile(
    r"\b(?:signs?|labels?|tags?|posters?|(?<!let's )(?<=\w )says?|saying|reads?|reading|"
    r"written|writing|text|word(?:s|"
    r"ing)?|letters|lettering|printed|stickers?|banners?|quote|slogan|number|numbers)\b",
    re.IGNORECASE,
)
_CLAUSE_START: Final = re.compile(r"[,.;!?()\n]")
_QUOTES: Final = re.compile(r"[\"“”„«»]")
_FILLER: Final = re.compile(
    r"[\s,.;:!?-]*(?:(?:ok|okay|but|and|so|well|hm+|oh|yes|yeah|yep|please|now|also|only|just|then|"
    r"it|is|it's|the|an?|ones?|them|those|these|that|i|want|need|make|thanks|thank|you|actually|"
    r"let's|say|maybe|something|anything|for|with|in|photos?|pictures?|pics|images?|results?|"
    r"any|some|there|are|got|you|cheaper|other|more|new|show|me|no|sorry|wait|can|could|do|have|"
    r"keep|should|be|my|of|all|like|let's|was|thinking|about|rather|too|also|as well|would|"
    r"fine|good|"
    r"as long as|instead|prefer)\b[\s,.;:!?-]*)*",
    re.IGNORECASE,
)
_REACH: Final = 90
_DASHES: Final = "-\u2013\u2014"


@dataclass(frozen=True, slots=True)
class Found:
    """A phrase of a message.

    Attributes:
        start: Of the words that go with it.
        end: Likewise.
        conditions: What it says; none where it takes back what was said.
        about: What it is about.
    """

    start: int
    end: int
    conditions: tuple[Condition, ...]
    about: str


def without(text: str, start: int, end: int) -> str:
    """A message without a part of it; empty where nothing is left but words that fill."""
    before, after = text[:start].rstrip(), text[end:].lstrip()
    pause = before[-1:] in {",", ";"} or after[:1] in {",", ";"}
    if before.endswith("(") and after.startswith(")"):
        before, after = before[:-1], after[1:]
    before, after = before.rstrip(f",; {_DASHES}"), after.lstrip(f",; {_DASHES}")
    joint = ", " if pause else " "
    rest = joint.join(part for part in (before, after) if part)
    return "" if is_filler(rest) else rest


def is_filler(text: str) -> bool:
    """Whether a text says nothing."""
    return len(text) <= _REACH and _FILLER.fullmatch(text) is not None


def lead_before(text: str, start: int) -> int:
    """Where the function words before a place begin."""
    reach = text[max(0, start - _REACH) : start]
    found = _LEAD.search(reach)
    return start - len(reach) + found.start() if found else start


def trail_after(text: str, end: int) -> int:
    """Where the words after a place end that say nothing of their own."""
    found = _TRAILING.match(text, end, end + _REACH)
    return found.end() if found else end


def clause_before(text: str, start: int) -> str:
    """What stands before a place in its clause."""
    return _CLAUSE_START.split(text[max(0, start - _REACH) : start])[-1]


def is_written(text: str, start: int) -> bool:
    """Whether a place is within quotes, or in what a sign or a label says."""
    quotes = len(_QUOTES.findall(text[:start]))
    return quotes % 2 == 1 or _WRITTEN.search(clause_before(text, start)) is not None
