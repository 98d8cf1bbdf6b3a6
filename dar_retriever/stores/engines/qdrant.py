"""Image stores in Qdrant: a server, or a folder without one."""

from __future__ import annotations

import atexit
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.stores.engines.base import Codes, Row
from dar_retriever.stores.engines.translation import translated
from dar_retriever.stores.filters import Filter
from dar_retriever.support.extras import needs_extra

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

_NAMES: Final = UUID("8b0f6f1c-2f3e-4c57-9d0a-5d6f4c3b2a19")
_COMPARED: Final = {"$gt": "gt", "$gte": "gte", "$lt": "lt", "$lte": "lte"}
_MOST: Final = 10_000
_LOCAL: Final[dict[str, Any]] = {}
_OPENING: Final = Lock()


class QdrantEngine:
    """A collection of Qdrant.

    Args:
        client: The maker's client.
        collection: Name of the collection.
        codes: How the index keeps vectors; the exact ones stay on disk. A folder without a server
            searches exactly and ignores it.
        lock: Held during every call; a folder's client serves one thread at a time.
    """

    name = "Qdrant"

    def __init__(
        self,
        client: QdrantClient,
        collection: str,
        codes: Codes = "float",
        lock: Any = None,
    ) -> None:
        self._client, self._collection, self._codes = client, collection, codes
        self.coded = codes in ("int8", "binary") and lock is None
        self._turn = lock if lock is not None else _Unlocked()

    @classmethod
    def in_folder(cls, folder: str, collection: str) -> QdrantEngine:
        """A collection in a folder, which one process can open at a time.

        Raises:
            MissingExtraError: qdrant-client is not installed.
        """
        with needs_extra("qdrant"):
            from qdrant_client import QdrantClient
        with _OPENING:
            # The folder can be opened once, also within a process.
            if folder not in _LOCAL:
                opened = QdrantClient(path=folder)
                # It cannot close itself any more once Python ends.
                atexit.register(opened.close)
                _LOCAL[folder] = opened, Lock()
            client, lock = _LOCAL[folder]
        return cls(client, collection, lock=lock)

    @classmethod
    def on_server(
        cls, url: str, collection: str, codes: Codes = "float", key: str | None = None
    ) -> QdrantEngine:
        """A collection of a server.

        Raises:
            MissingExtraError: qdrant-client is not installed.
        """
        with needs_extra("qdrant"):
            from qdrant_client import QdrantClient
        client = QdrantClient(url=url, api_key=key, timeout=60, check_compatibility=False)
        return cls(client, collection, codes)

    def settings(self) -> dict[str, str] | None:
        """See ``Engine``."""
        with self._turn:
            if not self._client.collection_exists(self._collection):
                return None
            found = self._client.get_collection(self._collection).config.metadata or {}
        return {str(name): str(value) for name, value in found.items()}

    def create(self, width: int, settings: Mapping[str, str]) -> None:
        """See ``Engine``."""
        from qdrant_client import models
        from qdrant_client.http.exceptions import UnexpectedResponse

        exact = models.VectorParams(
            size=width, distance=models.Distance.DOT, on_disk=self._codes != "float"
        )
        if self._codes == "half":
            exact.datatype = models.Datatype.FLOAT16
        try:
            with self._turn:
                self._client.create_collection(
                    self._collection,
                    vectors_config=exact,
                    quantization_config=self._quantization(),
                    metadata=dict(settings),
                )
                fields = {
                    "spot": models.PayloadSchemaType.FLOAT,
                    "terms": models.PayloadSchemaType.KEYWORD,
                }
                # A folder has no indices of fields.
                for field, kind in fields.items() if isinstance(self._turn, _Unlocked) else ():
                    self._client.create_payload_index(self._collection, field, field_schema=kind)
        except UnexpectedResponse as error:
            # Another process was faster.
            if error.status_code != 409:
                raise

    def keep(self, settings: Mapping[str, str]) -> None:
        """See ``Engine``."""
        with self._turn:
            self._client.update_collection(self._collection, metadata=dict(settings))

    def count(self) -> int:
        """See ``Engine``."""
        with self._turn:
            return int(self._client.count(self._collection, exact=True).count)

    def read(self, ids: Sequence[str], *, vectors: bool) -> list[Row]:
        """See ``Engine``."""
        with self._turn:
            found = self._client.retrieve(
                self._collection, list(map(_point, ids)), with_payload=True, with_vectors=vectors
            )
        return list(map(_row, found))

    def between(self, low: float, high: float, *, vectors: bool) -> list[Row]:
        """See ``Engine``."""
        from qdrant_client import models

        spot = models.FieldCondition(key="spot", range=models.Range(gte=low, lt=high))
        with self._turn:
            found, _ = self._client.scroll(
                self._collection,
                scroll_filter=models.Filter(must=[spot]),
                limit=_MOST,
                with_payload=True,
                with_vectors=vectors,
            )
        return list(map(_row, found))

    def nearest(self, vector: Vectors, k: int, where: Filter | None) -> list[Row]:
        """See ``Engine``."""
        from qdrant_client import models

        # The store orders by the exact vectors itself. A folder takes no parameters.
        codes = models.QuantizationSearchParams(rescore=False) if self.coded else None
        asked = models.SearchParams(hnsw_ef=max(k, 128), quantization=codes)
        with self._turn:
            found = self._client.query_points(
                self._collection,
                query=vector.tolist(),
                query_filter=_filter(where) if where else None,
                search_params=asked if isinstance(self._turn, _Unlocked) else None,
                limit=k,
                with_payload=True,
                with_vectors=True,
            ).points
        return list(map(_row, found))

    def write(self, rows: Sequence[Row]) -> None:
        """See ``Engine``."""
        from qdrant_client import models

        points = [
            models.PointStruct(
                id=_point(row.id),
                vector=row.vector.tolist(),
                payload={
                    "id": row.id,
                    "described": row.text,
                    "terms": row.terms,
                    "numbers": row.numbers,
                    "spot": row.spot,
                },
            )
            for row in rows
        ]
        with self._turn:
            self._client.upsert(self._collection, points, wait=True)

    def remove(self, ids: Sequence[str]) -> None:
        """See ``Engine``."""
        from qdrant_client import models

        points = models.PointIdsList(points=list(map(_point, ids)))
        with self._turn:
            self._client.delete(self._collection, points, wait=True)

    def _quantization(self) -> Any:
        from qdrant_client import models

        if self._codes == "int8":
            return models.ScalarQuantization(
                scalar=models.ScalarQuantizationConfig(
                    type=models.ScalarType.INT8, quantile=0.99, always_ram=True
                )
            )
        if self._codes == "binary":
            return models.BinaryQuantization(
                binary=models.BinaryQuantizationConfig(always_ram=True)
            )
        return None


