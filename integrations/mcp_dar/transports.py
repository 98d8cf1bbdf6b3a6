"""Serves clients over stdio or streamable HTTP."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any, Final

from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from dar_retriever.support.web_access import AccessGuard, require_protection

_HEADERS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)


def serve_stdio(server: MCPServer[Any]) -> None:
    """Serve one client over standard input and output until it disconnects."""
    server.run("stdio")


def serve_http(
    server: MCPServer[Any],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str = "",
    allowed_hosts: Sequence[str] = (),
    allow_anyone: bool = False,
) -> None:
    """Serve over streamable HTTP at ``/mcp`` until stopped.

    Args:
        server: See ``create_server``.
        host: Loopback by default; elsewhere give a token, or make the server with OAuth.
        port: Where it listens.
        token: What clients have to send as ``Authorization: Bearer TOKEN``; nothing by default.
        allowed_hosts: Further names that it answers to, such as those of a reverse proxy.
        allow_anyone: Whether it may listen off loopback without a token.

    Raises:
        InvalidInputError: It would be open to whoever reaches it.
    """
    import uvicorn

    protected = bool(token) or server.settings.auth is not None
    require_protection(
        host, protected=protected, protection="a token (--token)", allow_anyone=allow_anyone
    )
    app = http_app(server, host=host, token=token, allowed_hosts=allowed_hosts)
    uvicorn.run(app, host=host, port=port, log_level="warning")


def http_app(
    server: MCPServer[Any],
    *,
    host: str = "127.0.0.1",
    token: str = "",
    allowed_hosts: Sequence[str] = (),
) -> Starlette:
    """The server as an ASGI application, to run or to mount elsewhere; see ``serve_http``."""
    # The guard checks Host and Origin, as it does for the page.
    unchecked = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    app = server.streamable_http_app(host=host, transport_security=unchecked)
    if token:
        app.add_middleware(_BearerToken, token=token)
    app.add_middleware(AccessGuard, host=host, allowed_hosts=allowed_hosts, headers=_HEADERS)
    return app


class _BearerToken:
    """Lets through only requests that carry the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).get("authorization", "") if scope["type"] == "http" else ""
        scheme, _, token = given.partition(" ")
        # The name of a scheme may have any case (RFC 9110).
        allowed = hmac.compare_digest(token.strip().encode(), self._expected)
        if scope["type"] == "lifespan" or (allowed and scheme.lower() == "bearer"):
            await self._app(scope, receive, send)
            return
        refusal = PlainTextResponse(
            "a bearer token is needed\n", 401, headers={"WWW-Authenticate": "Bearer"}
        )
        await refusal(scope, receive, send)
