"""Adds captions of reference images to a dialogue."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from dar_retriever.conversation.dialogue import Dialogue, Turn


def with_captions(dialogue: Dialogue, captions: Sequence[str]) -> Dialogue:
    """Add the captions of reference images to a dialogue as turns of the user.

    Args:
        dialogue: The dialogue.
        captions: One caption for each of ``dialogue.images``; an empty one adds nothing.

    Returns:
        The dialogue with each caption as a separate turn before the image's turn, and before the
        question that it answers, so that the caption is not taken for the answer.
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
            if caption:
                yield Turn("user", caption)
        yield from asked
        asked = []
        yield turn
    yield from asked
