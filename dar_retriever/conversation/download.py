"""Downloads from untrusted URLs, with checked addresses and limits on size, time and redirects."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import httpcore
import httpx

from dar_retriever.errors import InvalidImageError
from dar_retriever.support.deadline import call_within

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_IPV6_PUBLIC: Final = ipaddress.IPv6Network("2000::/3")
# IPv6-only networks reach IPv4 through these; the last four bytes are the IPv4 address (RFC 6052).
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a download.

    Attributes:
        max_bytes: Maximum size of the body.
        seconds: Maximum time for everything: the look-up of the host, redirects and the body.
        redirects: Maximum number of redirects; each is checked like the first address.
        private_networks: Whether to connect to addresses that are not public.
    """

    max_bytes: int
    seconds: float
    redirects: int
    private_networks: bool


def download(url: str, limits: Limits) -> bytes:
    """Send a GET request and return the body of the response.

    Each host is looked up only once, and the connection goes to the address that was checked. So a
    name cannot point to another address between check and connection. Proxy settings of the
    environment are ignored, and nothing but the request itself is sent.

    Args:
        url: An http or https URL.
        limits: See ``Limits``.

    Raises:
        InvalidImageError: The URL is of another kind, a host has an address that is not public, a
            limit is exceeded, or there is no usable response.
    """
    name, deadline = repr(url[:60]), time.monotonic() + limits.seconds
    try:
        # A look-up cannot be interrupted. Everything else ends by itself at the deadline.
        return call_within(limits.seconds, lambda: _followed(url, name, limits, deadline))
    except InvalidImageError:
        raise
    # Network code can raise anything.
    except Exception as error:
        late = isinstance(error, TimeoutError | httpcore.TimeoutException)
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        if late:
            reason = f"no complete answer within {limits.seconds:g} s"
        raise InvalidImageError(
            f"{name}: cannot be downloaded ({reason}); try again or pass the image itself"
        ) from error


def is_public(address: str) -> bool:
    """Whether an IP address is public, and so is any IPv4 address embedded in it."""
    if "%" in address:
        return False
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(ip.packed[-4:])
        if inner is not None:
            return is_public(str(inner))
        if ip not in _IPV6_PUBLIC or ip.sixtofour or ip.teredo:
            return False
    return ip.is_global and not ip.is_multicast


def _followed(url: str, name: str, limits: Limits, deadline: float) -> bytes:
    """Follow the redirects and return the body."""
    place = httpx.URL(url)
    for _ in range(limits.redirects + 1):
        answer = _answer(place, name, limits, deadline)
        if isinstance(answer, bytes):
            return answer
        place = place.join(answer)
    raise InvalidImageError(
        f"{name}: redirected more than {limits.redirects} times; use the final address"
    )


def _answer(place: httpx.URL, name: str, limits: Limits, deadline: float) -> bytes | str:
    """The body of one response, or the address that it redirects to."""
    web = place.scheme in ("http", "https")
    # A percent sign names a network interface, or hides another character.
    if not web or not place.host or "%" in place.host or place.userinfo:
        raise InvalidImageError(
            f"{name}: leads to something else than http://host/... or https://host/... without "
            "user and password; use such an address"
        )
    backend = _CheckedBackend(name, limits, deadline)
    target = httpcore.URL(
        scheme=place.raw_scheme, host=place.raw_host, port=place.port, target=place.raw_path
    )
    headers = [
        (b"Host", place.netloc),
        (b"User-Agent", b"dar-retriever"),
        (b"Accept", b"image/*"),
        (b"Accept-Encoding", b"identity"),
        (b"Connection", b"close"),
    ]
    secured = httpx.create_ssl_context() if place.scheme == "https" else None
    with (
        httpcore.ConnectionPool(secured, network_backend=backend) as pool,
        pool.stream("GET", target, headers=headers) as response,
    ):
        found = {key.lower(): value.decode("latin-1") for key, value in response.headers}
        if response.status in _REDIRECTS and b"location" in found:
            return found[b"location"]
        if response.status != httpx.codes.OK:
            raise InvalidImageError(f"{name}: the server answers {response.status}; check it")
        if found.get(b"content-encoding", "identity").lower() != "identity":
            raise InvalidImageError(
                f"{name}: the server compresses its response unasked; pass the image itself"
            )
        return _body(response.iter_stream(), int(found.get(b"content-length", 0)), name, limits)


def _body(chunks: Iterable[bytes], announced: int, name: str, limits: Limits) -> bytes:
    body = bytearray()
    for chunk in chunks if announced <= limits.max_bytes else ():
        body += chunk
        if len(body) > limits.max_bytes:
            break
    if max(announced, len(body)) > limits.max_bytes:
        raise InvalidImageError(
            f"{name}: more than {limits.max_bytes:,} bytes; use a smaller version of it"
        )
    return bytes(body)


class _CheckedBackend(httpcore.SyncBackend):
    """Connects only to checked addresses; every step ends at the deadline."""

    def __init__(self, name: str, limits: Limits, deadline: float) -> None:
        self._name = name
        self._limits = limits
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        options = list(socket_options or ())
        problem: Exception = OSError("no address")
        for address in self._addresses(host, port):
            left = _left(self._deadline)
            try:
                stream = super().connect_tcp(address, port, left, local_address, options)
            # The next address may work.
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
            else:
                return _TimedStream(stream, self._deadline)
        raise problem

    def _addresses(self, host: str, port: int) -> list[str]:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(place[0]) for *_, place in found))
        if not self._limits.private_networks and not all(map(is_public, addresses)):
            raise InvalidImageError(
                f"{self._name}: leads to an address that is not public; pass the image itself, or "
                "allow such addresses with ImageAccess(web=True, private_networks=True)"
            )
        return addresses


class _TimedStream(httpcore.NetworkStream):
    """A connection on which every step ends at the deadline, even if data arrive very slowly."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        left = _left(self._deadline)
        secured = self._stream.start_tls(ssl_context, server_hostname, left)
        return _TimedStream(secured, self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time is up")
    return left
