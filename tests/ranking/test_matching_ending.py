"""Where the list ends by the demo's matching head, and whether anything is close."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest

from dar_retriever import (
    Candidates,
    DARQueryEncoder,
    Dialogue,
    DiffusionAugmentedRetriever,
    ImageStore,
    MatchingCloseness,
    MatchingEnding,
    RuleReformulator,
    SecondStage,
    StoredImage,
    Vectors,
)
from dar_retriever.demo.captions import description
from dar_retriever.demo.gallery import gallery_products
from dar_retriever.presets.beside import Beside
from dar_retriever.presets.data import preset
from dar_retriever.ranking.closeness import Verdict
from dar_retriever.ranking.matching import MatchingReranker
from dar_retriever.ranking.subjects import SubjectLevel

PRODUCTS = gallery_products(120)


@pytest.fixture(scope="module")
def head() -> MatchingReranker:
    return Beside(preset("demo").encoder).matching


@pytest.fixture(scope="module")
def vectors(demo: DiffusionAugmentedRetriever) -> Vectors:
    hits = demo.store.search(demo.query_encoder.encode("a mug").vector, k=120)
    return demo.store.vectors_of([hit.id for hit in sorted(hits, key=lambda hit: hit.uri)])


@pytest.fixture(scope="module")
def text_only(demo: DiffusionAugmentedRetriever) -> DiffusionAugmentedRetriever:
    """The demo's query encoder without drawings and samples."""
    return DiffusionAugmentedRetriever(
        type(demo.query_encoder)(demo.query_encoder.encoder), demo.store
    )


def candidates(
    retriever: DiffusionAugmentedRetriever, dialogue: str | Dialogue, k: int = 120
) -> Candidates:
    result = retriever.search(dialogue, k)
    ids = [hit.id for hit in result.hits]
    return Candidates(result.query, result.hits, retriever.store.vectors_of(ids))


def ending(retriever: DiffusionAugmentedRetriever, head: MatchingReranker) -> MatchingEnding:
    return MatchingEnding(head, retriever.store, retriever.query_encoder.encoder)


def test_the_list_has_what_was_asked_for(
    text_only: DiffusionAugmentedRetriever, head: MatchingReranker
) -> None:
    judge, differences = ending(text_only, head), []
    for product in PRODUCTS[::20]:
        right = sum((p.kind, p.background) == (product.kind, product.background) for p in PRODUCTS)
        text = f"a {product.kind}, {product.background} background"
        count = judge.fitting(candidates(text_only, text))
        assert count is not None
        differences.append(count - right)
    assert np.abs(differences).mean() < 0.5


@pytest.mark.parametrize("text", ["a tree", "a banana", "a pizza with cheese"])
def test_things_that_the_captions_do_not_name_fit_nothing(
    text_only: DiffusionAugmentedRetriever, head: MatchingReranker, text: str
) -> None:
    assert ending(text_only, head).fitting(candidates(text_only, text)) == 0


def test_one_contradiction_is_enough(
    text_only: DiffusionAugmentedRetriever, head: MatchingReranker
) -> None:
    product = next(p for p in PRODUCTS if p.pattern == "plain")
    kinds = {p.background for p in PRODUCTS if (p.kind, p.colour) == (product.kind, product.colour)}
    other = next(b for b in ("rose", "mint", "sand", "sky") if b not in kinds)
    text = f"a {product.colour} {product.kind}, {other} background"
    assert ending(text_only, head).fitting(candidates(text_only, text)) == 0


def test_what_is_ruled_out_does_not_fit(
    text_only: DiffusionAugmentedRetriever, head: MatchingReranker
) -> None:
    judge = ending(text_only, head)
    said = Dialogue.from_text("a mug")
    every = judge.fitting(candidates(text_only, said))
    background = next(p.background for p in PRODUCTS if p.kind == "mug")
    fewer = judge.fitting(candidates(text_only, said.say(f"not on a {background} background")))
    assert every is not None
    assert fewer is not None
    assert 0 < fewer < every


