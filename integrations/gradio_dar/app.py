"""The page itself: which part stands where, and which event reaches which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import gradio as gr
from starlette.datastructures import Headers

from dar_retriever import DiffusionAugmentedRetriever, SearchableStore
from dar_retriever.stores.base import outlines_of
from gradio_dar import view
from gradio_dar.events import Events
from gradio_dar.examples import Example, examples_of
from gradio_dar.files import as_file
from gradio_dar.indexing import FolderIndexer, add_indexing
from gradio_dar.opening import opening_of
from gradio_dar.playing import Scene
from gradio_dar.session import Session
from gradio_dar.taking import Taking
from gradio_dar.talk import MOST_CHARACTERS, Responder, SearchResponder, Talk
from gradio_dar.turns import Metrics
from gradio_dar.uploads import Uploads, visitor_of
from gradio_dar.warming import warm

TITLE: Final = "Find images by talking"
_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR
_WAITING: Final = 100
_SCRIPTS: Final = Path(__file__).parent / "scripts"


def create_app(
    retriever: DiffusionAugmentedRetriever,
    *,
    responder: Responder | None = None,
    k: int = 24,
    users: int = 4,
    indexing: bool = False,
    examples: Sequence[Example] | None = None,
    scenes: Sequence[Scene] = (),
    paths: bool = False,
    collections: bool = False,
    metrics: Metrics | None = None,
    name: str = "",
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
        scenes: A conversation that plays itself when the page is opened; see ``play``.
        paths: Whether the paths of ticked hits can be listed, which tells them to all visitors.
        collections: Whether ticked hits can be put into collections, which writes to the store.
        metrics: Where turns are counted; nowhere by default.
        name: The store's name, where a server has several; the page then leads to their list.

    Returns:
        The page, to be started with ``serve``.
    """
    uploads = Uploads()
    opening = opening_of(
        retriever.store, examples_of(retriever) if examples is None else examples, scenes
    )
    page = Events(retriever, responder or SearchResponder(retriever, k), opening, uploads, metrics)
    taking = Taking(retriever)
    app: gr.Blocks = gr.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=(_HOUR, _HOUR), fill_width=True
    )
    with app:
        session = gr.State(Session(), time_to_live=_DAY)
        with gr.Column(elem_classes="dar-page"):
            with gr.Row(elem_classes="dar-top"):
                gr.HTML(view.title(TITLE, name), elem_id="title")
                tools = _tools()
            with gr.Row(elem_classes="dar-panes"):
                with gr.Column(scale=0, min_width=280, elem_classes="dar-talking"):
                    chat = _html("chat", view.chat((), opening.examples), "newest", "pressed")
                    status = _html("status", "", script="newest")
                    box = _message_box()
                    _pad(retriever.store)
                with gr.Column(scale=1, min_width=300, elem_classes="dar-finding"):
                    understood = _html("understanding", "", "newest", "pressed")
                    question = _html("question", "", "newest", "pressed", script="answers")
                    picked = _html("picked", view.picked(paths=paths, collections=collections))
                    hits = _html("hits", view.hits(Talk(), opening), "newest", "pressed")
            dialog = _html("dialog", "", "pressed")
            # Never drawn, so its texts stay texts.
            kept = gr.HTML("", html_template="", visible="hidden", js_on_load=_script("kept"))
            resumed, saved, placed = (gr.Textbox(visible=False) for _ in range(3))
            outgoing = gr.MultimodalTextbox(visible=False, file_count="multiple")
            if indexing:
                add_indexing(FolderIndexer(retriever), uploads)
        shown = [session, chat, understood, hits, question, status, kept]
        private: dict[str, Any] = {"api_visibility": "private", "trigger_mode": "multiple"}
        # A turn that comes before another is done goes on from it; see Session.
        turn: dict[str, Any] = {
            **private,
            "concurrency_limit": users,
            "concurrency_id": "turns",
            "show_progress_on": [status],
        }
        quick: dict[str, Any] = {**private, "concurrency_limit": None, "show_progress": "hidden"}
        # The box is free at once: an answer of the server would empty what is written meanwhile.
        taken = box.submit(None, [box], [outgoing, box], js=_script("take"), **private)
        sent = taken.then(page.send, [session, outgoing], shown, **quick)
        replied = sent.then(page.reply, [session], shown, **turn)
        replied.then(page.give_back, [session, box], box, **quick)
        for happens, do in (
            (question.click, page.answer),
            (chat.click, page.answer),
            (hits.say, page.answer),
            (hits.judge, page.judge),
            (dialog.judge, page.judge),
            (understood.alter, page.change),
            (question.alter, page.change),
            (chat.resume, page.take_up),
        ):
            happens(do, [session], shown, **turn)
        tools["load"].upload(page.load, [session, tools["load"]], shown, **turn)
        resuming = {**turn, "show_progress": "hidden"}
        app.load(page.resume, [session, resumed], shown, js=_script("resume"), **resuming)
        for looked in (hits.look, understood.look, dialog.look):
            looked(page.look, [session], dialog, **quick)
        # What the page was not started with is not there to be called.
        for offered, asked, told, shows in (
            (paths, picked.paths, taking.list_paths, dialog),
            (collections, picked.put, taking.put, status),
        ):
            if offered:
                asked(told, [session], shows, **quick)
        for tool, at_once in (("stop", page.stop), ("undo", page.undo), ("start", page.start_over)):
            tools[tool].click(at_once, [session], shown, **quick)
        for happens, make, through, script in (
            (tools["save"].click, _saved, saved, "save"),
            (tools["export"].click, _exported, saved, "save"),
            (dialog.where, taking.where, placed, "where"),
        ):
            made = happens(make, [session], through, **quick)
            made.then(None, [through], None, js=_script(script))
        _when_left(app, _forgetting(uploads))
    app.queue(max_size=_WAITING)
    # What serves the page has to hold uploads to their limits, and opens models ahead.
    vars(app).update(uploads=uploads, store=retriever.store, warm=partial(warm, retriever))
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


def _saved(session: Session) -> str:
    return as_file(session.talk)


def _exported(session: Session) -> str:
    return view.exported(session.talk)


def _tools() -> dict[str, Any]:
    """The buttons for the conversation as a whole, by name."""
    with gr.Row(elem_classes="dar-tools"):
        tools: dict[str, Any] = {
            label.split()[0].lower(): gr.Button(
                label, size="sm", elem_id=label.split()[0].lower(), min_width=44
            )
            for label in ("Stop", "Undo", "Start over", "Save", "Export")
        }
        tools["load"] = gr.UploadButton(
            "Load", size="sm", elem_id="load", min_width=44, file_types=[".json"], type="binary"
        )
    return tools


def _message_box() -> gr.MultimodalTextbox:
    return gr.MultimodalTextbox(
        placeholder="Say what you want",
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


def _pad(store: SearchableStore) -> None:
    """A sheet to draw on; none where the store has no outlines, as a drawing finds little there."""
    if outlines_of(store):
        _html("pad", view.pad())


def _html(name: str, value: str, *before: str, script: str = "") -> Any:
    """Something that the server draws, with the script of its name and those that go before it."""
    scripts = "\n".join(map(_script, (*before, script or name)))
    return gr.HTML(value, elem_id=name, js_on_load=scripts)


def _script(name: str) -> str:
    return (_SCRIPTS / f"{name}.js").read_text(encoding="utf-8")
