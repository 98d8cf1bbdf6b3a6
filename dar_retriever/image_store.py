"""The collection that is searched, on Chroma."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np

from dar_retriever.chroma import Filter, chroma_errors, where_of
from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.errors import EncoderMismatchError, InvalidInputError, StoreError
from dar_retriever.hits import Hit, StoredImage, document_and_metadata, hit_of

DEFAULT_COLLECTION: Final = "images"
SAMPLE: Final = 1024

_FINGERPRINT: Final = "dar_encoder_fingerprint"
_ENCODER: Final = "dar_encoder"
_PAGE: Final = 2000
_FACET_VALUES: Final = 50
_PEEKED: Final = 20
_STRETCH: Final = 32
_GROWN: Final = 0.1
_NEARLY: Final = 0.02
# Twice Chroma's links and search width: near-exact ranking for some milliseconds.
_INDEX: Final = {"space": "cosine", "max_neighbors": 32, "ef_construction": 200, "ef_search": 200}


class ImageStore:
    """A Chroma collection of image vectors that remembers which encoder filled it.

    Open one with ``in_memory``, ``on_disk`` or ``on_server``. A collection that LangChain or
    LlamaIndex filled with this encoder's vectors is searched as it is; where the application
    holds its Chroma client, ``ImageStore(client, encoder, collection)`` opens it.
    """

    def __init__(
        self, client: Any, encoder: JointEncoder, collection: str, server: str = ""
    ) -> None:
        """Open or create a collection of a Chroma client.

        Raises:
            EncoderMismatchError: Another encoder filled the collection.
            StoreError: Its vectors are not of unit length, and it does not rank by cosine.
            StoreUnavailableError: The client does not answer.
        """
        self._server, self._width = server, encoder.dimension
        with self._errors():
            self._collection = client.get_or_create_collection(
                collection,
                metadata={_FINGERPRINT: encoder.fingerprint, _ENCODER: encoder.name},
                configuration={"hnsw": _INDEX},
                embedding_function=None,
            )
            configuration = self._collection.configuration
            self._space = (configuration.get("hnsw") or configuration.get("spann"))["space"]
            known = _require_same_encoder(self._collection, encoder)
            if not known:
                some = np.asarray(self._collection.peek(_PEEKED)["embeddings"], np.float32)
                _require_fitting_vectors(self._collection.name, some, self._space, encoder)
        self.folder: Path | None = None
        self._sampled: tuple[int, Vectors] | None = None

    @classmethod
    def in_memory(cls, encoder: JointEncoder, collection: str = DEFAULT_COLLECTION) -> ImageStore:
        """A store that is gone with the process."""
        import chromadb

        client = chromadb.EphemeralClient()
        # Chroma's in-memory clients share one database; a store of its own is what is meant.
        return cls(client, encoder, f"{collection}-{uuid.uuid4().hex}")

    @classmethod
    def on_disk(
        cls, folder: str | Path, encoder: JointEncoder, collection: str = DEFAULT_COLLECTION
    ) -> ImageStore:
        """A store in a folder, created where it is missing.

        Raises:
            EncoderMismatchError: Another encoder filled the collection.
            StoreUnavailableError: Chroma cannot use the folder.
        """
        import chromadb

        with chroma_errors():
            client = chromadb.PersistentClient(str(folder))
        store = cls(client, encoder, collection)
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
        return cls(client, encoder, collection, server)

    def __len__(self) -> int:
        with self._errors():
            return int(self._collection.count())

    def add(self, images: Sequence[StoredImage]) -> None:
        """Store images; one whose id is there already replaces the other.

        Raises:
            InvalidInputError: A vector is not finite.
            StoreError: Chroma refuses the images.
        """
        if not images:
            return
        vectors = np.stack([image.vector for image in images])
        if not np.isfinite(vectors).all():
            raise InvalidInputError("a vector is not finite; the encoder failed on its image")
        # Chroma takes some thousands at once.
        for start in range(0, len(images), _PAGE):
            page = images[start : start + _PAGE]
            with self._errors():
                documents, metadatas = zip(*map(document_and_metadata, page), strict=True)
                self._collection.upsert(
                    ids=[image.id for image in page],
                    embeddings=vectors[start : start + _PAGE],
                    documents=list(documents),
                    metadatas=list(metadatas),
                )

    def search(
        self,
        vector: Vectors,
        k: int = 10,
        where: Filter | None = None,
        exclude: Collection[str] = (),
    ) -> list[Hit]:
        """Find the images with the highest product of vectors.

        Args:
            vector: float32 (d,), of any length other than 0.
            k: The most hits.
            where: A metadata filter of Chroma, such as ``{"colour": "red"}``; all of several
                fields have to match.
            exclude: Ids that are no hits.

        Returns:
            Hits, best first; fewer than k where the store or the filter holds fewer.

        Raises:
            InvalidInputError: ``k`` is below 1.
            InvalidFilterError: Chroma refuses the filter.
        """
        if k < 1:
            raise InvalidInputError(f"k={k}: ask for at least 1 hit")
        norm = float(np.linalg.norm(vector))
        with self._errors(where):
            found = self._collection.query(
                query_embeddings=vector[None],
                # Chroma cannot leave ids out, so as many more are asked for.
                n_results=k + len(exclude),
                where=where_of(where),
                include=["metadatas", "documents", "distances"],
            )
        rows = zip(
            found["ids"][0],
            found["distances"][0],
            found["documents"][0],
            found["metadatas"][0],
            strict=True,
        )
        hits = [
            hit_of(id_, self._product(float(distance), norm), document, metadata)
            for id_, distance, document, metadata in rows
            if id_ not in exclude
        ]
        return hits[:k]

    def get(self, ids: Sequence[str]) -> list[Hit]:
        """Images by id, with score 0, in the order asked for; unknown ids are left out."""
        if not ids:
            return []
        with self._errors():
            found = self._collection.get(_once(ids), include=["metadatas", "documents"])
        rows = zip(found["ids"], found["documents"], found["metadatas"], strict=True)
        by_id = {id_: hit_of(id_, 0.0, document, metadata) for id_, document, metadata in rows}
        return [by_id[id_] for id_ in ids if id_ in by_id]

    def delete(self, ids: Sequence[str]) -> None:
        """Forget images; unknown ids are no error. The files stay."""
        if ids:
            with self._errors():
                self._collection.delete(_once(ids))

    def known(self, ids: Iterable[str]) -> set[str]:
        """Those of the ids that are stored."""
        asked = _once(ids)
        with self._errors():
            return set(self._collection.get(asked, include=[])["ids"]) if asked else set()

    def vectors(self) -> tuple[list[str], Vectors]:
        """All ids and their vectors, float32 (N, d), for exact ranking and evaluation."""
        ids: list[str] = []
        parts: list[Vectors] = []
        for page in self._pages():
            ids += page["ids"]
            parts.append(np.asarray(page["embeddings"], np.float32))
        return ids, np.concatenate(parts) if parts else np.empty((0, 0), np.float32)

    def sample(self) -> Vectors:
        """Vectors chosen at random, all of a small store: float32 (up to 1,024, d).

        The same at every call, until the store has grown or shrunk by a tenth.
        """
        count = len(self)
        if self._sampled is None or abs(count - self._sampled[0]) > _GROWN * self._sampled[0]:
            # Chroma cannot choose at random; short stretches keep folders of likes apart.
            stretches = [(0, SAMPLE)]
            if count > SAMPLE:
                random = Random(count)
                starts = random.sample(range(count // _STRETCH), SAMPLE // _STRETCH)
                stretches = [(start * _STRETCH, _STRETCH) for start in sorted(starts)]
            with self._errors():
                found = [
                    self._collection.get(limit=limit, offset=offset, include=["embeddings"])
                    for offset, limit in stretches
                ]
            self._sampled = count, self._unit_rows(*(page["embeddings"] for page in found))
        return self._sampled[1]

    def nearest(self, vector: Vectors, k: int) -> Vectors:
        """The stored vectors that a query scores highest, best first: float32 (k or fewer, d)."""
        with self._errors():
            found = self._collection.query(
                query_embeddings=vector[None], n_results=k, include=["embeddings"]
            )
        return self._unit_rows(*found["embeddings"])

    def captions(self, most: int) -> list[str]:
        """Captions of some of the images, at random, each once; the same at every call."""
        with self._errors():
            found = self._collection.get(limit=_PAGE, include=["documents", "metadatas"])
        rows = zip(found["documents"], found["metadatas"], strict=True)
        texts = {hit_of("", 0.0, document, metadata).caption for document, metadata in rows}
        known = sorted(texts - {""})
        return Random(len(known)).sample(known, min(most, len(known)))

    def vectors_of(self, ids: Sequence[str]) -> Vectors:
        """The vectors of stored images: float32 (N, d) of unit length, in the order asked for.

        Raises:
            StoreError: There is no image of an id.
        """
        if not ids:
            return np.empty((0, self._width), np.float32)
        with self._errors():
            found = self._collection.get(_once(ids), include=["embeddings"])
        rows = dict(zip(found["ids"], found["embeddings"], strict=True))
        missing = [id_ for id_ in ids if id_ not in rows]
        if missing:
            raise StoreError(f"{', '.join(missing)}: not stored, or not any more; search anew")
        return self._unit_rows([rows[id_] for id_ in ids])

    def facets(self, sample: int = _PAGE) -> dict[str, list[str]]:
        """What a filter can ask for: text fields of few values by name, values commonest first.

        Args:
            sample: The number of images that are looked at.
        """
        with self._errors():
            found = self._collection.get(limit=sample, include=["metadatas"])["metadatas"]
        counts: dict[str, Counter[str]] = {}
        for metadata in found:
            for name, value in hit_of("", 0.0, None, metadata).metadata.items():
                if isinstance(value, str) and value:
                    counts.setdefault(name, Counter())[value] += 1
        return {
            name: sorted(count, key=lambda value: (-count[value], value))
            for name, count in sorted(counts.items())
            # Where hardly any value comes twice, they are names, not kinds.
            if len(count) <= min(_FACET_VALUES, count.total() / 2)
        }

    def _product(self, distance: float, norm: float) -> float:
        """The product of a stored vector of unit length with a query vector of length ``norm``."""
        if self._space == "l2":
            return (norm**2 + 1 - distance) / 2
        # Its cosine distance is 1 - cos, whatever the query's length.
        return (1 - distance) * norm if self._space == "cosine" else 1 - distance

    def _unit_rows(self, *parts: Any) -> Vectors:
        """The rows of all parts at unit length, which other writers may not have given them."""
        rows = np.concatenate([np.asarray(p, np.float32).reshape(-1, self._width) for p in parts])
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return rows

    def _errors(self, where: Filter | None = None) -> AbstractContextManager[None]:
        return chroma_errors(self._server, where)

    def _pages(self) -> Iterator[Any]:
        for offset in range(0, len(self), _PAGE):
            with self._errors():
                yield self._collection.get(limit=_PAGE, offset=offset, include=["embeddings"])


def _require_same_encoder(collection: Any, encoder: JointEncoder) -> bool:
    """Refuse a collection of another encoder; whether the collection knows who filled it."""
    metadata = collection.metadata or {}
    fingerprint = metadata.get(_FINGERPRINT)
    if fingerprint not in (None, encoder.fingerprint):
        raise EncoderMismatchError(
            f"collection {collection.name!r} was filled by {metadata.get(_ENCODER)!r} "
            f"(fingerprint {fingerprint}), not by {encoder.name!r} ({encoder.fingerprint}); open "
            "it with that encoder, or index the images into another collection"
        )
    return fingerprint is not None


def _require_fitting_vectors(
    collection: str, some: Vectors, space: str, encoder: JointEncoder
) -> None:
    """Refuse what another program stored that this encoder's queries cannot be compared with."""
    if not some.size:
        return
    if some.shape[1] != encoder.dimension:
        raise EncoderMismatchError(
            f"collection {collection!r} holds vectors of {some.shape[1]} numbers, {encoder.name!r} "
            f"makes {encoder.dimension}; open it with the encoder that filled it, or index the "
            "images into another collection"
        )
    lengths = np.linalg.norm(some, axis=1)
    if space != "cosine" and not np.allclose(lengths, 1, atol=_NEARLY):
        raise StoreError(
            f"collection {collection!r} ranks by {space!r} and holds vectors of lengths "
            f"{lengths.min():.2f} to {lengths.max():.2f}; its ranks would not be cosines: copy "
            "them into a collection with space 'cosine', or normalise them"
        )


def _once(ids: Iterable[str]) -> list[str]:
    """Chroma refuses lists that name an id twice."""
    return list(dict.fromkeys(ids))
