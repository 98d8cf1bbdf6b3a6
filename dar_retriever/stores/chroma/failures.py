"""Turns Chroma's errors into errors of this package."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dar_retriever.errors import (
    DARError,
    InvalidFilterError,
    StoreError,
    StoreUnavailableError,
)
from dar_retriever.stores.filters import Filter

# With less space than this, SQLite and Chroma's index fail, often without saying why.
_LITTLE_ROOM: Final = 2**20


@contextmanager
def chroma_errors(
    server: str = "", where: Filter | None = None, folder: Path | None = None
) -> Iterator[None]:
    """Turn all errors of Chroma and its transport into errors of this package.

    Args:
        server: Name of the server, for the message.
        where: Filter of the call; Chroma may have refused it.
        folder: Folder of Chroma's files.

    Raises:
        StoreUnavailableError: No server answers.
        InvalidFilterError: A call with a filter failed.
        StoreError: Anything else failed.
    """
    try:
        yield
    except DARError:
        raise
    # For the same cause Chroma can raise its own errors, ValueError, httpx's or Rust's.
    except Exception as error:
        from httpx import TransportError

        reason = f"{type(error).__name__}: {error}"[:300]
        text = str(error).lower()
        if is_late(error):
            raise StoreUnavailableError(
                f"the Chroma server{' at ' + server if server else ''} takes too long to answer "
                f"({reason}); see whether it hangs, or give it more time with timeout=SECONDS"
            ) from error
        if "could not connect" in text or isinstance(error, TransportError):
            raise StoreUnavailableError(
                f"no Chroma server answers{' at ' + server if server else ''} ({reason}); start "
                "one with 'chroma run --path FOLDER --port PORT', or check host and port"
            ) from error
        if folder is not None and _is_full(folder):
            raise StoreError(
                f"the disk of {str(folder)!r} is full ({reason}); make room and try again, an "
                "ingest goes on where it stopped"
            ) from error
        if where is not None and not isinstance(error, OSError):
            raise InvalidFilterError(
                f"Chroma refuses the filter {dict(where)!r} ({reason}); write it as "
                "{'field': value} or with operators such as {'field': {'$in': [...]}}"
            ) from error
        if "different settings" in text:
            raise StoreError(
                f"another Chroma client of this process has the folder open ({reason}); give that "
                "client to ImageStore(client, encoder, collection)"
            ) from error
        raise StoreError(f"Chroma failed ({reason}); check its folder or server") from error


def is_late(error: BaseException | None) -> bool:
    """Whether an error says that a server did not answer in time."""
    from httpx import TimeoutException

    return isinstance(error, TimeoutException)


def _is_full(folder: Path) -> bool:
    # The folder may be missing.
    try:
        return shutil.disk_usage(folder).free < _LITTLE_ROOM
    except OSError:
        return False
