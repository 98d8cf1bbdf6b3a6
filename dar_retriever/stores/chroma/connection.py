"""Connections to a Chroma collection: the application's own client, a server, or a folder."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Self, TypeAlias, TypeVar

from dar_retriever.errors import StoreError, StoreUnavailableError
from dar_retriever.stores.chroma.check import mend
from dar_retriever.stores.chroma.failures import chroma_errors, is_late
from dar_retriever.stores.chroma.folder import ChromaFolder, can_be_written
from dar_retriever.stores.chroma.snapshot import FolderSnapshot
from dar_retriever.stores.filters import Filter
from dar_retriever.support.processes import Birthplace

T = TypeVar("T")
Call: TypeAlias = Callable[[Any], T]

# Seconds to wait before each retry; a restarted Chroma server answers after about a second.
_PAUSES: Final = (0.05, 0.2, 0.5, 1.0, 1.5)


class Connection:
    """A collection of the application's own client; calls go to it directly.

    All calls are safe to repeat.
    """

    def __init__(self, client: Any, server: str = "") -> None:
        """Wrap a client; the server's name is used in errors."""
        self._client, self._server = client, server
        self._collection: Any = None
        self._birthplace = Birthplace("the store", StoreError)

    @property
    def is_writable(self) -> bool:
        """Whether the collection can be changed from here."""
        return True

    def open(self, name: str, metadata: Mapping[str, Any] | None, index: Mapping[str, Any]) -> Any:
        """Open a collection, or create it with this metadata and index; returns the collection.

        Raises:
            StoreError: There is no such collection, and no metadata to create it with.
        """
        with chroma_errors(self._server):
            return self._get_or_create(name, metadata, index)

    def beside(self) -> Self:
        """A connection to the same place, with which another collection can be opened."""
        return copy.copy(self)

    def has(self, name: str) -> bool:
        """Whether the place of this collection also holds one of that name.

        Raises:
            StoreError: See ``chroma_errors``.
        """
        from chromadb.errors import NotFoundError

        def there(_: Any) -> bool:
            try:
                self._current().get_collection(name, embedding_function=None)
            except NotFoundError:
                return False
            return True

        return self.read(there)

    def read(self, call: Call[T], where: Filter | None = None) -> T:
        """Call a function with the collection and return its result.

        Raises:
            StoreError: See ``chroma_errors``.
        """
        self._birthplace.require()
        with chroma_errors(self._server, where):
            return call(self._collection)

    def write(self, call: Call[T]) -> T:
        """Like ``read``, for a function that changes the collection.

        Raises:
            StoreError: See ``chroma_errors``.
        """
        return self.read(call)

    def metadata(self) -> dict[str, Any]:
        """The collection's metadata as they are now; other processes may have changed them.

        Raises:
            StoreError: See ``chroma_errors``.
        """

        def fresh(collection: Any) -> dict[str, Any]:
            found = self._current().get_collection(collection.name, embedding_function=None)
            return dict(found.metadata or {})

        return self.read(fresh)

    def configure(self, index: Mapping[str, Any]) -> None:
        """Change those settings of the index that can be changed after its creation.

        Raises:
            StoreError: See ``chroma_errors``.
        """
        self.write(lambda collection: collection.modify(configuration={"hnsw": dict(index)}))

    def _current(self) -> Any:
        """A client that sees what others wrote."""
        return self._client

    def _get_or_create(
        self, name: str, metadata: Mapping[str, Any] | None, index: Mapping[str, Any]
    ) -> Any:
        if metadata is None:
            from chromadb.errors import NotFoundError

            try:
                self._collection = self._client.get_collection(name, embedding_function=None)
            except NotFoundError as error:
                raise StoreError(
                    f"collection={name!r}: there is none of that name, and none can be made from "
                    "here; check the name, or index pictures into it first"
                ) from error
            return self._collection
        self._collection = self._client.get_or_create_collection(
            name,
            metadata=dict(metadata),
            configuration={"hnsw": dict(index)},
            embedding_function=None,
        )
        return self._collection


