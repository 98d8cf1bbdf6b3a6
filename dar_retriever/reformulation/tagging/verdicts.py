"""What becomes of each word where rules and tagger differ, or where it was said twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from dar_retriever.reformulation.english.lexicon import stem, visibility
from dar_retriever.reformulation.tagging.tagger import Tagged
from dar_retriever.reformulation.tagging.words import Tag

# Chosen on 900 chats that were written for it, and that the tagger had not seen.
_SURE: Final = 0.7


def settled(tagged: Sequence[Tagged]) -> list[Tagged]:
    """The words with the tag that counts.

    The tagger's, but that of the rules where the tagger is not sure. What the rules read as a
    condition is none of the caption's. Of a thing that is wanted in one place and ruled out in
    another, what was said last counts.
    """
    return _last_said([_between(each) for each in tagged])


def _between(each: Tagged) -> Tagged:
    if each.hint == Tag.FILTER:
        return replace(each, tag=Tag.FILTER)
    ruled_out = each.hint == Tag.EXCLUDE and each.tag in (Tag.DROP, Tag.KEEP)
    wanted = each.hint == Tag.KEEP and each.tag in (Tag.DROP, Tag.EXCLUDE)
    unsaid = each.hint == Tag.DROP and each.tag == Tag.EXCLUDE
    doubtful = each.certainty < _SURE and (ruled_out or wanted or unsaid)
    return replace(each, tag=each.hint) if doubtful else each


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
