"""Several pages in one server, each with a store and an address of its own, and a list of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from gradio_dar import view
from gradio_dar.proxy import HEALTH


def lobby(
    pages: Mapping[str, ASGIApp],
    apis: Mapping[str, FastAPI],
    open_to: Callable[[Request], Sequence[str]],
    healthy: Callable[[], bool],
) -> Starlette:
    """A server of several pages.

    Args:
        pages: Each page by its name, served at /NAME/.
        apis: What is behind them, to be started and ended with the server.
        open_to: The names of the pages that whoever asks may open.
        healthy: Whether all of their stores can be read.
    """

    @asynccontextmanager
    async def living(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for api in apis.values():
                await stack.enter_async_context(api.router.lifespan_context(api))
            yield

    def listing(request: Request) -> Response:
        return HTMLResponse(view.stores(open_to(request)))

    def health(_: Request) -> Response:
        if not healthy():
            return PlainTextResponse("a store is away\n", 503)
        return PlainTextResponse("ok\n")

    routes = [Route("/", listing), Route(HEALTH, health)]
    mounted = [Mount(f"/{name}", page) for name, page in pages.items()]
    return Starlette(routes=[*routes, *mounted], lifespan=living)
