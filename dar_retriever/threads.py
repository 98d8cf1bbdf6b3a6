"""Work that blocks, kept off the event loop, and stopped when nobody waits for it any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar, copy_context
from threading import Event
from typing import Final, TypeVar

T = TypeVar("T")

_STOP: Final[ContextVar[Event | None]] = ContextVar("dar_stop", default=None)


def stop_requested() -> bool:
    """Whether whoever waited for the work in progress has gone; long work asks now and then."""
    stop = _STOP.get()
    return stop is not None and stop.is_set()


async def in_threads(items: Iterator[T]) -> AsyncIterator[T]:
    """Iterate with every step in a thread: the event loop goes on.

    Once the iteration is cancelled or closed, ``stop_requested`` is true for the step in progress.
    """
    end, stop, context = object(), Event(), copy_context()
    context.run(_STOP.set, stop)
    loop = asyncio.get_running_loop()

    def step() -> T | object:
        return next(items, end)

    try:
        while (item := await loop.run_in_executor(None, context.run, step)) is not end:
            yield item  # type: ignore[misc]
    finally:
        stop.set()
