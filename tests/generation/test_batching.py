"""Many who want images at once: what is made together, in which order, and who gets what."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from fakes import DrawingGenerator, drawn_image
from hypothesis import given
from hypothesis import strategies as st

from dar_retriever import DiffusionAugmentedRetriever
from dar_retriever.errors import GenerationError, InvalidInputError
from dar_retriever.generation import BatchingGenerator, GeneratedImage, ImageRequest
from dar_retriever.support.deadline import call_within
from dar_retriever.support.threads import in_thread, stop_requested


class GatedGenerator(DrawingGenerator):
    """Waits at every call until it is let through; counts how many are in it at once."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)
        self.inside = 0
        self.most_inside = 0

    def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        self.entered.release()
        try:
            while not self.gate.acquire(timeout=0.02):
                if stop_requested():
                    raise GenerationError("stopped")
            return super().generate(requests)
        finally:
            self.inside -= 1


class PickyGenerator(DrawingGenerator):
    """Fails with every batch in which one prompt stands."""

    def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        made = super().generate(requests)
        if any(request.prompt == "unfit" for request in requests):
            raise GenerationError("unfit is unfit")
        return made


class SmallGenerator(DrawingGenerator):
    """Has room for three images."""

    def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        return super().generate(requests)[:3]


def requests_of(user: str, count: int) -> list[ImageRequest]:
    return [ImageRequest(user, seed=number) for number in range(count)]


def pictures(made: Sequence[GeneratedImage]) -> list[bytes]:
    return [image.image.tobytes() for image in made]


def alone(requests: Sequence[ImageRequest]) -> list[bytes]:
    return [drawn_image(request.prompt, request.seed).tobytes() for request in requests]


def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it does not come about")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(40) as threads:
        yield threads


def test_those_who_wait_are_served_together_and_in_their_order(pool: ThreadPoolExecutor):
    inner = GatedGenerator()
    generator = BatchingGenerator(inner, batch_size=8)
    first = pool.submit(generator.generate, requests_of("first", 2))
    assert inner.entered.acquire(timeout=10)
    others = []
    for number in range(6):
        others.append(pool.submit(generator.generate, requests_of(f"user {number}", 3)))
        until(lambda: len(generator._queue) == len(others))
    for _ in range(4):
        inner.gate.release()

    assert pictures(first.result(10)) == alone(requests_of("first", 2))
    for number, other in enumerate(others):
        assert pictures(other.result(10)) == alone(requests_of(f"user {number}", 3))
    # Three at a time of three images: two fit into eight.
    asked = [[request.prompt for request in call[::3]] for call in inner.calls[1:]]
    assert asked == [["user 0", "user 1"], ["user 2", "user 3"], ["user 4", "user 5"]]
    assert inner.most_inside == 1


def test_a_request_larger_than_a_batch_is_made_whole():
    inner = DrawingGenerator()
    wanted = requests_of("much", 20)

    assert pictures(BatchingGenerator(inner, batch_size=8).generate(wanted)) == alone(wanted)
    assert len(inner.calls) == 1


def test_nothing_asked_for_nothing_made():
    inner = DrawingGenerator()

    assert BatchingGenerator(inner).generate([]) == []
    assert inner.calls == []


def test_a_batch_below_one_is_refused():
    with pytest.raises(InvalidInputError, match="batch_size=0"):
        BatchingGenerator(DrawingGenerator(), batch_size=0)


def test_the_fingerprint_is_the_generators():
    assert BatchingGenerator(DrawingGenerator()).fingerprint == "drawing"


@given(st.lists(st.integers(0, 6), min_size=1, max_size=12), st.integers(1, 9))
def test_everybody_gets_what_they_would_get_alone(counts: list[int], batch_size: int):
    generator = BatchingGenerator(DrawingGenerator(0.001), batch_size)
    wanted = [requests_of(f"user {user}", count) for user, count in enumerate(counts)]
    with ThreadPoolExecutor(len(wanted)) as threads:
        made = list(threads.map(generator.generate, wanted))

    assert [pictures(images) for images in made] == [alone(requests) for requests in wanted]


