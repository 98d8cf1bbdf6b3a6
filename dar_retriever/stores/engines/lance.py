"""Image stores in folders of LanceDB."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.stores.engines.base import Codes, Row
from dar_retriever.stores.engines.translation import translated
from dar_retriever.stores.filters import Filter
from dar_retriever.support.extras import needs_extra

if TYPE_CHECKING:
    import pyarrow as pa

_COMPARED: Final = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_INDICES: Final[Mapping[Codes, str]] = {"float": "IVF_FLAT", "int8": "IVF_SQ", "binary": "IVF_RQ"}
# Below, every vector is compared, which is exact and quick.
_INDEXED: Final = 100_000
_PROBED: Final = 64


class LanceEngine:
    """A table of LanceDB and one of settings beside it.

    Args:
        place: A folder, or an address that LanceDB opens.
        collection: Name of the table.
        codes: How the index of a large table keeps vectors; the table keeps them exactly.

    Raises:
        MissingExtraError: lancedb is not installed.
        InvalidInputError: LanceDB has no such codes.
    """

    name = "LanceDB"

    def __init__(self, place: str, collection: str, codes: Codes = "float") -> None:
        if codes not in _INDICES:
            raise InvalidInputError(
                f"codes={codes!r}: LanceDB's indices keep {', '.join(_INDICES)}; use one of them"
            )
        with needs_extra("lancedb"):
            import lancedb
        self._database: Any = lancedb.connect(place, read_consistency_interval=timedelta(0))
        self._collection, self._codes = collection, codes
        self.coded = codes != "float"
        self._tables: dict[str, Any] = {}
        self._writing = Lock()
        self._indexed = 0

    def settings(self) -> dict[str, str] | None:
        """See ``Engine``."""
        names = self._database.list_tables().tables
        if self._collection not in names:
            return None
        if f"{self._collection}_settings" not in names:
            return {}
        found = self._table("_settings").to_arrow().to_pylist()
        return {row["name"]: row["value"] for row in found}

    def create(self, width: int, settings: Mapping[str, str]) -> None:
        """See ``Engine``."""
        import pyarrow as pa

        texts = pa.schema([("name", pa.string()), ("value", pa.string())])
        name = f"{self._collection}_settings"
        table = self._database.create_table(name, schema=texts, exist_ok=True)
        rows = [{"name": name, "value": value} for name, value in settings.items()]
        table.merge_insert("name").when_not_matched_insert_all().execute(rows)
        self._database.create_table(self._collection, schema=_schema(width), exist_ok=True)

    def keep(self, settings: Mapping[str, str]) -> None:
        """See ``Engine``."""
        rows = [{"name": name, "value": value} for name, value in settings.items()]
        self._merge("_settings", "name", rows)

    def count(self) -> int:
        """See ``Engine``."""
        return int(self._table().count_rows())

    def read(self, ids: Sequence[str], *, vectors: bool) -> list[Row]:
        """See ``Engine``."""
        return self._where(f"id IN ({', '.join(map(_text, ids))})", vectors=vectors)

    def between(self, low: float, high: float, *, vectors: bool) -> list[Row]:
        """See ``Engine``."""
        return self._where(f"spot >= {low!r} AND spot < {high!r}", vectors=vectors)

    def nearest(self, vector: Vectors, k: int, where: Filter | None) -> list[Row]:
        """See ``Engine``."""
        query = self._table().search(vector).distance_type("dot").nprobes(_PROBED)
        if where:
            query = query.where(translated(where, _Sql()), prefilter=True)
        found = query.select(["id", "described", "vector", "_distance"]).limit(k).to_arrow()
        return _rows(found)

    def write(self, rows: Sequence[Row]) -> None:
        """See ``Engine``."""
        import pyarrow as pa

        columns = [
            {
                "id": row.id,
                "vector": row.vector,
                "described": row.text,
                "terms": row.terms,
                "numbers": json.dumps(row.numbers),
                "spot": row.spot,
            }
            for row in rows
        ]
        schema = self._table().schema
        self._merge("", "id", pa.Table.from_pylist(columns, schema=_schema(_width(schema))))
        count = self.count()
        if count >= max(_INDEXED, 2 * self._indexed):
            self._table().create_index(
                metric="dot", index_type=_INDICES[self._codes], vector_column_name="vector"
            )
            self._indexed = count

    def remove(self, ids: Sequence[str]) -> None:
        """See ``Engine``."""
        with self._writing:
            self._table().delete(f"id IN ({', '.join(map(_text, ids))})")

    def _where(self, condition: str, *, vectors: bool) -> list[Row]:
        columns = ["id", "described", "vector"] if vectors else ["id", "described"]
        return _rows(self._table().search().where(condition).select(columns).to_arrow())

    def _merge(self, of: str, key: str, rows: Any) -> None:
        # Writers of this process take turns, others are tried again by LanceDB.
        with self._writing:
            merge = self._table(of).merge_insert(key)
            merge.when_matched_update_all().when_not_matched_insert_all().execute(rows)

    def _table(self, of: str = "") -> Any:
        if of not in self._tables:
            self._tables[of] = self._database.open_table(self._collection + of)
        return self._tables[of]


class _Sql:
    """Conditions as LanceDB's SQL."""

    def has(self, terms: Sequence[str]) -> str:
        """See ``Language``."""
        return f"array_has_any(terms, make_array({', '.join(map(_text, terms))}))"

    def lacks(self, terms: Sequence[str]) -> str:
        """See ``Language``."""
        return f"(NOT {self.has(terms)})"

    def compares(self, name: str, asked: str, number: float) -> str:
        """See ``Language``."""
        return f"json_get_float(numbers, {_text(name)}) {_COMPARED[asked]} {number!r}"

    def joined(self, junction: str, parts: Sequence[str]) -> str:
        """See ``Language``."""
        return f"({(' AND ' if junction == '$and' else ' OR ').join(parts)})"


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _schema(width: int) -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            ("id", pa.string()),
            ("vector", pa.list_(pa.float32(), width)),
            ("described", pa.string()),
            ("terms", pa.list_(pa.string())),
            ("numbers", pa.json_()),
            ("spot", pa.float64()),
        ]
    )


def _width(schema: pa.Schema) -> int:
    return int(schema.field("vector").type.list_size)


def _rows(found: pa.Table) -> list[Row]:
    return [
        Row(each["id"], np.asarray(each.get("vector", ()), np.float32), each["described"])
        for each in found.to_pylist()
    ]
