"""What Chroma takes and raises: filters and errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from dar_retriever.errors import (
    DARError,
    InvalidFilterError,
    StoreError,
    StoreUnavailableError,
)

Filter: TypeAlias = Mapping[str, Any]

_JUNCTIONS: Final = ("$and", "$or")


def both(one: Filter | None, other: Filter | None) -> Filter | None:
    """The filter that two filters make together."""
    filters = [filter_ for filter_ in (one, other) if filter_]
    return {"$and": filters} if len(filters) > 1 else next(iter(filters), None)


def where_of(filter_: Filter | None) -> dict[str, Any] | None:
    """A filter as Chroma takes it: one field or operator in each mapping."""
    if not filter_:
        return None
    parts = [part for name, value in filter_.items() for part in _conditions(name, value)]
    return parts[0] if len(parts) == 1 else {"$and": parts}


def _conditions(name: str, value: Any) -> list[dict[str, Any]]:
    """One entry of a filter, such as {"price": {"$gte": 10, "$lt": 20}}, operator by operator."""
    if name in _JUNCTIONS:
        return [{name: [where_of(part) for part in value]}]
    if isinstance(value, Mapping) and value:
        return [{name: {operator: operand}} for operator, operand in value.items()]
    return [{name: value}]


@contextmanager
def chroma_errors(server: str = "", where: Filter | None = None) -> Iterator[None]:
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
        if "different settings" in str(error):
            raise StoreError(
                f"another Chroma client of this process has the folder open ({reason}); give that "
                "client to ImageStore(client, encoder, collection)"
            ) from error
        raise StoreError(f"Chroma failed ({reason}); check its folder or server") from error
