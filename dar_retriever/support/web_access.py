"""Who may talk to a server: checked before anything else answers, for every server of this package.

A web site can make its own name point to this machine (DNS rebinding); the browser then lets its
scripts read whatever answers to that name. So a server answers to names that it knows, and to
scripts of pages that it served.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from dar_retriever.errors import InvalidInputError

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_SHOWN: Final = 100
_REFUSED_NAME: Final = 421
_REFUSED_ORIGIN: Final = 403


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine reach a server that listens there."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def require_protection(
    host: str, *, protected: bool, protection: str, allow_anyone: bool = False
) -> None:
    """Refuse to listen off loopback without protection.

    Args:
        host: Where the server is to listen.
        protected: Whether visitors have to prove who they are.
        protection: How to make them, for the error.
        allow_anyone: Whether the operator wants no protection.

    Raises:
        InvalidInputError: The server would be open to whoever reaches it.
    """
    if is_loopback(host) or protected or allow_anyone:
        return
    raise InvalidInputError(
        f"host={host!r}: whoever reaches this machine could search the store. Protect it with "
        f"{protection}, or pass --allow-anyone if everybody may"
    )


class AccessGuard:
    """Lets through requests that name this server, from pages that it served.

    Requests of another name in ``Host`` are answered with status 421, those of another ``Origin``
    with 403, in one line that names the option.

    Args:
        app: The ASGI application behind it.
        host: Where the server listens.
        allowed_hosts: Further names that the server answers to, such as those of a reverse proxy:
            ``photos.example.org``, or ``photos.example.org:8443`` for that port alone.
        headers: Response headers for everything that is answered.
    """

    def __init__(
        self,
        app: App,
        *,
        host: str = "127.0.0.1",
        allowed_hosts: Iterable[str] = (),
        headers: Collection[tuple[str, str]] = (),
    ) -> None:
        self._app = app
        self._own = _LOOPBACK | ({host.strip("[]").lower()} - {"0.0.0.0", "::", ""})  # noqa: S104
        self._allowed = [_parts(name) for name in allowed_hosts]
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        refused = self._refused(scope)
        if refused is None:
            await self._app(scope, receive, self._with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _answer(self._with_headers(send), *refused)

    def _refused(self, scope: Scope) -> tuple[int, str] | None:
        """Status and reason where a request is refused."""
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not self._is_own(hosts[0]):
            shown = ascii(hosts[0] if hosts else "")[:_SHOWN]
            option = "start it with --allowed-host NAME if it should"
            return _REFUSED_NAME, f"This server does not answer to the name {shown}; {option}."
        origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
        if origins and (len(origins) > 1 or not self._is_served_here(origins[0], scope)):
            shown = ascii(origins[0])[:_SHOWN]
            option = "start it with --allowed-host NAME if they may"
            return _REFUSED_ORIGIN, f"Pages of {shown} may not use this server; {option}."
        return None

    def _is_own(self, host: str) -> bool:
        name, port = _parts(host)
        return name in self._own or any(
            name == allowed and wanted in (None, port) for allowed, wanted in self._allowed
        )

    def _is_served_here(self, origin: str, scope: Scope) -> bool:
        try:
            parts = urlsplit(origin)
            name, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            return False
        if parts.scheme not in _DEFAULT_PORTS or parts.path or parts.query:
            return False
        port = port or _DEFAULT_PORTS[parts.scheme]
        own = (scope.get("server") or ("", None))[1]
        if name in self._own:
            return port == own
        usual = (*_DEFAULT_PORTS.values(), own)
        return any(
            name == allowed and port in (usual if wanted is None else (wanted,))
            for allowed, wanted in self._allowed
        )

    def _with_headers(self, send: Send) -> Send:
        async def sent(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answered = message.get("headers", ())
                kept = [(name, _kept_here(name, value)) for name, value in answered]
                message["headers"] = [*kept, *self._headers]
            await send(message)

        return sent


def _kept_here(name: bytes, value: bytes) -> bytes:
    """A cookie that other sites' requests do not carry; other headers as they are."""
    lower = value.lower()
    if name.lower() != b"set-cookie" or b"samesite=strict" in lower or b"samesite=lax" in lower:
        return value
    parts = [part for part in value.split(b";") if not part.strip().lower().startswith(b"samesite")]
    return b";".join([*parts, b" SameSite=Lax"])


def _parts(host: str) -> tuple[str, int | None]:
    """Name and port of an authority; a name that nothing has where it is none."""
    try:
        parts = urlsplit(f"//{host}")
        if parts.path or parts.query or parts.fragment or "@" in host:
            return "", None
        return (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "", None


async def _answer(send: Send, status: int, text: str) -> None:
    body = f"{text}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
