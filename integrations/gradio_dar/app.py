"""The page itself: which part stands where, and which event reaches which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import gradio as gr
from starlette.datastructures import Headers

from dar_retriever import DiffusionAugmentedRetriever
from gradio_dar import view
from gradio_dar.events import Events
from gradio_dar.examples import Example, examples_of
from gradio_dar.files import as_file
from gradio_dar.indexing import FolderIndexer, add_indexing
from gradio_dar.session import Session
from gradio_dar.talk import MOST_CHARACTERS, Responder, SearchResponder, Talk
from gradio_dar.uploads import Uploads, visitor_of

TITLE: Final = "Find images by talking"
_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR
_WAITING: Final = 100
_SCRIPTS: Final = Path(__file__).parent / "scripts"


def create_app(
    retriever: DiffusionAugmentedRetriever,
    *,
    responder: Responder | None = None,
    k: int = 12,
    users: int = 4,
    indexing: bool = False,
    examples: Sequence[Example] | None = None,
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
        examples: What may be said first; by default some of the store's captions.

    Returns:
        The page, to be started with ``serve``.
    """
    uploads = Uploads()
    opening = tuple(examples_of(retriever) if examples is None else examples)
    page = Events(retriever, responder or SearchResponder(retriever, k), opening, uploads)
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
            outgoing = gr.MultimodalTextbox(visible=False, file_count="multiple")
            if indexing:
                add_indexing(FolderIndexer(retriever), uploads)
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
        # The box is free at once: an answer of the server would empty what is written meanwhile.
        taken = box.submit(None, [box], [outgoing, box], js=_script("take"), **private)
        sent = taken.then(page.send, [session, outgoing], shown, **quick)
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
        _when_left(app, _forgetting(uploads))
    app.queue(max_size=_WAITING)
    # What serves the page has to hold uploads to their limits.
    app.uploads = uploads  # type: ignore[attr-defined]
    return app


def _when_left(app: gr.Blocks, do: Callable[[gr.Request], None]) -> None:
    """Call a function when a tab is closed; nobody else can call it."""
    app.unload(do)
    for function in app.fns.values():
        if function.fn is do:
            function.api_visibility, function.concurrency_limit = "private", None


def _forgetting(uploads: Uploads) -> Callable[[gr.Request], None]:
    def left(request: gr.Request) -> None:
        uploads.leave(visitor_of(Headers(dict(request.headers))))

    return left


def _tool(kind: Callable[..., Any], label: str, **options: Any) -> Any:
    id_ = label.split(maxsplit=1)[0].lower()
    return kind(label, size="sm", elem_id=id_, min_width=60, **options)


def _script(name: str) -> str:
    return (_SCRIPTS / f"{name}.js").read_text(encoding="utf-8")
