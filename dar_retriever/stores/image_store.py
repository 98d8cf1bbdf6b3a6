"""The image store, on Chroma."""

from __future__ import annotations

import math
import uuid
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from random import Random
from threading import Lock
from typing import Any, Final

import numpy as np

from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.errors import InvalidInputError, StoreError
from dar_retriever.stores.chroma import (
    Connection,
    FolderConnection,
    ServerConnection,
    chroma_errors,
)
from dar_retriever.stores.chroma.collections import (
    metadata_naming,
    require_fitting_vectors,
    require_same_encoder,
)
from dar_retriever.stores.chroma.index import INDEX, product_of, wider_search
from dar_retriever.stores.chroma.records import PAGE, once, pages_of, record_of, unit_rows, upsert
from dar_retriever.stores.fields import (
    Field,
    RememberedFields,
    fields_in,
    filterable_fields,
    some_captions,
)
from dar_retriever.stores.filters import Filter, where_of
from dar_retriever.stores.hits import Hit, StoredImage, hit_of

DEFAULT_COLLECTION: Final = "images"
SAMPLE: Final = 1024

_PEEKED: Final = 20
_STRETCH: Final = 32
_GROWN: Final = 0.1
_DESCRIBED: Final = 10_000


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

    If a server does not answer, a call is repeated for about 3 seconds, so the server can be
    restarted at any time, even during an ingest.
    """

    def __init__(self, client: Any, encoder: JointEncoder, collection: str) -> None:
        """Open or create a collection of a Chroma client.

        Raises:
            EncoderMismatchError: Another encoder filled the collection.
            StoreError: Its vectors are not of unit length, and it does not rank by cosine.
            StoreUnavailableError: The client does not answer.
        """
        self._chroma = client if isinstance(client, Connection) else Connection(client)
        self._width = encoder.dimension
        opened = self._chroma.open(collection, metadata_naming(encoder), INDEX)
        configuration = opened.configuration
        self._space = (configuration.get("hnsw") or configuration.get("spann"))["space"]
        if require_same_encoder(opened, encoder):
            wider = wider_search(len(self), configuration.get("hnsw") or {})
            if wider is not None:
                self._chroma.configure({"ef_search": wider})
        else:
            peeked = self._chroma.read(lambda c: c.peek(_PEEKED)["embeddings"])
            some = np.asarray(peeked, np.float32)
            require_fitting_vectors(opened.name, some, self._space, encoder)
        self.folder: Path | None = None
        self._sampling = Lock()
        self._sampled: tuple[int, Vectors] | None = None
        self._fields, self._adds = RememberedFields(), 0

    @classmethod
    def in_memory(cls, encoder: JointEncoder, collection: str = DEFAULT_COLLECTION) -> ImageStore:
        """A store in memory, which ends with the process."""
        import chromadb

        client = chromadb.EphemeralClient()
        # All in-memory clients of Chroma share one database, so the name must be unique.
        return cls(client, encoder, f"{collection}-{uuid.uuid4().hex}")

    @classmethod
    def on_disk(
        cls, folder: str | Path, encoder: JointEncoder, collection: str = DEFAULT_COLLECTION
    ) -> ImageStore:
        """A store in a folder, which is created if it is missing.

        Raises:
            EncoderMismatchError: Another encoder filled the collection.
            StoreError: Chroma cannot use the folder.
        """
        store = cls(FolderConnection(Path(folder)), encoder, collection)
        store.folder = Path(folder)
        return store

    @classmethod
    def on_server(
        cls,
        encoder: JointEncoder,
        host: str = "localhost",
        port: int = 8000,
        collection: str = DEFAULT_COLLECTION,
        *,
        ssl: bool = False,
        headers: dict[str, str] | None = None,
    ) -> ImageStore:
        """A store on a Chroma server (``chroma run --path FOLDER --port PORT``).

        Raises:
            EncoderMismatchError: Another encoder filled the collection.
            StoreUnavailableError: No server answers there.
        """
        import chromadb

        server = f"{host}:{port}"
        with chroma_errors(server):
            client = chromadb.HttpClient(host, port, ssl, headers)
        return cls(ServerConnection(client, server), encoder, collection)

    def __len__(self) -> int:
        return self._chroma.read(lambda collection: int(collection.count()))

    def add(self, images: Sequence[StoredImage]) -> None:
        """Store images; an image replaces the stored one with the same id.

        Chroma stores fractional numbers with 15 digits, so the last bits may change.

        Raises:
            InvalidInputError: An image's id, vector, caption or metadata cannot be stored. Then
                none of the images is stored.
            StoreError: Chroma refuses the images.
        """
        self._adds += 1
        for page in pages_of([record_of(image, self._width) for image in images]):
            self._chroma.write(partial(upsert, page))

    def search(
        self,
        vector: Vectors,
        k: int = 10,
        where: Filter | None = None,
        exclude: Collection[str] = (),
    ) -> list[Hit]:
        """See ``SearchableStore``. Chroma's index finds the hits; their scores are exact."""
        if k < 1:
            raise InvalidInputError(f"k={k}: ask for at least 1 hit")
        norm = float(np.linalg.norm(vector))
        found = self._chroma.read(
            lambda collection: collection.query(
                query_embeddings=vector[None],
                # Chroma cannot exclude ids, so ask for that many more.
                n_results=k + len(exclude),
                where=where_of(where),
                include=["metadatas", "documents", "distances"],
            ),
            where,
        )
        columns = (found[name][0] for name in ("ids", "distances", "documents", "metadatas"))
        hits = [
            hit_of(id_, product_of(float(distance), norm, self._space), document, metadata)
            for id_, distance, document, metadata in zip(*columns, strict=True)
            if id_ not in exclude
        ]
        return hits[:k]

    def get(self, ids: Sequence[str]) -> list[Hit]:
        """Images by id, with score 0, in the order of the ids; unknown ids are left out."""
        if not ids:
            return []
        found = self._get(ids=once(ids), include=["metadatas", "documents"])
        rows = zip(found["ids"], found["documents"], found["metadatas"], strict=True)
        by_id = {id_: hit_of(id_, 0.0, document, metadata) for id_, document, metadata in rows}
        return [by_id[id_] for id_ in ids if id_ in by_id]

    def delete(self, ids: Sequence[str]) -> None:
        """Delete images from the store, but not their files; unknown ids are ignored."""
        if ids:
            self._chroma.write(lambda collection: collection.delete(once(ids)))

    def known(self, ids: Iterable[str]) -> set[str]:
        """The ids among these that are stored."""
        asked = once(ids)
        return set(self._get(ids=asked, include=[])["ids"]) if asked else set()

    def vectors(self) -> tuple[list[str], Vectors]:
        """All ids and their vectors, float32 (N, d), for exact ranking and evaluation."""
        ids: list[str] = []
        parts: list[Vectors] = []
        for offset in range(0, len(self), PAGE):
            page = self._get(limit=PAGE, offset=offset, include=["embeddings"])
            ids += page["ids"]
            parts.append(np.asarray(page["embeddings"], np.float32))
        return ids, np.concatenate(parts) if parts else np.empty((0, 0), np.float32)

    def sample(self) -> Vectors:
        """Up to 1,024 random vectors, all of them in a small store: float32 (N, d).

        Every call returns the same sample, until the store has grown or shrunk by a tenth.
        """
        with self._sampling:
            count = len(self)
            if self._sampled is None or abs(count - self._sampled[0]) > _GROWN * self._sampled[0]:
                self._sampled = count, self._chosen(count)
            return self._sampled[1]

    def nearest(self, vector: Vectors, k: int) -> Vectors:
        """The stored vectors with the highest scores, best first: float32 (k or fewer, d)."""
        found = self._chroma.read(
            lambda collection: collection.query(
                query_embeddings=vector[None], n_results=k, include=["embeddings"]
            )
        )
        return unit_rows(self._width, *found["embeddings"])

    def captions(self, most: int) -> list[str]:
        """The captions of some random images, without duplicates; the same at every call."""
        found = self._get(limit=PAGE, include=["documents", "metadatas"])
        rows = zip(found["documents"], found["metadatas"], strict=True)
        return some_captions((hit_of("", 0.0, *row).caption for row in rows), most)

    def vectors_of(self, ids: Sequence[str]) -> Vectors:
        """The vectors of stored images: float32 (N, d) of unit length, in the order of the ids.

        Raises:
            StoreError: There is no image with one of the ids.
        """
        if not ids:
            return np.empty((0, self._width), np.float32)
        found = self._get(ids=once(ids), include=["embeddings"])
        rows = dict(zip(found["ids"], found["embeddings"], strict=True))
        missing = [id_ for id_ in ids if id_ not in rows]
        if missing:
            raise StoreError(
                f"{', '.join(missing)}: not stored, or deleted meanwhile; search again"
            )
        return unit_rows(self._width, [rows[id_] for id_ in ids])

    def facets(self, sample: int = PAGE) -> dict[str, list[str]]:
        """Fields to filter by: text fields with few values, by name, with the commonest first.

        Args:
            sample: Number of images to look at.
        """
        found = self._get(limit=sample, include=["metadatas"])["metadatas"]
        return filterable_fields(hit_of("", 0.0, None, each).metadata for each in found)

    def fields(self) -> dict[str, Field]:
        """The fields of texts or numbers by name, of all images of a store of up to 10,000.

        A larger store is read again once it has grown by a tenth.
        """
        count = len(self)
        state = (count, self._adds) if count <= _DESCRIBED else int(math.log(count, 1 + _GROWN))
        return self._fields.at(state, lambda: self._read_fields(count))

    def _read_fields(self, count: int) -> dict[str, Field]:
        places = range(0, count, max(PAGE, count * PAGE // _DESCRIBED))
        pages = (self._get(limit=PAGE, offset=n, include=["metadatas"]) for n in places)
        found = chain.from_iterable(page["metadatas"] for page in pages)
        return fields_in(found, complete=count <= _DESCRIBED)

    def _chosen(self, count: int) -> Vectors:
        """Vectors chosen at random from so many."""
        # Chroma cannot choose at random. Short stretches avoid many similar images from one folder.
        stretches = [(0, SAMPLE)]
        if count > SAMPLE:
            random = Random(count)
            starts = random.sample(range(count // _STRETCH), SAMPLE // _STRETCH)
            stretches = [(start * _STRETCH, _STRETCH) for start in sorted(starts)]
        found = (self._get(limit=n, offset=at, include=["embeddings"]) for at, n in stretches)
        return unit_rows(self._width, *(page["embeddings"] for page in found))

    def _get(self, **asked: Any) -> Any:
        """Chroma's records, without a search."""
        return self._chroma.read(lambda collection: collection.get(**asked))