def behind_a_gate(
    pool: ThreadPoolExecutor, inner: DrawingGenerator, *wanted: list[ImageRequest]
) -> list[GeneratedImage | Exception | list[GeneratedImage]]:
    """What calls get that come while another one is being served, so that they go together."""
    begun, gate, whole = threading.Event(), threading.Event(), inner.generate

    def wait_first(requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        if not begun.is_set():
            begun.set()
            gate.wait(10)
        return whole(requests)

    inner.generate = wait_first  # type: ignore[method-assign]
    generator = BatchingGenerator(inner, batch_size=8)
    waiting = [pool.submit(generator.generate, requests_of("first", 1))]
    assert begun.wait(10)
    for requests in wanted:
        waiting.append(pool.submit(generator.generate, requests))
        until(lambda: len(generator._queue) == len(waiting) - 1)
    gate.set()
    return [future.exception(10) or future.result() for future in waiting[1:]]  # type: ignore[misc]


def test_an_error_belongs_to_whoever_asked_for_it(pool: ThreadPoolExecutor):
    inner = PickyGenerator()
    fit = requests_of("fit", 2)
    good, bad = behind_a_gate(pool, inner, fit, [ImageRequest("unfit")])

    assert pictures(good) == alone(fit)  # type: ignore[arg-type]
    assert isinstance(bad, GenerationError)
    assert [len(call) for call in inner.calls] == [1, 3, 2, 1]


def test_where_memory_fits_fewer_everybody_is_served_alone(pool: ThreadPoolExecutor):
    one, two = requests_of("one", 3), requests_of("two", 4)
    made = behind_a_gate(pool, SmallGenerator(), one, two)

    assert pictures(made[0]) == alone(one)  # type: ignore[arg-type]
    assert pictures(made[1]) == alone(two)[:3]  # type: ignore[arg-type]


async def test_who_goes_leaves_the_queue_and_costs_the_others_nothing():
    inner = GatedGenerator()
    generator = BatchingGenerator(inner, batch_size=8)

    def wait_for(user: str) -> asyncio.Task[list[GeneratedImage]]:
        wanted = requests_of(user, 2)
        return asyncio.ensure_future(in_thread(lambda: generator.generate(wanted)))

    first = wait_for("first")
    await asyncio.to_thread(inner.entered.acquire, timeout=10)
    going, staying = wait_for("going"), wait_for("staying")
    await asyncio.to_thread(until, lambda: len(generator._queue) == 2)
    going.cancel()
    await asyncio.to_thread(until, lambda: len(generator._queue) == 1)
    inner.gate.release()
    inner.gate.release()

    assert pictures(await first) == alone(requests_of("first", 2))
    assert pictures(await staying) == alone(requests_of("staying", 2))
    assert all(request.prompt != "going" for call in inner.calls for request in call)


async def test_a_batch_goes_on_while_one_of_its_users_waits_and_stops_when_none_does():
    inner = GatedGenerator()
    generator = BatchingGenerator(inner, batch_size=8)

    def wait_for(user: str) -> asyncio.Task[list[GeneratedImage]]:
        wanted = requests_of(user, 1)
        return asyncio.ensure_future(in_thread(lambda: generator.generate(wanted)))

    first = wait_for("first")
    await asyncio.to_thread(inner.entered.acquire, timeout=10)
    together = [wait_for("a"), wait_for("b")]
    await asyncio.to_thread(until, lambda: len(generator._queue) == 2)
    inner.gate.release()
    await first
    # Both are being made now; whichever made the call, the other goes on.
    await asyncio.to_thread(inner.entered.acquire, timeout=10)
    together[0].cancel()
    await asyncio.sleep(0.1)
    assert inner.inside == 1
    together[1].cancel()
    await asyncio.to_thread(until, lambda: inner.inside == 0)
    inner.gate.release()

    assert pictures(await wait_for("next")) == alone(requests_of("next", 1))


def test_a_call_past_its_limit_is_stopped_and_holds_nobody_up():
    inner = GatedGenerator()
    generator = BatchingGenerator(inner)
    with pytest.raises(TimeoutError):
        call_within(0.05, lambda: generator.generate(requests_of("late", 1)))
    until(lambda: inner.inside == 0)
    inner.gate.release()

    assert len(generator.generate(requests_of("next", 1))) == 1


def busy_threads() -> int:
    """Threads that do something, beside those that wait for something to do."""
    return sum(thread.name.startswith("Thread-") for thread in threading.enumerate())


async def test_cancelled_searches_leave_no_thread_and_no_lock_behind(
    demo: DiffusionAugmentedRetriever,
):
    encoder = demo.query_encoder
    inner = GatedGenerator()
    generator, limit = encoder.generator, encoder.generation_limit
    encoder.generator, encoder.generation_limit = BatchingGenerator(inner), 30
    before = busy_threads()
    try:
        searches = [asyncio.ensure_future(demo.asearch(f"a mug {n}")) for n in range(32)]
        streams = [asyncio.ensure_future(anext(aiter(demo.astream("a red bag"))))]
        await asyncio.to_thread(inner.entered.acquire, timeout=30)
        for search in searches:
            search.cancel()
        outcomes = await asyncio.gather(*searches, return_exceptions=True)
        assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
        assert (await streams[0]).hits
        await asyncio.to_thread(until, lambda: inner.inside == 0)
        await asyncio.to_thread(until, lambda: busy_threads() <= before)
        assert not generator_is_busy(encoder.generator)
        for _ in range(2):
            inner.gate.release()
        found = await demo.asearch("a blue mug")
        assert found.trace.generated
        assert not found.trace.fallbacks
    finally:
        encoder.generator, encoder.generation_limit = generator, limit


def generator_is_busy(generator: BatchingGenerator) -> bool:
    return generator._busy or bool(generator._queue)


async def test_thirty_two_searches_at_once_find_what_they_find_alone(
    demo: DiffusionAugmentedRetriever,
):
    encoder = demo.query_encoder
    # Slower than reading, so that requests meet.
    inner = DrawingGenerator(0.15)
    generator = encoder.generator
    encoder.generator = BatchingGenerator(inner, batch_size=16)
    texts = [
        f"a {colour} {thing}" for colour in ("red", "blue", "teal", "pink") for thing in THINGS
    ]
    try:
        together = await asyncio.gather(*(demo.asearch(text) for text in texts))
        calls = len(inner.calls)
        one_by_one = [demo.search(text) for text in texts[::4]]
    finally:
        encoder.generator = generator
    for got, expected in zip(together[::4], one_by_one, strict=True):
        assert got.trace.caption == expected.trace.caption
        assert [image.seed for image in got.trace.generated] == [0, 1]
        assert pictures(got.trace.generated) == pictures(expected.trace.generated)
        assert [hit.id for hit in got.hits] == [hit.id for hit in expected.hits]
    assert calls < len(texts)


THINGS = ["mug", "handbag", "dress", "shoe", "lamp", "chair", "hat", "vase"]
