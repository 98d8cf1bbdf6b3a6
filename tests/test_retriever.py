from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from random import Random
from typing import Any, TypeVar

import numpy as np
import pytest
from fakes import DrawingGenerator, FailingGenerator, HangingGenerator
from PIL import Image

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import Product, sample_products
from dar_retriever.encoders import OpenClipEncoder
from dar_retriever.errors import EmptyDialogueError, InvalidFilterError, InvalidInputError
from dar_retriever.generation import ImageGenerator
from dar_retriever.query_encoder import DARQueryEncoder
from dar_retriever.retriever import DiffusionAugmentedRetriever, SearchResult
from dar_retriever.stores.hits import StoredImage
from dar_retriever.stores.image_store import ImageStore

T = TypeVar("T")

PRODUCTS = sample_products(24, unseen=False, seed=3)


def picture_of(product: Product) -> Image.Image:
    return draw(product, 64, Random(repr(product)))


@pytest.fixture(scope="module")
def store(tiny_encoder: OpenClipEncoder) -> ImageStore:
    """Some pictures of the drawn catalogue."""
    store = ImageStore.in_memory(tiny_encoder)
    vectors = tiny_encoder.encode_images([picture_of(product) for product in PRODUCTS])
    store.add(
        [
            StoredImage(f"id{number}", vector, f"{number}.png", product.kind, product.attributes())
            for number, (product, vector) in enumerate(zip(PRODUCTS, vectors, strict=True))
        ]
    )
    return store


def retriever_of(
    store: ImageStore, encoder: OpenClipEncoder, generator: ImageGenerator | None = None
) -> DiffusionAugmentedRetriever:
    return DiffusionAugmentedRetriever(
        DARQueryEncoder(encoder, generator, images_per_turn=2), store
    )


@pytest.fixture
def retriever(store: ImageStore, tiny_encoder: OpenClipEncoder) -> DiffusionAugmentedRetriever:
    return retriever_of(store, tiny_encoder, DrawingGenerator())


def ids(result: SearchResult) -> list[str]:
    return [hit.id for hit in result.hits]


def test_hits_are_ranked_by_the_product_with_the_query(
    retriever: DiffusionAugmentedRetriever, store: ImageStore
):
    result = retriever.search("a red dress", k=len(PRODUCTS))

    names, vectors = store.vectors()
    scores = dict(zip(names, (vectors @ result.query.vector).tolist(), strict=True))
    assert sorted(ids(result)) == sorted(names)
    assert [hit.score for hit in result.hits] == sorted(
        (h.score for h in result.hits), reverse=True
    )
    for hit in result.hits:
        assert hit.score == pytest.approx(scores[hit.id], abs=1e-4)


def test_a_stored_picture_finds_itself(retriever: DiffusionAugmentedRetriever):
    (hit,) = retriever.search(picture_of(PRODUCTS[5]), k=1).hits

    assert (hit.id, hit.uri, hit.caption) == ("id5", "5.png", PRODUCTS[5].kind)
    assert hit.score == pytest.approx(1, abs=1e-4)
    # Chroma keeps empty values, too.
    assert hit.metadata == PRODUCTS[5].attributes()


@pytest.mark.parametrize(("k", "found"), [(1, 1), (7, 7), (1000, len(PRODUCTS))])
def test_there_are_at_most_k_hits(retriever: DiffusionAugmentedRetriever, k: int, found: int):
    assert len(retriever.search("a dress", k=k).hits) == found


def test_fewer_hits_are_the_first_of_more(retriever: DiffusionAugmentedRetriever):
    assert ids(retriever.search("a dress", k=3)) == ids(retriever.search("a dress", k=9))[:3]


def test_a_filter_narrows_the_search(retriever: DiffusionAugmentedRetriever):
    colour = PRODUCTS[0].colour
    expected = {f"id{n}" for n, product in enumerate(PRODUCTS) if product.colour == colour}

    assert set(ids(retriever.search("x", k=50, where={"colour": colour}))) == expected
    assert 0 < len(expected) < len(PRODUCTS)
    assert retriever.search("x", where={"colour": "no such colour"}).hits == ()


async def test_what_is_excluded_is_found_by_no_call(retriever: DiffusionAugmentedRetriever):
    everything = ids(retriever.search("a red dress", k=len(PRODUCTS)))
    out = set(everything[:3])
    expected = everything[3:8]

    assert ids(retriever.search("a red dress", 5, exclude=out)) == expected
    assert ids(await retriever.asearch("a red dress", 5, exclude=out)) == expected
    streams = [
        list(retriever.stream("a red dress", 5, None, out)),
        await consumed(retriever, "a red dress", 5, None, out),
    ]
    for first, last in streams:
        assert len(first.hits) == 5
        assert out.isdisjoint(ids(first))
        assert ids(last) == expected


