"""Captions as propositions: how they are split, what is read off vectors, the order, the words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from dar_retriever import (
    Calibration,
    Candidates,
    Dialogue,
    DiffusionAugmentedRetriever,
    EncodedQuery,
    Hit,
    JointEncoder,
    PropositionReader,
    PropositionReranker,
    Shown,
    Trace,
    Vectors,
)
from dar_retriever.agents import reply_text
from dar_retriever.cli.display import as_json
from dar_retriever.demo.gallery import gallery_products
from dar_retriever.errors import InvalidInputError, UndecidedError
from dar_retriever.evaluation.ranking import PoolNeighbours
from dar_retriever.ranking.propositions import MOST, names_a_thing, propositions


@pytest.mark.parametrize(
    ("caption", "phrases", "texts"),
    [
        ("", [], []),
        ("a mug", ["mug"], ["mug"]),
        (
            "here is a dark blue striped skirt, ruffled hem, on a charcoal background",
            ["skirt", "dark blue", "striped", "ruffled hem", "charcoal background"],
            [
                "skirt",
                "dark blue skirt",
                "striped skirt",
                "skirt, ruffled hem",
                "skirt, charcoal background",
            ],
        ),
        (
            "boot, black, spotted",
            ["boot", "black", "spotted"],
            ["boot", "black boot", "spotted boot"],
        ),
        (
            "a photo of a brown dog with a red collar on a beach",
            ["dog", "brown", "red collar", "beach"],
            ["dog", "brown dog", "dog, red collar", "dog, beach"],
        ),
        ("red", ["red"], ["red"]),
        ("my friend had this mug, a sort of blue", ["mug", "blue"], ["mug", "blue mug"]),
        ("a boot for my flat", ["boot"], ["boot"]),
        ("a dress like the ones in cafes", ["dress"], ["dress"]),
        ("ein blauer Rock, gestreift", ["ein blauer rock", "gestreift"], None),
    ],
)
def test_a_caption_is_a_subject_and_what_is_said_of_it(
    caption: str, phrases: list[str], texts: list[str] | None
) -> None:
    found = propositions(caption)
    assert [part.phrase for part in found] == phrases
    assert all(part.wanted for part in found)
    if texts is not None:
        assert [part.text for part in found] == texts


@pytest.mark.parametrize(
    ("caption", "thing"),
    [
        ("a red mug", True),
        ("mug", True),
        ("two zebras in tall grass", True),
        ("pink", False),
        ("something red", False),
        ("a striped one", False),
        ("on a rose background", False),
        ("", False),
    ],
)
def test_a_request_may_name_no_thing(caption: str, *, thing: bool) -> None:
    assert names_a_thing(caption) is thing


def test_exclusions_are_kept_apart() -> None:
    found = propositions("a mug, dots", ["red", "two handles"])
    assert [(part.phrase, part.text, part.wanted) for part in found] == [
        ("mug", "mug", True),
        ("dots", "mug, dots", True),
        ("red", "red mug", False),
        ("two handles", "mug, two handles", False),
    ]


def test_long_captions_cost_no_more() -> None:
    many = [f"thing {chr(97 + n)}" for n in range(26)]
    found = propositions(f"a mug, {', '.join(many)}", many)
    assert sum(part.wanted for part in found) == MOST
    assert [part.phrase for part in found if not part.wanted] == many[-4:]


@pytest.fixture(scope="module")
def encoder(demo: DiffusionAugmentedRetriever) -> JointEncoder:
    return demo.query_encoder.encoder


PRODUCTS = gallery_products(120)


@pytest.fixture(scope="module")
def stored(demo: DiffusionAugmentedRetriever) -> tuple[list[Hit], Vectors]:
    """All hits of the gallery, and their vectors, in the gallery's order."""
    hits = demo.store.search(demo.query_encoder.encode("a mug").vector, k=120)
    hits.sort(key=lambda hit: hit.uri)
    return hits, demo.store.vectors_of([hit.id for hit in hits])


def candidates(
    encoder: JointEncoder,
    stored: tuple[list[Hit], Vectors],
    caption: str,
    exclusions: Sequence[str] = (),
) -> Candidates:
    hits, vectors = stored
    text = encoder.encode_texts([caption])[0]
    none = vectors[:0]
    trace = Trace(caption, exclusions=tuple(exclusions))
    query = EncodedQuery(Dialogue.from_text("x"), text, text, none, none, none, none, trace)
    return Candidates(query, hits, vectors)


def reranker_of(encoder: JointEncoder, vectors: Vectors, depth: int = 100) -> PropositionReranker:
    reader = PropositionReader(encoder, Calibration(PoolNeighbours(vectors)))
    return PropositionReranker(reader, depth=depth)


