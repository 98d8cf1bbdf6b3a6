"""Function calls with a time limit."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TypeVar

from dar_retriever.support.threads import waited_for_by, who_waits

T = TypeVar("T")


def call_within(seconds: float | None, call: Callable[[], T]) -> T:
    """Call a function and wait at most so many seconds for its result; None means no limit.

    Raises:
        TimeoutError: The function took longer. It keeps running in a daemon thread, where
            ``stop_requested`` is true from then on. Its result is dropped.
    """
    if seconds is None:
        return call()
    outcome: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()
    over, outer = Event(), who_waits()
    context = waited_for_by(lambda: over.is_set() or outer())

    def run() -> None:
        try:
            outcome.put((call(), None))
        except BaseException as error:
            outcome.put((None, error))

    Thread(target=context.run, args=(run,), daemon=True).start()
    try:
        result, error = outcome.get(timeout=seconds)
    except Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    finally:
        over.set()
    if error is not None:
        raise error
    return result  # type: ignore[return-value]
