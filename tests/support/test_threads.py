from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from dar_retriever.support.deadline import call_within
from dar_retriever.support.threads import in_threads, stop_requested


async def collected(items: Iterator[Any]) -> list[Any]:
    return [item async for item in in_threads(items)]


@pytest.mark.parametrize(
    "items",
    [[], [1, 2, 3], [None], [None, False, 0, "", None], [[1], [1]]],
    ids=["empty", "several", "none", "falsy", "equal"],
)
async def test_every_item_comes_in_its_order(items: list[Any]):
    assert await collected(iter(items)) == items


async def test_steps_run_outside_the_event_loops_thread():
    threads = await collected(threading.get_ident() for _ in range(3))

    assert len(threads) == 3
    assert threading.get_ident() not in threads


async def test_an_error_of_a_step_passes_through():
    def two_then_error() -> Iterator[int]:
        yield 1
        yield 2
        raise LookupError("no third")

    items = in_threads(two_then_error())
    assert [await anext(items), await anext(items)] == [1, 2]
    with pytest.raises(LookupError, match="no third"):
        await anext(items)


async def test_the_event_loop_goes_on_while_a_step_blocks():
    loop, begun, released = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def waiting() -> Iterator[bool]:
        loop.call_soon_threadsafe(begun.set)
        yield released.wait(timeout=30)

    async def release() -> None:
        # Only a loop that goes on gets here while the step waits.
        await begun.wait()
        released.set()

    results, _ = await asyncio.gather(collected(waiting()), release())

    assert results == [True]


async def test_nothing_is_taken_before_it_is_asked_for():
    taken = []

    def counting() -> Iterator[int]:
        for number in range(5):
            taken.append(number)
            yield number

    items = in_threads(counting())
    assert taken == []
    assert await anext(items) == 0
    assert await anext(items) == 1
    await items.aclose()
    assert taken == [0, 1]


async def test_iterators_take_turns():
    first, second = await asyncio.gather(collected(iter("abc")), collected(iter("def")))

    assert (first, second) == (["a", "b", "c"], ["d", "e", "f"])


def test_nobody_has_gone_where_nobody_waits():
    assert not stop_requested()


async def test_a_step_learns_that_nobody_waits_any_more():
    begun, stopped = threading.Event(), threading.Event()

    def steps() -> Iterator[int]:
        begun.set()
        for _ in range(1000):
            if stop_requested():
                stopped.set()
                return
            stopped.wait(0.02)
        yield 1

    async def consume() -> None:
        async for _ in in_threads(steps()):
            pass

    task = asyncio.ensure_future(consume())
    await asyncio.to_thread(begun.wait, 10)
    assert not stopped.is_set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await asyncio.to_thread(stopped.wait, 10)


async def test_work_under_a_time_limit_learns_it_too():
    begun, stopped = threading.Event(), threading.Event()

    def work() -> int:
        begun.set()
        while not stop_requested():
            stopped.wait(0.02)
        stopped.set()
        return 1

    async def consume() -> None:
        async for _ in in_threads(call_within(30, work) for _ in range(1)):
            pass

    task = asyncio.ensure_future(consume())
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await asyncio.to_thread(stopped.wait, 10)


async def test_one_iteration_that_ends_stops_no_other():
    async def numbers() -> list[bool]:
        return [stopped async for stopped in in_threads(stop_requested() for _ in range(3))]

    assert await numbers() == [False] * 3
    assert await asyncio.gather(numbers(), numbers()) == [[False] * 3] * 2
