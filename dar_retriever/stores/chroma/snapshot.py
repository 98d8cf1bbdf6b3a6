"""A folder of Chroma's files that can be read but not written: a share, or another user's.

Chroma writes into every folder that it opens. So here it opens a copy, which is made anew when the
folder has changed.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any, Final, NoReturn

from dar_retriever.errors import StoreError
from dar_retriever.stores.chroma.folder import COPIED, is_being_written, mark_of

_PATIENCE: Final = 60.0
_POLL: Final = 0.05


class FolderSnapshot:
    """A copy of a folder, for reading; it is as large as the folder and lies among temporary files.

    Args:
        path: The folder.
    """

    is_writable = False
    recoveries = 0

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._threads = RLock()
        self._seen = ""
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._client: Any = None
        self.client()

    def client(self) -> Any:
        """A client that sees everything that was written before this call."""
        with self._threads:
            mark = mark_of(self.path)
            if self._client is None or mark != self._seen:
                self._seen = self._renewed()
            return self._client

    @contextmanager
    def opening(self) -> Iterator[Any]:
        """A client for opening a collection."""
        with self._threads:
            yield self.client()

    @contextmanager
    def loading(self) -> Iterator[Any]:
        """A client for loading an index into memory."""
        with self._threads:
            yield self.client()

    def writing(self) -> NoReturn:
        """Refused.

        Raises:
            StoreError: Always.
        """
        raise StoreError(
            f"{str(self.path)!r} can only be read from here: the folder is write-protected or "
            "belongs to another user; write from where it may be written"
        )

    def open_anew(self) -> None:
        """Nothing to do: what is in memory was read from the copy."""

    def _renewed(self) -> str:
        """Open a copy of the folder as it is between two writes; returns its mark."""
        import chromadb

        until = time.monotonic() + _PATIENCE
        while True:
            copy = tempfile.TemporaryDirectory(prefix="dar-store-", ignore_cleanup_errors=True)
            mark = mark_of(self.path)
            if not is_being_written(mark):
                _copy(self.path, Path(copy.name))
                if mark_of(self.path) == mark:
                    break
            if time.monotonic() > until:
                raise StoreError(
                    f"{str(self.path)!r} is being written all the time, so it cannot be read "
                    "from here; wait, or use a Chroma server"
                )
            time.sleep(_POLL)
        self._client = chromadb.PersistentClient(copy.name)
        # The one before goes with its last user.
        self._copy = copy
        return mark


def _copy(source: Path, target: Path) -> None:
    for path in source.iterdir():
        if path.name in COPIED:
            shutil.copyfile(path, target / path.name)
        elif (path / "header.bin").exists() and not path.name.startswith("dar."):
            shutil.copytree(path, target / path.name, copy_function=shutil.copyfile)
            (target / path.name).chmod(0o700)
