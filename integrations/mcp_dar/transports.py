"""Serves clients over stdio or streamable HTTP."""

from __future__ import annotations

import hmac
import logging
from typing import Any, Final

from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_LOGGER: Final = logging.getLogger(__name__)
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


def serve_stdio(server: MCPServer[Any]) -> None:
    """Serve one client over standard input and output until it disconnects."""
    server.run("stdio")


def serve_http(
    server: MCPServer[Any], *, host: str = "127.0.0.1", port: int = 8000, token: str = ""
) -> None:
    """Serve over streamable HTTP at ``/mcp`` until stopped.

    Args:
        server: See ``create_server``.
        host: Loopback by default; elsewhere give a token.
        port: Where it listens.
        token: What clients have to send as ``Authorization: Bearer TOKEN``; nothing by default.
    """
    import uvicorn

    if host not in _LOOPBACK and not token:
        _LOGGER.warning("%s:%d is open to whoever reaches it; set a token", host, port)
    uvicorn.run(http_app(server, host=host, token=token), host=host, port=port, log_level="warning")


def http_app(server: MCPServer[Any], *, host: str = "127.0.0.1", token: str = "") -> Starlette:
    """The server as an ASGI application, to run or to mount elsewhere; see ``serve_http``."""
    # On loopback the library checks the Host header itself; elsewhere the name is not ours to know.
    security = None
    if host not in _LOOPBACK:
        security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    app = server.streamable_http_app(host=host, transport_security=security)
    if token:
        app.add_middleware(_BearerToken, token=token)
    return app


class _BearerToken:
    """Lets through only requests that carry the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).get("authorization", "") if scope["type"] == "http" else ""
        if scope["type"] == "lifespan" or hmac.compare_digest(given.encode(), self._expected):
            await self._app(scope, receive, send)
            return
        refusal = PlainTextResponse(
            "a bearer token is needed\n", 401, headers={"WWW-Authenticate": "Bearer"}
        )
        await refusal(scope, receive, send)
