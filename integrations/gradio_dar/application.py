"""The page as an ASGI application, with everything that guards it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import gradio as gr
from fastapi import FastAPI
from starlette.requests import Request
from starlette.routing import Mount
from starlette.types import ASGIApp

from dar_retriever import InvalidInputError
from dar_retriever.support.web_access import AccessGuard
from gradio_dar.lobby import lobby
from gradio_dar.passwords import checking
from gradio_dar.policy import OwnScripts
from gradio_dar.proxy import ProxyHeader, SignedIn
from gradio_dar.rights import Rights
from gradio_dar.routes import add_download, add_health, is_healthy
from gradio_dar.uploads import Uploads, Visitors

Pages: TypeAlias = gr.Blocks | Mapping[str, gr.Blocks]

_STYLE: Final = Path(__file__).parent / "page.css"
_STREAM: Final = Path(__file__).parent / "scripts" / "stream.js"
_FONTS: Final = ("ui-sans-serif", "system-ui", "sans-serif")
_MOST_UPLOADED: Final = "32mb"
# Each holds what its tab shows; the one that was used longest ago goes first.
_MOST_SESSIONS: Final = 256
# Gradio's own file of the weight 600 has Cyrillic letters alone.
_THEME: Final = gr.themes.Default(
    font=[gr.themes.LocalFont("Source Sans Pro", (400, 700)), *_FONTS]
)
# How Gradio names its cookies.
_SIGNED_IN: Final = ("access-token", "access-token-unsecure")
_HEADERS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
)


def page_app(
    page: Pages,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    allowed_hosts: Sequence[str] = (),
    users: Mapping[str, str] | None = None,
    sign_in: ProxyHeader | None = None,
    rights: Rights | None = None,
) -> ASGIApp:
    """The page as an ASGI application, with everything that guards it; see ``serve``."""
    if rights is not None and not (users or sign_in):
        raise InvalidInputError(
            "rights are of people who sign in; add passwords (--users FILE) or a proxy's sign-in "
            "(--user-header NAME)"
        )
    pages = named(page)

    def may(store: str) -> Mapping[str, str]:
        held = users or {}
        return {n: h for n, h in held.items() if rights is None or rights.may(n, store)}

    # Nobody but whom the rights name; without any, a page would ask for no password.
    apis = {
        name: _api(each, host, port, may(name) or {"": ""} if users else None)
        for name, each in pages.items()
    }
    visited: dict[str, ASGIApp] = {
        name: Visitors(OwnScripts(api), uploads_of(pages[name])) for name, api in apis.items()
    }

    def open_to(request: Request) -> list[str]:
        person = request.headers.get(sign_in.name, "") if sign_in else ""
        return [n for n in pages if not (sign_in and rights) or rights.may(person.strip(), n)]

    def healthy() -> bool:
        return all(is_healthy(getattr(each, "store", None)) for each in pages.values())

    app = visited[""] if "" in visited else lobby(visited, apis, open_to, healthy)
    if sign_in is not None:
        app = SignedIn(app, sign_in, rights)
    return AccessGuard(app, host=host, allowed_hosts=allowed_hosts, headers=_HEADERS)


def named(page: Pages) -> Mapping[str, gr.Blocks]:
    """Pages by name; a single one has none."""
    return {"": page} if isinstance(page, gr.Blocks) else page


def _api(page: gr.Blocks, host: str, port: int, users: Mapping[str, str] | None) -> FastAPI:
    """A page with its own routes."""
    api = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    page.state_session_capacity = _MOST_SESSIONS

    def signed_in(request: Request) -> bool:
        held = [request.cookies.get(f"{name}-{mounted.cookie_id}") for name in _SIGNED_IN]
        return users is None or any(token in mounted.tokens for token in held)

    store = getattr(page, "store", None)
    if store is not None:
        add_download(api, store, signed_in)
        add_health(api, store)
    gr.mount_gradio_app(
        api,
        page,
        "/",
        server_name=host,
        server_port=port,
        footer_links=[],
        auth=None if users is None else checking(users),
        allowed_paths=[],
        show_error=False,
        max_file_size=_MOST_UPLOADED,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        css_paths=[_STYLE],
        js=_STREAM.read_text(encoding="utf-8"),
        theme=_THEME,
    )
    # As Gradio's own launch does: until then it lets anybody name files of the machine.
    page.has_launched = True
    mounted: Any = next(route.app for route in api.routes if isinstance(route, Mount))
    page.app = mounted
    return api


def uploads_of(page: gr.Blocks) -> Uploads:
    """Those that the page knows of, if it was made by ``create_app``."""
    uploads = getattr(page, "uploads", None)
    if not isinstance(uploads, Uploads):
        uploads = Uploads()
        page.uploads = uploads  # type: ignore[attr-defined]
    return uploads
