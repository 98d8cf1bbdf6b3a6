"""Image stores in Milvus: a server, or a file of Milvus Lite."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.stores.engines.base import Codes, Row
from dar_retriever.stores.engines.translation import translated
from dar_retriever.stores.filters import Filter
from dar_retriever.support.extras import needs_extra

if TYPE_CHECKING:
    from pymilvus import MilvusClient

_MOST: Final = 16_384
_LONGEST: Final = 65_535
_TERMS: Final = 4_096
_TERM: Final = 512
_COMPARED: Final = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_INDICES: Final[Mapping[Codes, tuple[str, dict[str, Any]]]] = {
    "float": ("HNSW", {"M": 16, "efConstruction": 200}),
    "half": ("HNSW_SQ", {"M": 16, "efConstruction": 200, "sq_type": "FP16"}),
    "int8": ("HNSW_SQ", {"M": 16, "efConstruction": 200, "sq_type": "SQ8"}),
    "binary": ("IVF_RABITQ", {"nlist": 1024}),
}


class MilvusEngine:
    """A collection of Milvus.

    Args:
        uri: Address of a server, such as "http://localhost:19530", or a file whose name ends in
            ".db".
        collection: Name of the collection.
        codes: How the index keeps vectors; the collection keeps them exactly.
        token: Token of the server.

    Raises:
        MissingExtraError: pymilvus is not installed.
    """

    name = "Milvus"

    def __init__(self, uri: str, collection: str, codes: Codes = "float", token: str = "") -> None:
        with needs_extra("milvus"):
            import pymilvus  # noqa: F401
        if uri.endswith(".db"):
            with needs_extra("milvus-lite"):
                import milvus_lite  # noqa: F401
        self._uri, self._token, self._collection, self._codes = uri, token, collection, codes
        self.coded = codes in ("int8", "binary")
        self._open: MilvusClient | None = None

    @property
    def _client(self) -> MilvusClient:
        from pymilvus import MilvusClient
        from pymilvus.exceptions import MilvusException

        if self._open is None:
            try:
                self._open = MilvusClient(self._uri, token=self._token)
            except MilvusException as error:
                raise ConnectionError(str(error)) from error
        return self._open

    def settings(self) -> dict[str, str] | None:
        """See ``Engine``."""
        if not self._client.has_collection(self._collection):
            return None
        self._client.load_collection(self._collection)
        described = self._client.describe_collection(self._collection)
        return {str(k): str(v) for k, v in dict(described.get("properties") or {}).items()}

    def create(self, width: int, settings: Mapping[str, str]) -> None:
        """See ``Engine``."""
        from pymilvus import DataType

        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=_LONGEST)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=width)
        schema.add_field(
            "terms",
            DataType.ARRAY,
            element_type=DataType.VARCHAR,
            max_capacity=_TERMS,
            max_length=_TERM,
        )
        schema.add_field("numbers", DataType.JSON)
        schema.add_field("spot", DataType.DOUBLE)
        schema.add_field("described", DataType.JSON)
        kind, parameters = _INDICES[self._codes]
        indices = self._client.prepare_index_params()
        indices.add_index("vector", index_type=kind, metric_type="IP", params=parameters)
        self._client.create_collection(
            self._collection,
            schema=schema,
            index_params=indices,
            properties=dict(settings),
            consistency_level="Strong",
        )

    def keep(self, settings: Mapping[str, str]) -> None:
        """See ``Engine``."""
        self._client.alter_collection_properties(self._collection, dict(settings))

    def count(self) -> int:
        """See ``Engine``."""
        [found] = self._client.query(self._collection, filter="", output_fields=["count(*)"])
        return int(found["count(*)"])

    def read(self, ids: Sequence[str], *, vectors: bool) -> list[Row]:
        """See ``Engine``."""
        found = self._client.get(self._collection, list(ids), output_fields=_fields(vectors))
        return list(map(_row, found))

    def between(self, low: float, high: float, *, vectors: bool) -> list[Row]:
        """See ``Engine``."""
        found = self._client.query(
            self._collection,
            filter=f"spot >= {low!r} and spot < {high!r}",
            output_fields=_fields(vectors),
            limit=_MOST,
        )
        return list(map(_row, found))

    def nearest(self, vector: Vectors, k: int, where: Filter | None) -> list[Row]:
        """See ``Engine``."""
        [found] = self._client.search(
            self._collection,
            [vector.tolist()],
            filter=translated(where, _Expressions()) if where else "",
            limit=min(k, _MOST),
            output_fields=_fields(vectors=True),
            search_params={"params": {"ef": max(k, 128), "nprobe": 128}},
        )
        return [_row(hit["entity"]) for hit in found]

    def write(self, rows: Sequence[Row]) -> None:
        """See ``Engine``."""
        self._client.upsert(
            self._collection,
            [
                {
                    "id": row.id,
                    "vector": row.vector.tolist(),
                    "terms": row.terms,
                    "numbers": row.numbers,
                    "spot": row.spot,
                    "described": {"text": row.text},
                }
                for row in rows
            ],
        )

    def remove(self, ids: Sequence[str]) -> None:
        """See ``Engine``."""
        self._client.delete(self._collection, ids=list(ids))


class _Expressions:
    """Conditions as Milvus' expressions."""

    def has(self, terms: Sequence[str]) -> str:
        """See ``Language``."""
        return f"array_contains_any(terms, {json.dumps(list(terms))})"

    def lacks(self, terms: Sequence[str]) -> str:
        """See ``Language``."""
        return f"(not {self.has(terms)})"

    def compares(self, name: str, asked: str, number: float) -> str:
        """See ``Language``."""
        return f"numbers[{json.dumps(name)}] {_COMPARED[asked]} {number!r}"

    def joined(self, junction: str, parts: Sequence[str]) -> str:
        """See ``Language``."""
        return f"({(' and ' if junction == '$and' else ' or ').join(parts)})"


def _fields(vectors: bool) -> list[str]:  # noqa: FBT001
    return ["id", "described", "vector"] if vectors else ["id", "described"]


def _row(found: Mapping[str, Any]) -> Row:
    described = found["described"]
    text = (json.loads(described) if isinstance(described, str | bytes) else described)["text"]
    return Row(found["id"], np.asarray(found.get("vector", ()), np.float32), text)
