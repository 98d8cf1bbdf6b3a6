"""What happens on the page: a message, a click, a choice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import gradio as gr
from PIL import Image

from dar_retriever import DARError, DiffusionAugmentedRetriever, InvalidInputError, Turn
from dar_retriever.support.images import read_file, read_image
from dar_retriever.trace import of_error
from gradio_dar import view
from gradio_dar.examples import Example
from gradio_dar.files import from_file
from gradio_dar.session import Session
from gradio_dar.talk import Responder, Talk, readable, reduced
from gradio_dar.uploads import Uploads

_LOGGER: Final = logging.getLogger(__name__)
_MOST_PICTURES: Final = 8

Shown = tuple[Session, str, str, str, str, str]
_UNCHANGED: Final[Any] = (gr.skip(),) * 6


@dataclass(frozen=True, slots=True)
class Events:
    """What each event shows.

    Attributes:
        retriever: What is searched.
        responder: Who answers.
        examples: What may be said first.
        uploads: What visitors have uploaded and not sent.
    """

    retriever: DiffusionAugmentedRetriever
    responder: Responder
    examples: tuple[Example, ...]
    uploads: Uploads

    def send(self, session: Session, message: dict[str, Any]) -> Shown:
        """A message was sent; it waits for its turn, or is given back."""
        text = str(message.get("text") or "")
        files = message.get("files") or ()
        try:
            turn = Turn("user", readable(text), _pictures(files))
        except DARError as error:
            session.unsent = text
            return self._shown(session, f"{error}. It was not sent.", problem=True)
        finally:
            # They are part of the conversation now, or were refused.
            self.uploads.remove(files)
        if not turn.has_content:
            return self._shown(session, "Say or show something first.")
        session.send(turn)
        return self._shown(session, "Sent.")

    def reply(self, session: Session) -> Iterator[Shown]:
        """The turn of a message has come."""
        if not session.waiting:
            yield _UNCHANGED
            return
        turn = session.waiting.popleft()
        failed = yield from self._steps(
            session, lambda talk: self.responder.say(talk, turn.text, turn.images)
        )
        session.unsent = turn.text if failed else ""

    def give_back(self, session: Session, message: dict[str, Any]) -> Any:
        """What nothing came of is in the box again, unless something else is."""
        text, session.unsent = session.unsent, ""
        if text and not (message.get("text") or message.get("files")):
            return {"text": text, "files": []}
        return gr.skip()

    def answer(self, session: Session, event: gr.EventData) -> Iterator[Shown]:
        """One of the question's answers was taken, or an example."""
        said = readable(_field(event, "id"))
        yield from self._steps(session, lambda talk: self.responder.say(talk, said, ()))

    def judge(self, session: Session, event: gr.EventData) -> Iterator[Shown]:
        """More, or less, like a hit is wanted."""
        hit = session.talk.hit(_field(event, "id"))
        if hit is None:
            yield self._shown(session, "That hit is gone; search anew.", problem=True)
        elif _field(event, "action") == "like":
            yield from self._steps(session, lambda talk: self.responder.judge(talk, hit, "like"))
        else:
            yield from self._steps(session, lambda talk: self.responder.judge(talk, hit, "unlike"))

    def look(self, session: Session, event: gr.EventData) -> str:
        """A hit is looked at: why it ranks, or in full size."""
        talk = session.talk
        hit = talk.hit(_field(event, "id"))
        if hit is None:
            return view.trouble("That hit is gone; search anew.")
        try:
            if _field(event, "action") == "full":
                return view.full_size(hit)
            return view.details(talk, hit, self.retriever.store)
        except DARError as error:
            return view.trouble(str(error))

    def load(self, session: Session, content: bytes) -> Iterator[Shown]:
        """A saved conversation was chosen."""
        try:
            dialogue, rejected = from_file(content)
        except DARError as error:
            yield self._shown(session, str(error), problem=True)
            return
        yield from self._steps(session, lambda _: self.responder.again(dialogue, rejected))

    def undo(self, session: Session) -> Shown:
        """Go back a step."""
        undone = session.undo()
        return self._shown(session, "Taken back." if undone else "There is nothing to undo.")

    def start_over(self, session: Session) -> Shown:
        """Begin anew."""
        session.start_over()
        return self._shown(session, "A new conversation.")

    def understanding(self, talk: Talk) -> str:
        """See ``view.understanding``."""
        encoder = self.retriever.query_encoder
        return view.understanding(talk, encoder.images_per_turn if encoder.generator else 0)

    def _steps(
        self, session: Session, take: Callable[[Talk], Iterator[Talk]]
    ) -> Generator[Shown, None, bool]:
        """Show each step; whatever goes wrong is said.

        Returns:
            Whether something went wrong; what was there before is there again.
        """
        shown: Any = _UNCHANGED
        try:
            for _ in session.step(take):
                shown = self._shown(session, self._state(session))
                yield shown
            # Gradio empties what a generator shows nothing in.
            if shown is _UNCHANGED:
                yield shown
            return False
        # A responder may be anybody's code.
        except Exception as error:
            yield self._failed(session, error)
            return True

    def _failed(self, session: Session, error: Exception) -> Shown:
        if isinstance(error, DARError):
            return self._shown(session, str(error), problem=True)
        _LOGGER.error("a turn on the page failed", exc_info=error)
        return self._shown(session, f"That failed: {of_error(error)}", problem=True)

    def _state(self, session: Session) -> str:
        talk = session.talk
        found = f"{len(talk.hits)} hits"
        if talk.stage == "searching":
            return "Searching…"
        if talk.stage == "pending":
            return f"{found} by your words; drawing what you mean…"
        return f"{found}."

    def _shown(self, session: Session, status: str, *, problem: bool = False) -> Shown:
        talk = session.talk
        return (
            session,
            view.chat((*talk.dialogue.turns, *session.waiting), self.examples),
            self.understanding(talk),
            view.hits(talk),
            view.question(talk),
            view.status(status, problem=problem),
        )


def _pictures(paths: Sequence[str]) -> tuple[Image.Image, ...]:
    if len(paths) > _MOST_PICTURES:
        raise InvalidInputError(f"{len(paths)} pictures; show at most {_MOST_PICTURES} at once")
    return tuple(reduced(read_image(read_file(path), Path(path).name)) for path in paths)


def _field(event: gr.EventData, name: str) -> str:
    # Its attributes shadow names.
    return str((event._data or {}).get(name, ""))  # noqa: SLF001
