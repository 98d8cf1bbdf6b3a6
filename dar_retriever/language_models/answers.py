"""Asking a language model for an answer of a fixed form, and not trusting what it says."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BaseModel, StringConstraints, ValidationError

from dar_retriever.errors import LanguageModelError
from dar_retriever.language_models.base import LanguageModel, Message
from dar_retriever.support.deadline import call_within

Answer = TypeVar("Answer", bound=BaseModel)

_LONGEST: Final = 20_000
_PROBLEMS: Final = 5
_OBJECTS: Final = 16
_DECODER: Final = json.JSONDecoder()
# They stand within words of Persian and Hindi, and within emoji.
_JOINERS: Final = "\u200c\u200d"


def _one_line(text: str) -> str:
    shown = (char if char.isprintable() or char in _JOINERS else " " for char in text)
    line = " ".join("".join(shown).split())
    return line if line.strip(_JOINERS + " ") else ""


def _said(text: str) -> str:
    if not text:
        raise ValueError("nothing is said")
    return text


Line = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_one_line)]
"""A text of a model's answer: bounded, without line breaks and control characters."""

Phrase = Annotated[Line, AfterValidator(_said)]
"""A line that says something."""


def ask(
    model: LanguageModel,
    instructions: str,
    data: str | Sequence[Mapping[str, Any]],
    schema: type[Answer],
    limit: float | None,
) -> tuple[Answer, int]:
    """Ask for an answer of a form, and once more where the first is of another.

    Args:
        model: What is asked.
        instructions: What to do; the system's message.
        data: What to do it with; the user's message, or its parts where it has pictures.
        schema: The form of the answer; its validators may refuse what fits the form.
        limit: Seconds that both tries together may take; None for no limit.

    Returns:
        The answer and the number of tries.

    Raises:
        LanguageModelError: Neither answer was valid.
        TimeoutError: There was no answer in time.
    """
    deadline = None if limit is None else time.monotonic() + limit
    messages: list[Message] = [
        {"role": "system", "content": instructions},
        {"role": "user", "content": data if isinstance(data, str) else list(data)},
    ]
    reply = _reply(model, messages, schema, limit, deadline)
    try:
        return _parsed(reply, schema), 1
    except ValueError as problem:
        mend = f"That was no valid answer: {problem}. Answer with the JSON object alone."
    again: list[Message] = [
        *messages,
        # Some providers refuse messages without content.
        {"role": "assistant", "content": reply[:_LONGEST].strip() or "(nothing)"},
        {"role": "user", "content": mend},
    ]
    reply = _reply(model, again, schema, limit, deadline)
    try:
        return _parsed(reply, schema), 2
    except ValueError as problem:
        raise LanguageModelError(f"no valid answer in two tries: {problem}") from problem


def _reply(
    model: LanguageModel,
    messages: Sequence[Message],
    schema: type[BaseModel],
    limit: float | None,
    deadline: float | None,
) -> str:
    left = None if deadline is None else max(0.0, deadline - time.monotonic())
    try:
        reply = call_within(left, lambda: model(messages, schema))
    except TimeoutError as error:
        if deadline is None or time.monotonic() < deadline:
            raise
        # What was left for the second try says less than the limit.
        raise TimeoutError(f"no answer within {limit:g} s") from error
    if not isinstance(reply, str):
        raise LanguageModelError(f"the model returned {type(reply).__name__}, no str")
    return reply


def _parsed(reply: str, schema: type[Answer]) -> Answer:
    """The answer in a reply, which may have words around it.

    Raises:
        ValueError: There is none; the message tells the model why.
    """
    if len(reply) > _LONGEST:
        raise ValueError(f"it has {len(reply)} characters")
    problem, reached = "it holds no JSON object", -1
    for found in islice(re.finditer(r"\{", reply), _OBJECTS):
        try:
            value, _ = _DECODER.raw_decode(reply, found.start())
            return schema.model_validate(value)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_input=False)[:_PROBLEMS]
            told = [f"{'.'.join(map(str, p['loc'])) or 'JSON'}: {p['msg']}" for p in problems]
            raise ValueError("; ".join(told)) from error
        # Nested deeper than Python reads, or no JSON: a brace among words, perhaps.
        except (ValueError, RecursionError) as error:
            # What was read furthest was meant.
            position = error.pos if isinstance(error, json.JSONDecodeError) else found.start()
            if position > reached:
                problem, reached = f"it holds no JSON object that can be read ({error})", position
    raise ValueError(problem)
