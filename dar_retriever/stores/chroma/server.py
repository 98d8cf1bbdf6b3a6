"""A client of a Chroma server that does not wait for ever."""

from __future__ import annotations

from typing import Any


def server_client(
    host: str, port: int, *, ssl: bool, headers: dict[str, str] | None, timeout: float
) -> Any:
    """A client of a server.

    Args:
        host: Its name or address.
        port: Its port.
        ssl: Whether to encrypt.
        headers: Sent with every request.
        timeout: Seconds that the server may take for one answer.
    """
    import chromadb
    import httpx

    # Chroma waits for ever for the answers to its first requests, so ask before it does.
    address = f"{'https' if ssl else 'http'}://{host}:{port}/api/v2/heartbeat"
    httpx.get(address, headers=headers, timeout=timeout)
    client = chromadb.HttpClient(host, port, ssl, headers)
    # It has no option for a limit.
    client._server._session.timeout = timeout  # noqa: SLF001
    return client
