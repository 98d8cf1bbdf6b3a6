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
    from chromadb.api import ServerAPI
    from chromadb.api.client import Client
    from chromadb.config import Settings, System
    from chromadb.telemetry.product import ProductTelemetryClient

    settings = Settings(
        chroma_api_impl="chromadb.api.fastapi.FastAPI",
        chroma_server_host=host,
        chroma_server_http_port=port,
        chroma_server_ssl_enabled=ssl,
        chroma_server_headers=headers,
    )
    system = System(settings)
    system.instance(ProductTelemetryClient)
    # HttpClient would send its first request before a limit can be set, and has no option for one.
    system.instance(ServerAPI)._session.timeout = timeout  # noqa: SLF001
    system.start()
    return Client.from_system(system)
