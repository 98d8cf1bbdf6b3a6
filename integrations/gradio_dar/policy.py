"""The Content-Security-Policy of the page: of inline scripts, only Gradio's own run."""

from __future__ import annotations

import secrets
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Gradio makes functions of the scripts of gr.HTML, and styles of attributes.
_POLICY: Final = (
    "default-src 'self'; script-src 'self'{nonce} 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_SCRIPT: Final = b"<script"


class OwnScripts:
    """Answers everything with the policy, and marks the scripts of Gradio's template as allowed.

    Whatever else stands in that page is escaped by Gradio, so each script tag in it is the
    template's. What scripts add later, such as a caption, has no mark: its scripts and handlers
    never run.

    Args:
        app: The page.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if b"text/html" in dict(scope["headers"]).get(b"accept", b""):
            # Compressed, it could not be marked.
            kept = [each for each in scope["headers"] if each[0] != b"accept-encoding"]
            scope = {**scope, "headers": kept}
        await self._app(scope, receive, _Marked(send).send)


class _Marked:
    """An answer on its way out; a page waits until all of it is there."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        """See ASGI."""
        if message["type"] == "http.response.start":
            if Headers(raw=message["headers"]).get("content-type", "").startswith("text/html"):
                self._start = message
                return
            MutableHeaders(raw=message["headers"])["Content-Security-Policy"] = _POLICY.format(
                nonce=""
            )
        if self._start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body"):
            await self._finish(self._start)

    async def _finish(self, start: Message) -> None:
        nonce = secrets.token_urlsafe(16)
        body = self._body.replace(_SCRIPT, _SCRIPT + f' nonce="{nonce}"'.encode())
        headers = MutableHeaders(raw=list(start["headers"]))
        headers["Content-Security-Policy"] = _POLICY.format(nonce=f" 'nonce-{nonce}'")
        headers["Content-Length"] = str(len(body))
        await self._send({**start, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": bytes(body)})
