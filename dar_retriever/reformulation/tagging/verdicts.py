"""What becomes of each word where rules and tagger differ, or where it was said twice."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from dar_retriever.reformulation.english.lexicon import COLOURS, NUMBERS, stem, visibility
from dar_retriever.reformulation.tagging.tagger import Tagged
from dar_retriever.reformulation.tagging.words import Tag

# Chosen on 900 chats that were written for it, and that the tagger had not seen.
_SURE: Final = 0.7
# Chosen on 686 chats of the tests that the tagger had not seen.
_COULD_BE_KEPT: Final = 0.25
_BEFORE_PLACES: Final = frozenset(("number", "no", "nr", "#", "like"))
_EITHER: Final = frozenset(("or", "nor"))
_LISTING: Final = _EITHER | {",", "a", "an", "the"}


def settled(tagged: Sequence[Tagged], denied: Collection[int] = ()) -> list[Tagged]:
    """The words with the tag that counts.

    Args:
        tagged: The words of a conversation.
        denied: Places of the questions that are answered with no; what the rules read of them
            counts before what the tagger keeps.

    Returns:
        The words. Their tag is the tagger's, but that of the rules where the tagger is not sure,
        and for a colour that another replaced. What the rules read as a condition is none of the
        caption's; what the tagger alone reads as one stays there if a picture may show it, as
        names of people and places. Of a thing that is wanted in one place and ruled out in another,
        what was said last counts.
    """
    told = [
        replace(each, tag=each.hint)
        if each.word.turn in denied and each.tag == Tag.KEEP
        else _between(each)
        for each in tagged
    ]
    told = _without_places(told)
    return _last_said(_recoloured(_listed(told)))


def _between(each: Tagged) -> Tagged:
    if each.hint == Tag.FILTER:
        return replace(each, tag=Tag.FILTER)
    if each.hint == Tag.KEEP and each.tag == Tag.FILTER and _may_be_shown(each):
        return replace(each, tag=Tag.KEEP)
    ruled_out = each.hint == Tag.EXCLUDE and each.tag in (Tag.DROP, Tag.KEEP)
    wanted = each.hint == Tag.KEEP and each.tag in (Tag.DROP, Tag.EXCLUDE)
    unsaid = each.hint == Tag.DROP and each.tag == Tag.EXCLUDE
    doubtful = each.certainty < _SURE and (ruled_out or wanted or unsaid)
    return replace(each, tag=each.hint) if doubtful else each


def _may_be_shown(each: Tagged) -> bool:
    return each.kept >= _COULD_BE_KEPT and not any(map(str.isdigit, each.word.text))


def _without_places(told: list[Tagged]) -> list[Tagged]:
    """Without the numbers of hits that the rules found: "like 2", "number three"."""
    return [
        replace(each, tag=Tag.DROP)
        if before is not None
        and before.word.text.lower() in _BEFORE_PLACES
        and each.hint == Tag.DROP
        and (each.word.text.isdecimal() or each.word.text.lower() in NUMBERS)
        else each
        for before, each in zip([None, *told], told, strict=False)
    ]


def _listed(told: list[Tagged]) -> list[Tagged]:
    """With all of a list that the rules rule out where its first is: "not leather, grey or beige".

    Only lists with "or": after "no dots, blue" blue is wanted.
    """
    place = 0
    while place < len(told):
        end = place
        while end < len(told) and _continues(told[place], told[end]):
            end += 1
        either = any(each.word.text.lower() in _EITHER for each in told[place:end])
        if either and told[place].tag == told[place].hint == Tag.EXCLUDE:
            told[place:end] = [
                replace(each, tag=Tag.EXCLUDE) if each.hint == Tag.EXCLUDE else each
                for each in told[place:end]
            ]
        place = max(end, place + 1)
    return told


def _continues(first: Tagged, each: Tagged) -> bool:
    listed = each.hint == Tag.EXCLUDE or each.word.text.lower() in _LISTING
    return listed and first.hint == Tag.EXCLUDE and each.word.turn == first.word.turn


def _recoloured(told: list[Tagged]) -> list[Tagged]:
    """Without the colours that the rules found replaced by a later one that both keep."""
    agreed = [_is_colour(each) and each.tag == each.hint == Tag.KEEP for each in told]
    last = max((place for place, both in enumerate(agreed) if both), default=0)
    return [
        replace(each, tag=Tag.DROP)
        if place < last and _is_colour(each) and each.hint == Tag.DROP
        else each
        for place, each in enumerate(told)
    ]


def _is_colour(each: Tagged) -> bool:
    return each.word.text.lower() in COLOURS


def _last_said(told: list[Tagged]) -> list[Tagged]:
    last: dict[str, Tag] = {}
    for each in told:
        if each.tag in (Tag.KEEP, Tag.EXCLUDE) and visibility(each.word.text) > 0:
            last[stem(each.word.text.lower())] = each.tag
    return [
        replace(each, tag=Tag.DROP) if each.tag != last.get(_stem(each), each.tag) else each
        for each in told
    ]


def _stem(each: Tagged) -> str:
    return stem(each.word.text.lower()) if each.tag in (Tag.KEEP, Tag.EXCLUDE) else ""
