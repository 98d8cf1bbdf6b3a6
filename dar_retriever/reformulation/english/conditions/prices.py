"""What something may cost, said in English."""

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
    is_filler,
    is_written,
    lead_before,
    trail_after,
)
from dar_retriever.reformulation.english.nouns import LIVING, THINGS, kind_of

# Pounds are a weight as well.
_BEFORE: Final = r"(?:€|\$|£|¥|us\$|\b(?:eur|usd|gbp|chf))\s?"
_AFTER: Final = (
    r"\s?(?:€|\$|£|(?:euros?|eur|dollars?|usd|bucks?|quid|gbp|pounds sterling|chf|francs|yen|"
    r"rupees)\b)"
)


def _money(name: str) -> str:
    return rf"(?:{_BEFORE})?(?P<{name}>{NUMBER})(?:{_AFTER})?"


_MOST: Final = (
    r"(?:\b(?:(?:for|at|costs?|costing) )?(?:under|below|sub|upto|less than|cheaper than|"
    r"beneath|up to|"
    r"at most|at the most|a? ?max(?:imum|\.)?(?: price)?(?: of|:)?|no more than|not more than|"
    r"cap(?:ped)? (?:it |that |the price )?at|not over|not above|not exceeding|not exceed|"
    r"within|lower than|(?:no|"
    r"not) more expensive than)|<=?)"
)
_LEAST: Final = (
    r"(?:\b(?:over|above|more than|at least|at the least|a? ?min(?:imum)?(?: price)?(?: of|:)?|"
    r"(?:starting|start|begins?|beginning) (?:at|from)|from upwards of|upwards of|"
    r"no less than|not less than|not under|not below|not cheaper than|"
    r"more expensive than|dearer than|pricier than|higher than)|>=?)"
)
_ABOUT: Final = (
    r"(?:\b(?:around|(?<!what )(?<!how )about|approximately|approx\.?|roughly|circa|close to)|~)"
)
_PATTERNS: Final = (
    re.compile(
        rf"(?:\bbetween |\bfrom )?{_money('low')}(?: ?[-\u2013] ?(?=[\d€$£])| to | and )"
        rf"{_money('high')}",
        re.IGNORECASE,
    ),
    re.compile(
        rf"{_LEAST} ?{_money('low')},? (?:and|but) {_MOST} ?{_money('high')}", re.IGNORECASE
    ),
    re.compile(rf"{_MOST} ?{_money('high')}", re.IGNORECASE),
    re.compile(rf"{_LEAST} ?{_money('low')}", re.IGNORECASE),
    re.compile(
        rf"{_money('high')},? ?(?:or (?:less|under|below|cheaper)|and (?:less|under|below)|"
        r"max(?:imum)?|at (?:the )?most|tops|is my (?:limit|budget|max(?:imum)?))\b",
        re.IGNORECASE,
    ),
    re.compile(
        rf"{_money('low')},? ?(?:or (?:more|over|above|up)|and (?:more|up|over|above)|min(?:imum)?|"
        r"at (?:the )?least|upwards)\b",
        re.IGNORECASE,
    ),
    re.compile(rf"{_ABOUT} ?{_money('near')}", re.IGNORECASE),
    re.compile(_money("amount"), re.IGNORECASE),
)
_NUMBER: Final = re.compile(NUMBER, re.IGNORECASE)
_CURRENCY: Final = re.compile(rf"{_BEFORE}|{_AFTER}", re.IGNORECASE)
_PRICE: Final = re.compile(
    r"\b(?:priced?|prices|budget|spend|spending|pay|paying|costs?|costing|cheaper|expensive|"
    r"pricier|dearer)\b",
    re.IGNORECASE,
)
_TOO_DEAR: Final = re.compile(r"\b(?:too|so|very|less) (?:expensive|pricey|dear)\b|\bcheaper\b")
_SPOKEN_OF: Final = re.compile(
    r"\b(?:budget|price range|price limit|my limit|cheap|cheaper|expensive|pricey)\b", re.IGNORECASE
)
_LIMIT: Final = re.compile(
    r"\b(?:budget|limit|spend|spending|pay|i have|i've got|i've only got|only have)\b",
    re.IGNORECASE,
)
_CAPPED: Final = re.compile(
    r"\b(?:(?:my|our|price) limit (?:is|of)|(?:i|we) can (?:only )?go)\b", re.IGNORECASE
)
# "a 20 euro note", "5 dollar coins", "50 pound dog".
_THING: Final = re.compile(
    r"[ -]?(?:notes?|bills?|coins?|banknotes?|signs?|stamps?|stores?|shops?|menu|cheques?|gift|"
    r"years?|people|persons?|cm|mm|m|kg|g|km|inch(?:es)?|feet|ft|watts?|ml|l|%|percent|degrees|"
    r"pixels|px|x|pieces?|of)\b",
    re.IGNORECASE,
)
_END: Final = re.compile(
    r"\s*(?:$|[,.;!?)]|(?:please|if|each|total|in total|or so|thanks|to spend|then|"
    r"(?:is|are|would be|works|will do) ?(?:also |fine|ok|okay|good|possible|alright)?)\b)"
)
# "Everything above 150 euros is too much" wants what is below.
_TOO_MUCH: Final = re.compile(
    r"\s*(?:is|are|would be|'s) (?:(?:way|far|much|a bit|just|really) )*(?:too (?:expensive|much|"
    r"pricey|dear|costly|high)|(?:out of|over|beyond|above) (?:my |our |the )?(?:budget|range|"
    r"limit))\b",
    re.IGNORECASE,
)
# Of clothes a bound is a price: "jeans up to 50", "boots for men that stay below 80".
_WORN: Final = re.compile(
    r"\b(?P<thing>[\w-]+)(?: for (?:my )?\w+)?,? (?:size \w+ )?$", re.IGNORECASE
)
_BIG: Final = 10
_SHORT: Final = 200
_RANGE_ALONE: Final = re.compile(
    rf"[\W_]*(?:(?:but|and|ok|something|anything|make it|say),? )*"
    rf"between {NUMBER} and {NUMBER}[\W_]*",
    re.IGNORECASE,
)
# Without the amount itself: "under 50", but not "at most 50".
_STRICT: Final = re.compile(
    r"(?<!no )(?<!not )(?<!nothing )\b(?:under|below|sub|beneath|less than|cheaper than|"
    r"lower than|over|above|more than|"
    r"more expensive than|dearer than|pricier than|higher than)\b|[<>](?!=)",
    re.IGNORECASE,
)
# Nothing else is said: "under 40", "cushions for less than 30", "a mug, max 20".
_AT_MOST: Final = (
    r"(?:under|below|less than|up to|max(?:imum)?|at most|(?:no|not|nothing) (?:more than|over|"
    r"above))"
)
_PLAIN_BOUND: Final = (
    rf"(?:\bfor (?:under|below|less than|no more than|max|up to)|(?:^|[.?!,] )[\W_]*(?:(?:but|and|"
    rf"ok|okay|no|wait|sorry|or|actually|ideally|preferably|something|anything|make (?:it|that)|"
    rf"keep (?:it|that)|as long as|so long as|provided|if|it'?s|it is|they'?re|they are|that'?s|"
    rf"(?:i|we) can (?:only )?go|let'?s say|"
    rf"say|maybe|then),? )*{_AT_MOST}) ?"
)
_PLAINLY_AT_MOST: Final = (
    rf"(?:^|[.?!,] )[\W_]*{NUMBER} (?:max(?:imum)?|tops|at (?:the )?most|or (?:less|cheaper|under))"
)
_BOUNDED: Final = re.compile(rf"(?:{_PLAIN_BOUND}{NUMBER}|{_PLAINLY_AT_MOST})$", re.IGNORECASE)
_BOUND_ALONE: Final = re.compile(
    rf"(?:{_PLAIN_BOUND}{NUMBER}|{_PLAINLY_AT_MOST})[\W_]*", re.IGNORECASE
)
_BOUND_TO_COME: Final = re.compile(rf"{_PLAIN_BOUND}{NUMBER}|{_PLAINLY_AT_MOST}", re.IGNORECASE)
_BOUND_AT_ALL: Final = re.compile(
    rf"(?:(?:{_MOST}|{_LEAST}) ?{NUMBER}|"
    rf"{NUMBER},? (?:max(?:imum)?|at most|tops|is my limit)\b(?! ?\d))",
    re.IGNORECASE,
)
_BOTH_ALONE: Final = re.compile(
    rf"[\W_]*{_LEAST} ?{NUMBER},? (?:and|but) {_MOST} ?{NUMBER}[\W_]*", re.IGNORECASE
)
# "At least three people, at most six" counts.
_COUNTED: Final = re.compile(
    rf"(?:{_MOST}|{_LEAST}) ?{NUMBER} (?!(?:euros?|dollars?|bucks?|quid|usd|eur|gbp|is|are|would|"
    r"will|and|but|or|for|on|in|if|with|please|max|size|to|by|from|at|at all|the|a)\b)[a-z]",
    re.IGNORECASE,
)
_FOR: Final = re.compile(r"\b(?:for|at)\s+$", re.IGNORECASE)
_SPENT: Final = re.compile(r"\b(?:spend|spending|pay|paying)\b", re.IGNORECASE)
_ON: Final = re.compile(r"\s+(?:on|for)\b", re.IGNORECASE)
_NEAR: Final = 0.2