class _Unlocked:
    """Lets any number of threads call at the same time, for servers."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


class _Conditions:
    """Conditions as Qdrant's filters."""

    def has(self, terms: Sequence[str]) -> Any:
        """See ``Language``."""
        from qdrant_client import models

        return models.FieldCondition(key="terms", match=models.MatchAny(any=list(terms)))

    def lacks(self, terms: Sequence[str]) -> Any:
        """See ``Language``."""
        from qdrant_client import models

        return models.Filter(must_not=[self.has(terms)])

    def compares(self, name: str, asked: str, number: float) -> Any:
        """See ``Language``."""
        from qdrant_client import models

        field = f'numbers."{name}"'
        return models.FieldCondition(key=field, range=models.Range(**{_COMPARED[asked]: number}))

    def joined(self, junction: str, parts: Sequence[Any]) -> Any:
        """See ``Language``."""
        from qdrant_client import models

        if junction == "$and":
            return models.Filter(must=list(parts))
        return models.Filter(should=list(parts))


def _filter(where: Filter) -> Any:
    from qdrant_client import models

    return models.Filter(must=[translated(where, _Conditions())])


def _point(id_: str) -> str:
    """Qdrant's points have UUIDs."""
    return str(uuid5(_NAMES, id_))


def _row(point: Any) -> Row:
    payload = point.payload
    vector = np.asarray(() if point.vector is None else point.vector, np.float32)
    return Row(payload["id"], vector, payload["described"])
