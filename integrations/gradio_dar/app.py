"""The page itself: which part shows what, and what happens on a click."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import gradio as gr
from PIL import Image

from dar_retriever import DARError, DiffusionAugmentedRetriever, InvalidInputError, Turn
from dar_retriever.images import read_file, read_image
from dar_retriever.trace import of_error
from gradio_dar import view
from gradio_dar.files import as_file, from_file
from gradio_dar.indexing import FolderIndexer
from gradio_dar.session import Session
from gradio_dar.talk import MOST_CHARACTERS, Responder, SearchResponder, Talk, readable, reduced

TITLE: Final = "Find images by talking"
_LOGGER: Final = logging.getLogger(__name__)
_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR
_WAITING: Final = 100
_EXAMPLES: Final = 3
_LONGEST_EXAMPLE: Final = 100
_MOST_PICTURES: Final = 8
_SCRIPTS: Final = Path(__file__).parent / "scripts"
_EMPTY_BOX: Final[dict[str, Any]] = {"text": "", "files": []}

Shown = tuple[Session, str, str, str, str, str]
_UNCHANGED: Final[Any] = (gr.skip(),) * 6


def create_app(
    retriever: DiffusionAugmentedRetriever,
    *,
    responder: Responder | None = None,
    k: int = 12,
    users: int = 4,
    indexing: bool = False,
) -> gr.Blocks:
    """Make the page.

    Every browser tab has a conversation of its own, kept for an hour after the tab is closed.
    Pictures are part of the page; of the store's files none is served.

    Args:
        retriever: What is searched.
        responder: Who answers; a plain search by default, ``AgentResponder`` for an agent.
        k: Hits.
        users: Turns that are worked on at once; others wait and see their place in the queue.
        indexing: Whether folders of the machine can be indexed from the page.

    Returns:
        The page, to be started with ``serve``.
    """
    page = _Page(retriever, responder or SearchResponder(retriever, k), _examples(retriever))
    app: gr.Blocks = gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(_HOUR, _HOUR))
    with app:
        session = gr.State(Session(), time_to_live=_DAY)
        with gr.Column(elem_classes="dar-page"):
            gr.HTML(f"<h1>{TITLE}</h1>", elem_id="title")
            with gr.Row(elem_classes="dar-panes"):
                with gr.Column(scale=5, min_width=280, elem_classes="dar-talking"):
                    chat = gr.HTML(
                        view.chat((), page.examples), elem_id="chat", js_on_load=_script("chat")
                    )
                    question = gr.HTML("", elem_id="question", js_on_load=_script("answers"))
                    status = gr.HTML("", elem_id="status")
                    box = gr.MultimodalTextbox(
                        placeholder="Say what you want, correct it, paste a picture",
                        label="Your message",
                        show_label=False,
                        file_types=["image"],
                        file_count="multiple",
                        sources=["upload"],
                        max_plain_text_length=MOST_CHARACTERS,
                        max_lines=6,
                        elem_id="message",
                        autofocus=True,
                    )
                    with gr.Row(elem_classes="dar-tools"):
                        undo = _tool(gr.Button, "Undo")
                        restart = _tool(gr.Button, "Start over")
                        save = _tool(gr.Button, "Save")
                        load = _tool(gr.UploadButton, "Load", file_types=[".json"], type="binary")
                with gr.Column(scale=4, min_width=240, elem_classes="dar-understood"):
                    understood = gr.HTML(page.understanding(Talk()), elem_id="understanding")
                with gr.Column(scale=9, min_width=300, elem_classes="dar-finding"):
                    hits = gr.HTML(view.hits(Talk()), elem_id="hits", js_on_load=_script("hits"))
            dialog = gr.HTML("", elem_id="dialog", js_on_load=_script("dialog"))
            saved = gr.Textbox(visible=False)
            if indexing:
                _add_indexing(FolderIndexer(retriever))
        shown = [session, chat, understood, hits, question, status]
        private: dict[str, Any] = {"api_visibility": "private"}
        # A turn that comes before another is done goes on from it; see Session.
        turn: dict[str, Any] = {
            **private,
            "trigger_mode": "multiple",
            "concurrency_limit": users,
            "concurrency_id": "turns",
            "show_progress_on": [status],
        }
        # In the queue too, though none waits: so nothing overtakes a turn's last pictures.
        quick: dict[str, Any] = {**private, "concurrency_limit": None, "show_progress": "hidden"}
        sent = box.submit(page.send, [session, box], [*shown, box], **quick)
        replied = sent.then(page.reply, [session], shown, **turn)
        replied.then(page.give_back, [session, box], box, **quick)
        for answers in (question, chat):
            answers.click(page.answer, [session], shown, **turn)
        hits.judge(page.judge, [session], shown, **turn)
        load.upload(page.load, [session, load], shown, **turn)
        hits.look(page.look, [session], dialog, **quick)
        undo.click(page.undo, [session], shown, **quick)
        restart.click(page.start_over, [session], shown, **quick)
        save.click(lambda session: as_file(session.talk), [session], saved, **quick).then(
            None, [saved], None, js=_script("save")
        )
    app.queue(max_size=_WAITING)
    return app


@dataclass(frozen=True, slots=True)
class _Page:
    """What happens on the page."""

    retriever: DiffusionAugmentedRetriever
    responder: Responder
    examples: tuple[str, ...]

    def send(self, session: Session, message: dict[str, Any]) -> tuple[Any, ...]:
        """A message was sent; it waits for its turn, or is in the box again."""
        text = str(message.get("text") or "")
        written = {"text": text, "files": []}
        try:
            turn = Turn("user", readable(text), _pictures(message.get("files") or ()))
        except DARError as error:
            problem = f"{error}. It was not sent."
            return *self._shown(session, problem, problem=True), written
        if not turn.has_content:
            return *self._shown(session, "Say or show something first."), _EMPTY_BOX
        session.send(turn)
        return *self._shown(session, "Sent."), _EMPTY_BOX

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


def _examples(retriever: DiffusionAugmentedRetriever) -> tuple[str, ...]:
    """Something to say, from what the store's images are called."""
    try:
        captions = retriever.store.captions(_EXAMPLES)
    # The page opens; searching tells what is wrong with the store.
    except DARError:
        return ()
    return tuple(caption for caption in captions if len(caption) < _LONGEST_EXAMPLE)


def _tool(kind: Callable[..., Any], label: str, **options: Any) -> Any:
    id_ = label.split(maxsplit=1)[0].lower()
    return kind(label, size="sm", elem_id=id_, min_width=60, **options)


def _script(name: str) -> str:
    return (_SCRIPTS / f"{name}.js").read_text(encoding="utf-8")


def _add_indexing(indexer: FolderIndexer) -> None:
    with gr.Accordion("Index a folder of this machine", open=False):
        folder = gr.Textbox(label="Folder", placeholder="/home/me/photos", elem_id="folder")
        start = gr.Button("Index", elem_id="index")
        done = gr.HTML("", elem_id="indexed")

        def index(path: str, progress: gr.Progress = gr.Progress()) -> str:  # noqa: B008
            try:
                report = indexer.index(path, lambda n, total: progress((n, total), unit="images"))
            except DARError as error:
                return view.status(str(error), problem=True)
            return view.indexed(report)

        start.click(
            index,
            [folder],
            done,
            concurrency_limit=1,
            api_visibility="private",
            show_progress="full",
        )
