"""Runs blocking work outside the event loop, and stops it when nobody waits for the result."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, ContextVar, copy_context
from threading import Event
from typing import Final, TypeAlias, TypeVar

T = TypeVar("T")
Gone: TypeAlias = Callable[[], bool]

_GONE: Final[ContextVar[Gone | None]] = ContextVar("dar_gone", default=None)
# asyncio's default pool has few threads; searches that draw would fill it and block all others.
_MOST: Final = 64
_POOLS: Final = [ThreadPoolExecutor(_MOST, thread_name_prefix="dar")]


def stop_requested() -> bool:
    """Whether nobody waits for the work in progress any more; long work should check this often."""
    gone = _GONE.get()
    return gone is not None and gone()


def who_waits() -> Gone:
    """A function that tells in any thread whether nobody waits for the current work any more."""
    return _GONE.get() or _never


def waited_for_by(gone: Gone) -> Context:
    """A copy of the current context in which ``stop_requested`` is true once ``gone`` is true."""
    context = copy_context()
    context.run(_GONE.set, gone)
    return context


async def in_thread(call: Callable[[], T]) -> T:
    """Call a function in a thread without blocking the event loop.

    If the call is cancelled, ``stop_requested`` becomes true inside the function.
    """
    stop = Event()
    try:
        return await _run(stop, call)
    finally:
        stop.set()


async def in_threads(items: Iterator[T]) -> AsyncIterator[T]:
    """Iterate without blocking the event loop: every step runs in a thread.

    If the iteration is cancelled or closed, ``stop_requested`` becomes true for the current step.
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
    return await asyncio.get_running_loop().run_in_executor(_POOLS[0], context.run, call)


def _never() -> bool:
    return False


def _renew() -> None:
    """Start with new threads; those of the parent process are not here."""
    _POOLS[0] = ThreadPoolExecutor(_MOST, thread_name_prefix="dar")


# Windows has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
