"""Turns read from the chat messages of any framework, with problems such as broken images."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from PIL import Image

from dar_retriever.conversation.dialogue import Dialogue, Turn
from dar_retriever.errors import InvalidImageError, InvalidInputError

OpenUrl = Callable[[str], Image.Image]
Part = str | Callable[[], Image.Image]

_SUMMARY: Final = re.compile(
    r"\s*(?:(?:here|this|the following) is (?:a|the) )?(?:conversation summary|"
    r"summary of (?:the |our |this )?(?:earlier |previous )?conversation[^:\n]*):\s*",
    re.IGNORECASE,
)
# Headings of a summary, and phrases such as "None." that mean that there is nothing to say.
_SCAFFOLD: Final = re.compile(
    r"^[^\S\n]*(?:#+ .*|(?:[-*] *)?none\.?|no previous conversation history\.|"
    r"previous conversation was too long to summarize\.)[^\S\n]*$",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """The content of a message.

    Attributes:
        turn: The turn; None if the message says nothing about the search.
        problems: Errors of parts that were left out.
    """

    turn: Turn | None = None
    problems: tuple[InvalidInputError, ...] = ()


def assistant_message(text: str) -> ReadMessage:
    """A message of the assistant."""
    return ReadMessage(Turn("assistant", text) if text.strip() else None)


def user_message(parts: Iterable[Part], number: int) -> ReadMessage:
    """A message of the user.

    Args:
        parts: Texts, and functions that open an image. If one raises, its image is left out.
        number: What to call the message in errors.
    """
    texts: list[str] = []
    images: list[Image.Image] = []
    problems: list[InvalidInputError] = []
    try:
        for part in parts:
            if isinstance(part, str):
                texts.append(part)
                continue
            try:
                images.append(part())
            except InvalidInputError as error:
                problems.append(type(error)(f"message {number}: {error}"))
            # The application's own function can raise anything.
            except Exception as error:
                problem = InvalidImageError(
                    f"message {number}: an image cannot be opened ({type(error).__name__}: "
                    f"{error}); send it as base64 data"
                )
                problem.__cause__ = error
                problems.append(problem)
    except InvalidInputError as error:
        problems.append(error)
    said = " ".join(texts)
    turn = Turn("user", said, tuple(images)) if said.strip() or images else None
    return ReadMessage(turn, tuple(problems))


def summary_message(text: str) -> ReadMessage:
    """A summary of earlier messages; without its headings it counts as the user's words."""
    header = _SUMMARY.match(text)
    said = _SCAFFOLD.sub("", text[header.end() :] if header else text).strip()
    return ReadMessage(Turn("user", said) if said else None)


def is_summary(text: str) -> bool:
    """Whether a text begins by saying that it is the summary of a conversation."""
    return _SUMMARY.match(text) is not None


def dialogue_of(messages: Iterable[ReadMessage], id: str = "") -> Dialogue:
    """The dialogue of messages.

    Raises:
        InvalidInputError: A message has a problem; the first one is raised.
    """
    turns = []
    for message in messages:
        if message.problems:
            raise message.problems[0]
        if message.turn is not None:
            turns.append(message.turn)
    return Dialogue(tuple(turns), id)
