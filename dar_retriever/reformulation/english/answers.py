"""Short answers made whole with the words of their question."""

from __future__ import annotations

import re
from typing import Final

from dar_retriever.reformulation.english.asked import asked_noun
from dar_retriever.reformulation.english.lexicon import SHADED_COLOUR, stem

# What a colour may be followed by where the thing is still to be named: "white with dots".
_COLOURS: Final = re.compile(
    rf"^(?:{SHADED_COLOUR}(?:,? and |,? or |, | )?)+(?=$|(?:with|on|in|at|but)\b)"
)
_SUCH_ONES: Final = re.compile(r"^(?:an? |the )?(?P<which>[\w -]+) ones?$")


def such(noun: str, text: str) -> str:
    """With the noun in place of "one": "a red one", said of a hat, is a "red hat"."""
    found = _SUCH_ONES.match(text)
    return f"{found['which']} {noun}" if found else text


def with_extra(text: str, extra: str) -> str:
    """What was affirmed together with what more was said."""
    if not extra or extra in text:
        return text
    return extra if text in extra else f"{text}, {extra}"


def composed(question: str, answer: str) -> str:
    """An answer together with the noun that the question asks about, where it needs it."""
    noun = asked_noun(question)
    # "a mint one", asked for the background.
    answer = re.sub(r" ones?$", "", answer) if noun else answer
    coloured = _COLOURS.match(answer) if noun else None
    if coloured and not set(map(stem, noun.split())) & set(map(stem, answer.split())):
        return f"{coloured[0].strip()} {noun} {answer[coloured.end() :]}".strip()
    if not noun or len(answer.split()) > 3 or stem(noun.split()[-1]) in map(stem, answer.split()):
        return answer
    return f"{re.sub(r'^(?:a|an|the) ', '', answer)} {noun}" if answer else ""
