from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dar_retriever.encoders.base import Vectors
from dar_retriever.evaluation.ranking import PoolNeighbours
from dar_retriever.fusion import Calibration, Surroundings, UncertaintySpending
from dar_retriever.fusion.spending import uncertainty_of

TEXT = np.array([1, 0], np.float32)
SPREAD = 0.1
HITS = 50


def scoring(scores: list[float]) -> Vectors:
    """Unit vectors of which the text finds these scores."""
    column = np.array(scores, np.float32)
    return np.stack([column, np.sqrt(1 - column**2)], axis=1)


class Shelf:
    """Neighbours over which scores are spread by SPREAD, with hits of the scores that are told."""

    def __init__(self, hits: list[float], stored: int = 200) -> None:
        self._hits = scoring(hits)
        self._sample = scoring([SPREAD, -SPREAD] * (stored // 2))

    def sample(self) -> Vectors:
        return self._sample

    def nearest(self, vector: Vectors, k: int) -> Vectors:
        return self._hits[:k]


def spending_on(hits: list[float], stored: int = 200) -> UncertaintySpending:
    return UncertaintySpending(Calibration(Shelf(hits, stored)))


def around(scores: list[float] | np.ndarray, spread: float = SPREAD) -> Surroundings:
    column = np.asarray(scores, np.float32)
    return Surroundings(0.0, spread, np.zeros((len(column), 2), np.float32), column)


def near_equals(count: int) -> list[float]:
    """The scores of hits of which so many are alike and the rest far behind."""
    return [0.8] * count + [0.3] * (HITS - count)


def hit_scores(least: int = 1) -> st.SearchStrategy[list[float]]:
    scores = st.floats(-0.9375, 0.9375, width=32)
    close = st.floats(0.5, 0.515625, width=32)
    return st.lists(scores | close, min_size=least, max_size=60)


# Uncertainty.


@given(hit_scores(least=2), st.floats(0.01, 1))
def test_uncertainty_is_the_logarithm_of_how_many_hits_there_are_in_effect(
    scores: list[float], spread: float
):
    column = np.array(scores)
    weights = np.exp(column / (0.1 * spread) - column.max() / (0.1 * spread))
    effective = weights.sum() ** 2 / (weights**2).sum()

    uncertainty = uncertainty_of(around(scores, spread))

    assert uncertainty == pytest.approx(math.log(effective) / math.log(len(scores)), abs=1e-4)


@given(hit_scores(), st.floats(1e-3, 1))
def test_uncertainty_lies_between_0_and_1(scores: list[float], spread: float):
    assert 0 <= uncertainty_of(around(scores, spread)) <= 1 + 1e-6


@pytest.mark.parametrize("count", [1, 2, 5, 20, 50])
def test_near_equals_are_counted(count: int):
    uncertainty = uncertainty_of(around(near_equals(count)))

    assert uncertainty == pytest.approx(math.log(count) / math.log(HITS), abs=1e-5)


@pytest.mark.parametrize("scores", [[], [0.4]])
def test_a_single_hit_leaves_nothing_open(scores: list[float]):
    assert uncertainty_of(around(scores)) == 0


@given(hit_scores(least=2), st.randoms(use_true_random=False))
def test_the_order_of_the_hits_plays_no_part(scores: list[float], random: object):
    shuffled = list(scores)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert uncertainty_of(around(shuffled)) == pytest.approx(
        uncertainty_of(around(scores)), abs=1e-5
    )


@given(st.integers(0, 2**32 - 1), st.floats(-0.5, 0.5), st.floats(0.1, 10))
def test_uncertainty_does_not_depend_on_the_scale_of_an_encoder(
    seed: int, shift: float, scale: float
):
    scores = np.random.default_rng(seed).uniform(0.2, 0.25, 30)

    plain = uncertainty_of(around(scores))
    elsewhere = uncertainty_of(around(scale * (scores + shift), scale * SPREAD))

    assert elsewhere == pytest.approx(plain, abs=1e-3)


def test_the_wider_apart_the_less_uncertain():
    apart = [uncertainty_of(around(np.linspace(0.5, 0.5 - width, 20))) for width in (0, 0.02, 0.3)]

    assert apart[0] > apart[1] > apart[2] > 0


# Images.


@pytest.mark.parametrize("at_most", [0, 1, 4])
def test_where_one_hit_is_far_ahead_no_image_is_generated(at_most: int):
    budget = spending_on(near_equals(1)).budget(TEXT, at_most)

    assert budget.images == 0
    assert "no image is needed" in budget.reason


@pytest.mark.parametrize(("at_most", "images"), [(0, 0), (1, 1), (4, 1), (9, 1)])
@pytest.mark.parametrize("alike", [8, 30, HITS])
def test_a_vague_text_gets_one_image(at_most: int, images: int, alike: int):
    budget = spending_on(near_equals(alike)).budget(TEXT, at_most)

    assert budget.images == images
    assert "too vague" in budget.reason
    assert f"{math.log(alike) / math.log(HITS):.2f}" in budget.reason


@pytest.mark.parametrize(
    ("at_most", "expected"),
    [(0, [0, 0, 0, 0, 0]), (1, [1, 1, 1, 1, 1]), (4, [2, 3, 3, 4, 4]), (10, [4, 6, 8, 9, 10])],
)
def test_between_certain_and_vague_the_number_grows(at_most: int, expected: list[int]):
    # The logarithms of 2, 3, 4, 5 and 7 are 0.18, 0.28, 0.35, 0.41 and 0.497 of that of 50.
    budgets = [spending_on(near_equals(count)).budget(TEXT, at_most) for count in (2, 3, 4, 5, 7)]

    assert [budget.images for budget in budgets] == expected
    for budget in budgets:
        assert f"{budget.images} of {at_most} images" in budget.reason


def test_the_reason_tells_the_uncertainty():
    budget = spending_on(near_equals(4)).budget(TEXT, 4)

    assert budget.reason.startswith("uncertainty of the text 0.35")


@pytest.mark.parametrize("at_most", [0, 1, 4])
def test_in_a_store_too_small_all_images_are_generated(at_most: int):
    budget = spending_on(near_equals(1), stored=18).budget(TEXT, at_most)

    assert budget.images == at_most
    assert "too small" in budget.reason


def test_a_single_hit_needs_no_image():
    assert spending_on([0.9]).budget(TEXT, 4).images == 0


@given(hit_scores(), st.integers(0, 12), st.sampled_from([0, 10, 20, 200]))
def test_a_budget_is_from_none_to_all(scores: list[float], at_most: int, stored: int):
    budget = spending_on(sorted(scores, reverse=True), stored).budget(TEXT, at_most)

    assert type(budget.images) is int
    assert 0 <= budget.images <= at_most
    assert budget.reason


def test_it_spends_by_what_a_store_holds():
    random = np.random.default_rng(0)
    others = list(random.uniform(-0.2, 0.2, 400))

    def images_among(*targets: float) -> int:
        spending = UncertaintySpending(Calibration(PoolNeighbours(scoring([*targets, *others]))))
        return spending.budget(TEXT, 4).images

    assert images_among(0.9) == 0
    assert images_among(0.9, 0.9, 0.9, 0.9, 0.9, 0.9) == 4
    assert images_among(*[0.9] * 50) == 1
