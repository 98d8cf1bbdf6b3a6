"""The conversations of the clients."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Sequence

from dar_retriever import InvalidInputError, Question
from dar_retriever.agents import Event


class Conversations:
    """Keeps conversations under random ids; the least recently used ones are forgotten.

    The protocol has no sessions any more, and a client may have several conversations over one
    connection. So only the id tells which conversation a call belongs to.

    Args:
        most: Maximum number of conversations to keep.
    """

    def __init__(self, most: int = 1000) -> None:
        self._most = most
        self._kept: OrderedDict[str, tuple[tuple[Event, ...], Question | None]] = OrderedDict()

    def begin(self) -> str:
        """The id of a new conversation."""
        return secrets.token_urlsafe(12)

    def of(self, id: str) -> tuple[tuple[Event, ...], Question | None]:
        """The events of a conversation, and the last question for its user.

        Raises:
            InvalidInputError: The id is unknown, or the conversation was forgotten.
        """
        if id not in self._kept:
            raise InvalidInputError(
                f"conversation={id!r}: not known, or forgotten; leave it out to begin a new one "
                "and pass what the user said before as earlier_turns"
            )
        self._kept.move_to_end(id)
        return self._kept[id]

    def keep(self, id: str, events: Sequence[Event], question: Question | None) -> None:
        """Remember a conversation."""
        self._kept[id] = tuple(events), question
        self._kept.move_to_end(id)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