def test_where_pictures_were_judged_another_decides(
    text_only: DiffusionAugmentedRetriever, head: MatchingReranker
) -> None:
    found = candidates(text_only, "a mug")
    liked = dataclasses.replace(found.query, liked_vectors=found.vectors[:1])
    found = dataclasses.replace(found, query=liked)

    class Five:
        def fitting(self, candidates: Candidates) -> int | None:
            return 5

    store, encoder = text_only.store, text_only.query_encoder.encoder
    assert MatchingEnding(head, store, encoder).fitting(found) is None
    assert MatchingEnding(head, store, encoder, Five()).fitting(found) == 5


class Unasked:
    def verdict(self, query: object, where: object = None) -> Verdict:
        raise AssertionError("the head can tell")


def test_in_a_small_store_or_behind_a_filter_something_is_close_or_not(
    text_only: DiffusionAugmentedRetriever, head: MatchingReranker, vectors: Vectors
) -> None:
    encoder = text_only.query_encoder.encoder
    store = ImageStore.in_memory(encoder)
    store.add(
        [
            StoredImage(str(n), vectors[n], f"{n}.jpg", description(p), {"colour": p.colour})
            for n, p in enumerate(PRODUCTS[:8])
        ]
    )
    judge = MatchingCloseness(head, store, encoder, Unasked())
    kinds = [p.kind for p in PRODUCTS[:8]]
    absent = next(p.kind for p in PRODUCTS if p.kind not in kinds)
    there, colour = kinds[0], PRODUCTS[0].colour

    def close(text: str, where: dict[str, object] | None = None) -> bool:
        return judge.verdict(text_only.query_encoder.encode(text), where).close

    assert close(f"a {there}")
    assert not close(f"a {absent}")
    assert close(f"a {there}", {"colour": colour})
    colours = {p.colour for p in PRODUCTS[:8] if p.kind == there}
    other = next(p.colour for p in PRODUCTS[:8] if p.colour not in colours)
    assert not close(f"a {there}", {"colour": other})
    verdict = judge.verdict(text_only.query_encoder.encode(f"a {absent}"))
    assert f"no image shows 'a {absent}'" in verdict.reason


def test_before_nothing_is_close_the_thing_itself_is_searched_for(
    text_only: DiffusionAugmentedRetriever, head: MatchingReranker
) -> None:
    near, encoder = copy.copy(head), text_only.query_encoder.encoder
    near.depth = 5
    judge = MatchingCloseness(near, text_only.store, encoder, Unasked())
    away = text_only.query_encoder.encode("a sofa").vector
    for text, close in (("a mug, please", True), ("a banana", False)):
        query = dataclasses.replace(text_only.query_encoder.encode(text), vector=away)
        assert judge.verdict(query).close is close


def test_words_beside_a_thing_do_not_lead_the_second_stage_away_from_it(
    text_only: DiffusionAugmentedRetriever, head: MatchingReranker
) -> None:
    few = copy.copy(head)
    few.depth = 5
    subjects = SubjectLevel(text_only.store, text_only.query_encoder.encoder)
    stage = SecondStage(few, subjects=subjects)
    # The tagger leaves such words out.
    led = DARQueryEncoder(text_only.query_encoder.encoder, reformulator=RuleReformulator())
    retriever = DiffusionAugmentedRetriever(led, text_only.store, second_stage=stage)
    asked = "a skirt, the kind that my neighbour wears to the garden"
    before = DiffusionAugmentedRetriever(led, text_only.store).search(asked, k=5).hits
    assert not any("skirt" in hit.caption for hit in before)
    found = retriever.search(asked, k=5)
    assert all("skirt" in hit.caption for hit in found.hits)
    assert any("looks like the thing" in reason for reason in found.trace.reasons)
    left = found.hits[0].id
    assert left not in [hit.id for hit in retriever.search(asked, k=5, exclude={left}).hits]
    plain = retriever.search("a green skirt", k=5)
    assert not any("looks like the thing" in reason for reason in plain.trace.reasons)
