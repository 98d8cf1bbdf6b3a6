"""What strangers may send to the MCP server over HTTP."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from threading import Thread
from typing import Any

import httpx2
import pytest
import uvicorn
from conftest import free_port
from mcp_dar import create_server, http_app

from dar_retriever import DARQueryEncoder, DiffusionAugmentedRetriever

TOKEN = "a-token-of-the-test"  # noqa: S105 (of the test alone)
HEADERS = {
    "Authorization": f"Bearer {TOKEN}",
    "Accept": "application/json, text/event-stream",
    "Content-Type": "application/json",
}
MEGABYTE = b" " * 1_000_000


@pytest.fixture(scope="module")
def address(demo: DiffusionAugmentedRetriever) -> Iterator[str]:
    """A server of the demo that draws nothing."""
    words = DiffusionAugmentedRetriever(DARQueryEncoder(demo.query_encoder.encoder), demo.store)
    port = free_port()
    app = http_app(create_server(words, images="none"), token=TOKEN)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}/mcp"
    server.should_exit = True
    thread.join(20)


def listed(address: str) -> int:
    """The status of a request that is in order."""
    asked = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": PARAMS}
    return httpx2.post(address, json=asked, headers=HEADERS, timeout=20).status_code


PARAMS: dict[str, Any] = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer another"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
    ],
    ids=str,
)
def test_strangers_are_refused(address: str, headers: dict[str, str], status: int) -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}

    answer = httpx2.post(address, json=asked, headers={**HEADERS, **headers}, timeout=20)

    assert answer.status_code == status
    assert listed(address) == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b'{"jsonrpc": "2.0"}',
        b'{"jsonrpc": "9", "id": {}, "method": 5}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": "x"}).encode(),
    ],
    ids=lambda body: str(body[:20]),
)
def test_garbage_is_answered_with_an_error(address: str, body: bytes) -> None:
    answer = httpx2.post(address, content=body, headers=HEADERS, timeout=20)

    assert 400 <= answer.status_code < 500 or "error" in answer.text
    assert listed(address) == 200


def test_a_body_of_100_megabytes_is_refused(address: str) -> None:
    def body() -> Iterator[bytes]:
        for _ in range(100):
            yield MEGABYTE

    try:
        status = httpx2.post(address, content=body(), headers=HEADERS, timeout=60).status_code
    # The server may hang up before all is sent.
    except httpx2.TransportError:
        status = 413

    assert status == 413
    assert listed(address) == 200


def test_a_body_that_never_ends_keeps_nobody_waiting(address: str) -> None:
    host, _, port = address.removeprefix("http://").removesuffix("/mcp").partition(":")
    lines = [
        "POST /mcp HTTP/1.1",
        f"Host: {host}:{port}",
        *(f"{name}: {value}" for name, value in HEADERS.items()),
        "Content-Length: 1000",
    ]
    slow = []
    for _ in range(50):
        waiting = socket.create_connection((host, int(port)))
        waiting.sendall("\r\n".join(lines).encode() + b'\r\n\r\n{"jsonrpc"')
        slow.append(waiting)

    began = time.monotonic()
    assert listed(address) == 200
    assert time.monotonic() - began < 15
    for waiting in slow:
        waiting.close()
