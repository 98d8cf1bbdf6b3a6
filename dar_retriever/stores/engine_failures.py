"""Turns a vector engine's errors into errors of this package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dar_retriever.encoders.base import JointEncoder
from dar_retriever.errors import (
    DARError,
    InvalidFilterError,
    StoreError,
    StoreUnavailableError,
)
from dar_retriever.stores.filters import Filter


@contextmanager
def engine_errors(
    engine: str, encoder: JointEncoder, where: Filter | None = None
) -> Iterator[None]:
    """Turn all errors of an engine into errors of this package.

    Args:
        engine: Name of the engine, for the message.
        encoder: The encoder of its vectors.
        where: Filter of the call, if there is one.
    """
    try:
        yield
    except DARError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"[:300]
        if isinstance(error, OSError):
            raise StoreUnavailableError(
                f"{engine} does not answer ({reason}); check that it runs and can be reached"
            ) from error
        if where is not None:
            raise InvalidFilterError(
                f"{engine} refuses the filter {dict(where)!r} ({reason}); see which filters it "
                "takes"
            ) from error
        if isinstance(error, NotImplementedError):
            raise StoreError(
                f"{engine} does not implement what is asked of it ({reason}); take an engine that "
                "finds by vector, reads by id and deletes by id"
            ) from error
        raise StoreError(
            f"{engine} failed ({reason}); check that its collection takes vectors of "
            f"{encoder.dimension} numbers, those of {encoder.name!r}"
        ) from error
