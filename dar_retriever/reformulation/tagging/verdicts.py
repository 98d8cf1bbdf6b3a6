"""What becomes of each word where rules and tagger differ, or where it was said twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from dar_retriever.reformulation.english.lexicon import COLOURS, stem, visibility
from dar_retriever.reformulation.tagging.tagger import Tagged
from dar_retriever.reformulation.tagging.words import Tag

# Chosen on 900 chats that were written for it, and that the tagger had not seen.
_SURE: Final = 0.7


def settled(tagged: Sequence[Tagged]) -> list[Tagged]:
    """The words with the tag that counts.

    The tagger's, but that of the rules where the tagger is not sure, and for a colour that another
    replaced. What the rules read as a condition is none of the caption's. Of a thing that is wanted
    in one place and ruled out in another, what was said last counts.
    """
    return _last_said(_recoloured([_between(each) for each in tagged]))


def _between(each: Tagged) -> Tagged:
    if each.hint == Tag.FILTER:
        return replace(each, tag=Tag.FILTER)
    ruled_out = each.hint == Tag.EXCLUDE and each.tag in (Tag.DROP, Tag.KEEP)
    wanted = each.hint == Tag.KEEP and each.tag in (Tag.DROP, Tag.EXCLUDE)
    unsaid = each.hint == Tag.DROP and each.tag == Tag.EXCLUDE
    doubtful = each.certainty < _SURE and (ruled_out or wanted or unsaid)
    return replace(each, tag=each.hint) if doubtful else each


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
