"""Lets several processes share a folder of Chroma's files safely.

A Chroma client keeps the vector index in memory. It does not notice when another process writes,
and when it writes the index itself, it overwrites the other's changes: vectors are lost without an
error. So here a writer holds a lock file and leaves a mark. A process that finds another mark
than the last one it saw reopens Chroma's files before it reads or writes. If the mark says
"writing" while nobody holds the lock, a writer has died.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Lock, RLock
from typing import Any, Final

from dar_retriever.errors import StoreError
from dar_retriever.stores.chroma.failures import chroma_errors
from dar_retriever.stores.chroma.index_backup import back_up, is_backed_up, repair
from dar_retriever.support.paths import is_folder_gone

# Chroma's database, which may come in several files.
COPIED: Final = ("chroma.sqlite3", "chroma.sqlite3-wal", "chroma.sqlite3-journal")
_LOCK: Final = "dar.lock"
_MARK: Final = "dar.mark"
_WRITING: Final = "writing "
_WRITTEN: Final = "written "
_NONE: Final = "none"
# Some hundred times the time that it takes to write one batch.
_PATIENCE: Final = 60.0
_POLL: Final = 0.01


class ChromaFolder:
    """An open folder; get it from ``opened``, so that all stores of a process share one."""

    is_writable = True

    _all: Final[dict[Path, ChromaFolder]] = {}
    _opening: Final = Lock()

    def __init__(self, path: Path) -> None:
        """Open the files, or create them; use ``opened`` instead of calling this."""
        import chromadb
        from filelock import FileLock

        self.path = path
        # How often a writer was found to have died.
        self.recoveries = 0
        path.mkdir(parents=True, exist_ok=True)
        self._threads = RLock()
        self._processes = FileLock(path / _LOCK)
        with self._alone():
            self._repair()
            # Two processes must not create the tables at the same time.
            self._client: Any = chromadb.PersistentClient(str(path))
            self._seen = mark_of(path)

    @classmethod
    def opened(cls, path: Path) -> ChromaFolder:
        """The folder of a path; different spellings of a path give the same object.

        Raises:
            StoreError: Chroma cannot use the folder.
        """
        with chroma_errors(folder=path), cls._opening:
            # Chroma knows a client by its path, and a relative one may name another folder later.
            path = path.resolve()
            if path not in cls._all:
                cls._all[path] = cls(path)
            return cls._all[path]

    def client(self) -> Any:
        """A client that sees everything that was written before this call."""
        if mark_of(self.path) != self._seen:
            with self._alone():
                self._renew()
        return self._client

    def writing(self) -> AbstractContextManager[Any]:
        """A client for writing; no other process writes inside the block.

        Raises:
            StoreError: Another process kept writing for too long.
        """
        return self._guarded(lambda _: _new_mark())

    def opening(self) -> AbstractContextManager[Any]:
        """A client for opening a collection, which may have to be created; see ``writing``."""
        return self.writing()

    def loading(self) -> AbstractContextManager[Any]:
        """A client for loading an index into memory; nobody writes it inside the block.

        While it loads an index, Chroma may also write it, if a writer died with much left to write.

        Raises:
            StoreError: Another process kept writing for too long.
        """

        def mark_after(before: str) -> str:
            changed = not is_backed_up(self.path)
            if is_being_written(before):
                # We are inside our own write, which is not finished yet.
                back_up(self.path)
                return before
            return _new_mark() if changed or before == _NONE else before

        return self._guarded(mark_after)

    def open_anew(self) -> None:
        """Drop what is in memory; ``client`` returns a new client from now on."""
        with self._alone():
            self._client = _opened_anew(self._client)

    @contextmanager
    def _guarded(self, mark_after: Callable[[str], str]) -> Iterator[Any]:
        with self._alone():
            self._renew()
            before = self._seen
            try:
                back_up(self.path)
                self._leave(_WRITING + uuid.uuid4().hex)
                yield self._client
                self._leave(mark_after(before))
            except BaseException:
                # After a failed write, Chroma's memory may differ from its files.
                self._seen = ""
                raise

    @contextmanager
    def _alone(self) -> Iterator[None]:
        from filelock import Timeout

        with self._threads:
            try:
                self._processes.acquire(_PATIENCE, _POLL)
            except Timeout:
                raise StoreError(
                    f"{str(self.path)!r}: another process has been writing there for "
                    f"{_PATIENCE:.0f} s; wait until it is done, or let all processes use one "
                    "Chroma server ('chroma run --path FOLDER') through ImageStore.on_server"
                ) from None
            try:
                yield
            finally:
                self._processes.release()

    def _renew(self) -> None:
        if mark_of(self.path) != self._seen:
            self._repair()
            self._client = _opened_anew(self._client)
            self._seen = mark_of(self.path)

    def _repair(self) -> None:
        """Repair the files if a writer died or failed while it wrote."""
        mark = mark_of(self.path)
        if is_being_written(mark):
            repair(self.path)
            self.recoveries += 1
            self._leave(_WRITTEN + mark.removeprefix(_WRITING))

    def _leave(self, mark: str) -> None:
        # Overwritten in place with the same length, which works on a full disk too.
        with (self.path / _MARK).open("r+" if (self.path / _MARK).exists() else "w") as file:
            file.write(mark)
        self._seen = mark


def mark_of(folder: Path) -> str:
    """The mark of the last write; ``_NONE`` before the first."""
    try:
        return (folder / _MARK).read_text()
    except FileNotFoundError:
        return _NONE


def is_being_written(mark: str) -> bool:
    """Whether a writer that left this mark has not finished."""
    return mark.startswith(_WRITING)


def can_be_written(folder: Path) -> bool:
    """Whether a store can be opened there for writing; it may not be there yet."""
    files = [folder / name for name in (_LOCK, _MARK, *COPIED)]
    return is_folder_gone(folder) or (
        os.access(folder, os.W_OK | os.X_OK)
        and all(os.access(path, os.W_OK) for path in files if path.exists())
    )


def _new_mark() -> str:
    return _WRITTEN + uuid.uuid4().hex


def _opened_anew(client: Any) -> Any:
    """A new client of the same folder that shares nothing with earlier clients."""
    from chromadb.api import ServerAPI
    from chromadb.api.client import Client
    from chromadb.config import System
    from chromadb.telemetry.product import ProductTelemetryClient

    # PersistentClient would return the client that is already open.
    system = System(client.get_settings())
    system.instance(ProductTelemetryClient)
    system.instance(ServerAPI)
    system.start()
    return Client.from_system(system)
