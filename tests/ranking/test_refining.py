"""What none of the first hits shows is drawn and searched once more, where that was asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from dar_retriever import DiffusionAugmentedRetriever, GeneratedImage, Hit, ImageRequest
from dar_retriever.demo.gallery import gallery_products
from dar_retriever.ranking.refining import lacking, shown_in_all
from dar_retriever.stores.hits import Shown

PRODUCTS = gallery_products(120)


def hit(**shows: bool) -> Hit:
    parts = (Shown(phrase, fits, float(fits)) for phrase, fits in shows.items())
    return Hit("x", 0.5, "", shows=tuple(parts))


def test_what_no_hit_shows_is_lacking() -> None:
    hits = [hit(mug=True, red=False, dots=False), hit(mug=True, red=True, dots=False)]
    assert lacking(hits) == ("dots",)
    assert shown_in_all(hits) == 3
    assert lacking([]) == lacking([Hit("x", 0.5, "")]) == ()


def test_what_was_ruled_out_is_never_drawn() -> None:
    unwanted = Shown("red", fits=False, score=0.9, wanted=False)
    assert lacking([Hit("x", 0.5, "", shows=(unwanted,))]) == ()


@pytest.fixture
def refining(demo: DiffusionAugmentedRetriever) -> DiffusionAugmentedRetriever:
    """The demo that refines; its parts are shared, it is not."""
    return DiffusionAugmentedRetriever(
        demo.query_encoder,
        demo.store,
        explainer=demo.explainer,
        second_stage=demo.second_stage,
        refine=True,
    )


def absent() -> str:
    """A kind with a background that no product of it has."""
    for kind in dict.fromkeys(product.kind for product in PRODUCTS):
        there = {product.background for product in PRODUCTS if product.kind == kind}
        for background in ("rose", "mint", "sand", "sky", "ivory", "charcoal"):
            if background not in there:
                return f"a {kind}, {background} background"
    raise AssertionError("the gallery has everything")


def test_it_is_drawn_once_more_and_the_better_result_is_kept(
    refining: DiffusionAugmentedRetriever,
) -> None:
    *_, found, result = refining.stream(absent(), 5)

    assert not found.final
    assert result.final
    assert found.hits
    assert lacking(found.hits)
    assert result.trace.refined == lacking(found.hits)
    assert result.trace.as_json()["refined"] == list(result.trace.refined)
    assert shown_in_all(result.hits) >= shown_in_all(found.hits)
    drawn, before = len(result.trace.generated), len(found.trace.generated)
    kept = any("found nothing better" in reason for reason in result.trace.reasons)
    assert drawn == (before if kept else 2 * before)


def test_nothing_is_drawn_again_where_all_is_shown_or_nobody_asked(
    refining: DiffusionAugmentedRetriever, demo: DiffusionAugmentedRetriever
) -> None:
    kind = PRODUCTS[0].kind
    assert refining.search(f"a {kind}", 5).trace.refined == ()
    assert demo.search(absent(), 5).trace.refined == ()


def test_drawings_that_fail_leave_the_first_result(refining: DiffusionAugmentedRetriever) -> None:
    query = refining.query_encoder.encode(absent())

    class Broken:
        name = "broken"

        def generate(self, requests: Sequence[ImageRequest]) -> Sequence[GeneratedImage]:
            raise RuntimeError("out of memory")

    working = refining.query_encoder.generator
    try:
        refining.query_encoder.generator = Broken()  # type: ignore[assignment]
        assert refining.query_encoder.redrawn(query, ("rose background",)) is query
    finally:
        refining.query_encoder.generator = working
    bare = dataclasses.replace(query, meaning=None)
    assert refining.query_encoder.redrawn(bare, ("rose background",)) is bare
