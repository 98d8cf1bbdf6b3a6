"""The conversation of one browser tab: its current state, its past, and the step in progress."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Final

from dar_retriever import Turn
from gradio_dar.talk import Talk

_UNDOABLE: Final = 30
# Gradio copies sessions, which could not hold it.
_STAMPING: Final = Lock()


class Session:
    """Takes one step after another.

    If a step begins while another is in progress, it continues from what that one has shown so far,
    and the other one ends. Gradio keeps a session for each browser tab.

    Attributes:
        talk: The conversation as it is shown.
        waiting: Messages that were sent and whose steps have not begun.
        unsent: The text of a message that failed, to be sent again.
    """

    def __init__(self) -> None:
        self.talk = Talk()
        self.waiting: deque[Turn] = deque()
        self.unsent = ""
        self._past: deque[Talk] = deque(maxlen=_UNDOABLE)
        self._working: object | None = None
        self._stamp = 0

    @property
    def shown(self) -> Talk:
        """The talk; the first message makes room for its hits while it waits."""
        first = self.waiting and self.talk.stage == "empty"
        return dataclasses.replace(self.talk, stage="searching") if first else self.talk

    def stamp(self) -> int:
        """A number for what is about to be shown, larger than all before.

        Take it before reading the talk: then what has the larger number is never the older.
        """
        with _STAMPING:
            # A time, so that a session that replaces a lost one goes on from it.
            self._stamp = max(self._stamp + 1, time.time_ns() // 1000)
            return self._stamp

    def send(self, turn: Turn) -> None:
        """Queue a message for its step; a message that is sent twice at once counts once."""
        worked_on = self.talk.dialogue.turns[-1:] if self._working else ()
        if turn not in (*self.waiting, *worked_on):
            self.waiting.append(turn)

    def step(self, take: Callable[[Talk], Iterator[Talk]]) -> Iterator[Talk]:
        """Take a step.

        Args:
            take: Takes the talk and yields new versions of it; the last one stays.

        Yields:
            Each new version of the talk. If an error is raised, the talk is first set back to its
            state before the step.
        """
        before, this = self.talk.settled(), object()
        self._working, begun = this, False
        try:
            for talk in take(before):
                # Another step has begun, or this one was undone.
                if self._working is not this:
                    return
                if not begun:
                    self._past.append(before)
                    begun = True
                self.talk = talk
                yield talk
            if self.talk is not (settled := self.talk.settled()):
                self.talk = settled
                yield settled
        except Exception:
            if self._working is this:
                self.talk = self._past.pop() if begun else before
            raise
        finally:
            if self._working is this:
                self._working = None

    def undo(self) -> bool:
        """Go back a step and stop the one in progress; False if there is nothing to undo."""
        if self.waiting:
            self.waiting.pop()
            return True
        self._working = None
        if not self._past:
            self.talk = self.talk.settled()
            return False
        self.talk = self._past.pop()
        return True

    def stop(self) -> bool:
        """End the step in progress with what it has found; False if none is."""
        if self._working is None and not self.waiting:
            return False
        self._working = None
        self.waiting.clear()
        self.talk = self.talk.settled()
        return True

    def start_over(self) -> None:
        """Begin a new conversation; ``undo`` returns to the old one."""
        self._working = None
        self.waiting.clear()
        if self.talk.dialogue.turns:
            self._past.append(self.talk.settled())
        self.talk = Talk()
