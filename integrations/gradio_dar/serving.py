"""Serving the page."""

from __future__ import annotations

import logging
import os
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from threading import Event, Thread
from typing import Final

import uvicorn

from dar_retriever import InvalidInputError
from dar_retriever.support.web_access import is_loopback, require_protection
from gradio_dar.application import Pages, named, page_app, uploads_of
from gradio_dar.proxy import ProxyHeader
from gradio_dar.rights import Rights
from gradio_dar.uploads import Uploads

_PROTECTION: Final = (
    "passwords (--users FILE), with a proxy's sign-in (--user-header NAME), or with a proxy that "
    "you name (--allowed-host NAME)"
)
_STARTING_SECONDS: Final = 60.0
_CLEANING_SECONDS: Final = 5.0


@contextmanager
def serving(
    page: Pages,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    allowed_hosts: Sequence[str] = (),
    users: Mapping[str, str] | None = None,
    sign_in: ProxyHeader | None = None,
    rights: Rights | None = None,
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
            rights=rights,
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
        for each in named(page).values():
            stack.enter_context(_removing_old(uploads_of(each)))
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
    page: Pages,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    allowed_hosts: Sequence[str] = (),
    users: Mapping[str, str] | None = None,
    sign_in: ProxyHeader | None = None,
    rights: Rights | None = None,
    allow_anyone: bool = False,
) -> None:
    """Serve a page until it is interrupted; never through a tunnel.

    Args:
        page: See ``create_app``. Several by name are served at /NAME/ each, with a list at /.
        host: Where it listens: by default only programs of this machine reach it.
        port: Where it listens; 0 for any that is free.
        allowed_hosts: Further names that it answers to, such as those of a reverse proxy.
        users: Passwords, hashed, by name; see ``read_users``. By default nobody is asked.
        sign_in: The header in which a proxy names whom it has let in; others are refused.
        rights: Which of several pages each person may open; all by default.
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
        rights=rights,
        allow_anyone=allow_anyone,
    ) as address:
        print(f"The page: {address}  (Ctrl-C ends it)", flush=True)  # noqa: T201
        # Whoever comes first does not wait for what a first search opens.
        for each in named(page).values():
            Thread(target=getattr(each, "warm", int), daemon=True).start()
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
def _own_folder_for_uploads(page: Pages) -> Iterator[None]:
    """Uploads lie in a folder of their own that is gone with the server."""
    before = os.environ.get("GRADIO_TEMP_DIR")
    with tempfile.TemporaryDirectory(prefix="dar-page-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        for each in named(page).values():
            each.GRADIO_CACHE = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["GRADIO_TEMP_DIR"]
            else:
                os.environ["GRADIO_TEMP_DIR"] = before
