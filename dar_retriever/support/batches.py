"""Many things, some at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def in_batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of ``size`` items each, the last one perhaps shorter. Nothing is read ahead."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
