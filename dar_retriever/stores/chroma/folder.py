"""A folder with Chroma's files, written by one process at a time and never from an old view.

A Chroma client keeps the index of vectors in memory. It does not notice what other processes
write, and when it writes the index to disk, it replaces what they wrote there: vectors are lost
without an error. So a writer here holds a lock file and leaves a mark, and whoever finds a mark
that is not its own opens Chroma's files anew, a writer before it writes and a reader before it
reads. A mark that says that somebody is writing, when nobody is, says that somebody has died.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Lock, RLock
from typing import Any, Final

from dar_retriever.errors import StoreError
from dar_retriever.stores.chroma.failures import chroma_errors
from dar_retriever.stores.chroma.index_backup import back_up, is_backed_up, repair

_LOCK: Final = "dar.lock"
_MARK: Final = "dar.mark"
_WRITING: Final = "writing "
_WRITTEN: Final = "written "
_NONE: Final = "none"
# Some hundred times what the writing of one batch takes.
_PATIENCE: Final = 60.0
_POLL: Final = 0.01


class ChromaFolder:
    """A folder as this process has it open: one for all its stores, from ``opened``."""

    _all: Final[dict[Path, ChromaFolder]] = {}
    _opening: Final = Lock()

    def __init__(self, path: Path) -> None:
        """Open the files, and create them where they are missing; ``opened`` is the way in."""
        import chromadb
        from filelock import FileLock

        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self._threads = RLock()
        self._processes = FileLock(path / _LOCK)
        with self._alone():
            self._repair()
            # Only one of two processes may create the tables.
            self._client: Any = chromadb.PersistentClient(str(path))
            self._seen = self._mark()

    @classmethod
    def opened(cls, path: Path) -> ChromaFolder:
        """The folder of a path, however it is spelled.

        Raises:
            StoreError: Chroma cannot use the folder.
        """
        with chroma_errors(folder=path), cls._opening:
            key = path.resolve()
            if key not in cls._all:
                cls._all[key] = cls(path)
            return cls._all[key]

    def client(self) -> Any:
        """A client that sees what was written before this call."""
        if self._mark() != self._seen:
            with self._alone():
                self._renew()
        return self._client

    def writing(self) -> AbstractContextManager[Any]:
        """A client to write with while nobody else does.

        Raises:
            StoreError: Another process does not stop writing.
        """
        return self._guarded(lambda _: _new_mark())

    def loading(self) -> AbstractContextManager[Any]:
        """A client to read an index into memory with while nobody writes it.

        Chroma may write the index as it reads it, if a writer died that had much to write.

        Raises:
            StoreError: Another process does not stop writing.
        """

        def mark_after(before: str) -> str:
            changed = not is_backed_up(self.path)
            if before.startswith(_WRITING):
                # Within a writing, which goes on.
                back_up(self.path)
                return before
            return _new_mark() if changed or before == _NONE else before

        return self._guarded(mark_after)

    def open_anew(self) -> None:
        """Forget what is in memory; ``client`` gives a new one from now on."""
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
                # Of a failed write Chroma's memory may hold what its files do not.
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
        if self._mark() != self._seen:
            self._repair()
            self._client = _opened_anew(self._client)
            self._seen = self._mark()

    def _repair(self) -> None:
        """Mend what a writer left that has died, or failed, in its writing."""
        mark = self._mark()
        if mark.startswith(_WRITING):
            repair(self.path)
            self._leave(_WRITTEN + mark.removeprefix(_WRITING))

    def _mark(self) -> str:
        """Which writing was the last; ``_NONE`` before the first."""
        try:
            return (self.path / _MARK).read_text()
        except FileNotFoundError:
            return _NONE

    def _leave(self, mark: str) -> None:
        # In place and of one length: on a full disk too.
        with (self.path / _MARK).open("r+" if (self.path / _MARK).exists() else "w") as file:
            file.write(mark)
        self._seen = mark


def _new_mark() -> str:
    return _WRITTEN + uuid.uuid4().hex


def _opened_anew(client: Any) -> Any:
    """A client of the same folder that shares nothing with those of before."""
    from chromadb.api import ServerAPI
    from chromadb.api.client import Client
    from chromadb.config import System
    from chromadb.telemetry.product import ProductTelemetryClient

    # PersistentClient would give what it has open already.
    system = System(client.get_settings())
    system.instance(ProductTelemetryClient)
    system.instance(ServerAPI)
    system.start()
    return Client.from_system(system)
