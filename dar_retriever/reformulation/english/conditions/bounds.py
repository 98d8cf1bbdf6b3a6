"""Numbers and ranges of numbers that answer a question, in English."""

from __future__ import annotations

import re
from typing import Final

from dar_retriever.reformulation.english.conditions.amounts import NUMBER, number_of

_START: Final = r"[\W_]*(?:(?:yes|ok|okay|well|please|it should be|something|anything|one|ones) )*"
# A unit, or nothing.
_UNIT: Final = r"(?: ?[^\W\d_]{1,12}\.?)?"
_END: Final = r"[\W_]*(?:please[\W_]*)?"
_LONGEST: Final = 60
_FORMS: Final[dict[str, tuple[str, ...]]] = {
    rf"(?:from |between )?({NUMBER}){_UNIT}(?: to | and | ?[-\u2013] ?)({NUMBER}){_UNIT}": (
        "$gte",
        "$lte",
    ),
    rf"(?:under|below|less than|smaller than|lower than|<) ?({NUMBER}){_UNIT}": ("$lt",),
    rf"(?:over|above|more than|larger than|higher than|>) ?({NUMBER}){_UNIT}": ("$gte",),
    rf"(?:at most|up to|no more than|not more than|max(?:imum)?|<=) ?({NUMBER}){_UNIT}": ("$lte",),
    rf"(?:at least|no less than|not less than|min(?:imum)?|>=) ?({NUMBER}){_UNIT}": ("$gte",),
    rf"({NUMBER}){_UNIT} (?:or less|or fewer|at most)": ("$lte",),
    rf"({NUMBER}){_UNIT} (?:or more|at least)": ("$gte",),
    rf"({NUMBER}){_UNIT}": ("$eq",),
}
_PATTERNS: Final = [
    (re.compile(f"{_START}{form}{_END}", re.IGNORECASE), operators)
    for form, operators in _FORMS.items()
]


def bounds_in(text: str) -> list[tuple[str, float]]:
    """The bounds that an answer names: "20 to 50 kg" gives ("$gte", 20), ("$lte", 50).

    Returns:
        An operator and a number each; empty if the answer says anything else.
    """
    if len(text) > _LONGEST:
        return []
    for pattern, operators in _PATTERNS:
        match = pattern.fullmatch(text)
        if match:
            numbers = sorted(map(number_of, match.groups()))
            return list(zip(operators, numbers, strict=True))
    return []
