"""The collection that is searched, on Chroma."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from PIL import Image

from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.errors import (
    DARError,
    EncoderMismatchError,
    InvalidFilterError,
    InvalidInputError,
    StoreError,
    StoreUnavailableError,
)
from dar_retriever.images import open_image

Metadata: TypeAlias = Mapping[str, Any]
Filter: TypeAlias = Mapping[str, Any]

DEFAULT_COLLECTION: Final = "images"

_TAKEN: Final = ("uri", "score", "size", "trace", "image")
_JUNCTIONS: Final = ("$and", "$or")
_FINGERPRINT: Final = "dar_encoder_fingerprint"
_ENCODER: Final = "dar_encoder"
_URI: Final = "uri"
_PAGE: Final = 2000
_FACET_VALUES: Final = 50
# Twice Chroma's links and search width: near-exact ranking for some milliseconds.
_INDEX: Final = {"space": "cosine", "max_neighbors": 32, "ef_construction": 200, "ef_search": 200}


@dataclass(frozen=True, slots=True)
class Hit:
    """One retrieved image.

    Attributes:
        id: Hash of the image file's bytes.
        score: Product of query and image vector, higher is better.
        uri: Where the image is.
        caption: What is said of it, if anything.
        metadata: What was stored with it.
    """

    id: str
    score: float
    uri: str
    caption: str = ""
    metadata: Metadata = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What to call it: the caption, a stored description or title, else the file's name."""
        named = (self.caption, self.metadata.get("description"), self.metadata.get("title"))
        name = Path(self.uri).stem.replace("_", " ").replace("-", " ").strip()
        return next((str(text) for text in named if text), name or self.id)

    def as_metadata(self) -> dict[str, Any]:
        """What is known of it as plain data.

        Returns:
            What is stored with it, "uri", "score" and "size", [width, height] or None. A stored
            field whose name is taken, by these or by what adapters add, "trace" and "image", is
            found under ``stored_NAME``.
        """
        stored = {f"stored_{n}" if n in _TAKEN else n: value for n, value in self.metadata.items()}
        width, height = self.metadata.get("width"), self.metadata.get("height")
        size = [width, height] if width and height else None
        return {**stored, "uri": self.uri, "score": self.score, "size": size}

    def open(self) -> Image.Image:
        """Read the image.

        Raises:
            InvalidImageError: The file is gone or not readable.
        """
        return open_image(self.uri)


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One image to be stored: the fields of a ``Hit`` with the vector in place of the score."""

    id: str
    vector: Vectors
    uri: str
    caption: str = ""
    metadata: Metadata = field(default_factory=dict)


class ImageStore:
    """A Chroma collection of image vectors that remembers which encoder filled it.

    Open one with ``in_memory``, ``on_disk`` or ``on_server``.
    """

    def __init__(
        self, client: Any, encoder: JointEncoder, collection: str, server: str = ""
    ) -> None:
        """Open or create a collection of a Chroma client.

        Raises:
            EncoderMismatchError: Another encoder filled the collection.
            StoreUnavailableError: The client does not answer.
        """
        self._server = server
        with self._errors():
            self._collection = client.get_or_create_collection(
                collection,
                metadata={_FINGERPRINT: encoder.fingerprint, _ENCODER: encoder.name},
                configuration={"hnsw": _INDEX},
                embedding_function=None,
            )
        _require_same_encoder(self._collection, encoder)
        self.folder: Path | None = None

    @classmethod
    def in_memory(cls, encoder: JointEncoder, collection: str = DEFAULT_COLLECTION) -> ImageStore:
        """A store that is gone with the process."""
        import chromadb

        client = chromadb.EphemeralClient(settings=_settings())
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

        with _chroma_errors():
            client = chromadb.PersistentClient(str(folder), settings=_settings())
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
        with _chroma_errors(server):
            client = chromadb.HttpClient(host, port, ssl, headers, settings=_settings())
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
                self._collection.upsert(
                    ids=[image.id for image in page],
                    embeddings=vectors[start : start + _PAGE],
                    documents=[image.caption for image in page],
                    metadatas=[{**_flat(image.metadata), _URI: image.uri} for image in page],
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
                where=_where(where),
                include=["metadatas", "documents", "distances"],
            )
        rows = zip(
            found["ids"][0],
            found["distances"][0],
            found["documents"][0],
            found["metadatas"][0],
            strict=True,
        )
        # Chroma's cosine distance is 1 - cos, whatever the query's length.
        hits = [
            _hit(id_, (1 - float(distance)) * norm, document, metadata)
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
        by_id = {id_: _hit(id_, 0.0, document, metadata) for id_, document, metadata in rows}
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

    def facets(self, sample: int = _PAGE) -> dict[str, list[str]]:
        """What a filter can ask for: text fields of few values by name, values commonest first.

        Args:
            sample: The number of images that are looked at.
        """
        with self._errors():
            found = self._collection.get(limit=sample, include=["metadatas"])["metadatas"]
        counts: dict[str, Counter[str]] = {}
        for metadata in found:
            for name, value in _hit("", 0.0, None, metadata).metadata.items():
                if isinstance(value, str) and value:
                    counts.setdefault(name, Counter())[value] += 1
        return {
            name: sorted(count, key=lambda value: (-count[value], value))
            for name, count in sorted(counts.items())
            # Where hardly any value comes twice, they are names, not kinds.
            if len(count) <= min(_FACET_VALUES, count.total() / 2)
        }

    def _errors(self, where: Filter | None = None) -> AbstractContextManager[None]:
        return _chroma_errors(self._server, where)

    def _pages(self) -> Iterator[Any]:
        for offset in range(0, len(self), _PAGE):
            with self._errors():
                yield self._collection.get(limit=_PAGE, offset=offset, include=["embeddings"])


def _settings() -> Any:
    from chromadb.config import Settings

    return Settings(anonymized_telemetry=False)


def _require_same_encoder(collection: Any, encoder: JointEncoder) -> None:
    metadata = collection.metadata or {}
    fingerprint = metadata.get(_FINGERPRINT)
    if fingerprint not in (None, encoder.fingerprint):
        raise EncoderMismatchError(
            f"collection {collection.name!r} was filled by {metadata.get(_ENCODER)!r} "
            f"(fingerprint {fingerprint}), not by {encoder.name!r} ({encoder.fingerprint}); open "
            "it with that encoder, or index the images into another collection"
        )


def _hit(id_: str, score: float, document: str | None, metadata: Mapping[str, Any] | None) -> Hit:
    rest = dict(metadata or {})
    return Hit(id_, score, str(rest.pop(_URI, "")), document or "", rest)


def both(one: Filter | None, other: Filter | None) -> Filter | None:
    """The filter that two filters make together."""
    filters = [filter_ for filter_ in (one, other) if filter_]
    return {"$and": filters} if len(filters) > 1 else next(iter(filters), None)


def _where(filter_: Filter | None) -> dict[str, Any] | None:
    """A filter as Chroma takes it: one field or operator in each mapping."""
    if not filter_:
        return None
    parts = [part for name, value in filter_.items() for part in _conditions(name, value)]
    return parts[0] if len(parts) == 1 else {"$and": parts}


def _conditions(name: str, value: Any) -> list[dict[str, Any]]:
    """One entry of a filter, such as {"price": {"$gte": 10, "$lt": 20}}, operator by operator."""
    if name in _JUNCTIONS:
        return [{name: [_where(part) for part in value]}]
    if isinstance(value, Mapping) and value:
        return [{name: {operator: operand}} for operator, operand in value.items()]
    return [{name: value}]


def _once(ids: Iterable[str]) -> list[str]:
    """Chroma refuses lists that name an id twice."""
    return list(dict.fromkeys(ids))


def _flat(metadata: Metadata) -> dict[str, str | int | float | bool]:
    """Metadata as Chroma takes it: nested values as JSON, missing ones left out."""
    return {
        str(name): value if isinstance(value, str | int | float | bool) else json.dumps(value)
        for name, value in metadata.items()
        if value is not None
    }


@contextmanager
def _chroma_errors(server: str = "", where: Filter | None = None) -> Iterator[None]:
    """Turn whatever Chroma and its transport raise into errors of this package."""
    try:
        yield
    except DARError:
        raise
    # Chroma raises its own errors, ValueError, httpx's and Rust's for one and the same cause.
    except Exception as error:
        from httpx import TransportError

        reason = f"{type(error).__name__}: {error}"[:300]
        if "could not connect" in str(error).lower() or isinstance(error, TransportError):
            raise StoreUnavailableError(
                f"no Chroma server answers{' at ' + server if server else ''} ({reason}); start "
                "one with 'chroma run --path FOLDER --port PORT', or check host and port"
            ) from error
        if where is not None and not isinstance(error, OSError):
            raise InvalidFilterError(
                f"Chroma refuses the filter {dict(where)!r} ({reason}); write it as "
                "{'field': value} or with operators such as {'field': {'$in': [...]}}"
            ) from error
        raise StoreError(f"Chroma failed ({reason}); check its folder or server") from error
