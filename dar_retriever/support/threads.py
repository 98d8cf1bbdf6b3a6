"""Work that blocks, kept off the event loop, and stopped when nobody waits for it any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, ContextVar, copy_context
from threading import Event
from typing import Final, TypeAlias, TypeVar

T = TypeVar("T")
Gone: TypeAlias = Callable[[], bool]

_GONE: Final[ContextVar[Gone | None]] = ContextVar("dar_gone", default=None)
# asyncio's own threads are as few as the cores: searches that draw would keep others from starting.
_THREADS: Final = ThreadPoolExecutor(64, thread_name_prefix="dar")


def stop_requested() -> bool:
    """Whether whoever waited for the work in progress has gone; long work asks now and then."""
    gone = _GONE.get()
    return gone is not None and gone()


def who_waits() -> Gone:
    """Tells, in any thread, whether whoever waits for the present work has gone."""
    return _GONE.get() or _never


def waited_for_by(gone: Gone) -> Context:
    """A copy of the present context for work that nobody waits for once ``gone`` is true."""
    context = copy_context()
    context.run(_GONE.set, gone)
    return context


async def in_thread(call: Callable[[], T]) -> T:
    """Call a function in a thread: the event loop goes on.

    Once the call is cancelled, ``stop_requested`` is true in it.
    """
    stop = Event()
    try:
        return await _run(stop, call)
    finally:
        stop.set()


async def in_threads(items: Iterator[T]) -> AsyncIterator[T]:
    """Iterate with every step in a thread: the event loop goes on.

    Once the iteration is cancelled or closed, ``stop_requested`` is true for the step in progress.
    """
    end, stop = object(), Event()
    try:
        while (item := await _run(stop, lambda: next(items, end))) is not end:
            yield item  # type: ignore[misc]
    finally:
        stop.set()


async def _run(stop: Event, call: Callable[[], T]) -> T:
    outer = who_waits()
    context = waited_for_by(lambda: stop.is_set() or outer())
    return await asyncio.get_running_loop().run_in_executor(_THREADS, context.run, call)


def _never() -> bool:
    return False