def test_exclusions_and_a_filter_hold_together(retriever: DiffusionAugmentedRetriever):
    where = {"colour": PRODUCTS[0].colour}
    red = ids(retriever.search("x", 50, where))

    assert ids(retriever.search("x", 50, where, red[:1])) == red[1:]


def test_hits_below_a_score_can_be_dropped(retriever: DiffusionAugmentedRetriever):
    result = retriever.search("a dress", k=6)
    least = result.hits[2].score

    assert ids(result.above(least)) == ids(result)[:3]
    assert result.above(least).query is result.query
    assert result.above(99.0).hits == ()
    assert result.above(-99.0) == result
    assert result.above(None) is result
    assert len(result.hits) == 6


async def consumed(retriever: DiffusionAugmentedRetriever, *args: Any) -> list[SearchResult]:
    return [result async for result in retriever.astream(*args)]


@pytest.mark.parametrize("k", [0, -3])
async def test_fewer_than_one_hit_is_refused_everywhere(
    retriever: DiffusionAugmentedRetriever, k: int
):
    generator = retriever.query_encoder.generator
    for call in (retriever.search, lambda *args: list(retriever.stream(*args))):
        with pytest.raises(InvalidInputError, match=f"k={k}"):
            call("a dress", k)
    for pending in (retriever.asearch("a dress", k), consumed(retriever, "a dress", k)):
        with pytest.raises(InvalidInputError, match=f"k={k}"):
            await pending
    assert generator.calls == []


async def test_a_filter_that_chroma_refuses_is_an_error(retriever: DiffusionAugmentedRetriever):
    wrong = {"colour": {"$like": "red"}}

    with pytest.raises(InvalidFilterError, match="like"):
        retriever.search("a dress", where=wrong)
    with pytest.raises(InvalidFilterError, match="like"):
        await retriever.asearch("a dress", where=wrong)


async def test_an_empty_dialogue_is_refused_everywhere(retriever: DiffusionAugmentedRetriever):
    with pytest.raises(EmptyDialogueError):
        retriever.search(Dialogue())
    with pytest.raises(EmptyDialogueError):
        list(retriever.stream([]))
    with pytest.raises(EmptyDialogueError):
        await retriever.asearch("")
    with pytest.raises(EmptyDialogueError):
        await consumed(retriever, " ")


def assert_text_then_final(results: list[SearchResult], whole: SearchResult) -> None:
    first, last = results
    assert (first.final, last.final) == (False, True)
    np.testing.assert_array_equal(first.query.vector, whole.query.text_vector)
    assert ids(last) == ids(whole)
    np.testing.assert_array_equal(last.query.vector, whole.query.vector)


def test_a_stream_gives_what_the_text_finds_and_then_the_result(
    retriever: DiffusionAugmentedRetriever,
):
    whole = retriever.search("a red dress")

    assert whole.final
    assert_text_then_final(list(retriever.stream("a red dress")), whole)


async def test_the_asynchronous_calls_give_the_same(retriever: DiffusionAugmentedRetriever):
    whole = retriever.search("a red dress")

    assert ids(await retriever.asearch("a red dress")) == ids(whole)
    assert_text_then_final(await consumed(retriever, "a red dress"), whole)


def test_without_a_generator_the_stream_has_one_result(
    store: ImageStore, tiny_encoder: OpenClipEncoder
):
    (result,) = retriever_of(store, tiny_encoder).stream("a red dress")

    assert result.final


def test_the_first_result_is_there_before_images_are(
    store: ImageStore, tiny_encoder: OpenClipEncoder
):
    generator = HangingGenerator()
    results = retriever_of(store, tiny_encoder, generator).stream("a red dress")

    first = next(results)
    assert len(first.hits) == 10
    assert not first.final

    generator.released.set()
    assert next(results).final


async def ticks_during(work: Awaitable[T]) -> tuple[int, T]:
    """How often the event loop came round meanwhile, at most every 5 ms."""
    count = 0

    async def tick() -> None:
        nonlocal count
        while True:
            await asyncio.sleep(0.005)
            count += 1

    ticker = asyncio.ensure_future(tick())
    try:
        result = await work
    finally:
        ticker.cancel()
    return count, result


@pytest.mark.parametrize("streamed", ["asearch", "astream"])
async def test_the_event_loop_goes_on_meanwhile(
    store: ImageStore, tiny_encoder: OpenClipEncoder, streamed: str
):
    retriever = retriever_of(store, tiny_encoder, DrawingGenerator(seconds=0.5))
    work = retriever.asearch("a dress") if streamed == "asearch" else consumed(retriever, "a dress")

    ticks, _ = await ticks_during(work)

    # 100 would be ideal; a blocked loop comes round a few times at the most.
    assert ticks >= 20


