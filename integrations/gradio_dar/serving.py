"""Serving the page."""

from __future__ import annotations

import logging
import os
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

import gradio as gr
import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.routing import Mount
from starlette.types import ASGIApp

from dar_retriever import InvalidInputError
from dar_retriever.support.web_access import AccessGuard, is_loopback, require_protection
from gradio_dar.passwords import checking
from gradio_dar.proxy import ProxyHeader, SignedIn
from gradio_dar.routes import add_download, add_health
from gradio_dar.uploads import Uploads, Visitors

_STYLE: Final = Path(__file__).parent / "page.css"
_MOST_UPLOADED: Final = "32mb"
# Each holds what its tab shows; the one that was used longest ago goes first.
_MOST_SESSIONS: Final = 256
# How Gradio names its cookies.
_SIGNED_IN: Final = ("access-token", "access-token-unsecure")
_PROTECTION: Final = (
    "passwords (--users FILE), with a proxy's sign-in (--user-header NAME), or with a proxy that "
    "you name (--allowed-host NAME)"
)
_STARTING_SECONDS: Final = 60.0
_CLEANING_SECONDS: Final = 5.0
# Gradio's page is built by inline scripts, and makes functions of texts.
_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", _POLICY),
)


def page_app(
    page: gr.Blocks,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    allowed_hosts: Sequence[str] = (),
    users: Mapping[str, str] | None = None,
    sign_in: ProxyHeader | None = None,
) -> ASGIApp:
    """The page as an ASGI application, with everything that guards it; see ``serve``."""
    api = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    page.state_session_capacity = _MOST_SESSIONS

    def signed_in(request: Request) -> bool:
        held = [request.cookies.get(f"{name}-{mounted.cookie_id}") for name in _SIGNED_IN]
        return not users or any(token in mounted.tokens for token in held)

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
        auth=checking(users) if users else None,
        allowed_paths=[],
        show_error=False,
        max_file_size=_MOST_UPLOADED,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        css_paths=[_STYLE],
    )
    # As Gradio's own launch does: until then it lets anybody name files of the machine.
    page.has_launched = True
    mounted: Any = next(route.app for route in api.routes if isinstance(route, Mount))
    page.app = mounted
    visited: ASGIApp = Visitors(api, _uploads_of(page))
    if sign_in is not None:
        visited = SignedIn(visited, sign_in)
    return AccessGuard(visited, host=host, allowed_hosts=allowed_hosts, headers=_HEADERS)


def _uploads_of(page: gr.Blocks) -> Uploads:
    """Those that the page knows of, if it was made by ``create_app``."""
    uploads = getattr(page, "uploads", None)
    if not isinstance(uploads, Uploads):
        uploads = Uploads()
        page.uploads = uploads  # type: ignore[attr-defined]
    return uploads


@contextmanager
def serving(
    page: gr.Blocks,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    allowed_hosts: Sequence[str] = (),
    users: Mapping[str, str] | None = None,
    sign_in: ProxyHeader | None = None,
    allow_anyone: bool = False,
) -> Iterator[str]:
    """Serve a page until the end of the block; see ``serve``.

    Yields:
        Its address.
    """
    require_protection(
        host,
        protected=bool(users or allowed_hosts or sign_in),
        protection=_PROTECTION,
        allow_anyone=allow_anyone,
    )
    with ExitStack() as stack:
        listening = stack.enter_context(_listening(host, port))
        port = listening.getsockname()[1]
        stack.enter_context(_own_folder_for_uploads(page))
        app = page_app(
            page,
            host=host,
            port=port,
            allowed_hosts=allowed_hosts,
            users=users,
            sign_in=sign_in,
        )
        config = uvicorn.Config(
            app,
            log_level="warning",
            # Lines as the program's own; see log_as_json.
            log_config=None if logging.getLogger().handlers else uvicorn.config.LOGGING_CONFIG,
            # A proxy is known by the address that its requests come from.
            proxy_headers=sign_in is None,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        stack.enter_context(_removing_old(_uploads_of(page)))
        deadline = time.monotonic() + _STARTING_SECONDS
        while not server.started and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        shown = f"[{host}]" if ":" in host else host
        try:
            yield f"http://{shown}:{port}/"
        finally:
            server.should_exit = True
            thread.join(timeout=10)


def serve(
    page: gr.Blocks,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    allowed_hosts: Sequence[str] = (),
    users: Mapping[str, str] | None = None,
    sign_in: ProxyHeader | None = None,
    allow_anyone: bool = False,
) -> None:
    """Serve a page until it is interrupted; never through a tunnel.

    Args:
        page: See ``create_app``.
        host: Where it listens: by default only programs of this machine reach it.
        port: Where it listens; 0 for any that is free.
        allowed_hosts: Further names that it answers to, such as those of a reverse proxy.
        users: Passwords, hashed, by name; see ``read_users``. By default nobody is asked.
        sign_in: The header in which a proxy names whom it has let in; others are refused.
        allow_anyone: Whether it may listen off loopback without protection.

    Raises:
        InvalidInputError: The port is taken, or the page would be open to whoever reaches it.
    """
    with serving(
        page,
        host=host,
        port=port,
        allowed_hosts=allowed_hosts,
        users=users,
        sign_in=sign_in,
        allow_anyone=allow_anyone,
    ) as address:
        print(f"The page: {address}  (Ctrl-C ends it)", flush=True)  # noqa: T201
        print(_who(host, users, sign_in, allowed_hosts), flush=True)  # noqa: T201
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            return


def _who(
    host: str,
    users: Mapping[str, str] | None,
    sign_in: ProxyHeader | None,
    allowed_hosts: Sequence[str],
) -> str:
    reached = "programs on this machine" if is_loopback(host) else "whoever reaches this machine"
    names = f", also by {', '.join(allowed_hosts)}" if allowed_hosts else ""
    asked = f"after a password, one of {len(users)}" if users else "without a password"
    if sign_in is not None:
        asked = f"{asked}, if {' or '.join(sign_in.proxies)} names them in {sign_in.name}"
    return f"It answers {reached}{names}, {asked}."


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen(128)
        except OSError as error:
            raise InvalidInputError(
                f"port={port}: {host} cannot be listened on there ({error.strerror}); is another "
                "page open? Name another port, or 0 for any that is free"
            ) from error
        yield listening


@contextmanager
def _removing_old(uploads: Uploads) -> Iterator[None]:
    over = Event()

    def remove() -> None:
        while not over.wait(_CLEANING_SECONDS):
            uploads.remove_old()

    thread = Thread(target=remove, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def _own_folder_for_uploads(page: gr.Blocks) -> Iterator[None]:
    """Uploads lie in a folder of their own that is gone with the server."""
    before = os.environ.get("GRADIO_TEMP_DIR")
    with tempfile.TemporaryDirectory(prefix="dar-page-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        page.GRADIO_CACHE = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["GRADIO_TEMP_DIR"]
            else:
                os.environ["GRADIO_TEMP_DIR"] = before