def test_products_that_are_as_described_come_first(
    encoder: JointEncoder, stored: tuple[list[Hit], Vectors]
) -> None:
    reranker = reranker_of(encoder, stored[1])
    places = []
    for number in range(0, 120, 6):
        product = PRODUCTS[number]
        caption = f"{product.colour} {product.kind}, {product.background} background"
        scores = reranker.scores(candidates(encoder, stored, caption))
        places.append(int((scores > scores[number]).sum()))
    assert np.mean(np.array(places) < 3) > 0.8


def test_what_is_not_wanted_counts_against(
    encoder: JointEncoder, stored: tuple[list[Hit], Vectors]
) -> None:
    reranker, colours = reranker_of(encoder, stored[1]), [p.background for p in PRODUCTS]
    plain = reranker.scores(candidates(encoder, stored, "a mug"))
    without = reranker.scores(candidates(encoder, stored, "a mug", ["rose background"]))
    rose = np.array([colour == "rose" for colour in colours])
    assert (without - plain)[rose].mean() < (without - plain)[~rose].mean() - 1


def test_each_hit_says_what_it_shows(
    encoder: JointEncoder, stored: tuple[list[Hit], Vectors]
) -> None:
    reranker, right = reranker_of(encoder, stored[1]), []
    for background in ("rose", "mint", "charcoal"):
        shown = reranker.shown(candidates(encoder, stored, f"a mug, {background} background"))
        assert {tuple(each.phrase for each in shows) for shows in shown} == {
            ("mug", f"{background} background")
        }
        mugs = [n for n, p in enumerate(PRODUCTS) if p.kind == "mug"]
        right += [shown[n][1].fits is (PRODUCTS[n].background == background) for n in mugs]
        right += [shown[n][0].fits for n in mugs]
        assert all((each.score > 0.5) is each.fits for shows in shown for each in shows)
    assert np.mean(right) > 0.9


def test_an_exclusion_fits_where_it_is_not_shown(
    encoder: JointEncoder, stored: tuple[list[Hit], Vectors]
) -> None:
    shown = reranker_of(encoder, stored[1]).shown(
        candidates(encoder, stored, "a mug", ["rose background"])
    )
    for product, (_, background) in zip(PRODUCTS, shown, strict=True):
        if product.kind == "mug":
            assert background.fits is (product.background != "rose")
            assert str(background).startswith("not rose background: ")


def test_words_for_people_and_data_for_programs() -> None:
    shows = (Shown("blue", fits=True, score=0.9), Shown("red", fits=False, score=0.8, wanted=False))
    hit = Hit("a", 0.5, "a.png", metadata={"shows": "mine"}, shows=shows)
    data = hit.as_metadata()
    assert data["shows"] == "blue: yes, not red: no"
    assert data["stored_shows"] == "mine"
    assert data["propositions"] == [
        {"phrase": "blue", "fits": True, "score": 0.9, "wanted": True},
        {"phrase": "red", "fits": False, "score": 0.8, "wanted": False},
    ]
    assert "shows" not in Hit("a", 0.5, "a.png").as_metadata()


def test_without_words_the_order_stands_and_nothing_is_said(
    encoder: JointEncoder, stored: tuple[list[Hit], Vectors]
) -> None:
    reranker, wordless = reranker_of(encoder, stored[1]), candidates(encoder, stored, "")
    with pytest.raises(UndecidedError, match="no words"):
        reranker.scores(wordless)
    assert set(reranker.shown(wordless)) == {()}


def test_in_a_very_small_store_nothing_is_said(
    encoder: JointEncoder, stored: tuple[list[Hit], Vectors]
) -> None:
    few = stored[0][:5], stored[1][:5]
    reranker, some = reranker_of(encoder, few[1]), candidates(encoder, few, "a red mug")
    with pytest.raises(UndecidedError, match="too few stored images"):
        reranker.scores(some)
    assert set(reranker.shown(some)) == {()}


def test_at_least_one_hit_is_ordered(encoder: JointEncoder) -> None:
    with pytest.raises(InvalidInputError, match="depth=0"):
        reranker_of(encoder, np.eye(192, dtype=np.float32), depth=0)


def test_a_search_of_a_preset_explains_its_final_hits(demo: DiffusionAugmentedRetriever) -> None:
    first, last = demo.stream("a blue mug, not red", k=3)
    assert all(not hit.shows for hit in first.hits)
    for hit in last.hits:
        assert [each.phrase for each in hit.shows] == ["mug", "blue", "red"]
    assert f"(shows: {', '.join(map(str, last.hits[0].shows))})" in reply_text(last)
    assert as_json(last)["hits"][0]["shows"] == list(map(str, last.hits[0].shows))
