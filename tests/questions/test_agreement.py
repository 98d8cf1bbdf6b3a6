"""What samples of what is meant agree on, what they leave open, and what is asked by it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from dar_retriever import DiffusionAugmentedRetriever, FacetQuestions, InvalidInputError
from dar_retriever.questions import ask_back
from dar_retriever.questions.agreement import agreement, samples_of, votes
from dar_retriever.questions.facet import Facet, facet_of
from dar_retriever.questions.trials import Candidates
from dar_retriever.stores.hits import Hit

COLOURS, PATTERNS = ("red", "blue", "green"), ("plain", "dotted")


def pictures(count: int, seed: int, **known: str) -> tuple[np.ndarray, list[dict[str, str]]]:
    """Vectors of pictures whose colour and pattern they show, and those as metadata."""
    chance = np.random.default_rng(seed)
    vectors, metadata = chance.normal(scale=0.1, size=(count, 16)), []
    for vector in vectors:
        shown = {"colour": str(chance.choice(COLOURS)), "pattern": str(chance.choice(PATTERNS))}
        shown |= known
        vector[COLOURS.index(shown["colour"])] += 1
        vector[4 + PATTERNS.index(shown["pattern"])] += 1
        metadata.append({**shown, "note": f"note {chance.integers(4)}"})
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), metadata


def facets_and_candidates() -> tuple[list[Facet], Candidates]:
    vectors, metadata = pictures(200, seed=0)
    shares = np.full(200, 1 / 200, np.float32)
    names = ("colour", "pattern", "note")
    facets = [facet_of(n, [{each[n]: each[n]} for each in metadata], shares) for n in names]
    hits = [Hit(str(number), 0.0, "") for number in range(200)]
    return [each for each in facets if each], Candidates(hits, vectors, shares)


def test_what_was_told_is_agreed_and_the_rest_is_open_but_for_what_no_picture_shows():
    facets, candidates = facets_and_candidates()
    samples, _ = pictures(64, seed=1, colour="blue")

    found = agreement(votes(facets, samples, candidates), lambda facet: facet.name)

    assert found.agreed == ("blue",)
    assert found.open == ()
    assert [facet.name for facet in facets] == ["colour", "pattern", "note"]
    wide, _ = pictures(64, seed=1, pattern="dotted")
    found = agreement(votes(facets, wide, candidates), lambda facet: facet.name)
    assert found.agreed == ("dotted",)
    assert found.open == ("colour",)


def test_without_samples_or_candidates_nobody_votes():
    facets, candidates = facets_and_candidates()
    none = Candidates([], np.empty((0, 16), np.float32), np.empty(0, np.float32))

    assert votes(facets, np.empty((0, 16), np.float32), candidates) == []
    assert votes(facets, pictures(20, seed=1)[0], none) == []


def test_a_value_of_two_facets_is_named_with_its_facet():
    facets, candidates = facets_and_candidates()
    twice = [facets[0], dataclasses.replace(facets[0], name="lining")]
    samples, _ = pictures(64, seed=1, colour="red")

    found = agreement(votes(twice, samples, candidates), lambda facet: facet.name)

    assert found.agreed == ("colour red", "lining red")


def test_the_demo_says_what_its_samples_agree_on_and_asks_for_the_widest(
    demo: DiffusionAugmentedRetriever,
):
    result = demo.search("a mug with dots", 3)
    assert len(samples_of(result.query)) >= 64

    told, question = ask_back(FacetQuestions(demo, by="samples"), result)

    assert told.hits == result.hits
    assert "mug" in told.trace.agreed
    assert told.trace.open
    assert told.trace.as_json()["agreed"] == list(told.trace.agreed)
    assert "agreed: " in told.trace.spread
    assert question is not None
    assert question.text == f"Which {told.trace.open[0]}?"
    assert "samples" in question.reason


def test_a_questioner_whose_samples_fail_still_asks(demo: DiffusionAugmentedRetriever):
    result = demo.search("a mug", 3)
    broken = np.full((64, 3), 1.0, np.float32)
    query = dataclasses.replace(result.query, sampled_vectors=broken)

    told, question = ask_back(FacetQuestions(demo), dataclasses.replace(result, query=query))

    assert question is not None
    assert any("agree on was not read" in each for each in told.trace.fallbacks)


def test_questions_are_chosen_by_answers_or_samples_only(demo: DiffusionAugmentedRetriever):
    with pytest.raises(InvalidInputError, match="by='looks': 'answers' or 'samples'"):
        FacetQuestions(demo, by="looks")  # type: ignore[arg-type]
