"""Numbers as people write them."""

from __future__ import annotations

import re
from typing import Final

_TO_NINE: Final = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
]
_TO_NINETEEN: Final = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_UNITS: Final = {word: number for number, word in enumerate([*_TO_NINE, *_TO_NINETEEN], 1)}
_TENS: Final = {
    word: 10 * number
    for number, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2
    )
}
_SCALES: Final = {"hundred": 100, "thousand": 1000}
_WORD: Final = "|".join([*_SCALES, *_TENS, *sorted(_UNITS, key=len, reverse=True)])
_WORDS: Final = (
    rf"(?:a (?=hundred|thousand))?\b(?:{_WORD})(?:(?:[ -]|\s+and\s+)(?:{_WORD})\b){{0,4}}"
)
_DIGITS: Final = (
    r"(?<![\w.,])(?:\d{1,3}(?:[,.' ]\d{3})+(?:[.,]\d{1,2})?|\d{1,7}(?:[.,]\d{1,2})?)"
    r"(?:k\b)?(?!\d)"
)
NUMBER: Final = rf"(?:{_DIGITS}|{_WORDS})"


def number_of(text: str) -> float:
    """A number of the form ``NUMBER``."""
    text = text.strip().lower()
    if not text[0].isdigit():
        return _of_words(text)
    scale = 1000 if text.endswith("k") else 1
    text = text.removesuffix("k")
    cents = re.search(r"[.,](\d{1,2})$", text)
    whole = re.sub(r"\D", "", text[: cents.start()] if cents else text)
    return scale * float(f"{whole}.{cents[1] if cents else 0}")


def _of_words(text: str) -> float:
    total = 0.0
    for word in re.findall(r"[a-z]+", text):
        if word in _SCALES:
            total = max(1.0, total) * _SCALES[word]
        else:
            total += _UNITS.get(word, 0) + _TENS.get(word, 0)
    return total