def price_in(text: str, *, known: bool, asked: bool, begun: bool) -> Iterator[Found]:
    """The price that a message names, if it does.

    Args:
        text: A message.
        known: Whether a price was named before, so that "under 80" needs no currency.
        asked: Whether it answers a question for the price, so that "50" is the most.
        begun: Whether something was said before, so that "under 40" alone is no riddle.
    """
    # A new amount in the place of a bound is a bound.
    asked = asked or known
    spoken = _SPOKEN_OF.search(text) is not None
    if _COUNTED.search(text) and not (asked or spoken or _CURRENCY.search(text)):
        return
    known = known or spoken
    asked = asked or _TOO_DEAR.search(text) is not None
    bounded = begun or not _BOUND_ALONE.fullmatch(text)
    ranged = begun and _RANGE_ALONE.fullmatch(text) is not None
    known = known or ranged or (begun and _BOTH_ALONE.fullmatch(text) is not None)
    said = any(each.search(text) for each in (_CURRENCY, _PRICE, _CAPPED)) or (
        bounded and _BOUND_TO_COME.search(text) is not None
    )
    said = said or any(_is_worn(text, match) for match in _BOUND_AT_ALL.finditer(text))
    if not (known or asked or said):
        return
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            found = _read(text, match, known=known or asked, asked=asked)
            if found is not None:
                yield found
                return


