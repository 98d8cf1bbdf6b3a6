"""Which of a conversation's pictures a model is shown, and in which messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal, Protocol, TypeVar

Place = Literal["tool", "user", "none"]
"""Where a model sees a tool's pictures: in the tool's message, in a user's after it, nowhere."""

Message = TypeVar("Message")
Block = TypeVar("Block")

_LONGEST_LABEL: Final = 80


class Form(Protocol[Message, Block]):
    """The messages of a framework."""

    def is_tools(self, message: Message) -> bool:
        """Whether a message is the result of a tool."""
        ...

    def blocks(self, message: Message) -> Sequence[Block]:
        """What a tool's message consists of."""
        ...

    def is_picture(self, block: Block) -> bool:
        """Whether a block is a picture."""
        ...

    def text_of(self, block: Block) -> str | None:
        """The text of a block; None if it is of another kind."""
        ...

    def with_blocks(self, message: Message, blocks: Sequence[Block]) -> Message:
        """A copy of a tool's message with other content."""
        ...

    def users(self, results: Sequence[tuple[str, Sequence[Block]]]) -> Message:
        """A user's message with what the pictures of each result are, and the pictures."""
        ...


def with_pictures(
    messages: Sequence[Message], form: Form[Message, Block], place: Place, searches: int | None
) -> list[Message]:
    """Messages with the pictures of tools where a model sees them.

    Args:
        messages: Oldest first; they are not changed.
        form: What they are like.
        place: Where the model sees pictures.
        searches: Number of steps whose pictures are kept, the last ones; None for all. Calls of one
            message are one step.
    """
    parts = [_parted(message, form) for message in messages]
    steps = list(_steps([form.is_tools(message) for message in messages]))
    pictured = [step for step in steps if any(parts[number][1] for number in step)]
    kept = pictured[len(pictured) - min(len(pictured), searches) :] if searches else pictured
    kept = [] if place == "none" or searches == 0 else kept
    sent: list[Message] = []
    for step in steps:
        if step in kept and place == "tool":
            sent += [messages[number] for number in step]
            continue
        for number in step:
            texts, pictures = parts[number]
            message = messages[number]
            sent.append(form.with_blocks(message, texts) if pictures else message)
        if step in kept:
            shown = [parts[number][1] for number in step]
            sent.append(form.users([*_announced(shown)]))
    return sent


def _announced(results: Sequence[Sequence[Block]]) -> Iterator[tuple[str, Sequence[Block]]]:
    for number, pictures in enumerate(results, 1):
        which = f"{number} of the {len(results)} results" if len(results) > 1 else "the result"
        if pictures:
            yield f"The pictures of {which} above:", pictures


def _parted(message: Message, form: Form[Message, Block]) -> tuple[list[Block], list[Block]]:
    """A tool's message without its pictures, and the pictures, each after its label if any."""
    texts: list[Block] = []
    pictures: list[Block] = []
    for block in form.blocks(message) if form.is_tools(message) else ():
        if not form.is_picture(block):
            texts.append(block)
            continue
        label = form.text_of(texts[-1]) if texts else None
        if label is not None and label.rstrip().endswith(":") and len(label) <= _LONGEST_LABEL:
            pictures.append(texts.pop())
        pictures.append(block)
    return texts, pictures


def _steps(is_tools: Sequence[bool]) -> Iterator[range]:
    """The places of messages, with tools' messages in a row together.

    Providers want all answers to the calls of a message before anything else is said.
    """
    start = 0
    for place in range(1, len(is_tools) + 1):
        if place == len(is_tools) or not (is_tools[place] and is_tools[place - 1]):
            yield range(start, place)
            start = place
