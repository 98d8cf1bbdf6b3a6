"""What happens on the page: a message, a click, a choice."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import gradio as gr
from PIL import Image

from dar_retriever import (
    DARError,
    DiffusionAugmentedRetriever,
    Hit,
    InvalidInputError,
    SearchResult,
    Turn,
)
from dar_retriever.support.images import read_file, read_image
from dar_retriever.trace import of_error
from gradio_dar import view
from gradio_dar.files import as_file, from_file
from gradio_dar.hit_facts import can_be_opened
from gradio_dar.meant import NO_LONGER, Change, Locking, Meant
from gradio_dar.opening import Opening
from gradio_dar.session import Session
from gradio_dar.taking import field_of
from gradio_dar.talk import Responder, Talk, drawing, readable, reduced
from gradio_dar.turns import Metrics, watched
from gradio_dar.uploads import Uploads

_LOGGER: Final = logging.getLogger(__name__)
_MOST_PICTURES: Final = 8
# Browsers keep a few megabytes for a page.
_KEPT_SIDE: Final = 256
_NAME: Final = 80

Shown = tuple[Session, str, str, str, str, str, str]
_UNCHANGED: Final[Any] = (gr.skip(),) * 7
_CHANGES: Final[tuple[Change | Locking, ...]] = ("remove", "flip", "edit", "lock", "unlock")
# What the page's scripts send of a link to what their browser does not keep.
_MISSING: Final = "missing"
_NOT_KEPT: Final = "This browser does not keep that conversation; load its file instead."
_GONE: Final = "That hit is gone; search anew."


@dataclass(frozen=True, slots=True)
class Events:
    """What each event shows.

    Attributes:
        retriever: What is searched.
        responder: Who answers.
        opening: What is seen first.
        uploads: What visitors have uploaded and not sent.
        metrics: Where turns are counted.
    """

    retriever: DiffusionAugmentedRetriever
    responder: Responder
    opening: Opening
    uploads: Uploads
    metrics: Metrics | None = None

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
        said = readable(field_of(event, "id"))
        yield from self._steps(session, lambda talk: self.responder.say(talk, said, ()))

    def judge(self, session: Session, event: gr.EventData) -> Iterator[Shown]:
        """More, or less, like a hit, a sample or a drawing is wanted."""
        hit = self._picture(session.talk, field_of(event, "id"))
        like = field_of(event, "action") == "like"
        if hit is None:
            yield self._shown(session, _GONE, problem=True)
        elif not can_be_opened(hit):
            yield self._shown(session, f"The file of {hit.title!r} is gone.", problem=True)
        else:
            yield from self._steps(
                session, lambda talk: self.responder.judge(talk, hit, "like" if like else "unlike")
            )

    def change(self, session: Session, event: gr.EventData) -> Iterator[Shown]:
        """A part of what was understood is taken out, turned round, edited, locked or unlocked."""
        action = field_of(event, "action")
        change = next((each for each in _CHANGES if each == action), None)
        try:
            place, words = int(field_of(event, "place")), readable(field_of(event, "words"))
            if session.talk.result is None or change is None:
                raise InvalidInputError("there is nothing to change yet")
            take = self._changing(session.talk, session.talk.result, place, change, words)
        except (DARError, ValueError) as error:
            yield self._shown(session, str(error), problem=True)
            return
        yield from self._steps(session, take)

    def _changing(
        self,
        talk: Talk,
        result: SearchResult,
        place: int,
        change: Change | Locking,
        words: str,
    ) -> Callable[[Talk], Iterator[Talk]]:
        """The step that changes, locks or unlocks the part at a place."""
        meant, locked = Meant.of(result), talk.dialogue.locked
        part = dict(enumerate(meant.shown(locked))).get(place)
        if part is None:
            raise InvalidInputError(NO_LONGER)
        if change == "lock":
            # What was found stays right.
            found = talk.stage == "final"
            return lambda talk: (
                iter([talk.locking(part)]) if found else self.responder.again(talk.locking(part))
            )
        if change == "unlock":
            return lambda talk: self.responder.again(talk.unlocking(part))
        if part in locked:
            raise InvalidInputError(f"{part.phrase!r} is locked; unlock it first")
        changed = meant.changed(place, change, words)
        return lambda talk: self.responder.change(talk, changed)

    def look(self, session: Session, event: gr.EventData) -> str:
        """A hit, a sample or a drawing is looked at in full size, and why it is there."""
        talk, id_ = session.talk, field_of(event, "id")
        hit = talk.hit(id_)
        try:
            if hit is not None:
                return view.details(talk, hit, self.retriever.store)
            other = self._picture(talk, id_)
            return view.full_size(other) if other else view.trouble(_GONE)
        except DARError as error:
            return view.trouble(str(error))

    def load(self, session: Session, content: bytes) -> Iterator[Shown]:
        """A saved conversation was chosen."""
        try:
            loaded = from_file(content)
        except DARError as error:
            yield self._shown(session, str(error), problem=True)
            return
        yield from self._steps(session, lambda _: self.responder.again(loaded))

    def resume(self, session: Session, kept: str | None) -> Iterator[Shown]:
        """The page was opened where a conversation is kept, unless something was said already."""
        if not kept or session.talk.dialogue.turns or session.waiting:
            yield _UNCHANGED
            return
        yield from self._take_up(session, kept)

    def take_up(self, session: Session, event: gr.EventData) -> Iterator[Shown]:
        """An earlier conversation was chosen."""
        yield from self._take_up(session, field_of(event, "kept"))

    def _take_up(self, session: Session, kept: str) -> Iterator[Shown]:
        if kept == _MISSING:
            yield self._shown(session, _NOT_KEPT, problem=True)
            return
        yield from self.load(session, kept.encode())

    def undo(self, session: Session) -> Shown:
        """Go back a step."""
        undone = session.undo()
        return self._shown(session, "Taken back." if undone else "There is nothing to undo.")

    def stop(self, session: Session) -> Shown:
        """End the turn in progress with what it has found."""
        stopped = session.stop()
        return self._shown(session, "Stopped." if stopped else self._state(session))

    def start_over(self, session: Session) -> Shown:
        """Begin anew."""
        session.start_over()
        return self._shown(session, "A new conversation.")

    def understanding(self, talk: Talk) -> str:
        """See ``view.understanding``."""
        encoder = self.retriever.query_encoder
        images = encoder.images_per_turn if encoder.generator else 0
        return view.understanding(talk, images)

    def _picture(self, talk: Talk, id: str) -> Hit | None:
        """The hit, drawing or sample of an id."""
        return talk.hit(id) or drawing(talk, id) or self.opening.sample(id)

    def _steps(
        self, session: Session, take: Callable[[Talk], Iterator[Talk]]
    ) -> Generator[Shown, None, bool]:
        """Show each step; whatever goes wrong is said.

        Returns:
            Whether something went wrong; what was there before is there again.
        """
        shown: Any = _UNCHANGED
        with watched(self.metrics) as turn:
            try:
                for talk in session.step(take):
                    turn.shows(talk)
                    shown = self._shown(session, self._state(session))
                    yield shown
                # Gradio empties what a generator shows nothing in.
                if shown is _UNCHANGED:
                    yield shown
                return False
            # A responder may be anybody's code.
            except Exception as error:
                turn.fails(error)
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
            return f"{found}; drawing what you mean…"
        return "Nothing is close; these are the nearest." if talk.far else f"{found}."

    def _shown(self, session: Session, status: str, *, problem: bool = False) -> Shown:
        stamp, talk = session.stamp(), session.shown
        shown = (
            view.chat((*talk.dialogue.turns, *session.waiting), self.opening.examples),
            self.understanding(talk),
            view.hits(talk, self.opening),
            view.question(talk, self.opening.examples) + view.names(talk),
            view.status(status, problem=problem),
        )
        chat, understood, hits, question, told = (f"<!--{stamp}-->{each}" for each in shown)
        return session, chat, understood, hits, question, told, _kept(talk, stamp)


def _pictures(paths: Sequence[str]) -> tuple[Image.Image, ...]:
    if len(paths) > _MOST_PICTURES:
        raise InvalidInputError(f"{len(paths)} pictures; show at most {_MOST_PICTURES} at once")
    return tuple(reduced(read_image(read_file(path), Path(path).name)) for path in paths)


def _kept(talk: Talk, stamp: int) -> Any:
    """A conversation as the browser keeps it; unchanged while hits are on their way."""
    if not talk.dialogue.turns:
        return json.dumps({"id": talk.id, "stamp": stamp})
    if talk.stage == "pending":
        return gr.skip()
    name = next((turn.text for turn in talk.dialogue.user_turns if turn.text), "a picture")
    file = as_file(talk, _KEPT_SIDE)
    return json.dumps({"id": talk.id, "stamp": stamp, "name": name[:_NAME], "file": file})
