"""What happens with single pictures beside the conversation: ticked ones, and where things are."""

from __future__ import annotations

import json

import gradio as gr

from dar_retriever import DARError, DiffusionAugmentedRetriever, Locator
from gradio_dar import view
from gradio_dar.selecting import ids_of, paths_of, put_into
from gradio_dar.session import Session
from gradio_dar.talk import readable


class Taking:
    """What each of these events shows.

    Args:
        retriever: Whose store the pictures are in.
    """

    def __init__(self, retriever: DiffusionAugmentedRetriever) -> None:
        self._retriever = retriever

    def where(self, session: Session, event: gr.EventData) -> str:
        """Where in a large picture is what was asked for; empty if that cannot be told."""
        talk = session.talk
        hit = talk.hit(field_of(event, "id"))
        if hit is None or talk.result is None:
            return ""
        if hit.part is not None:
            return json.dumps(hit.part.box or (0, 0, 1, 1))
        encoder, words = self._retriever.query_encoder.encoder, talk.result.trace.caption
        try:
            image = hit.open()
            left, top, right, bottom = box = Locator(encoder).box(image, words)
        except DARError:
            return ""
        wide, high = image.size
        part = image.crop((left * wide, top * high, right * wide, bottom * high))
        whole, cut = encoder.encode_images([image, part]) @ encoder.encode_texts([words])[0]
        # A thing that fills the picture has no part that is more like it.
        return json.dumps(box if cut > whole else (0, 0, 1, 1))

    def list_paths(self, _: Session, event: gr.EventData) -> str:
        """The paths of the ticked hits are asked for."""
        try:
            return view.paths(paths_of(self._retriever.store.get(ids_of(field_of(event, "ids")))))
        except DARError as error:
            return view.trouble(str(error))

    def put(self, session: Session, event: gr.EventData) -> str:
        """The ticked hits are put into a collection."""
        name = field_of(event, "name")
        try:
            count = put_into(self._retriever.store, ids_of(field_of(event, "ids")), readable(name))
            told = view.status(f"{count} pictures are in the collection “{name}”.")
        except DARError as error:
            told = view.status(str(error), problem=True)
        return f"<!--{session.stamp()}-->{told}"


def field_of(event: gr.EventData, name: str) -> str:
    """A text that a script of the page sends with an event; empty if there is none."""
    # Its attributes shadow names.
    return str((event._data or {}).get(name, ""))  # noqa: SLF001
