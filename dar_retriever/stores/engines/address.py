"""Which engine an address means."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeGuard, get_args
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from dar_retriever.errors import InvalidInputError
from dar_retriever.stores.engines.base import Codes, Engine
from dar_retriever.support.addresses import shown_address

_COLLECTION: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,40}")
_CODES: Final = "codes"
_QDRANT_PORT: Final = 6333
_MILVUS_PORT: Final = 19530


def is_engine(place: object) -> TypeGuard[str]:
    """Whether this is an address of an engine other than Chroma."""
    return isinstance(place, str) and place.partition(":")[0].lower() in _OPENERS


def is_for_one_process(place: object) -> bool:
    """Whether this is an address that one process can open at a time: Qdrant's or Milvus' files."""
    scheme, _, rest = place.partition(":") if isinstance(place, str) else ("", "", "")
    return scheme.lower() in ("qdrant", "milvus") and not rest.startswith("//")


def open_engine(address: str) -> Engine:
    """The collection at an address; it need not exist yet.

    Args:
        address: One of these, with "#COLLECTION" at the end for another name than "images", and
            with "?codes=half", "int8" or "binary" before it where the index is to keep codes:
            "postgresql://USER@HOST/DATABASE", "qdrant://HOST:PORT", "qdrant+https://HOST:PORT",
            "qdrant:FOLDER", "milvus://HOST:PORT", "milvus+https://HOST:PORT", "milvus:FILE.db",
            "lancedb:FOLDER". Keys stand in QDRANT_API_KEY and MILVUS_TOKEN.

    Raises:
        InvalidInputError: The address is none of these, or its engine has no such codes.
        MissingExtraError: The engine's client is not installed.
    """
    rest, _, collection = address.partition("#")
    base, _, query = rest.partition("?")
    options = dict(parse_qsl(query))
    codes = options.pop(_CODES, "float")
    if codes not in get_args(Codes):
        raise InvalidInputError(f"codes={codes!r} is not one of {', '.join(get_args(Codes))}")
    collection = collection or "images"
    if not _COLLECTION.fullmatch(collection):
        raise InvalidInputError(
            f"collection={collection!r}: use up to 41 letters, digits or underscores, beginning "
            "with a letter"
        )
    scheme, _, place = base.partition(":")
    if not place.strip("/"):
        raise InvalidInputError(f"{scheme}: names no place; write for example {_EXAMPLE}")
    further = f"{place}?{urlencode(options)}" if options else place
    return _OPENERS[scheme.lower()](further, collection, codes)  # type: ignore[arg-type]


def _postgres(place: str, collection: str, codes: Codes) -> Engine:
    from dar_retriever.stores.engines.postgres import PostgresEngine

    return PostgresEngine(f"postgresql:{place}", collection, codes)


def _qdrant(place: str, collection: str, codes: Codes) -> Engine:
    from dar_retriever.stores.engines.qdrant import QdrantEngine

    if place.startswith("//"):
        return _qdrant_server("http", place, collection, codes)
    if codes != "float":
        raise InvalidInputError(
            f"codes={codes!r}: Qdrant in a folder searches exactly; use a server, or leave it out"
        )
    return QdrantEngine.in_folder(_path(place), collection)


def _qdrant_server(scheme: str, place: str, collection: str, codes: Codes) -> Engine:
    from dar_retriever.stores.engines.qdrant import QdrantEngine

    url = _with_port(f"{scheme}:{place}", _QDRANT_PORT)
    return QdrantEngine.on_server(url, collection, codes, os.environ.get("QDRANT_API_KEY"))


def _milvus(place: str, collection: str, codes: Codes) -> Engine:
    from dar_retriever.stores.engines.milvus import MilvusEngine

    if place.startswith("//"):
        return _milvus_server("http", place, collection, codes)
    if not place.endswith(".db"):
        raise InvalidInputError(f"milvus:{place}: the name of a file of Milvus Lite ends in .db")
    return MilvusEngine(_path(place), collection, codes)


def _milvus_server(scheme: str, place: str, collection: str, codes: Codes) -> Engine:
    from dar_retriever.stores.engines.milvus import MilvusEngine

    url = _with_port(f"{scheme}:{place}", _MILVUS_PORT)
    return MilvusEngine(url, collection, codes, os.environ.get("MILVUS_TOKEN", ""))


def _lance(place: str, collection: str, codes: Codes) -> Engine:
    from dar_retriever.stores.engines.lance import LanceEngine

    return LanceEngine(_path(place), collection, codes)


def _path(place: str) -> str:
    path = Path(place).expanduser().absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(path)


def _with_port(url: str, port: int) -> str:
    parts = urlsplit(url)
    try:
        named = parts.port
    except ValueError:
        # The error may name a part of a password.
        raise InvalidInputError(
            f"{shown_address(url)!r}: the port is no number; write for example {_EXAMPLE}"
        ) from None
    if not parts.hostname:
        raise InvalidInputError(
            f"{shown_address(url)!r} names no host; write for example {_EXAMPLE}"
        )
    return url if named else urlunsplit(parts._replace(netloc=f"{parts.netloc}:{port}"))


_EXAMPLE: Final = "qdrant://localhost:6333#images"
ENGINES: Final = ("postgresql:", "qdrant:", "milvus:", "lancedb:")
_OPENERS: Final[MappingProxyType[str, Callable[[str, str, Codes], Engine]]] = MappingProxyType(
    {
        "postgresql": _postgres,
        "postgres": _postgres,
        "qdrant": _qdrant,
        "qdrant+https": lambda *parts: _qdrant_server("https", *parts),
        "milvus": _milvus,
        "milvus+https": lambda *parts: _milvus_server("https", *parts),
        "lancedb": _lance,
    }
)
