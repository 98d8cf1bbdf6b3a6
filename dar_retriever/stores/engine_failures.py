"""Turns a vector engine's errors into errors of this package."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from dar_retriever.errors import (
    DARError,
    InvalidFilterError,
    StoreError,
    StoreUnavailableError,
)
from dar_retriever.stores.filters import Filter
from dar_retriever.support.addresses import shown_address

_NETWORK: Final = (ConnectionError, TimeoutError, socket.gaierror)


@contextmanager
def engine_errors(engine: str, holds: str, where: Filter | None = None) -> Iterator[None]:
    """Turn all errors of an engine into errors of this package.

    Args:
        engine: Name of the engine, for the message.
        holds: What its vectors are, such as "512 numbers, those of 'ViT-B-32'".
        where: Filter of the call, if there is one.
    """
    try:
        yield
    except DARError:
        raise
    except Exception as error:
        reason = shown_address(f"{type(error).__name__}: {error}")[:300]
        if isinstance(error, OSError) or _is_of_the_network(error):
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
            f"{engine} failed ({reason}); check that its collection takes vectors of {holds}"
        ) from error


def _is_of_the_network(error: BaseException | None) -> bool:
    """Whether an engine's own error stands for one of the network."""
    seen: set[int] = set()
    # Some libraries make an error its own cause.
    while error is not None and id(error) not in seen:
        if isinstance(error, _NETWORK):
            return True
        seen.add(id(error))
        # httpcore hides the system's error from tracebacks; it is there all the same.
        error = error.__cause__ or error.__context__
    return False
