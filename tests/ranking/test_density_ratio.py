"""The spread of the samples is the query: what they agree on counts, what they leave open not."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import UndecidedError
from dar_retriever.fusion.calibration import FLAT
from dar_retriever.query_encoder import EncodedQuery
from dar_retriever.ranking import Candidates, DensityRatioReranker
from dar_retriever.ranking.base import fit, standardised
from dar_retriever.stores.hits import Hit
from dar_retriever.trace import Trace

DIMENSIONS = 12


class Stored:
    """Three properties of the stored images are scattered alike; the rest is noise."""

    def __init__(self, count: int = 400) -> None:
        self.vectors = _scattered(count, np.random.default_rng(1))

    def sample(self) -> Vectors:
        return self.vectors

    def nearest(self, vector: Vectors, k: int) -> Vectors:
        return self.vectors[np.argsort(-(self.vectors @ vector))[:k]]


def _scattered(count: int, chance: np.random.Generator, **known: float) -> Vectors:
    vectors = chance.normal(scale=0.05, size=(count, DIMENSIONS))
    vectors[:, :3] = chance.choice([-1, 1], size=(count, 3))
    for name, value in known.items():
        vectors[:, ("first", "second", "third").index(name)] = value
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _candidates(samples: Vectors, vectors: Vectors, **more: Any) -> Candidates:
    nothing = np.empty((0, DIMENSIONS), np.float32)
    query = EncodedQuery(
        Dialogue.from_text("a mug"),
        samples.mean(0),
        samples.mean(0),
        nothing,
        nothing,
        nothing,
        nothing,
        Trace(),
        sampled_vectors=samples,
    )
    query = dataclasses.replace(query, **more)
    hits = [Hit(str(number), 0.0, "") for number in range(len(vectors))]
    return Candidates(query, hits, vectors)


def test_what_the_samples_agree_on_orders_the_hits() -> None:
    chance = np.random.default_rng(2)
    samples = _scattered(64, chance, first=1, second=-1)
    vectors = np.concatenate(
        [
            _scattered(20, chance, first=1, second=-1),
            _scattered(20, chance, first=1, second=1),
            _scattered(20, chance, first=-1, second=1),
        ]
    )
    scores = DensityRatioReranker(Stored()).scores(_candidates(samples, vectors))
    both, one, none = scores.reshape(3, 20)
    assert both.min() > one.max()
    assert one.min() > none.max()


def test_what_the_samples_leave_open_does_not_count() -> None:
    chance = np.random.default_rng(3)
    # More samples on one side, as a mean would follow.
    third = np.where(np.arange(64) < 44, 1.0, -1.0)
    samples = _scattered(64, chance, first=1)
    samples[:, 2] = np.abs(samples[:, 2]) * third
    vectors = np.concatenate(
        [_scattered(20, chance, first=1, third=1), _scattered(20, chance, first=1, third=-1)]
    )
    wrong = _scattered(20, chance, first=-1, third=1)
    reranker = DensityRatioReranker(Stored(), text=False)
    scores = reranker.scores(_candidates(samples, np.concatenate([vectors, wrong])))
    assert scores[20:40].min() > scores[40:].max()
    mean = np.concatenate([vectors, wrong]) @ samples.mean(0)
    between = abs(np.mean(scores[:20]) - np.mean(scores[20:40]))
    apart = np.mean(scores[:40]) - np.mean(scores[40:])
    by_mean = abs(np.mean(mean[:20]) - np.mean(mean[20:40])) / (mean[:40].mean() - mean[40:].mean())
    assert between / apart < by_mean


def test_drawings_are_samples_too() -> None:
    chance = np.random.default_rng(4)
    samples, vectors = _scattered(40, chance, first=1), _scattered(30, chance)
    nothing = np.empty((0, DIMENSIONS), np.float32)
    reranker = DensityRatioReranker(Stored())
    sampled = reranker.scores(_candidates(samples, vectors))
    drawn = _candidates(samples, vectors, sampled_vectors=nothing, image_vectors=samples)
    np.testing.assert_allclose(reranker.scores(drawn), sampled, atol=FLAT)


@pytest.mark.parametrize(
    ("samples", "stored", "why"),
    [
        (_scattered(4, np.random.default_rng(5)), Stored(), "4 samples of what is meant"),
        (_scattered(64, np.random.default_rng(5)), Stored(20), "the store is too small"),
        (np.repeat(_scattered(1, np.random.default_rng(5)), 64, 0), Stored(), "all but equal"),
    ],
)
def test_nothing_is_ordered_on_too_little(samples: Vectors, stored: Stored, why: str) -> None:
    vectors = _scattered(10, np.random.default_rng(6))
    with pytest.raises(UndecidedError, match=why):
        DensityRatioReranker(stored).scores(_candidates(samples, vectors))


def test_pictures_that_were_judged_keep_the_order_of_the_search() -> None:
    chance = np.random.default_rng(7)
    samples, vectors = _scattered(64, chance, first=1), _scattered(10, chance)
    judged = _candidates(samples, vectors, liked_vectors=vectors[:1])
    with pytest.raises(UndecidedError, match="pictures were judged"):
        DensityRatioReranker(Stored()).scores(judged)


@pytest.mark.parametrize(("foreign", "kept"), [(0, True), (12, True), (32, False), (64, False)])
def test_samples_that_contradict_the_text_are_dropped(foreign: int, *, kept: bool) -> None:
    chance = np.random.default_rng(8)
    good = _scattered(64 - foreign, chance, first=1, second=1)
    wrong = _scattered(foreign, chance, first=-1, second=-1)
    text = _scattered(64, chance, first=1, second=1).mean(0)
    stored = Stored()
    vectors = stored.nearest(text, 90)
    reranker = DensityRatioReranker(stored)
    given = _candidates(np.concatenate([good, wrong]), vectors, text_vector=text)
    if kept:
        without = _candidates(good, vectors, text_vector=text)
        np.testing.assert_allclose(reranker.scores(given), reranker.scores(without))
    else:
        with pytest.raises(UndecidedError, match="of 64 samples contradict the text"):
            reranker.scores(given)


def test_beside_the_text_the_samples_move_hits_within_bounds() -> None:
    chance = np.random.default_rng(9)
    samples, vectors = _scattered(64, chance, first=1), _scattered(30, chance, first=1)
    given = _candidates(samples, vectors)
    alone, both = (DensityRatioReranker(Stored(), text=n).scores(given) for n in (False, True))
    moved = both - fit(given, samples.mean(0))
    assert np.abs(moved).max() == pytest.approx(0.75)
    within = np.abs(standardised(alone)) < 1.5
    np.testing.assert_allclose(moved[within], standardised(alone)[within] / 2, atol=1e-4)
