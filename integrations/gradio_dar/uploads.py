"""What visitors upload: kept apart from each other, bounded, and gone soon."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from threading import Lock
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE: Final = "dar-visitor"
_UPLOAD: Final = "/gradio_api/upload"
_TOO_MANY: Final = 429
_TOO_LARGE: Final = 413


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What a visitor's uploads may take until they are sent.

    Attributes:
        files: How many there may be.
        bytes: How large they may be together.
        seconds: How long they are kept.
    """

    files: int = 16
    bytes: int = 64 * 2**20
    seconds: float = 600.0


@dataclass(slots=True)
class _Upload:
    path: Path
    size: int
    at: float


@dataclass(slots=True)
class Uploads:
    """Knows which file is whose, and removes what is over.

    Attributes:
        limits: Of each visitor.
        first: The visitor who opened the page first.
    """

    limits: UploadLimits = field(default_factory=UploadLimits)
    first: str = ""
    _of: dict[str, list[_Upload]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def room(self, visitor: str) -> tuple[int, int]:
        """How many files and bytes a visitor may still upload."""
        self.remove_old()
        with self._lock:
            there = self._of.get(visitor, [])
            return (
                self.limits.files - len(there),
                self.limits.bytes - sum(upload.size for upload in there),
            )

    def add(self, visitor: str, paths: Iterable[str]) -> None:
        """Note what a visitor has uploaded."""
        now = time.monotonic()
        with self._lock:
            for path in map(Path, paths):
                size = path.stat().st_size if path.is_file() else 0
                self._of.setdefault(visitor, []).append(_Upload(path, size, now))

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files that were read; what nobody uploaded is left alone."""
        gone = set(map(Path, paths))
        with self._lock:
            self._drop(lambda _, upload: upload.path in gone)

    def leave(self, visitor: str) -> None:
        """A visitor has gone."""
        with self._lock:
            self._drop(lambda whose, _: whose == visitor)

    def remove_old(self) -> None:
        """Remove what nobody has sent for long."""
        oldest = time.monotonic() - self.limits.seconds
        with self._lock:
            self._drop(lambda _, upload: upload.at < oldest)

    def _drop(self, over: Callable[[str, _Upload], bool]) -> None:
        for visitor, uploads in list(self._of.items()):
            for upload in uploads:
                if over(visitor, upload):
                    _delete(upload.path)
            kept = [upload for upload in uploads if not over(visitor, upload)]
            if kept:
                self._of[visitor] = kept
            else:
                del self._of[visitor]


def _delete(path: Path) -> None:
    path.unlink(missing_ok=True)
    # Gradio gives each upload a folder of its own.
    if path.parent.is_dir() and not any(path.parent.iterdir()):
        shutil.rmtree(path.parent, ignore_errors=True)


def visitor_of(headers: Headers) -> str:
    """The visitor whom a request's cookie names; empty for none."""
    cookie: SimpleCookie = SimpleCookie(headers.get("cookie", ""))
    return cookie[COOKIE].value if COOKIE in cookie else ""


class Visitors:
    """Gives every browser a name of its own, and holds its uploads to the limits.

    Args:
        app: The page.
        uploads: Where uploads are noted.
    """

    def __init__(self, app: ASGIApp, uploads: Uploads) -> None:
        self._app = app
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visitor = visitor_of(Headers(scope=scope))
        if scope["path"].endswith(_UPLOAD):
            await self._upload(scope, receive, send, visitor)
        elif scope["path"].removeprefix(scope.get("root_path", "")) in {"", "/"}:
            # A browser may bring a name already: cookies know no ports.
            name = visitor or secrets.token_urlsafe(16)
            self._uploads.first = self._uploads.first or name
            await self._app(scope, receive, send if visitor else _naming(send, name))
        else:
            await self._app(scope, receive, send)

    async def _upload(self, scope: Scope, receive: Receive, send: Send, visitor: str) -> None:
        refused = self._refused(visitor)
        if refused is not None:
            await refused(scope, receive, send)
            return
        _, size = self._uploads.room(visitor)
        bounded = _Bounded(receive, send, size)
        try:
            await self._app(scope, bounded.receive, bounded.send)
        # The page's own code may fail on a form that is cut off.
        except Exception:
            if not bounded.over:
                raise
        if bounded.over:
            await PlainTextResponse("That is too large.\n", _TOO_LARGE)(scope, receive, send)
        else:
            self._uploads.add(visitor, _paths_in(bounded.answer))

    def _refused(self, visitor: str) -> PlainTextResponse | None:
        if not visitor:
            return PlainTextResponse("Open the page first.\n", 403)
        files, size = self._uploads.room(visitor)
        if files < 1 or size < 1:
            return PlainTextResponse("Send the pictures that wait first.\n", _TOO_MANY)
        return None


def _naming(send: Send, visitor: str) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            cookie = f"{COOKIE}={visitor}; Path=/; HttpOnly; SameSite=Strict"
            message["headers"] = [*message["headers"], (b"set-cookie", cookie.encode())]
        await send(message)

    return sent


class _Bounded:
    """A request whose body may have so many bytes, and its answer."""

    def __init__(self, receive: Receive, send: Send, size: int) -> None:
        self._receive = receive
        self._send = send
        self._left = size
        self.answer = b""

    @property
    def over(self) -> bool:
        return self._left < 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        # What is cut off here is no complete form, so nothing of it is kept.
        return {"type": "http.disconnect"} if self.over else message

    async def send(self, message: Message) -> None:
        if not self.over:
            self.answer += message.get("body", b"")
            await self._send(message)


def _paths_in(body: bytes) -> list[str]:
    try:
        value = json.loads(body)
    except ValueError:
        return []
    return [path for path in value if isinstance(path, str)] if isinstance(value, list) else []
