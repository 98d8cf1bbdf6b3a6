"""Short answers made whole with the words of their question."""

from __future__ import annotations

import re
from typing import Final

from dar_retriever.reformulation.english.asked import asked_noun
from dar_retriever.reformulation.english.lexicon import PREPOSITIONS, SHADED_COLOUR, stem

# What a colour may be followed by where the thing is still to be named: "white with dots".
_COLOURS: Final = re.compile(
    rf"^(?:{SHADED_COLOUR}(?:,? and |,? or |, | )?)+(?=$|(?:with|on|in|at|but)\b)"
)
_LONGEST: Final = 120
_CLOSER: Final = re.compile(r"^(?:very|really|quite|pretty|super|so|extremely) (?P<how>[\w-]+)$")
_SUCH_ONES: Final = re.compile(r"^(?:an? |the )?(?P<which>[\w -]+) ones?$")


def such(noun: str, text: str) -> str:
    """With the noun in place of "one": "a red one", said of a hat, is a "red hat"."""
    found = _SUCH_ONES.match(text)
    return f"{found['which']} {noun}" if found else text


def with_extra(text: str, extra: str) -> str:
    """What was affirmed together with what more was said."""
    if not extra or extra in text:
        return text
    if text in extra:
        return extra
    closer = _CLOSER.match(extra)
    if closer and (pattern := re.compile(rf"\b{re.escape(closer['how'])}\b")).search(text):
        # "Very small", of what is small.
        return pattern.sub(extra, text, count=1)
    return f"{text}, {extra}"


_PLACE: Final = re.compile(
    rf"^(?:and |so )?what(?:'s| is| are|'re| do you see)(?: there)? (?P<place>{PREPOSITIONS}|"
    rf"next to|in front of|"
    r"above|beside)(?P<where> (?:the|his|her|their|its|a|an) [\w' -]+)$"
)
_WHO: Final = re.compile(
    r"^(?:and )?who(?:'s| is| are) (?P<doing>[a-z]+ing (?:it|them|(?:the|a|an|his|her|"
    r"its) [\w -]+))$"
)
_DOING: Final = re.compile(
    r"^(?:and |so )?what(?:'s| is| are|'re)(?: (?:he|she|it|they|the [\w-]+(?: [\w-]+)?))? "
    r"(?P<doing>(?!doing\b|wearing\b|looking\b|happening\b|going\b|trying\b|missing\b|being\b|"
    r"something\b|anything\b)(?:[a-z]+ing(?: (?:with|on|at|in|from|to|for))?|made (?:of|from)))$"
)
_NOTHING: Final = re.compile(r"^(?:nothing|no ?one|nobody|not|i |it |they |there |just |only )")


def with_place(question: str, answer: str) -> str:
    """An answer with what its question tells of it; empty where the question tells nothing.

    "Hay bales", asked what is in the back of the truck, are hay bales in the back of the truck.
    """
    text = question.rstrip("? ")
    if not answer or len(answer) > _LONGEST or _NOTHING.match(answer):
        return ""
    place, who, doing = _PLACE.match(text), _WHO.match(text), _DOING.match(text)
    if place and not re.search(rf"\b{PREPOSITIONS}\b", answer):
        return f"{answer} {place['place']}{place['where']}"
    if who and not who["doing"].endswith((" it", " them")):
        return f"{answer} {who['doing']}"
    if doing and not re.match(r"(?:[a-z]+ing|made|with|on|at|in|from|to)\b", answer):
        return f"{doing['doing']} {answer}"
    return ""


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
