"""The conditions in a language model's answer, checked against the user's words."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.language_models import Line, Phrase
from dar_retriever.reformulation.base import Condition
from dar_retriever.reformulation.english.conditions.amounts import NUMBER, number_of

_MOST: Final = 16
_OPERATORS: Final = {
    "=": "$eq",
    "!=": "$ne",
    "<=": "$lte",
    "<": "$lt",
    ">=": "$gte",
    ">": "$gt",
}
_DAY: Final = re.compile(r"\d{4}(?:-\d\d){0,2}")
_ABOUT: Final = {
    **dict.fromkeys(("cost", "budget", "prices"), "price"),
    **dict.fromkeys(("year", "time", "day", "taken"), "date"),
    **dict.fromkeys(("number of results", "count", "number"), "results"),
}


class Stated(BaseModel):
    """A condition in a model's answer."""

    about: Phrase = Field(description="price, size, date, brand, place, results, ...")
    operator: Literal["=", "!=", "<=", "<", ">=", ">"] = Field(description="How it compares.")
    value: float | Line = Field(description="A number, a name, or a date such as 2019-05-03.")
    said: Phrase = Field(description="The user's own words that say so.")


def _usable(answer: Any) -> Any:
    """The valid conditions of an answer; invalid ones do not spoil the rest of it."""
    if not isinstance(answer, list):
        return []
    return [entry for entry in answer[:_MOST] if _is_one(entry)]


def _is_one(entry: Any) -> bool:
    try:
        Stated.model_validate(entry)
    except ValidationError:
        return False
    return True


StatedConditions = Annotated[list[Stated], BeforeValidator(_usable)]


def confirmed(
    stated: list[Stated], dialogue: Dialogue
) -> tuple[tuple[Condition, ...], tuple[str, ...]]:
    """The conditions that the user really said, and a note for each of the others.

    Args:
        stated: The conditions in a model's answer.
        dialogue: The dialogue that the model read.
    """
    said = " ".join(" ".join(turn.text for turn in dialogue.user_turns).lower().split())
    conditions, notes = [], []
    for each in stated:
        value = each.value
        if value != "" and each.said.lower() in said and _says(each.said, value):
            about = each.about.lower()
            asked = _OPERATORS[each.operator]
            conditions.append(Condition(_ABOUT.get(about, about), asked, value, each.said))
        else:
            notes.append(f"a condition of the language model that nobody said: {each.said!r}")
    return tuple(conditions), tuple(notes)


def _says(said: str, value: float | str) -> bool:
    """Whether words contain a value; dates may also be phrases such as "last summer"."""
    if isinstance(value, str):
        return value.lower() in said.lower() or _DAY.fullmatch(value) is not None
    numbers = re.finditer(NUMBER, said, re.IGNORECASE)
    return any(math.isclose(number_of(found[0]), value) for found in numbers)
