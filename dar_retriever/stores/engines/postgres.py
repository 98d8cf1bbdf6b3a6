"""Image stores in Postgres, with the extension pgvector."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.stores.engines.base import Codes, Row
from dar_retriever.stores.engines.translation import translated
from dar_retriever.stores.filters import Filter
from dar_retriever.support.addresses import shown_address
from dar_retriever.support.extras import needs_extra

if TYPE_CHECKING:
    from psycopg import Connection

_COLUMNS: Final = "id, described"
_COMPARED: Final = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
# pgvector's limits of an index and of a search in it.
_WIDEST: Final = {"float": 2000, "half": 4000, "binary": 64000}
_FURTHEST: Final = 1000
_LEAST: Final = 100
_PATIENCE: Final = 10
# A row has to fit into a page of 8 KiB.
_INLINE: Final = 1536


class PostgresEngine:
    """A table of Postgres and one of settings beside it.

    Args:
        address: A libpq address, such as "postgresql://user@host/database".
        collection: Name of the table.
        codes: How the index keeps vectors; the table keeps them exactly.

    Raises:
        MissingExtraError: psycopg or pgvector is not installed.
        InvalidInputError: pgvector has no such codes, or the address cannot be read.
    """

    name = "Postgres"

    def __init__(self, address: str, collection: str, codes: Codes = "float") -> None:
        if codes not in _WIDEST:
            raise InvalidInputError(
                f"codes={codes!r}: pgvector's indices keep {', '.join(_WIDEST)}; use one of them"
            )
        with needs_extra("postgres"):
            import pgvector.psycopg  # noqa: F401
            from psycopg import Error
            from psycopg.conninfo import conninfo_to_dict
            from psycopg_pool import ConnectionPool
        try:
            conninfo_to_dict(address)
        except Error:
            # The error may name a part of a password.
            raise InvalidInputError(
                f"{shown_address(address)!r} is no address of Postgres; write special characters "
                "of a name or password as %40 and the like"
            ) from None
        self.coded = codes == "binary"
        self._address, self._codes, self._table = address, codes, collection
        self._registered: WeakSet[Connection[Any]] = WeakSet()
        self._pool: Any = ConnectionPool(
            address,
            min_size=1,
            max_size=4,
            timeout=_PATIENCE,
            kwargs={"autocommit": True},
            open=False,
        )

    def settings(self) -> dict[str, str] | None:
        """See ``Engine``."""
        with self._connection() as connection:
            there = connection.execute(
                "SELECT to_regclass(%s), to_regclass(%s)", [self._name(), self._name("settings")]
            ).fetchone()
            if there is None or there[0] is None:
                return None
            if there[1] is None:
                return {}
            rows = connection.execute(f"SELECT name, value FROM {self._name('settings')}")
            return dict(rows.fetchall())

    def create(self, width: int, settings: Mapping[str, str]) -> None:
        """See ``Engine``."""
        if width > _WIDEST[self._codes]:
            raise InvalidInputError(
                f"vectors of {width} numbers: pgvector's index of {self._codes!r} takes "
                f"{_WIDEST[self._codes]}; open the store with other codes"
            )
        table, named = self._name(), self._table
        with self._connection() as connection, connection.transaction():
            # Two that create at the same time would both fail.
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [20250903])
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {table} (id text PRIMARY KEY, spot float8 NOT NULL, "
                f"vector vector({width}) NOT NULL, described text NOT NULL, "
                "terms text[] NOT NULL, numbers jsonb NOT NULL)"
            )
            # Out of the rows they would be read one by one where Postgres does not use the index.
            kept = "PLAIN" if width <= _INLINE else "EXTERNAL"
            connection.execute(f"ALTER TABLE {table} ALTER COLUMN vector SET STORAGE {kept}")
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {self._name('settings')} "
                "(name text PRIMARY KEY, value text NOT NULL)"
            )
            for name, of in {
                "spot": "btree (spot)",
                "terms": "gin (terms)",
                "vector": f"hnsw ({self._indexed(width)} {self._operators()})",
            }.items():
                connection.execute(
                    f'CREATE INDEX IF NOT EXISTS "{named}_{name}_index" ON {table} USING {of}'
                )
            # Whoever came first has said whose collection it is.
            connection.cursor().executemany(
                f"INSERT INTO {self._name('settings')} VALUES (%s, %s) ON CONFLICT DO NOTHING",
                [*settings.items(), ("dar_codes", self._codes)],
            )

    def keep(self, settings: Mapping[str, str]) -> None:
        """See ``Engine``."""
        with self._connection() as connection:
            connection.cursor().executemany(
                f"INSERT INTO {self._name('settings')} VALUES (%s, %s) "
                "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                list(settings.items()),
            )

    def count(self) -> int:
        """See ``Engine``."""
        with self._connection() as connection:
            row = connection.execute(f"SELECT count(*) FROM {self._name()}").fetchone()
            return int(row[0]) if row else 0

    def read(self, ids: Sequence[str], *, vectors: bool) -> list[Row]:
        """See ``Engine``."""
        return self._rows("WHERE id = ANY(%s)", [list(ids)], vectors=vectors)

    def between(self, low: float, high: float, *, vectors: bool) -> list[Row]:
        """See ``Engine``."""
        return self._rows("WHERE spot >= %s AND spot < %s", [low, high], vectors=vectors)

    def nearest(self, vector: Vectors, k: int, where: Filter | None) -> list[Row]:
        """See ``Engine``."""
        filtered = _Sql()
        chosen = f"WHERE {translated(where, filtered)}" if where else ""
        width = len(vector)
        asked = {
            "float": f"vector <#> %s::vector({width})",
            "half": f"vector::halfvec({width}) <#> %s::halfvec({width})",
            "binary": f"{self._indexed(width)} <~> binary_quantize(%s::vector({width}))",
        }[self._codes]
        near = [*filtered.values, vector, k]
        return self._rows(f"{chosen} ORDER BY {asked} LIMIT %s", near, vectors=True, reach=k)

    def write(self, rows: Sequence[Row]) -> None:
        """See ``Engine``."""
        with self._connection() as connection, connection.transaction():
            connection.cursor().executemany(
                f"INSERT INTO {self._name()} VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (id) "
                "DO UPDATE SET vector = excluded.vector, described = excluded.described, "
                "terms = excluded.terms, numbers = excluded.numbers",
                [
                    (row.id, row.spot, row.vector, row.text, row.terms, json.dumps(row.numbers))
                    # In one order, so that two writers of the same rows never wait for each other.
                    for row in sorted(rows, key=lambda row: row.id)
                ],
            )

    def remove(self, ids: Sequence[str]) -> None:
        """See ``Engine``."""
        with self._connection() as connection:
            connection.execute(f"DELETE FROM {self._name()} WHERE id = ANY(%s)", [sorted(ids)])

    def _rows(
        self, rest: str, values: Sequence[Any], *, vectors: bool, reach: int = 0
    ) -> list[Row]:
        columns = f"{_COLUMNS}, vector" if vectors else _COLUMNS
        with self._connection() as connection, connection.transaction():
            if reach:
                width = min(max(reach, _LEAST), _FURTHEST)
                # The scan goes on until enough rows match the filter.
                connection.execute(
                    "SELECT set_config('hnsw.ef_search', %s, true), "
                    "set_config('hnsw.iterative_scan', 'strict_order', true), "
                    "set_config('hnsw.max_scan_tuples', '1000000', true)",
                    [str(width)],
                )
            found = connection.execute(f"SELECT {columns} FROM {self._name()} {rest}", values)
            return [
                Row(id_, np.asarray(_numbers(*more), np.float32), text)
                for id_, text, *more in found.fetchall()
            ]

    def _indexed(self, width: int) -> str:
        return {
            "float": "vector",
            "half": f"(vector::halfvec({width}))",
            "binary": f"(binary_quantize(vector)::bit({width}))",
        }[self._codes]

    def _operators(self) -> str:
        return {"float": "vector_ip_ops", "half": "halfvec_ip_ops", "binary": "bit_hamming_ops"}[
            self._codes
        ]

    def _name(self, of: str = "") -> str:
        # Names of collections are letters, digits and underscores.
        return f'"{self._table}_{of}"' if of else f'"{self._table}"'

    @contextmanager
    def _connection(self) -> Iterator[Connection[Any]]:
        import psycopg
        from pgvector.psycopg import register_vector
        from psycopg_pool import PoolTimeout

        try:
            if self._pool.closed:
                # A pool tries again and again; this says at once that nobody is there.
                psycopg.connect(self._address, connect_timeout=_PATIENCE).close()
                self._pool.open()
            with self._pool.connection() as connection:
                # Asks the server several things, so it is done once for each connection.
                if connection not in self._registered and self._has_vectors(connection):
                    register_vector(connection)
                    self._registered.add(connection)
                yield connection
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise ConnectionError(str(error).partition("\n")[0]) from error

    @staticmethod
    def _has_vectors(connection: Connection[Any]) -> bool:
        found = connection.execute("SELECT 1 FROM pg_type WHERE typname = 'vector'").fetchone()
        return found is not None


class _Sql:
    """Conditions as SQL; ``values`` are those of its placeholders, in order."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def has(self, terms: Sequence[str]) -> str:
        """See ``Language``."""
        self.values.append(list(terms))
        return "terms && %s::text[]"

    def lacks(self, terms: Sequence[str]) -> str:
        """See ``Language``."""
        return f"NOT ({self.has(terms)})"

    def compares(self, name: str, asked: str, number: float) -> str:
        """See ``Language``."""
        self.values += [name, number]
        return f"(numbers ->> %s)::numeric {_COMPARED[asked]} %s"

    def joined(self, junction: str, parts: Sequence[str]) -> str:
        """See ``Language``."""
        return f"({(' AND ' if junction == '$and' else ' OR ').join(parts)})"


def _numbers(vector: Any = ()) -> Any:
    """The numbers of pgvector's own type."""
    return vector.to_numpy() if hasattr(vector, "to_numpy") else vector
