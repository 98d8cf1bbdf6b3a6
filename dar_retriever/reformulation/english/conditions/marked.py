"""Words that are known to be a condition, read as an answer about what they seem to be about."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from datetime import date
from typing import Final

from dar_retriever.reformulation.base import Condition
from dar_retriever.reformulation.english.conditions.dates import date_in
from dar_retriever.reformulation.english.conditions.periods import MONTH, month_of
from dar_retriever.reformulation.english.conditions.prices import price_in
from dar_retriever.reformulation.english.conditions.sizes import size_in

_MONTH: Final = re.compile(rf"\b{MONTH}(?!\w)", re.IGNORECASE)
_DATE: Final = re.compile(
    rf"{_MONTH.pattern}|\b(?:(?:19|20)\d\d|days?|weeks?|months?|years?)\b", re.IGNORECASE
)
_PRICE: Final = re.compile(
    r"[€$£]|\b(?:euros?|eur|dollars?|pounds?|bucks?|quid|under|below|less|more|than|over|above|most|least|"
    r"max(?:imum)?|min(?:imum)?|tops|budget|around|about|between|up to)\b",
    re.IGNORECASE,
)
_SIZE: Final = re.compile(r"\b(?:siz|size|sz|eu|uk|us|[xsml]+|small|medium|large)\b", re.IGNORECASE)
# Of shoes and clothes; other numbers alone are prices as well as sizes.
_SIZES: Final = range(32, 51)
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_SLIPS: Final = ((re.compile(r"\bthen\b"), "than"), (re.compile(r"\b(?:siz|sz)\b"), "size"))


def marked(
    phrase: str, asked: AbstractSet[str], standing: AbstractSet[str], today: date
) -> tuple[Condition, ...]:
    """What a phrase says that is known to be a condition, however it is worded.

    Args:
        phrase: The words.
        asked: What the question before was about: "price", "size", "date".
        standing: What other conditions are about.
        today: What "last summer" is told from.

    Returns:
        Conditions about one thing; a name, about "", where there is no number in it.
    """
    for slip, meant in _SLIPS:
        phrase = slip.sub(meant, phrase)
    about = _about(phrase, asked, standing)
    if about == "date":
        month = _MONTH.search(phrase)
        if month and not _NUMBER.search(phrase):
            return (Condition("month", "$eq", month_of(month[0]), phrase),)
        found = next(date_in(phrase, today, known=True, asked=True), None)
    elif about == "price":
        found = next(price_in(phrase, known=True, asked=True, begun=True), None)
    elif about == "size":
        found = next(size_in(phrase, known=True, asked=True), None)
    else:
        return (Condition("", "$eq", phrase, phrase),) if not _NUMBER.search(phrase) else ()
    return found.conditions if found else ()


def _about(phrase: str, asked: AbstractSet[str], standing: AbstractSet[str]) -> str:
    if len(asked) == 1:
        return next(iter(asked))
    for about, cue in (("date", _DATE), ("price", _PRICE), ("size", _SIZE)):
        if cue.search(phrase):
            return about
    numbers = [float(number) for number in _NUMBER.findall(phrase)]
    known = standing & {"price", "size"}
    if numbers and len(known) == 1:
        return next(iter(known))
    return "size" if numbers and all(number in _SIZES for number in numbers) else ""
