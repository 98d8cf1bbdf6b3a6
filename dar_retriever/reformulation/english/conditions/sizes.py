"""Sizes of clothes and shoes, and numbers of results, said in English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dar_retriever.reformulation.base import Condition
from dar_retriever.reformulation.english.conditions.amounts import NUMBER, number_of
from dar_retriever.reformulation.english.conditions.phrase import (
    NEGATION,
    Found,
    clause_before,
    is_written,
    lead_before,
    trail_after,
)
from dar_retriever.reformulation.english.nouns import kind_of

_LETTERS: Final = (
    r"(?:x{0,4}s|x{0,4}l|[2-6]xl|m|xx?-(?:small|large)|extra (?:small|large)|one size)"
)
_SEVERAL: Final = rf"{_LETTERS}(?:(?: or | and |/|, ?)(?:an? )?{_LETTERS})*"
_IN_WORDS: Final = (
    r"(?:(?:thirty|forty)(?:[ -](?:one|two|three|four|five|six|seven|eight|nine))?|six|eight|ten|"
    r"twelve|fourteen|sixteen|eighteen)"
)
_VALUE: Final = rf"(?:\d{{1,3}}(?:[.,]5)?|{_LETTERS}|small|medium|large|{_IN_WORDS}\b)"
_LIST: Final = rf"(?P<value>{_VALUE}(?:(?:,? (?:or|and)|,|/) ?{_VALUE})*)"
_REGION: Final = r"(?:(?:eu|us|uk) )?"
_NOT_MORE: Final = r"(?![\w'-]|[.,]\d| ?(?:cm|mm|m|kg|inch(?:es)?|ft|feet|x \d|%|of)\b)"
_OF: Final = r"(?:(?:shoe|ring|clothing|eu|us|uk) )?"
_SHOES: Final = (
    r"(?:shoes|boots|sneakers|trainers|sandals|slippers|heels|loafers|pumps|clogs|flats|moccasins)"
)
# No word but a size.
_SURE: Final = r"(?:x{1,4}s|x{1,4}l|[2-6]xl)"
_EITHER: Final = r"(?:,? or |, |/)"
_SIZE: Final = re.compile(
    rf"(?<![\w-])(?:(?:in|with) )?(?:my |an? )?{_OF}(?:sizes?|sz\.?)(?: is| are|,|:|=|"
    r" should be| must be)? ?"
    rf"{_REGION}{_LIST}{_NOT_MORE}|"
    rf"\b(?:in|wears?|takes?) (?:an? )?(?P<letters>{_SEVERAL}){_NOT_MORE}|"
    r"\bin (?P<word>small|medium|large)(?=[\W_]*$)|"
    rf"(?<![\w'#@/-])(?P<sure>(?:{_LETTERS}{_EITHER})*{_SURE}(?:{_EITHER}{_LETTERS})*)"
    r"(?= [a-z]|[\W_]*$|[,.;)])|"
    rf"(?<![\w'-])(?P<sized>{_LETTERS})[ -]sized?\b(?= [a-z]+[\W_]*$| \w+ (?:with|under|in)\b)|"
    # "Boots 42", "shoes, 44, below 100".
    rf"\b{_SHOES},? (?P<shoes>(?:3[4-9]|4\d)(?:[.,]5)?)(?=[\W_]*$|[,.;!?])|"
    rf"\b(?:i'?m|i am|he's|she's) an? (?P<number_of_me>\d\d(?:[.,]5)?)(?=[\W_]*$|[,.;!?])|"
    rf"\b(?:wears?|takes?) (?:an? )?(?P<number>\d\d(?:[.,]5)?){_NOT_MORE}|"
    # "Boots, EU 41", "those in a 45?".
    rf"\b(?:eu|uk) (?P<region>\d{{1,2}}(?:[.,]5)?){_NOT_MORE}|"
    r"\bin (?:an? )?(?P<worn>(?:3|4)\d(?:[.,]5)?)(?=[\W_]*$|[,.;!?])",
    re.IGNORECASE,
)
_ALONE: Final = re.compile(
    r"[\W_]*(?:(?P<again>actually|rather|no,?|wait,?|make (?:it|that)|sorry,?|i meant) )*"
    rf"(?:(?:i(?:'m| am| wear)?|it's|it is|mine is) )?(?:an? )?{_REGION}{_LIST}"
    r"(?:,? please)?(?=[\W_]*$|[,.;!])",
    re.IGNORECASE,
)
_LETTERS_ALONE: Final = re.compile(rf"[\W_]*(?P<value>{_LETTERS})[\W_]*", re.IGNORECASE)
# "Jumpers, XL, blue".
_CAPITALS: Final = re.compile(r"(?<=, )(?P<value>X{0,3}S|X{0,3}L|M)(?=,|[\W_]*$)")
# "In s" is a slip, "in S" is not.
_SMALL_LETTERS: Final = frozenset({"s", "m", "l"})
# "Not in S or XS".
_NOT_IN: Final = re.compile(
    rf"\b(?:not|nothing|none|no) (?:in )?(?:an? )?(?:sizes? )?{_VALUE}(?:(?:,? (?:or|and)|,|"
    rf"/) ?{_VALUE})*$",
    re.IGNORECASE,
)
_AND_ALSO: Final = re.compile(
    rf"[\W_]*(?:(?:or|and|ok|also|size|an?|maybe) )*(?P<value>{_VALUE})(?: (?:is|would be|"
    rf"will be|are|"
    r"works|would work|might|would do|will do|may do))?(?: (?:ok|okay|fine|good|alright|"
    r"possible))?,? "
    rf"(?:too|also|as well|either)[\W_]*|[\W_]*or (?:in )?(?:an? )?(?P<either>{_VALUE})[\W_]*",
    re.IGNORECASE,
)
_INSTEAD: Final = re.compile(
    rf"(?:^|(?<=[,.;] ))(?:an? |size )?(?P<value>{_VALUE}) instead(?: of (?:an? |size )?{_VALUE})?"
    r"(?=[\W_]*$|[,.;])",
    re.IGNORECASE,
)
_KIND_OF: Final = re.compile(
    r"\b(?:life|king|queen|full|pocket|bite|actual|real|same|double|twin|small|large|big)[ -]$",
    re.IGNORECASE,
)
_SAME: Final = {
    "extra small": "xs",
    "x-small": "xs",
    "extra large": "xl",
    "x-large": "xl",
    "xx-large": "xxl",
    "small": "s",
    "medium": "m",
    "large": "l",
    "2xl": "xxl",
    "3xl": "xxxl",
}
_RESULTS: Final = (
    r"(?:results?|hits?|pictures?|pics|photos?|images?|options?|examples?|suggestions?|matches)"
)
_CLAUSE: Final = r"(?:^|(?<=[,.;!] ))"
_COUNT: Final = re.compile(
    rf"{_CLAUSE}(?:(?:please|just|only|can you|now) )*(?:show|give|get|find|list)(?: me)?"
    rf"(?: just| only)? (?:the )?(?:top |best |first )?(?P<shown>{NUMBER})(?: more)?"
    rf"(?: of (?:them|these|those))?(?: {_RESULTS}(?: (?:of|with))?\b|(?=[\W_]*$|,? please))|"
    rf"(?:{_CLAUSE}|\b(?:show me|give me|only|just) )(?:the )?(?:top|best|first) (?P<top>{NUMBER})"
    rf"(?: {_RESULTS})?(?: only)?(?=[\W_]*$|[,.;!]|,? please| (?:for|of)\b)|"
    r"^(?:the )?top (?P<of>\d+)(?= \w)|"
    rf"{_CLAUSE}(?:(?:only|just|max(?:imum)?|at most) )*(?P<number>{NUMBER}) {_RESULTS}"
    r"(?: only| please)?(?=[\W_]*$)",
    re.IGNORECASE,
)
_WORN: Final = frozenset({"garment", "footwear", "headgear", "accessory"})
_MOST_RESULTS: Final = 1000


def size_in(text: str, *, known: bool, asked: bool) -> Iterator[Found]:
    """The size that a message names, if it does.

    Args:
        text: A message.
        known: Whether a size was named before, so that "actually 43" is another.
        asked: Whether it answers a question for the size, so that "42" is one.
    """
    instead = _INSTEAD.search(text) if known else None
    if instead:
        yield _sized(*instead.span(), instead["value"], instead[0])
        return
    whole = _ALONE.match(text)
    if whole is None or not (asked or (known and whole["again"])):
        whole = _LETTERS_ALONE.fullmatch(text)
    if whole:
        yield _sized(0, whole.end(), whole["value"], whole[0])
        return
    between = _CAPITALS.search(text)
    if between and not is_written(text, between.start()):
        yield _sized(*between.span(), between["value"], between[0])
        return
    for match in _SIZE.finditer(text):
        if _KIND_OF.search(text[: match.start()]) or is_written(text, match.start()):
            continue
        if match["sure"] and not _is_of_a_garment(text, match.end()):
            continue
        shoes = match["shoes"]
        begin = match.start("shoes") if shoes else match.start()
        start = begin if shoes else lead_before(text, begin)
        denied = NEGATION.search(clause_before(text, match.start())) is not None
        if denied and not _NOT_IN.search(text[: match.end()]):
            continue
        if {*re.findall(r"\w+", match["letters"] or "")} & _SMALL_LETTERS:
            continue
        value = next(part for part in match.groups() if part)
        said = text[begin : match.end()]
        yield _sized(start, trail_after(text, match.end()), value, said, denied=denied)
        return


def _is_of_a_garment(text: str, end: int) -> bool:
    """Whether a bare size ends its clause, or a garment follows: "an XL pizza" has none."""
    following = re.match(r" ([\w-]+)", text[end:])
    return following is None or kind_of(following[1].lower()) in _WORN


def another_size(text: str) -> Found | None:
    """A size that is wanted beside those named before: "L would be fine too"."""
    match = _AND_ALSO.fullmatch(text)
    return _sized(0, len(text), match["value"] or match["either"], text) if match else None


def results_in(text: str) -> Iterator[Found]:
    """How many results a message asks for, if it does: "top 5", "show me 3"."""
    match = _COUNT.search(text)
    if match is None or is_written(text, match.start()):
        return
    number = int(number_of(next(value for value in match.groups() if value)))
    if 0 < number <= _MOST_RESULTS:
        said = match[0].strip(" ,.;")
        condition = Condition("results", "$eq", number, said)
        yield Found(match.start(), trail_after(text, match.end()), (condition,), "results")


def _spelt(size: str) -> str:
    """A size as stores write it: "forty two" as "42"."""
    if re.fullmatch(_IN_WORDS, size):
        return f"{number_of(size):.0f}"
    return _SAME.get(size, size).replace(",", ".")


def _sized(start: int, end: int, value: str, said: str, *, denied: bool = False) -> Found:
    parts = re.split(r",? (?:or|and) (?:an? )?|[,/] ?(?!5\b)", value.lower().strip())
    sizes = tuple(dict.fromkeys(_spelt(part) for part in parts if part))
    said = said.strip(" ,.;!?")
    asked = ("$ne", "$nin") if denied else ("$eq", "$in")
    condition = Condition(
        "size", asked[len(sizes) > 1], sizes[0] if len(sizes) == 1 else sizes, said
    )
    return Found(start, end, (condition,), "size")