class ServerConnection(Connection):
    """A collection on a server.

    If the server does not answer, a call is repeated for about 3 seconds. The server may just have
    been restarted, which breaks open connections. A server that takes too long for an answer is
    not asked again.
    """

    @classmethod
    def to(
        cls, host: str, port: int, *, ssl: bool, headers: dict[str, str] | None, timeout: float
    ) -> ServerConnection:
        """Connect to a server; see ``server_client``.

        Raises:
            StoreUnavailableError: No server answers there, or not in time.
        """
        from dar_retriever.stores.chroma.server import server_client

        server = f"{host}:{port}"
        with chroma_errors(server):
            client = server_client(host, port, ssl=ssl, headers=headers, timeout=timeout)
        return cls(client, server)

    def read(self, call: Call[T], where: Filter | None = None) -> T:
        """See ``Connection.read``."""
        return self._repeated(call, where)[0]

    def write(self, call: Call[T]) -> T:
        """See ``Connection.write``; the call is repeated, so it should look what has arrived."""
        result, failures = self._repeated(call)
        if failures:
            # The server may have been killed, and a recovery may have lost something.
            self._repeated(mend)
        return result

    def _repeated(self, call: Call[T], where: Filter | None = None) -> tuple[T, int]:
        """The result of a call, and how often it failed before."""
        for failures, pause in enumerate(_PAUSES):
            try:
                return super().read(call, where), failures
            except StoreUnavailableError as error:
                if is_late(error.__cause__):
                    raise
                time.sleep(pause)
        return super().read(call, where), len(_PAUSES)


class FolderConnection(Connection):
    """A collection in a folder that other processes may write to; see the module ``folder``."""

    def __init__(self, folder: Path) -> None:
        """Open the folder.

        Raises:
            StoreError: Chroma cannot use it.
        """
        writable = can_be_written(folder)
        with chroma_errors(folder=folder):
            self._folder = ChromaFolder.opened(folder) if writable else FolderSnapshot(folder)
        super().__init__(self._folder.client())
        self._held: tuple[Any, Any] | None = None
        self._mended = 0

    def open(self, name: str, metadata: Mapping[str, Any] | None, index: Mapping[str, Any]) -> Any:
        """See ``Connection.open``."""
        with self._errors(), self._folder.opening() as client:
            self._client = client
            wanted = metadata if self.is_writable else None
            self._held = client, self._get_or_create(name, wanted, index)
            self._load(self._collection)
            return self._collection

    @property
    def is_writable(self) -> bool:
        """See ``Connection.is_writable``."""
        return self._folder.is_writable

    def read(self, call: Call[T], where: Filter | None = None) -> T:
        """See ``Connection.read``."""
        self._birthplace.require()
        with self._errors(where):
            return call(self._seen_by(self._folder.client()))

    def write(self, call: Call[T]) -> T:
        """See ``Connection.write``."""
        self._birthplace.require()
        with self._errors(), self._folder.writing() as client:
            return call(self._seen_by(client))

    def configure(self, index: Mapping[str, Any]) -> None:
        """See ``Connection.configure``."""
        super().configure(index)
        # An index in memory keeps the settings that it was loaded with.
        self._folder.open_anew()

    def _current(self) -> Any:
        return self._folder.client()

    def _errors(self, where: Filter | None = None) -> AbstractContextManager[None]:
        return chroma_errors(where=where, folder=self._folder.path)

    def _seen_by(self, client: Any) -> Any:
        """The collection, opened by a client."""
        held = self._held
        if held is None or held[0] is not client:
            with self._folder.loading() as client_now:
                name = self._collection.name
                held = client_now, client_now.get_collection(name, embedding_function=None)
                self._load(held[1])
            # A single assignment, because other threads read it.
            self._held = held
        return held[1]

    def _load(self, collection: Any) -> None:
        """Make Chroma load the index, which it otherwise does at the first use."""
        collection.peek(1)
        # A recovery may have lost something.
        if self._folder.recoveries != self._mended:
            mend(collection)
            self._mended = self._folder.recoveries