def _read(text: str, match: re.Match[str], *, known: bool, asked: bool) -> Found | None:
    parts = match.groupdict()
    start, end = lead_before(text, match.start()), trail_after(text, match.end())
    lead, core = text[start : match.start()], match[0]
    bounded = bool(
        (_BOUNDED.search(text[: match.end()]) or _is_worn(text, match))
        and _END.match(text, match.end())
    )
    paid = bounded or bool(_CURRENCY.search(core) or _PRICE.search(lead + core))
    capped = _CAPPED.search(clause_before(text, match.start())) is not None
    paid = paid or capped
    after = text[match.end() :]
    if not (paid or known) or _THING.match(after) or is_written(text, match.start()):
        return None
    if "amount" in parts and not _plain(text, match, lead, known=known):
        return None
    if not (paid or _END.match(after)) or after[:1].isalnum():
        return None
    if NEGATION.search(clause_before(text, start)):
        # "no mugs over 50 euros": which of the two is not wanted cannot be told.
        return None
    low, high = _bounds(parts, lead, asked=asked)
    too_much = _TOO_MUCH.match(text, match.end()) if high is None else None
    if too_much:
        low, high, end = None, low, too_much.end()
    if (_SPENT.search(lead) or _LIMIT.search(lead) or capped) and (used := _ON.match(text, end)):
        end = used.end()
    said = (lead + core if NEGATION.search(lead) else core).strip(" ,")
    strict = len(NEGATION.findall(lead)) % 2 == 0 and parts.get("near") is None
    least, most = _operators(core) if strict and not too_much else ("$gte", "$lte")
    bounds = ((least, low), (most, high))
    conditions = tuple(
        Condition("price", asked, round(value, 2), said)
        for asked, value in bounds
        if value is not None
    )
    return Found(start, end, conditions, "price")


def _operators(core: str) -> tuple[str, str]:
    """Whether the least and the most are bounds that are wanted themselves."""
    words = [each[0].lower() for each in _STRICT.finditer(core)]
    above = {"over", "above", "more than", "dearer than", "pricier than", "higher than", ">"}
    above |= {"more expensive than"}
    return (
        "$gt" if above & {*words} else "$gte",
        "$lt" if {*words} - above else "$lte",
    )


def _is_worn(text: str, match: re.Match[str]) -> bool:
    """Whether a bound is of a thing that shops sell, or is all that its clause says."""
    if not _BOUND_AT_ALL.fullmatch(match[0].strip()):
        return False
    if number_of(_NUMBER.findall(match[0])[-1]) < _BIG:
        return False
    before = text[: lead_before(text, match.start())]
    found = _WORN.search(f"{before.rstrip()} ")
    if before and found is None:
        # "A woman, over 60".
        seen = any(kind_of(word) in LIVING for word in re.findall(r"[a-z]+", text.lower()[:_SHORT]))
        return not seen and is_filler(clause_before(before, len(before)))
    return found is not None and kind_of(found["thing"].lower()) in THINGS


def _bounds(
    parts: dict[str, str | None], lead: str, *, asked: bool
) -> tuple[float | None, float | None]:
    """The least and the most that something may cost, after the words before."""
    said = {name: number_of(text) for name, text in parts.items() if text}
    near = said.get("near", said.get("amount"))
    if near is not None and "amount" in said and (asked or _LIMIT.search(lead)):
        return None, near
    if near is not None:
        return near * (1 - _NEAR), near * (1 + _NEAR)
    low, high = said.get("low"), said.get("high")
    if low is not None and high is not None:
        return min(low, high), max(low, high)
    # "nothing over 50" is at most 50.
    return (high, low) if len(NEGATION.findall(lead)) % 2 else (low, high)


def _plain(text: str, match: re.Match[str], lead: str, *, known: bool) -> bool:
    """Whether a bare amount is a price: "my budget is 50", "for 20 euros", an answer "50"."""
    ends = _END.match(text, match.end()) is not None
    whole = is_filler(clause_before(text, match.start() - len(lead)))
    if _PRICE.search(lead):
        return True
    ends = ends or bool(_LIMIT.search(lead) and _ON.match(text, match.end()))
    return ends and bool(_FOR.search(lead) or (known and whole) or _LIMIT.search(lead))
