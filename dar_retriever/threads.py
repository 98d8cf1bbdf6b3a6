"""Work that blocks, kept off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

T = TypeVar("T")


async def in_threads(items: Iterator[T]) -> AsyncIterator[T]:
    """Iterate with every step in a thread: the event loop goes on."""
    end = object()
    while (item := await asyncio.to_thread(next, items, end)) is not end:
        yield item  # type: ignore[misc]
