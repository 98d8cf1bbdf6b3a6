"""The image store, on Chroma."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dar_retriever.encoders.base import ImageEncoder, Vectors
from dar_retriever.stores.arguments import collection_name, hit_count
from dar_retriever.stores.chroma import Connection, FolderConnection, ServerConnection
from dar_retriever.stores.chroma.beside import Beside
from dar_retriever.stores.chroma.catalogue import Catalogue
from dar_retriever.stores.chroma.check import lost_in, write_again
from dar_retriever.stores.chroma.collections import opened
from dar_retriever.stores.chroma.records import PAGE, Upsert, once, pages_of, record_of
from dar_retriever.stores.chroma.search import ChromaSearch
from dar_retriever.stores.chroma.survey import ChromaSurvey
from dar_retriever.stores.copies import PictureRecord
from dar_retriever.stores.entry_parts import StoredPart
from dar_retriever.stores.fields import Field
from dar_retriever.stores.filters import Filter
from dar_retriever.stores.hits import Hit, StoredImage
from dar_retriever.stores.roots import NOWHERE_ELSE, Folders, Roots
from dar_retriever.stores.survey import SAMPLE

__all__ = ["DEFAULT_COLLECTION", "SAMPLE", "ImageStore"]

DEFAULT_COLLECTION: Final = "images"


class ImageStore:
    """A Chroma collection of image vectors that remembers which encoder filled it.

    Open one with ``in_memory``, ``on_disk`` or ``on_server``. A collection that LangChain or
    LlamaIndex filled with this encoder's vectors can be searched as it is. If your application
    has its own Chroma client, open it with ``ImageStore(client, encoder, collection)``.

    Threads can share a store. Once ``add`` has returned, its images stay stored even if the process
    is killed. An ``add`` that fails or is killed may have stored a part and can be repeated. For
    this the folder keeps a copy of the index in ``dar.backup``, about as large as the vectors.

    Processes can share a folder through ``on_disk``. One writes at a time while the others wait,
    and every search sees what was written before. After another process has written, the next
    call reads the whole index again. So use a server for many writers, or for a large store that
    changes often. Other programs, and your application's own client in another process, are not
    covered: if they write to the folder too, Chroma loses vectors without an error.

    If a server is not there, a call is repeated for about 3 seconds, so it can be restarted at any
    time, even during an ingest. ``outlines`` keeps what line drawings are compared with.
    """

    def __init__(
        self,
        client: Any,
        encoder: ImageEncoder | None,
        collection: str,
        *,
        roots: Folders = NOWHERE_ELSE,
    ) -> None:
        """Open or create a collection of a Chroma client.

        Args:
            client: The client.
            encoder: The encoder of the collection; None opens one that is there, to look after it.
            collection: Name of the collection.
            roots: Where folders lie on this machine, by the name that the store knows them by
                (``store.roots``). Only needed if pictures lie elsewhere than when they were stored.

        Raises:
            InvalidInputError: Chroma does not take such a name of a collection.
            EncoderMismatchError: Another encoder filled the collection.
            StoreError: Its vectors are not of unit length, and it does not rank by cosine.
            StoreUnavailableError: The client does not answer.
        """
        self._chroma = client if isinstance(client, Connection) else Connection(client)
        found = opened(self._chroma, collection_name(collection), encoder)
        self.width, self.encoder_name = found.width, found.encoder
        self.fingerprint = found.fingerprint
        self.folder: Path | None = None
        self._catalogue = Catalogue(self._chroma, found.metadata, Roots.of(roots))
        self._beside = Beside(self._chroma, collection, encoder, self.width)
        self._survey = ChromaSurvey(self._chroma, self.width)
        self._search = ChromaSearch(
            self._chroma, found.space, self._catalogue, self._beside, self._survey
        )
        self.outlines = self._search.outlines

    @classmethod
    def in_memory(cls, encoder: ImageEncoder, collection: str = DEFAULT_COLLECTION) -> ImageStore:
        """A store in memory, which ends with the process."""
        import chromadb

        client = chromadb.EphemeralClient()
        # All in-memory clients of Chroma share one database, so the name must be unique.
        return cls(client, encoder, f"{collection_name(collection)}-{uuid.uuid4().hex}")

    @classmethod
    def on_disk(
        cls,
        folder: str | Path,
        encoder: ImageEncoder | None,
        collection: str = DEFAULT_COLLECTION,
        *,
        roots: Folders = NOWHERE_ELSE,
    ) -> ImageStore:
        """A store in a folder, which is created if it is missing.

        Raises:
            EncoderMismatchError: Another encoder filled the collection.
            StoreError: Chroma cannot use the folder.
        """
        name = collection_name(collection)
        store = cls(FolderConnection(Path(folder)), encoder, name, roots=roots)
        store.folder = Path(folder).resolve()
        return store

    @classmethod
    def on_server(
        cls,
        encoder: ImageEncoder | None,
        host: str = "localhost",
        port: int = 8000,
        collection: str = DEFAULT_COLLECTION,
        *,
        ssl: bool = False,
        headers: dict[str, str] | None = None,
        timeout: float = 60.0,
        roots: Folders = NOWHERE_ELSE,
    ) -> ImageStore:
        """A store on a Chroma server (``chroma run --path FOLDER --port PORT``).

        Args:
            encoder: See ``ImageStore``.
            host: The server's name or address.
            port: Its port.
            collection: Name of the collection.
            ssl: Whether to encrypt the connection.
            headers: Sent with every request.
            timeout: Seconds that the server may take for one answer.
            roots: See ``ImageStore``.

        Raises:
            EncoderMismatchError: Another encoder filled the collection.
            StoreUnavailableError: No server answers there, or not in time.
        """
        server = ServerConnection.to(host, port, ssl=ssl, headers=headers, timeout=timeout)
        return cls(server, encoder, collection, roots=roots)

    def __len__(self) -> int:
        return self._survey.count()

    def add(self, images: Sequence[StoredImage]) -> None:
        """Store images; an image replaces the stored one with the same id.

        Chroma stores fractional numbers with 15 digits, so the last bits may change.

        Raises:
            InvalidInputError: An image's id, vector, caption or metadata cannot be stored. Then
                none of the images is stored.
            StoreError: Chroma refuses the images.
        """
        self._survey.changed()
        records = [record_of(image, self.width) for image in images]
        # An image counts as stored once its parts are.
        self._beside.write(images)
        for page in pages_of(records):
            self._chroma.write(Upsert(page))

    def search(
        self,
        vector: Vectors,
        k: int = 10,
        where: Filter | None = None,
        exclude: Collection[str] = (),
    ) -> list[Hit]:
        """See ``SearchableStore``. Chroma's index finds the hits; their scores are exact.

        An entry with parts has the score of its best vector, and its hit names that part. Stored
        captions count as much as they help here: see ``CaptionCalibration``.
        """
        return self._search.hits(vector, hit_count(k), where, exclude)

    def get(self, ids: Sequence[str]) -> list[Hit]:
        """Images by id, with score 0, in the order of the ids; unknown ids are left out."""
        by_id = self._catalogue.hits(ids)
        return [by_id[id_] for id_ in ids if id_ in by_id]

    def delete(self, ids: Sequence[str]) -> None:
        """Delete images from the store, but not their files; unknown ids are ignored."""
        if ids:
            self._survey.changed()
            self._beside.delete(ids)
            self._chroma.write(lambda collection: collection.delete(once(ids)))

    @property
    def roots(self) -> Roots:
        """The folders that the paths of the stored images are relative to."""
        return self._catalogue.roots

    def keep_root(self, name: str, folder: str) -> None:
        """Remember a folder that paths are relative to, or that it lies elsewhere now.

        Args:
            name: Name of the root.
            folder: The absolute path.
        """
        self._catalogue.keep_root(name, folder)

    def records(self, ids: Iterable[str] | None = None) -> Iterator[PictureRecord]:
        """What is known of the stored images and their files; of all by default."""
        return self._catalogue.records(ids)

    def rewrite(self, records: Sequence[PictureRecord]) -> None:
        """Replace what is known of stored images and their files; their vectors stay."""
        self._survey.changed()
        self._catalogue.rewrite(records)

    def known(self, ids: Iterable[str]) -> set[str]:
        """The ids among these that are stored."""
        asked = once(ids)
        found = self._chroma.read(lambda c: c.get(asked, include=[])["ids"]) if asked else []
        return set(found)

    @property
    def has_parts(self) -> bool:
        """Whether parts of entries are stored."""
        return bool(self._beside.parts)

    def with_parts(self, ids: Iterable[str]) -> set[str]:
        """The ids among these of entries with parts."""
        return self._beside.parts.entries(ids)

    def parts_of(self, ids: Sequence[str]) -> dict[str, list[StoredPart]]:
        """The parts of entries, captions included, by id; entries without are left out."""
        return self._beside.of(ids)

    @property
    def has_captions(self) -> bool:
        """Whether vectors of captions are stored."""
        return bool(self._beside.captions)

    def captions_of(self, ids: Iterable[str]) -> dict[str, str]:
        """The captions of entries whose vectors are stored, by id."""
        return {id_: part.caption for id_, part in self._beside.captions.named(ids).items()}

    def keep_captions(self, captions: Mapping[str, StoredPart | None]) -> None:
        """Store the vectors of captions by id, in place of those stored; None takes one away."""
        self._beside.keep_captions(captions)

    def lost(self, *, repair: bool = False) -> list[str]:
        """The ids of images and of their parts that the index does not find by their own vectors.

        Args:
            repair: Whether to write them again, which mends that.
        """
        lost = self._chroma.read(lambda c: [id_ for page in lost_in(c) for id_ in page])
        if repair and lost:
            self._chroma.write(lambda collection: write_again(collection, lost))
        return lost + self._beside.lost(repair=repair)

    def vectors(self) -> tuple[list[str], Vectors]:
        """All ids and their vectors, float32 (N, d), for exact ranking and evaluation."""
        return self._survey.vectors()

    def sample(self) -> Vectors:
        """Up to 1,024 random vectors, all of them in a small store: float32 (N, d).

        Every call returns the same sample, until the store has grown or shrunk by a tenth.
        """
        return self._survey.sample()

    def nearest(self, vector: Vectors, k: int) -> Vectors:
        """The stored vectors with the highest scores, best first: float32 (k or fewer, d)."""
        return self._search.nearest(vector, k)

    def captions(self, most: int) -> list[str]:
        """The captions of some random images, without duplicates; the same at every call."""
        return self._survey.captions(most)

    def vectors_of(self, ids: Sequence[str]) -> Vectors:
        """See ``SearchableStore``."""
        return self._search.vectors_of(ids)

    def facets(self, sample: int = PAGE) -> dict[str, list[str]]:
        """Fields to filter by: text fields with few values, by name, with the commonest first.

        Args:
            sample: Number of images to look at.
        """
        return self._survey.facets(sample)

    def fields(self) -> dict[str, Field]:
        """The fields of texts or numbers by name, of all images of a store of up to 10,000.

        A larger store is read again once it has grown by a tenth.
        """
        return self._survey.fields()
