"""The conditions of a whole conversation, and the conversation without them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import lru_cache
from types import MappingProxyType
from typing import Final, TypeAlias

from dar_retriever.conversation.dialogue import Dialogue, Turn
from dar_retriever.reformulation.base import Condition
from dar_retriever.reformulation.english.conditions.dates import date_in
from dar_retriever.reformulation.english.conditions.marked import marked
from dar_retriever.reformulation.english.conditions.phrase import Found, without
from dar_retriever.reformulation.english.conditions.prices import price_in
from dar_retriever.reformulation.english.conditions.sizes import another_size, results_in, size_in

# What is longer is a document; only its beginning and its end are read.
_LONGEST: Final = 1000
_MOST: Final = 4
_THING: Final = r"(?P<{0}>prices?|budget|costs?|sizes?|dates?|years?|filters?)"
_LIMIT: Final = r"(?:limits?|filters?|range|cap|restrictions?)"
_FREE: Final = (
    r"(?: (?:is|are|will|would be|goes|works|do)(?: (?:fine|ok|okay|good|do|possible|great|"
    r"alright))?)?(?: (?:actually|really|now|too|then|after all|for me))*"
)
_CLAUSE_END: Final = r"(?=[\W_]*$|[,.;!]| (?:please|any ?more)\b)"
_WITHDRAWN: Final = re.compile(
    r"(?:(?:^|(?<=[,.;!] )|\b(?:but|and|with|in|at|for|of) )(?:any|whatever) "
    rf"{_THING.format('any')}(?: {_LIMIT})?{_FREE}{_CLAUSE_END}|"
    rf"(?:the )?{_THING.format('free')} (?:(?:really |actually )?(?:do(?:es)? ?n'?t|do(?:es)? not) "
    r"matter|(?:is|are)(?:n'?t| not) (?:important|relevant|an issue)|(?:is|are) irrelevant)"
    r"(?: any ?more)?|"
    r"\b(?:never ?mind|forget(?: about)?|drop|remove|ignore|lift|(?:don't|do not) care about) "
    rf"(?:the |any |my |all )*{_THING.format('gone')}(?: {_LIMIT})?{_CLAUSE_END}|"
    rf"\b(?:no|without(?: the| any)?) {_THING.format('no')} {_LIMIT}|"
    r"\bmoney (?:is|'s) no (?:object|issue|problem))",
    re.IGNORECASE,
)
_ABOUT: Final = {
    **dict.fromkeys(("price", "prices", "budget", "cost", "costs"), "price"),
    **dict.fromkeys(("size", "sizes"), "size"),
    **dict.fromkeys(("date", "dates", "year", "years"), "date"),
    **dict.fromkeys(("filter", "filters"), "all"),
}
_ASKED: Final = {
    "price": re.compile(
        r"\bbudget\b|\bprice (?:in mind|range|limit|are|do|would|should|point)\b|\bhow expensive\b|"
        r"\b(?:what|max(?:imum)?|preferred|your|any|which) price\b(?! tag)|\bhow much (?:would|do|"
        r"can|should|are|may|is|could|will)\b[^?]{0,40}\b(?:spend|pay|cost)|\b(?:willing|like|"
        r"want|wish|"
        r"plan) to (?:pay|spend)\b",
        re.IGNORECASE,
    ),
    "size": re.compile(
        r"\b(?:what|which) (?:\w+ )?sizes?(?: (?:do|would|are|should|shall) (?:you|i|it|we)\b|"
        r"[^\w]*$)|\byour (?:\w+ )?size\b|\bsize do you\b",
        re.IGNORECASE,
    ),
    "date": re.compile(
        r"\b(?:what|which) (?:year|date|dates|period|years)\b|\bwhen (?:was|were|did)\b[^?]{0,40}"
        r"\b(?:taken|shot|take|made)\b|\bhow (?:old|recent) (?:should|may|can)\b",
        re.IGNORECASE,
    ),
}
_NO_MATTER: Final = re.compile(
    r"[\W_]*(?:(?:no|nope|nah|none|any|anything|whatever|not really|i )*(?:do(?:n't| not) (?:care|"
    r"mind|know|have (?:one|a budget|any))|does ?n'?t matter|no limit|no preference)?[\W_]*)",
    re.IGNORECASE,
)
# "Not more then 75".
_THEN: Final = re.compile(r"(?<=\b(?:more|less) )then(?= \d)", re.IGNORECASE)
_NO: Final = re.compile(r"[\W_]*(?:yes|yeah|yep|sure|ok|okay)?[\W_]*", re.IGNORECASE)

Placed: TypeAlias = tuple[int, Condition]


def heard(
    dialogue: Dialogue, today: date, known: Mapping[int, Sequence[str]] = MappingProxyType({})
) -> tuple[Dialogue, tuple[Placed, ...]]:
    """A conversation without what no picture shows, and that as conditions.

    What is said later of the same thing takes the place of what was said before; "any price" takes
    it back. Words that might as well be of the picture stay: "a man from Italy", "a 70s sofa".

    Args:
        dialogue: In English.
        today: What "last summer" is told from; summer is the northern one.
        known: Phrases that are known to be conditions, by the place of their turn; they are read
            where the words alone do not say so.

    Returns:
        The conversation, and the conditions that hold at its end, each with the place of its turn.
    """
    standing: dict[str, list[Placed]] = {}
    turns: list[Turn] = []
    asked: frozenset[str] = frozenset()
    for place, turn in enumerate(dialogue.turns):
        found: tuple[tuple[str, tuple[Condition, ...]], ...] = ()
        if turn.role == "assistant":
            rest, wanted = _question(turn.text)
            asked |= wanted
        else:
            begun = any(each.role == "user" for each in turns)
            rest, found = _message(turn.text, asked, frozenset(standing), today, begun=begun)
        for phrase in known.get(place, ()):
            answers = asked if turn.role == "user" else frozenset()
            more = marked(phrase, answers, {*standing}, today) if phrase in rest else ()
            found += ((more[0].about or phrase, more),) if more else ()
        for about, conditions in found:
            before = standing.pop(about, [])
            if about == "size" and before and another_size(turn.text):
                standing[about] = [(place, _with(before[-1][1], conditions[0]))]
            elif conditions:
                standing[about] = [(place, condition) for condition in conditions]
            elif about == "all":
                standing.clear()
        asked = frozenset() if turn.role == "user" else asked
        turns.append(turn if rest == turn.text else replace(turn, text=rest))
    said = tuple(placed for conditions in standing.values() for placed in conditions)
    return replace(dialogue, turns=tuple(turns)), said


@lru_cache(maxsize=4096)
def _question(text: str) -> tuple[str, frozenset[str]]:
    """What is asked of the picture, and which conditions are asked for."""
    kept, about = [], set()
    for sentence in re.findall(r"[^?]+\??", text[: 2 * _LONGEST]):
        named = {what for what, pattern in _ASKED.items() if pattern.search(sentence.rstrip("? "))}
        about |= named
        if not named:
            kept.append(sentence)
    return (" ".join("".join(kept).split()) if about else text), frozenset(about)


@lru_cache(maxsize=4096)
def _message(
    text: str, asked: frozenset[str], standing: frozenset[str], today: date, *, begun: bool
) -> tuple[str, tuple[tuple[str, tuple[Condition, ...]], ...]]:
    """A message without its conditions, and those by what they are about; none takes back."""
    if len(text) > 2 * _LONGEST:
        return text, ()
    if asked and _NO_MATTER.fullmatch(text):
        return "", tuple((about, ()) for about in sorted(asked))
    found: list[tuple[str, tuple[Condition, ...]]] = []
    whole, text = text, _THEN.sub("than", text.replace("\u2019", "'"))
    text, taken_back = _taken_back(text)
    found += [(about, ()) for about in taken_back]
    also = another_size(text) if "size" in standing else None
    if also:
        return "", (("size", also.conditions),)
    readers: tuple[Callable[[str], Iterator[Found]], ...] = (
        lambda text: date_in(text, today, known="date" in standing, asked="date" in asked),
        lambda text: size_in(text, known="size" in standing, asked="size" in asked),
        lambda text: price_in(text, known="price" in standing, asked="price" in asked, begun=begun),
        results_in,
    )
    for read in readers:
        about = ""
        conditions: tuple[Condition, ...] = ()
        for _ in range(_MOST):
            phrase = next(read(text), None)
            if phrase is None:
                break
            text = without(text, phrase.start, phrase.end)
            about, conditions = phrase.about, _joined(conditions, phrase.conditions)
        found += [(about, conditions)] if conditions else []
    if asked and found and _NO.fullmatch(text):
        text = ""
    return (text if found else whole), tuple(found)


def _joined(before: tuple[Condition, ...], new: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """The conditions of two phrases of a message: both bounds of a range, else the new one."""
    bounds = [each.operator in {"$gte", "$lte", "$lt", "$gt"} for each in (*before, *new)]
    apart = {each.operator[1] for each in before}.isdisjoint(each.operator[1] for each in new)
    return (*before, *new) if all(bounds) and apart else new


def _with(before: Condition, new: Condition) -> Condition:
    """One condition for either of two."""
    values = [
        value
        for each in (before, new)
        for value in (each.value if isinstance(each.value, tuple) else (str(each.value),))
    ]
    said = f"{before.said}, {new.said}"
    return Condition(new.about, "$in", tuple(dict.fromkeys(values)), said)


def _taken_back(text: str) -> tuple[str, list[str]]:
    about = []
    # Each match shortens the text.
    while match := _WITHDRAWN.search(text):
        named = next((value for value in match.groups() if value), "price")
        about.append(_ABOUT[named.lower()])
        text = without(text, *match.span())
    return text, about
