"""What the page's server answers beside the page itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from dar_retriever import DARError, SearchableStore
from gradio_dar.proxy import HEALTH
from gradio_dar.selecting import ids_of, zipped

_MOST_BYTES: Final = 64 * 2**10


def add_health(api: FastAPI, store: SearchableStore) -> None:
    """Answer ``GET /health``: 200 while the store can be read, 503 otherwise; nothing else."""

    def health(_: Request) -> Response:
        if not is_healthy(store):
            return PlainTextResponse("the store is away\n", 503)
        return PlainTextResponse("ok\n")

    api.add_route(HEALTH, health, methods=["GET"])


def is_healthy(store: SearchableStore | None) -> bool:
    """Whether a store can be read."""
    try:
        # A real question: other answers may be remembered.
        return store is None or store.known(["health"]) is not None
    except DARError:
        return False


def add_download(
    api: FastAPI, store: SearchableStore, signed_in: Callable[[Request], bool]
) -> None:
    """Answer ``POST /selected.zip`` with the files of the ids in its form.

    Args:
        api: The application.
        store: What may be asked for.
        signed_in: Whether whoever asks may use the page.
    """

    async def selected(request: Request) -> Response:
        if not signed_in(request):
            return PlainTextResponse("Sign in on the page first.\n", 401)
        size = request.headers.get("content-length", "")
        if not size.isdecimal() or int(size) > _MOST_BYTES:
            return PlainTextResponse("That is no list of ticked pictures.\n", 413)
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        try:
            hits = store.get(ids_of(form.get("ids", [""])[0]))
        except DARError as error:
            return PlainTextResponse(f"{error}\n", 400)
        headers = {"Content-Disposition": 'attachment; filename="pictures.zip"'}
        return StreamingResponse(zipped(hits), media_type="application/zip", headers=headers)

    api.add_route("/selected.zip", selected, methods=["POST"])
