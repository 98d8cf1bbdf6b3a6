"""Reference images told in words, as turns of the dialogue."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from dar_retriever.conversation.dialogue import Dialogue, Turn


def with_captions(dialogue: Dialogue, captions: Sequence[str]) -> Dialogue:
    """A dialogue in which reference images are told as well as shown.

    Args:
        dialogue: What was said and shown.
        captions: One for each of ``dialogue.images``.

    Returns:
        The dialogue with each image's caption as a turn of its own before the turn that showed it,
        and before what was asked then: no caption is an answer.
    """
    turns = tuple(_told(dialogue, iter(captions)))
    return dataclasses.replace(dialogue, turns=turns)


def _told(dialogue: Dialogue, captions: Iterator[str]) -> Iterator[Turn]:
    asked: list[Turn] = []
    for turn in dialogue.turns:
        if turn.role == "assistant":
            asked.append(turn)
            continue
        for _, caption in zip(turn.images, captions, strict=False):
            yield Turn("user", caption)
        yield from asked
        asked = []
        yield turn
    yield from asked
