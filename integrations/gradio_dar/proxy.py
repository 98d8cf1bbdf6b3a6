"""Signing in at a reverse proxy, which names the person in a header."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from dar_retriever import InvalidInputError
from gradio_dar.rights import Rights

HEALTH: Final = "/health"


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """Which header of which proxies says who somebody is.

    Attributes:
        name: The header, such as "X-Forwarded-User". The proxy has to set or remove it in every
            request, so that visitors cannot.
        proxies: The addresses that the proxies' requests come from. All others are refused.

    Raises:
        InvalidInputError: The name is empty, or a proxy is no address.
    """

    name: str
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.name.isascii():
            raise InvalidInputError(f"header={self.name!r}: name one, such as X-Forwarded-User")
        for proxy in self.proxies:
            try:
                ipaddress.ip_address(proxy)
            except ValueError:
                raise InvalidInputError(
                    f"proxy={proxy!r}: give the address that its requests come from, such as "
                    "127.0.0.1"
                ) from None


class SignedIn:
    """Lets through those whom a proxy names, and questions about health.

    Args:
        app: What only they may use.
        header: Where the proxy names them.
        rights: Which of several stores each of them may open; all by default.
    """

    def __init__(self, app: ASGIApp, header: ProxyHeader, rights: Rights | None = None) -> None:
        self._app = app
        self._rights = rights
        self._name = header.name.strip().lower().encode()
        self._proxies = {ipaddress.ip_address(proxy) for proxy in header.proxies}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "lifespan" or scope.get("path") == HEALTH:
            await self._app(scope, receive, send)
            return
        refused = self._refused(scope)
        if refused is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await refused(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _refused(self, scope: Scope) -> PlainTextResponse | None:
        try:
            known = ipaddress.ip_address((scope.get("client") or ("",))[0]) in self._proxies
        # Sockets of files have no address.
        except ValueError:
            known = False
        if not known:
            return PlainTextResponse("Come through the proxy.\n", 403)
        named = [value for name, value in scope["headers"] if name == self._name]
        if len(named) != 1 or not named[0].strip():
            return PlainTextResponse("Sign in at the proxy first.\n", 401)
        store = scope["path"].strip("/").partition("/")[0]
        person = named[0].decode("utf-8", "replace").strip()
        if self._rights is not None and store and not self._rights.may(person, store):
            return PlainTextResponse("This store is not open to you.\n", 403)
        return None
