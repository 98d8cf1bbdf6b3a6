"""The query bends away from what is not wanted: in words of vectors, and in the demo's store."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dar_retriever import BoundedExclusion, Calibration, Dialogue, DiffusionAugmentedRetriever
from dar_retriever.demo.products import PATTERNS
from dar_retriever.errors import InvalidInputError
from dar_retriever.understanding.exclusions import MOST, directions, exclusion_texts

D = 8
NUMBERS = st.floats(-1, 1, width=32)


class Pool:
    """Vectors in all directions."""

    def __init__(self, count: int = 64) -> None:
        vectors = np.random.default_rng(0).normal(size=(count, D)).astype(np.float32)
        self._vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def sample(self) -> np.ndarray:
        return self._vectors

    def nearest(self, vector: np.ndarray, k: int) -> np.ndarray:
        return self._vectors[np.argsort(-(self._vectors @ vector))[:k]]


CALIBRATED = BoundedExclusion(Calibration(Pool()))


def unit(*numbers: float) -> np.ndarray:
    vector = np.array([*numbers, *[0.0] * (D - len(numbers))], np.float32)
    return vector / np.linalg.norm(vector)


@given(
    arrays(np.float32, D, elements=NUMBERS).filter(lambda v: np.linalg.norm(v) > 0.1),
    arrays(np.float32, (3, D), elements=NUMBERS),
    st.sampled_from([CALIBRATED, BoundedExclusion(), BoundedExclusion(strength=50.0)]),
)
def test_the_wanted_thing_stays_the_larger_part(
    query: np.ndarray, excluded: np.ndarray, exclusion: BoundedExclusion
):
    lengths = np.linalg.norm(excluded, axis=1, keepdims=True)
    excluded = np.where(lengths > 0.01, excluded / np.maximum(lengths, 0.01), 0).astype(np.float32)

    bent = exclusion.bent(query, excluded)

    assert np.isfinite(bent.vector).all()
    assert np.linalg.norm(bent.vector) == pytest.approx(np.linalg.norm(query), rel=1e-3)
    # At most 0.8 of its length was subtracted: it turns by at most arcsin 0.8.
    cosine = bent.vector @ query / np.linalg.norm(query) ** 2
    assert cosine >= 0.6 - 1e-3
    assert len(bent.weights) == len(excluded)


@pytest.mark.parametrize("exclusion", [CALIBRATED, BoundedExclusion()])
def test_without_exclusions_the_query_is_the_very_same(exclusion: BoundedExclusion):
    query = unit(1, 2, 3)

    bent = exclusion.bent(query, np.empty((0, D), np.float32))

    assert bent.vector is query
    assert bent.weights == ()


@pytest.mark.parametrize("exclusion", [CALIBRATED, BoundedExclusion()])
def test_what_is_excluded_scores_lower(exclusion: BoundedExclusion):
    query, away = unit(1), unit(0, 1)

    bent = exclusion.bent(query, away[None])

    assert bent.vector @ away < query @ away - 0.05
    assert bent.weights[0] > 0


def test_what_leads_nowhere_counts_nothing():
    query = unit(1)

    bent = CALIBRATED.bent(query, np.stack([np.zeros(D, np.float32), np.full(D, np.nan)]))

    assert bent.weights == (0.0, 0.0)


def test_the_stronger_bends_more():
    query, away = unit(1), unit(0, 1)[None]
    calibration = Calibration(Pool())

    weights = [
        BoundedExclusion(calibration, strength=strength).bent(query, away).weights[0]
        for strength in (0.1, 0.2, 0.4)
    ]

    assert weights == sorted(weights)
    assert len(set(weights)) == 3


@pytest.mark.parametrize("strength", [0, -1, float("nan"), float("inf")])
def test_a_strength_of_no_meaning_is_refused(strength: float):
    with pytest.raises(InvalidInputError, match="strength"):
        BoundedExclusion(strength=strength)


def test_directions_lead_from_the_caption():
    caption, texts = unit(1), np.stack([unit(1, 1), unit(1)])

    found = directions(texts, caption)

    assert np.linalg.norm(found[0]) == pytest.approx(1)
    assert found[0] @ unit(0, 1) > 0.5
    assert not found[1].any()
    np.testing.assert_allclose(directions(texts, None), texts, atol=1e-6)


def test_exclusions_are_encoded_in_their_context_the_last_of_many():
    assert exclusion_texts("a mug", ["dots", "red"]) == ["a mug, dots", "a mug, red"]
    assert exclusion_texts("", ["dots"]) == ["dots"]
    assert exclusion_texts("a mug", [str(n) for n in range(20)])[-1] == "a mug, 19"
    assert len(exclusion_texts("a mug", [str(n) for n in range(20)])) == MOST


def mean_rank(retriever: DiffusionAugmentedRetriever, dialogue: Dialogue, noun: str) -> float:
    """Where the products with a pattern stand among all of them."""
    hits = retriever.search(dialogue, 120).hits
    ranks = [n for n, hit in enumerate(hits) if PATTERNS[hit.metadata["pattern"]].noun == noun]
    return float(np.mean(ranks))


@pytest.mark.parametrize("images", [0, 4])
def test_what_is_excluded_is_found_later(
    demo: DiffusionAugmentedRetriever, monkeypatch: pytest.MonkeyPatch, images: int
):
    monkeypatch.setattr(demo.query_encoder, "images_per_turn", images)
    wanted = Dialogue.from_text("a mug")
    for noun in ("stripes", "dots", "checks"):
        without = wanted.say(f"no {noun}")
        assert mean_rank(demo, without, noun) > mean_rank(demo, wanted, noun)
    result = demo.search(wanted.say("no dots"), 4)

    assert [hit.metadata["kind"] for hit in result.hits].count("mug") >= 3
    assert result.trace.understood == "a mug, not: dots"
    assert result.trace.exclusion_weights[0] > 0
    assert result.trace.as_json()["exclusion_weights"]
