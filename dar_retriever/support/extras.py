"""Optional packages, which an extra installs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dar_retriever.errors import MissingExtraError


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Turn a failed import inside the block into an error that names the extra to install.

    Raises:
        MissingExtraError: A package is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{error.name!r} is not installed; run: pip install 'dar-retriever[{extra}]'"
        ) from error
