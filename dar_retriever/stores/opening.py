"""Opens the store at a folder, an address, or wherever a function finds it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, TypeGuard
from urllib.parse import urlsplit

from dar_retriever.encoders.base import JointEncoder
from dar_retriever.errors import InvalidInputError
from dar_retriever.stores.base import SearchableStore, StoreOpener
from dar_retriever.stores.engines import ENGINES, AddressStore, is_engine, open_engine
from dar_retriever.stores.image_store import DEFAULT_COLLECTION, ImageStore
from dar_retriever.stores.moving import MovingStore
from dar_retriever.stores.roots import NOWHERE_ELSE, Folders
from dar_retriever.support.addresses import shown_address
from dar_retriever.support.paths import is_folder_gone

_SERVERS: Final = ("http://", "https://")
_MOVING: Final = "moving:"


def open_store(
    place: str | os.PathLike[str] | StoreOpener | None, encoder: JointEncoder
) -> SearchableStore:
    """Open the store at a folder or address.

    Args:
        place: Folder of the image store; address of a Chroma server, such as
            "http://localhost:8000" or "http://localhost:8000/COLLECTION"; address of another
            engine, see ``open_engine``; "moving:OLD,NEW" for two of these, see ``MovingStore``; or
            a function that opens a store for the encoder. None for a store in memory.
        encoder: The encoder of the store.

    Raises:
        InvalidInputError: An address has no host, or its port is not valid.
        EncoderMismatchError: Another encoder filled the store.
        StoreUnavailableError: The server does not answer, or the folder cannot be used.
    """
    if place is None:
        return ImageStore.in_memory(encoder)
    if is_moving(place):
        old, new = _both(place)
        return MovingStore(open_image_store(new, encoder), open_image_store(old, None), encoder)
    if isinstance(place, str | os.PathLike):
        return open_image_store(place, encoder)
    return place(encoder)


def open_image_store(
    place: str | os.PathLike[str],
    encoder: JointEncoder | None,
    roots: Folders = NOWHERE_ELSE,
) -> ImageStore | AddressStore:
    """Open the store in a folder, on a server at http://HOST:PORT/COLLECTION, or on an engine.

    Args:
        place: The folder or address.
        encoder: The encoder of the store; None opens one that is there as it is.
        roots: See ``ImageStore``.

    Raises:
        InvalidInputError: An address has no host, or its port is not valid; or the folder is
            missing, and there is no encoder to create a store for.
        EncoderMismatchError: Another encoder filled the store.
        StoreUnavailableError: The server does not answer.
        StoreError: The folder cannot be used.
    """
    if is_engine(place):
        return AddressStore(open_engine(place), encoder, roots=roots)
    if is_server(place):
        return _on_server(place, encoder, roots)
    if "://" in os.fspath(place):
        raise InvalidInputError(
            f"store={shown_address(place)!r}: no such engine; write a folder, or an address "
            f"that begins with {', '.join((*_SERVERS, *ENGINES))}"
        )
    if encoder is None and is_folder_gone(place):
        raise InvalidInputError(f"store={os.fspath(place)!r} does not exist; name a store's folder")
    return ImageStore.on_disk(Path(place), encoder, roots=roots)


def is_moving(place: object) -> TypeGuard[str]:
    """Whether this names two stores, of which one replaces the other."""
    return isinstance(place, str) and place.startswith(_MOVING)


def _both(place: str) -> tuple[str, str]:
    old, _, new = place.removeprefix(_MOVING).partition(",")
    if not old or not new or "," in new:
        raise InvalidInputError(
            f"store={shown_address(place)!r}: write moving:OLD,NEW with the two stores"
        )
    return old, new


def is_address(place: object) -> TypeGuard[str]:
    """Whether this is an address and not a folder of Chroma."""
    return is_server(place) or is_engine(place) or is_moving(place)


def is_server(place: object) -> TypeGuard[str]:
    """Whether this is the address of a Chroma server."""
    return isinstance(place, str) and place.lower().startswith(_SERVERS)


def _on_server(address: str, encoder: JointEncoder | None, roots: Folders) -> ImageStore:
    try:
        url = urlsplit(address)
        host, port = url.hostname, url.port or (443 if url.scheme == "https" else 8000)
    except ValueError:
        # The error may name a part of a password.
        raise InvalidInputError(
            f"store={shown_address(address)!r}: the port is no number; use http://HOST:PORT"
        ) from None
    if not host:
        raise InvalidInputError(
            f"store={shown_address(address)!r} names no host; use http://HOST:PORT"
        )
    collection = url.path.strip("/") or DEFAULT_COLLECTION
    ssl = url.scheme == "https"
    return ImageStore.on_server(encoder, host, port, collection, ssl=ssl, roots=roots)
