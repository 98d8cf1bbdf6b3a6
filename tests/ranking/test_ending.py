"""Where the list ends: how many hits fit, and what is told where none does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from dar_retriever import (
    Calibration,
    Candidates,
    DARQueryEncoder,
    Dialogue,
    DiffusionAugmentedRetriever,
    EncodedQuery,
    Hit,
    ImageStore,
    JointEncoder,
    PropositionReader,
    StoredImage,
    StoreEnding,
    Trace,
    Vectors,
)
from dar_retriever.agents import AgentSearch, SearchCall, reply_text
from dar_retriever.demo.captions import description
from dar_retriever.demo.gallery import gallery_products
from dar_retriever.ranking.closeness import Verdict
from dar_retriever.stores.filters import Filter

PRODUCTS = gallery_products(120)


@pytest.fixture(scope="module")
def encoder(demo: DiffusionAugmentedRetriever) -> JointEncoder:
    return demo.query_encoder.encoder


@pytest.fixture(scope="module")
def vectors(demo: DiffusionAugmentedRetriever) -> Vectors:
    hits = demo.store.search(demo.query_encoder.encode("a mug").vector, k=120)
    return demo.store.vectors_of([hit.id for hit in sorted(hits, key=lambda hit: hit.uri)])


def store_of(encoder: JointEncoder, vectors: Vectors, *, captions: bool) -> ImageStore:
    store = ImageStore.in_memory(encoder)
    described = [description(product) if captions else "" for product in PRODUCTS]
    store.add(
        [
            StoredImage(str(n), vector, f"{n}.jpg", text)
            for n, (vector, text) in enumerate(zip(vectors, described, strict=False))
        ]
    )
    return store


def fitting(store: ImageStore, encoder: JointEncoder, caption: str, k: int = 60) -> int | None:
    ending = StoreEnding(store, PropositionReader(encoder, Calibration(store)))
    text = encoder.encode_texts([caption])[0]
    none, hits = text[None][:0], store.search(text, k)
    trace = Trace(caption)
    query = EncodedQuery(Dialogue.from_text("x"), text, text, none, none, none, none, trace)
    found = store.vectors_of([hit.id for hit in hits]) if hits else none
    return ending.fitting(Candidates(query, hits, found))


def test_the_list_ends_after_what_was_asked_for(encoder: JointEncoder, vectors: Vectors) -> None:
    store, differences = store_of(encoder, vectors, captions=True), []
    for product in PRODUCTS[::30]:
        right = sum((p.kind, p.background) == (product.kind, product.background) for p in PRODUCTS)
        count = fitting(store, encoder, f"{product.kind}, {product.background} background")
        assert count is not None
        differences.append(count - right)
    assert np.abs(differences).mean() < 2


@pytest.mark.parametrize("text", ["a dog on a beach", "two people riding bicycles"])
def test_what_is_not_there_fits_nothing(encoder: JointEncoder, vectors: Vectors, text: str) -> None:
    assert fitting(store_of(encoder, vectors, captions=True), encoder, text) == 0


def test_without_captions_what_is_nearly_as_good_as_the_best_fits(
    encoder: JointEncoder, vectors: Vectors
) -> None:
    store = store_of(encoder, vectors, captions=False)
    count = fitting(store, encoder, description(PRODUCTS[4]))
    assert count is not None
    assert 1 <= count < 10


def test_a_request_that_names_no_thing_fits_something(
    encoder: JointEncoder, vectors: Vectors
) -> None:
    store = store_of(encoder, vectors, captions=True)
    for text in ("pink", "something striped", "on a rose background"):
        assert fitting(store, encoder, text)


def test_in_a_very_small_store_or_without_words_it_cannot_be_told(
    encoder: JointEncoder, vectors: Vectors
) -> None:
    assert fitting(store_of(encoder, vectors[:19], captions=True), encoder, "a mug") is None
    assert fitting(store_of(encoder, vectors, captions=True), encoder, "") is None


class Counting:
    """Says that so many hits fit, and keeps how many it saw."""

    def __init__(self, count: int | None) -> None:
        self.count, self.seen = count, list[int]()

    def fitting(self, candidates: Candidates) -> int | None:
        self.seen.append(len(candidates.hits))
        return self.count


class Far:
    def verdict(self, query: EncodedQuery, where: Filter | None = None) -> Verdict:
        return Verdict(False, "nothing is close: it is far")


class Failing:
    def fitting(self, candidates: Candidates) -> int | None:
        raise RuntimeError("no idea")

    def shown(self, candidates: Candidates) -> Sequence[Any]:
        raise RuntimeError("no words")

    def verdict(self, query: EncodedQuery, where: Filter | None = None) -> Verdict:
        raise RuntimeError("no verdict")


def searching(demo: DiffusionAugmentedRetriever, **parts: Any) -> DiffusionAugmentedRetriever:
    return DiffusionAugmentedRetriever(
        DARQueryEncoder(demo.query_encoder.encoder), demo.store, **parts
    )


@pytest.mark.parametrize(
    ("count", "k_min", "left"), [(3, 0, 3), (3, 4, 4), (0, 0, 0), (0, 2, 2), (9, 0, 6)]
)
def test_the_list_is_cut_between_its_bounds(
    demo: DiffusionAugmentedRetriever, count: int, k_min: int, left: int
) -> None:
    found = searching(demo, ending=Counting(count)).search("a mug", k=6)
    cut = found.cut(k_min)
    assert found.fitting == min(count, 6)
    assert len(found.hits) == 6
    assert cut.hits == found.hits[:left]
    assert cut.close is (count > 0)
    assert cut.nothing == ("" if left else "Nothing in the store fits this.")


def test_where_nothing_is_close_nothing_fits(demo: DiffusionAugmentedRetriever) -> None:
    cut = searching(demo, ending=Counting(3), closeness=Far()).search("a mug", k=6).cut()
    assert (cut.hits, cut.close, cut.nothing) == ((), False, "Nothing in the store fits this.")


@pytest.mark.parametrize("ending", [None, Counting(None), Failing()])
def test_what_is_not_known_cuts_nothing(demo: DiffusionAugmentedRetriever, ending: Any) -> None:
    found = searching(demo, ending=ending).search("a mug", k=6)
    assert found.fitting is None
    assert found.cut() is found


def test_judges_that_fail_leave_the_hits_and_are_reported(
    demo: DiffusionAugmentedRetriever,
) -> None:
    broken = Failing()
    found = searching(demo, ending=broken, explainer=broken, closeness=broken).search("a mug", k=4)
    assert len(found.hits) == 4
    assert found.close
    assert [why.partition(":")[0] for why in found.trace.fallbacks] == [
        "whether anything is close was not judged",
        "how many hits fit was not judged",
        "what the hits show was not read",
    ]


def test_a_tool_tells_a_model_that_nothing_fits(demo: DiffusionAugmentedRetriever) -> None:
    search = AgentSearch(searching(demo, ending=Counting(0)), cut=True)
    *_, result = search.stages([], SearchCall(request="a mug"))
    assert "Nothing in the store fits this." in reply_text(result)
    assert "id=" not in reply_text(result)


def test_the_first_hits_are_not_judged(demo: DiffusionAugmentedRetriever) -> None:
    ending = Counting(1)
    watched = DiffusionAugmentedRetriever(demo.query_encoder, demo.store, ending=ending)
    first, last = watched.stream("a mug", k=3)
    assert (first.fitting, last.fitting) == (None, 1)
    assert ending.seen == [3]
    assert isinstance(first.cut().hits[0], Hit)