async def test_concurrent_searches_find_what_they_find_alone(
    retriever: DiffusionAugmentedRetriever,
):
    dialogues = [
        Dialogue.from_text(f"a {p.colour} {p.kind}").ask("patterned?").say(p.pattern)
        for p in PRODUCTS[:8]
    ]
    alone = [retriever.search(dialogue) for dialogue in dialogues]

    together = await asyncio.gather(*(retriever.asearch(dialogue) for dialogue in dialogues))

    for one, other, dialogue in zip(alone, together, dialogues, strict=True):
        assert other.dialogue == dialogue
        assert ids(other) == ids(one)
        assert other.trace.caption == one.trace.caption
        np.testing.assert_allclose(other.query.vector, one.query.vector, atol=1e-6)


def test_a_result_goes_on_as_a_dialogue(retriever: DiffusionAugmentedRetriever):
    first = retriever.search("a red dress")

    second = retriever.search(first.dialogue.say("make it blue"))

    assert first.trace.caption == "a red dress"
    assert second.trace.caption == "a blue dress"
    assert second.dialogue.round == 1


def test_the_trace_tells_how_long_each_step_took(retriever: DiffusionAugmentedRetriever):
    trace = retriever.search("a red dress").trace

    assert set(trace.timings) == {"reformulate", "generate", "encode", "fuse", "search"}
    assert len(trace.generated) == 2
    with pytest.raises(TypeError):
        trace.timings["search"] = 0


def test_a_search_answers_when_generation_fails(store: ImageStore, tiny_encoder: OpenClipEncoder):
    failing = retriever_of(store, tiny_encoder, FailingGenerator(RuntimeError("no memory")))

    result = failing.search("a red dress")

    assert ids(result) == ids(retriever_of(store, tiny_encoder).search("a red dress"))
    assert "no memory" in result.trace.fallbacks[0]


def test_an_empty_store_finds_nothing(tiny_encoder: OpenClipEncoder):
    assert retriever_of(ImageStore.in_memory(tiny_encoder), tiny_encoder).search("x").hits == ()


class CountingStore:
    """A store that counts its searches."""

    def __init__(self, store: ImageStore) -> None:
        self._store = store
        self.searches = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def search(self, *arguments: Any) -> list[Any]:
        self.searches += 1
        return self._store.search(*arguments)


@pytest.mark.parametrize(
    ("stored", "where", "exclude", "nothing"),
    [
        (0, None, (), "The store is empty; index some images first."),
        (0, {"kind": "sofa"}, (), "The store is empty; index some images first."),
        (1, {"kind": "sofa"}, (), "No stored image matches the filter."),
        (1, None, ("id1",), "The store holds no further image."),
    ],
)
def test_nothing_is_drawn_where_nothing_can_be_found(
    tiny_encoder: OpenClipEncoder, stored: int, where: Any, exclude: Any, nothing: str
):
    generator, store = DrawingGenerator(), ImageStore.in_memory(tiny_encoder)
    vectors = tiny_encoder.encode_texts(["a mug"])[:stored]
    store.add([StoredImage("id1", vector, "1.png", "", {"kind": "mug"}) for vector in vectors])
    retriever = retriever_of(store, tiny_encoder, generator)

    stages = list(retriever.stream("a red dress", 5, where, exclude))

    assert len(stages) == 1
    result = stages[0]
    assert (result.hits, result.final, result.close) == ((), True, False)
    assert result.nothing == nothing
    assert not generator.calls
    assert retriever.search("a red dress", 5, where, exclude).nothing == nothing


def test_a_filter_that_leaves_images_is_searched_with_drawings(
    retriever: DiffusionAugmentedRetriever,
):
    result = retriever.search("a red dress", 3, {"kind": PRODUCTS[0].kind})

    assert result.hits
    assert result.nothing == ""
    assert result.trace.generated


def test_the_store_is_not_asked_twice_for_the_same(
    store: ImageStore, tiny_encoder: OpenClipEncoder
):
    counting = CountingStore(store)
    retriever = retriever_of(counting, tiny_encoder, FailingGenerator(RuntimeError("broken")))

    first, final = retriever.stream("a red dress", 3)

    assert counting.searches == 1
    assert final.hits == first.hits
    assert final.final
    assert any("generation failed" in fallback for fallback in final.trace.fallbacks)
    assert {"reformulate", "search", "generate"} <= final.trace.timings.keys()
