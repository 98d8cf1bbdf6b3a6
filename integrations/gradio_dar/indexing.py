"""Indexing a folder from the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.datastructures import Headers

from dar_retriever import (
    DARError,
    DiffusionAugmentedRetriever,
    IngestReport,
    InvalidInputError,
    ingest,
)
from dar_retriever.ingest.files import files_of
from gradio_dar import view
from gradio_dar.uploads import Uploads, visitor_of


class FolderIndexer:
    """Indexes folders into the store of a retriever.

    Args:
        retriever: The retriever whose store and encoder are used.
    """

    def __init__(self, retriever: DiffusionAugmentedRetriever) -> None:
        self._retriever = retriever

    def look(self, folder: str) -> str:
        """A folder's full path and the number of its images, for whoever is to confirm it.

        Raises:
            InvalidInputError: No folder is named.
            IngestError: It is missing or holds no image.
        """
        path = _path_of(folder)
        return f"{len(files_of(path))} images in {path}"

    def index(self, folder: str, progress: Callable[[int, int], None]) -> IngestReport:
        """Store a folder's images; see ``ingest``.

        Raises:
            InvalidInputError: The folder's name is empty.
            IngestError: The folder is missing or holds no images.
            StoreError: The store cannot be written to.
        """
        encoder = self._retriever.query_encoder.encoder
        return ingest(_path_of(folder), self._retriever.store, encoder, progress=progress)


def add_indexing(indexer: FolderIndexer, uploads: Uploads) -> None:
    """Put a form for it on the page; it works in the browser that opened the page first."""
    with gr.Accordion("Index a folder of this machine", open=False):
        folder = gr.Textbox(label="Folder", placeholder="/home/me/photos", elem_id="folder")
        look = gr.Button("Look", elem_id="look")
        told = gr.HTML("", elem_id="indexed")
        start = gr.Button("Index these images", elem_id="index", visible=False)

        def looked(path: str, request: gr.Request) -> tuple[str, Any]:
            try:
                _require_first(uploads, request)
                return view.status(indexer.look(path)), gr.update(visible=True)
            except DARError as error:
                return view.status(str(error), problem=True), gr.update(visible=False)

        def index(path: str, request: gr.Request, progress: gr.Progress = gr.Progress()) -> str:  # noqa: B008
            try:
                _require_first(uploads, request)
                report = indexer.index(path, lambda n, total: progress((n, total), unit="images"))
            except DARError as error:
                return view.status(str(error), problem=True)
            return view.indexed(report)

        private: dict[str, Any] = {"api_visibility": "private"}
        look.click(looked, [folder], [told, start], **private)
        folder.change(lambda: gr.update(visible=False), None, start, **private)
        start.click(index, [folder], told, concurrency_limit=1, show_progress="full", **private)


def _require_first(uploads: Uploads, request: gr.Request) -> None:
    if uploads.first != visitor_of(Headers(dict(request.headers))):
        raise InvalidInputError(
            "folders can be indexed from the browser that opened this page first; restart "
            "'dar app' and open it in this one"
        )


def _path_of(folder: str) -> Path:
    if not folder.strip():
        raise InvalidInputError("name a folder, such as /home/me/photos")
    return Path(folder.strip()).expanduser().resolve()
