"""What the user has locked stays, whatever was understood of later turns."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import Final

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.conversation.part import Part
from dar_retriever.reformulation.base import Condition, Reformulation
from dar_retriever.reformulation.rules import RuleReformulator

_LEADING: Final = r"(?:,\s*)?(?:\b(?:with|in|on|and|of)\s+)?(?:\b(?:a|an|the|some)\s+)?"


def with_locked(made: Reformulation, locked: Iterable[Part]) -> Reformulation:
    """A reformulation with what is locked and was lost.

    What contradicts a locked part stands beside it; only what says its opposite goes.

    Args:
        made: What was understood.
        locked: What has to be in it.
    """
    for part in locked:
        if part.kind == "wanted":
            made = _wanting(made, part.phrase)
        elif part.kind == "unwanted":
            made = _excluding(made, part.phrase)
        else:
            lost = [each for each in conditions_in(part.phrase) if each not in made.conditions]
            made = dataclasses.replace(made, conditions=(*made.conditions, *lost))
    return made


def conditions_in(words: str) -> tuple[Condition, ...]:
    """The conditions in a few words, such as "under 50 euros"."""
    return RuleReformulator().reformulate(Dialogue.from_text(words)).conditions


def pattern_of(phrase: str, leading: str = "") -> re.Pattern[str]:
    """Matches a phrase in a caption, also with articles between its words.

    Args:
        phrase: The words.
        leading: A pattern of what may stand before them.
    """
    words = r"\W+(?:(?:a|an|the)\s+)?".join(map(re.escape, phrase.split()))
    return re.compile(rf"{leading}\b{words}(?!\w)", re.IGNORECASE)


def cut_from(caption: str, phrase: str) -> str | None:
    """A caption without a phrase and what leads to it; None if it is not there."""
    found = pattern_of(phrase, _LEADING).search(caption)
    if found is None:
        return None
    rest = f"{caption[: found.start()].rstrip(' ,')} {caption[found.end() :].strip()}"
    return re.sub(r"\s+,", ",", rest).strip(" ,")


def _wanting(made: Reformulation, phrase: str) -> Reformulation:
    # "No dots" would take away locked "white dots".
    exclusions = tuple(e for e in made.exclusions if not pattern_of(e).search(phrase))
    caption, prompts = made.caption, made.prompts
    if not pattern_of(phrase).search(caption):
        caption = ", ".join(filter(None, (caption, phrase)))
        prompts = tuple(f"{prompt}, {phrase}" for prompt in prompts) or (phrase,)
    return dataclasses.replace(made, caption=caption, prompts=prompts, exclusions=exclusions)


def _excluding(made: Reformulation, phrase: str) -> Reformulation:
    if phrase in made.exclusions:
        return made
    caption = cut_from(made.caption, phrase)
    if caption is not None:
        prompts = tuple(cut_from(prompt, phrase) or prompt for prompt in made.prompts)
        made = dataclasses.replace(made, caption=caption, prompts=prompts if caption else ())
    return dataclasses.replace(made, exclusions=(*made.exclusions, phrase))
