"""Whether anything stored is close to what was asked for, and what is told of it."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
import pytest
from fakes import DrawingGenerator, FailingGenerator, blank_image

from dar_retriever import (
    Calibration,
    DARQueryEncoder,
    Dialogue,
    DiffusionAugmentedRetriever,
    EncodedQuery,
    ImageStore,
    JointEncoder,
    OpenClipEncoder,
    StoreCloseness,
    StoredImage,
    StoreError,
    Trace,
    Vectors,
)
from dar_retriever.cli.display import as_json
from dar_retriever.demo.captions import description
from dar_retriever.demo.gallery import gallery_products
from dar_retriever.ranking.closeness import Verdict
from dar_retriever.stores.filters import Filter

PRODUCTS = gallery_products(120)
BAG = 1
CAPTIONS = [description(product) for product in PRODUCTS[:40]]


@pytest.fixture(scope="module")
def encoder(demo: DiffusionAugmentedRetriever) -> JointEncoder:
    return demo.query_encoder.encoder


def unit(vector: Vectors) -> Vectors:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


class World:
    """A store whose images lie at all distances from their captions, and what can be asked of it.

    Args:
        encoder: Encodes the captions.
        captions: One for each image; by default as many as there are in ``CAPTIONS``.
    """

    def __init__(self, encoder: JointEncoder, captions: Sequence[str] = CAPTIONS) -> None:
        random = np.random.default_rng(0)
        texts = encoder.encode_texts(CAPTIONS)
        noise = random.normal(size=(len(captions), encoder.dimension))
        shares = random.uniform(0.5, 0.7, len(captions))
        self.images = np.stack(
            [unit(a * t + (1 - a) * unit(n)) for a, t, n in zip(shares, texts, noise, strict=False)]
        )
        self.encoder = encoder
        self.store = ImageStore.in_memory(encoder)
        self.store.add(stored(self.images, captions))
        # Directions that no image has a part of.
        full, _ = np.linalg.qr(np.concatenate([self.images, random.normal(size=(9, 192))]).T)
        self.away, self.elsewhere = np.asarray(full.T[-2:], np.float32)

    def closeness(self) -> StoreCloseness:
        return StoreCloseness(self.store, self.encoder, Calibration(self.store))

    def verdict(self, text: Vectors | None, *drawn: Vectors) -> Verdict:
        return self.closeness().verdict(query_of(text, *drawn))

    def text(self, deviations: float) -> Vectors:
        """A text whose best hit is so many deviations from what the captions reach with theirs."""
        captions = self.encoder.encode_texts(self.store.captions(64))
        usual = (captions @ self.images.T).max(1)
        return self.scoring(float(usual.mean() + deviations * usual.std()))

    def scoring(self, best: float) -> Vectors:
        """A text with a score with its best hit."""
        return unit(best * self.images[7] + np.sqrt(1 - best**2) * self.away)

    def drawing(self, farther: int) -> Vectors:
        """A picture that fits every text, nearer to the store than some of its images."""
        closeness = self.images @ self.images.T
        np.fill_diagonal(closeness, 0)
        nearest = np.sort(closeness.max(0))
        near = float(nearest[farther - 1 : farther + 1].mean()) if farther else 0.9 * nearest[0]
        return unit(near * self.images[7] + np.sqrt(1 - near**2) * self.away)


def stored(vectors: Vectors, captions: Sequence[str], first: int = 0) -> list[StoredImage]:
    return [
        StoredImage(f"id{number}", vector, f"{number}.jpg", caption)
        for number, (vector, caption) in enumerate(zip(vectors, captions, strict=True), first)
    ]


def query_of(text: Vectors | None, *drawn: Vectors) -> EncodedQuery:
    nothing = np.empty((0, 192), np.float32)
    images = np.stack(drawn) if drawn else nothing
    vector = np.ones(192, np.float32) if text is None else text
    return EncodedQuery(
        Dialogue.from_text("x"), vector, text, images, nothing, nothing, nothing, Trace()
    )


@pytest.fixture(scope="module")
def world(encoder: JointEncoder) -> World:
    return World(encoder)


@pytest.fixture(scope="module")
def wordless(encoder: JointEncoder) -> World:
    """The same images without captions."""
    return World(encoder, [""] * len(CAPTIONS))


# By words.


@pytest.mark.parametrize("deviations", [2, 0, -2.9, -9])
def test_words_alone_decide_nothing(world: World, deviations: float):
    assert world.verdict(world.text(deviations)) == Verdict()


def test_without_captions_words_say_nothing(wordless: World):
    for best in (0.9, 0.3, 0.05):
        assert wordless.verdict(wordless.scoring(best)) == Verdict()


@pytest.mark.parametrize(("captions", "close"), [(19, False), (20, True)])
def test_words_that_fit_well_count_from_20_captions_on(
    encoder: JointEncoder, captions: int, *, close: bool
):
    few = World(encoder, [*CAPTIONS[:captions], *[CAPTIONS[0]] * (len(CAPTIONS) - captions)])

    assert few.verdict(few.text(-0.9), few.drawing(0)).close is close


@pytest.mark.parametrize("count", [0, 1, 2, 19])
def test_too_few_images_say_nothing(encoder: JointEncoder, count: int):
    small = World(encoder)
    small.store.delete([f"id{number}" for number in range(count, len(CAPTIONS))])

    for text in (small.scoring(0.05), None):
        assert small.verdict(text, small.away) == Verdict()


def test_without_words_nothing_is_judged(world: World):
    assert world.verdict(None) == Verdict()
    assert world.verdict(None, world.away, world.drawing(0)) == Verdict()


# By drawings.


@pytest.mark.parametrize(("deviations", "close"), [(0, True), (-0.9, True), (-1.1, False)])
def test_odd_drawings_count_where_words_agree(world: World, deviations: float, *, close: bool):
    verdict = world.verdict(world.text(deviations), world.drawing(0))

    assert verdict.close is close
    assert verdict.reason == (
        ""
        if close
        else "nothing is close: 100 % of the stored images have a nearer neighbour than what was "
        "generated"
    )


def test_odd_drawings_alone_are_enough_where_there_are_no_captions(wordless: World):
    assert not wordless.verdict(wordless.scoring(0.5), wordless.drawing(0)).close


@pytest.mark.parametrize(("farther", "close"), [(0, False), (1, False), (2, True), (20, True)])
def test_a_drawing_is_odd_where_95_percent_of_the_images_have_a_nearer_neighbour(
    world: World, wordless: World, farther: int, *, close: bool
):
    for place, text in ((world, world.text(-1.5)), (wordless, wordless.scoring(0.5))):
        verdict = place.verdict(text, place.drawing(farther))
        assert verdict.close is close
        share = 100 * (1 - farther / len(CAPTIONS))
        assert close or f"{share:.0f} % of the stored images" in verdict.reason


def test_drawings_at_home_in_the_store_are_near(world: World, wordless: World):
    assert world.verdict(world.text(-2), *world.images[3:6]).close
    assert wordless.verdict(wordless.scoring(0.3), *wordless.images[3:6]).close


def test_drawings_are_judged_together(wordless: World):
    text, odd, home = wordless.scoring(0.5), wordless.drawing(0), wordless.drawing(30)

    assert not wordless.verdict(text, odd, odd).close
    assert wordless.verdict(text, odd, home, home, home).close


def test_a_generator_of_another_style_does_not_make_everything_far(world: World, wordless: World):
    for place, text in ((world, world.text(-2)), (wordless, wordless.scoring(0.5))):
        assert place.verdict(text, place.elsewhere, -place.elsewhere).close


@pytest.mark.parametrize(("better", "close"), [(0.2, True), (0.05, False), (-1, False)])
def test_odd_drawings_count_where_they_fit_the_text_as_well_as_its_best_hit(
    wordless: World, better: float, *, close: bool
):
    text = wordless.scoring(0.5)
    spread = float((wordless.images @ text).std())
    along = (0.5 - better * spread) / float(text @ wordless.away)
    drawing = along * wordless.away + np.sqrt(1 - along**2) * wordless.elsewhere

    assert float(drawing @ text) == pytest.approx(0.5 - better * spread, abs=1e-4)
    assert wordless.verdict(text, unit(drawing)).close is close


def test_copies_of_its_images_do_not_make_a_store_strange_to_its_own_drawings(
    encoder: JointEncoder,
):
    twice = World(encoder)
    copies = [dataclasses.replace(i, id=f"{i.id}-small") for i in stored(twice.images, CAPTIONS)]
    text, drawing = twice.text(-1.5), twice.drawing(20)
    assert twice.verdict(text, drawing).close

    twice.store.add(copies)

    assert twice.verdict(text, drawing).close


# What is usual is looked up when it has changed.


class CountingEncoder:
    """The encoder given; counts how often texts are encoded."""

    def __init__(self, encoder: JointEncoder) -> None:
        self.calls = 0
        self._encoder = encoder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        self.calls += 1
        return self._encoder.encode_texts(texts)


def test_what_is_usual_is_looked_up_once_until_the_store_has_changed(encoder: JointEncoder):
    counting = CountingEncoder(encoder)
    world = World(encoder)
    closeness = StoreCloseness(world.store, counting, Calibration(world.store))
    texts, odd = [world.text(-4), world.text(0), world.text(-2)], world.drawing(0)

    verdicts = [closeness.verdict(query_of(text, odd)).close for text in texts for _ in range(2)]
    assert verdicts == [False, False, True, True, False, False]
    assert counting.calls == 1

    # Too few to make a difference.
    world.store.add(stored(texts[2][None], ["one more"], 100))
    closeness.verdict(query_of(texts[1], odd))
    assert counting.calls == 1

    # Captions that fit worse than any did before.
    far = [f"something else, number {number}" for number in range(20)]
    world.store.add(stored(np.stack([world.elsewhere] * 20), far, 200))
    assert closeness.verdict(query_of(texts[1], odd)).close
    assert counting.calls == 2


def test_a_store_that_was_empty_is_judged_once_it_is_filled(encoder: JointEncoder):
    world = World(encoder)
    empty = ImageStore.in_memory(encoder)
    closeness = StoreCloseness(empty, encoder, Calibration(empty))
    far = query_of(world.text(-4), world.drawing(0))
    assert closeness.verdict(far) == Verdict()

    empty.add(stored(world.images, CAPTIONS))

    assert not closeness.verdict(far).close


def test_several_threads_look_up_what_is_usual_once(encoder: JointEncoder):
    counting = CountingEncoder(encoder)
    world = World(encoder)
    closeness = StoreCloseness(world.store, counting, Calibration(world.store))
    queries = [query_of(world.text(z), world.drawing(0)) for z in (-4, 0, -3.5, 1)] * 4
    # Each thread that asks first draws a sample of its own.
    world.store.sample()

    with ThreadPoolExecutor(8) as threads:
        verdicts = list(threads.map(closeness.verdict, queries))

    assert [verdict.close for verdict in verdicts] == [False, True, False, True] * 4
    assert counting.calls == 1


# The demo's gallery.


def test_what_is_stored_is_close_by_its_own_description(
    demo: DiffusionAugmentedRetriever, encoder: JointEncoder
):
    texts = encoder.encode_texts([description(product) for product in PRODUCTS])

    close = [demo.closeness.verdict(query_of(text)).close for text in texts]

    assert np.mean(close) > 0.97


# In a retriever.


class FixedCloseness:
    """Gives the same verdict for every query, and keeps the queries."""

    def __init__(self, verdict: Verdict) -> None:
        self.judged: list[EncodedQuery] = []
        self._verdict = verdict

    def verdict(self, query: EncodedQuery, where: Filter | None = None) -> Verdict:
        self.judged.append(query)
        return self._verdict


FAR = Verdict(False, "nothing is close: it is far")


def test_only_what_is_final_is_judged(demo: DiffusionAugmentedRetriever, encoder: JointEncoder):
    closeness = FixedCloseness(FAR)
    queries = DARQueryEncoder(encoder, DrawingGenerator(), images_per_turn=2)
    retriever = DiffusionAugmentedRetriever(queries, demo.store, closeness=closeness)

    first, last = retriever.stream("a red dress")

    assert (first.close, last.close) == (True, False)
    assert FAR.reason not in first.trace.reasons
    assert last.trace.reasons.count(FAR.reason) == 1
    assert (as_json(first)["close"], as_json(last)["close"]) == (True, False)
    assert FAR.reason in as_json(last)["trace"]["reasons"]
    (judged,) = closeness.judged
    assert judged is last.query
    assert len(judged.image_vectors) == 2
    # It is told, and the hits are there all the same.
    assert len(last.hits) == 10


@pytest.mark.parametrize(
    "generator", [None, FailingGenerator(RuntimeError("no memory"))], ids=["none", "failing"]
)
def test_a_search_without_drawings_is_judged_by_its_words(
    demo: DiffusionAugmentedRetriever, encoder: JointEncoder, generator: DrawingGenerator | None
):
    closeness = FixedCloseness(FAR)
    retriever = DiffusionAugmentedRetriever(
        DARQueryEncoder(encoder, generator), demo.store, closeness=closeness
    )

    *_, last = retriever.stream("a red dress")

    assert not last.close
    (judged,) = closeness.judged
    assert len(judged.image_vectors) == 0


async def test_every_way_to_search_gives_the_verdict(
    demo: DiffusionAugmentedRetriever, encoder: JointEncoder
):
    retriever = DiffusionAugmentedRetriever(
        DARQueryEncoder(encoder), demo.store, closeness=FixedCloseness(FAR)
    )

    found = [
        retriever.search("a red dress"),
        await retriever.asearch("a red dress"),
        *[result async for result in retriever.astream("a red dress")],
    ]
    assert [result.close for result in found] == [False] * 3
    assert retriever.search("a red dress").above(99).close is False


def test_what_is_close_has_no_reason(demo: DiffusionAugmentedRetriever, encoder: JointEncoder):
    queries = DARQueryEncoder(encoder)
    judged = DiffusionAugmentedRetriever(
        queries, demo.store, closeness=FixedCloseness(Verdict())
    ).search("a red dress")
    unjudged = DiffusionAugmentedRetriever(queries, demo.store).search("asdf qwer zxcv")

    assert judged.close
    assert unjudged.close
    assert not [reason for reason in (*judged.trace.reasons, *unjudged.trace.reasons) if not reason]


def test_the_demo_says_when_nothing_is_close(demo: DiffusionAugmentedRetriever):
    ids, vectors = demo.store.vectors()
    bags = [hit.metadata["kind"] == "handbag" for hit in demo.store.get(ids)]
    other = ImageStore.in_memory(demo.query_encoder.encoder)
    captions = [hit.caption for hit in demo.store.get(ids)]
    kept = [n for n, bag in enumerate(bags) if not bag]
    other.add(stored(vectors[kept], [captions[n] for n in kept]))
    judge = StoreCloseness(other, demo.query_encoder.encoder, Calibration(other))
    bagless = DiffusionAugmentedRetriever(demo.query_encoder, other, closeness=judge)
    # Not every one is told from what is there: examples/benchmarks/nothing_close.py.
    said = captions[[n for n, bag in enumerate(bags) if bag][BAG]]

    far, near = bagless.search(said, 3), demo.search(said, 3)

    assert (far.close, near.close) == (False, True)
    assert far.trace.reasons[-1].startswith("nothing is close: ")
    assert len(far.trace.generated) == demo.query_encoder.images_per_turn
    assert not [reason for reason in near.trace.reasons if "nothing is close" in reason]


@pytest.mark.parametrize("said", ["red", "something red", "mint background", "a striped thing"])
def test_what_names_no_kind_is_close(demo: DiffusionAugmentedRetriever, said: str):
    assert demo.search(said, 3).close


def test_a_vague_description_of_what_is_there_is_close(
    demo: DiffusionAugmentedRetriever, encoder: JointEncoder
):
    kinds = sorted({product.kind for product in PRODUCTS})
    texts = encoder.encode_texts([f"a {kind}" for kind in kinds])

    far = [
        kind
        for kind, text in zip(kinds, texts, strict=True)
        if not demo.closeness.verdict(query_of(text)).close
    ]

    assert far == []


# What a store tells of its captions and vectors.


def vectors_at(count: int, dimension: int) -> Vectors:
    rows = np.random.default_rng(count).normal(size=(count, dimension))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def test_captions_are_some_of_the_images_each_once(tiny_encoder: OpenClipEncoder):
    store = ImageStore.in_memory(tiny_encoder)
    captions = [f"picture {number % 30}" if number % 3 else "" for number in range(90)]
    store.add(stored(vectors_at(90, tiny_encoder.dimension), captions))
    known = set(captions) - {""}

    some = store.captions(12)

    assert len(some) == len(set(some)) == 12
    assert known.issuperset(some)
    assert store.captions(12) == some
    assert set(store.captions(500)) == known
    assert len(store.captions(500)) == len(known)
    assert store.captions(0) == []


def test_captions_do_not_depend_on_the_order_they_were_stored_in(tiny_encoder: OpenClipEncoder):
    images = stored(vectors_at(50, tiny_encoder.dimension), [f"picture {n}" for n in range(50)])
    stores = [ImageStore.in_memory(tiny_encoder) for _ in range(2)]
    stores[0].add(images)
    stores[1].add(images[::-1])

    assert stores[0].captions(9) == stores[1].captions(9)
    # They are not just the first.
    assert stores[0].captions(9) != sorted(f"picture {n}" for n in range(50))[:9]


def test_a_store_that_is_opened_again_gives_the_same_captions(
    tiny_encoder: OpenClipEncoder, tmp_path: Path
):
    store = ImageStore.on_disk(tmp_path, tiny_encoder)
    store.add(stored(vectors_at(50, tiny_encoder.dimension), [f"picture {n}" for n in range(50)]))

    assert ImageStore.on_disk(tmp_path, tiny_encoder).captions(9) == store.captions(9)


def test_an_empty_store_and_one_without_captions_have_none(tiny_encoder: OpenClipEncoder):
    store = ImageStore.in_memory(tiny_encoder)
    assert store.captions(5) == []

    store.add(stored(vectors_at(3, tiny_encoder.dimension), ["", "", ""]))

    assert store.captions(5) == []


def test_pictures_that_stand_in_place_of_texts_are_no_captions(tiny_encoder: OpenClipEncoder):
    collection = chromadb.EphemeralClient().create_collection(
        "pictures-as-texts", configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
    )
    documents = ["a red dress", "a blue mug", None]
    for form in ("JPEG", "PNG", "GIF", "WEBP"):
        file = io.BytesIO()
        blank_image("red").save(file, form)
        documents.append(base64.b64encode(file.getvalue()).decode())
    collection.add(
        ids=[str(number) for number in range(len(documents))],
        embeddings=vectors_at(len(documents), tiny_encoder.dimension),
        documents=[document or "" for document in documents],
    )
    store = ImageStore(chromadb.EphemeralClient(), tiny_encoder, "pictures-as-texts")

    assert sorted(store.captions(10)) == ["a blue mug", "a red dress"]


@pytest.fixture(scope="module")
def numbered(tiny_encoder: OpenClipEncoder) -> ImageStore:
    store = ImageStore.in_memory(tiny_encoder)
    store.add(stored(vectors_at(20, tiny_encoder.dimension), [""] * 20))
    return store


def test_vectors_come_in_the_order_asked_for(numbered: ImageStore, tiny_encoder: OpenClipEncoder):
    places = [7, 2, 19, 7, 0]

    rows = numbered.vectors_of([f"id{place}" for place in places])

    assert rows.dtype == np.float32
    expected = vectors_at(20, tiny_encoder.dimension)[places]
    np.testing.assert_allclose(rows, expected, atol=1e-5)


def test_vectors_are_of_unit_length_however_they_are_stored(tiny_encoder: OpenClipEncoder):
    client = chromadb.EphemeralClient()
    collection = client.create_collection(
        "lengths", configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
    )
    rows = vectors_at(3, tiny_encoder.dimension)
    collection.add(ids=["a", "b", "c"], embeddings=rows * [[0.1], [3], [20]])

    found = ImageStore(client, tiny_encoder, "lengths").vectors_of(["c", "a"])

    np.testing.assert_allclose(found, rows[[2, 0]], atol=1e-5)


def test_no_ids_have_no_vectors(numbered: ImageStore, tiny_encoder: OpenClipEncoder):
    assert numbered.vectors_of([]).shape == (0, tiny_encoder.dimension)


@pytest.mark.parametrize("ids", [["no such"], ["id1", "no such", "id2"], ["no such", "nor this"]])
def test_an_id_without_an_image_is_an_error_that_names_it(numbered: ImageStore, ids: list[str]):
    with pytest.raises(StoreError, match=r"no such.*: not stored"):
        numbered.vectors_of(ids)
