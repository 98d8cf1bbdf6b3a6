"""One browser's conversation: what it is now, its past, and the step that is being worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from dar_retriever import Turn
from gradio_dar.talk import Talk

_UNDOABLE: Final = 30


class Session:
    """Takes one step after another.

    A step that is begun while another is worked on goes on from what that one has shown, and the
    other ends there. Gradio keeps a session for each browser tab.

    Attributes:
        talk: As it is shown.
        waiting: Messages that were sent and whose steps are not begun.
        unsent: The text of a message that nothing came of, to be sent again.
    """

    def __init__(self) -> None:
        self.talk = Talk()
        self.waiting: deque[Turn] = deque()
        self.unsent = ""
        self._past: deque[Talk] = deque(maxlen=_UNDOABLE)
        self._working: object | None = None

    def send(self, turn: Turn) -> None:
        """Let a message wait for its step; one that is sent twice at once counts once."""
        worked_on = self.talk.dialogue.turns[-1:] if self._working else ()
        if turn not in (*self.waiting, *worked_on):
            self.waiting.append(turn)

    def step(self, take: Callable[[Talk], Iterator[Talk]]) -> Iterator[Talk]:
        """Take a step.

        Args:
            take: From the talk as it is, the talk as it becomes, several times, the last to stay.

        Yields:
            The talk whenever there is more of it. What goes wrong is raised, with the talk back
            where it was before the step.
        """
        before, this = self.talk.settled(), object()
        self._working, begun = this, False
        try:
            for talk in take(before):
                # Another step was begun, or this one taken back.
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
        """Go back a step, away from one that is being worked on; False where there is none."""
        if self.waiting:
            self.waiting.pop()
            return True
        self._working = None
        if not self._past:
            self.talk = self.talk.settled()
            return False
        self.talk = self._past.pop()
        return True

    def start_over(self) -> None:
        """Begin a conversation, with the one before to go back to."""
        self._working = None
        self.waiting.clear()
        if self.talk.dialogue.turns:
            self._past.append(self.talk.settled())
        self.talk = Talk()
