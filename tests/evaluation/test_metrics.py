from __future__ import annotations

import itertools
import math
import sys
import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dar_retriever.errors import InvalidInputError, MissingExtraError
from dar_retriever.evaluation.metrics import (
    average_precision,
    best_rank,
    better,
    bri,
    hits_at,
    ndcg,
    recall_at,
    reciprocal_rank,
    worse,
)
from dar_retriever.evaluation.statistics import Interval, bootstrap, paired_difference

RANKS = np.array([[20, 3, 12, 1], [1, 50, 50, 50], [11, 10, 10, 40]])

_SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=8)


def rank_arrays(shapes: Any = _SHAPES) -> st.SearchStrategy[np.ndarray]:
    # Small ranks often, so that ties and repeated bests occur.
    elements = st.one_of(st.integers(1, 12), st.integers(1, 50_000))
    return hnp.arrays(np.int64, shapes, elements=elements)


def rank_pairs() -> st.SearchStrategy[tuple[np.ndarray, np.ndarray]]:
    return _SHAPES.flatmap(lambda shape: st.tuples(rank_arrays(shape), rank_arrays(shape)))


def random_ranks(dialogues: int, rounds: int, pool: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, pool + 1, (dialogues, rounds))


# Cases worked by hand.


def test_recall_looks_at_one_round():
    expected = [[0, 1, 0, 1], [1, 0, 0, 0], [0, 1, 1, 0]]

    found = recall_at(RANKS, 10)

    assert found.dtype == bool
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(recall_at(RANKS, 1), RANKS == 1)


def test_hits_remember_earlier_rounds():
    found = hits_at(RANKS, 10)

    assert found.dtype == bool
    np.testing.assert_array_equal(found, [[0, 1, 1, 1], [1, 1, 1, 1], [0, 1, 1, 1]])
    np.testing.assert_array_equal(hits_at(RANKS, 1)[:, -1], [1, 1, 0])


def test_reciprocal_rank():
    np.testing.assert_array_equal(
        reciprocal_rank(np.array([[1, 2, 4, 50_000]])), [[1.0, 0.5, 0.25, 0.00002]]
    )


def test_best_rank_never_rises():
    np.testing.assert_array_equal(best_rank(RANKS), [[20, 3, 3, 1], [1, 1, 1, 1], [11, 10, 10, 10]])


def test_bri_by_hand():
    # T = 3: log(first * last) / 6 + log(of the product in between) / 3
    expected = [
        math.log(20 * 1) / 6 + math.log(3 * 3) / 3,
        0,
        math.log(11 * 10) / 6 + math.log(10 * 10) / 3,
    ]

    np.testing.assert_allclose(bri(RANKS), expected, rtol=1e-14)


def test_bri_of_one_and_of_two_rounds():
    np.testing.assert_allclose(bri(np.array([[7], [1]])), [math.log(7), 0])
    np.testing.assert_allclose(bri(np.array([[8, 2], [2, 8]])), [math.log(16) / 2, math.log(4) / 2])


def test_bri_tells_sooner_from_later_and_weighs_the_top():
    sooner, later = bri(np.array([[100, 1, 1, 1], [100, 100, 100, 1]]))
    near, far = bri(np.array([[2, 2, 1, 1], [100, 100, 99, 99]]))

    assert sooner < later
    assert math.log(2) - near > math.log(100) - far


def test_better_and_worse_leave_equal_ranks_out():
    ranks, baseline = np.array([[1, 5, 9, 5]]), np.array([[4, 5, 6, 6]])

    np.testing.assert_array_equal(better(ranks, baseline), [[1, 0, 0, 1]])
    np.testing.assert_array_equal(worse(ranks, baseline), [[0, 0, 1, 0]])


def test_better_and_worse_by_more_than():
    ranks, baseline = np.array([[10, 10, 10, 10]]), np.array([[13, 12, 8, 7]])

    np.testing.assert_array_equal(better(ranks, baseline, by=2), [[1, 0, 0, 0]])
    np.testing.assert_array_equal(worse(ranks, baseline, by=2), [[0, 0, 0, 1]])


def test_short_unsigned_ranks_do_not_wrap_around():
    ranks, baseline = np.array([[65_535]], np.uint16), np.array([[10]], np.uint16)

    assert not better(ranks, baseline, by=100)
    assert worse(ranks, baseline, by=100)


def test_no_dialogues_give_nothing():
    none = np.empty((0, 3), int)

    assert hits_at(none, 10).shape == reciprocal_rank(none).shape == (0, 3)
    assert bri(none).shape == (0,)


_ALL: list[Callable[[Any], object]] = [
    lambda ranks: recall_at(ranks, 10),
    lambda ranks: hits_at(ranks, 10),
    reciprocal_rank,
    best_rank,
    bri,
    lambda ranks: better(ranks, RANKS),
    lambda ranks: worse(ranks, RANKS),
    lambda ranks: better(RANKS, ranks),
]


@pytest.mark.parametrize("metric", _ALL)
@pytest.mark.parametrize(
    ("ranks", "message"),
    [
        (np.array([1, 2, 3]), r"shape \(3,\)"),
        (np.ones((2, 3, 4), int), r"shape \(2, 3, 4\)"),
        (np.ones((2, 0), int), r"shape \(2, 0\)"),
        (np.array([[3, 0]]), "a rank of 0: .* add 1"),
        (np.array([[-2, 0]]), "a rank of -2"),
        (np.array([[1.0, 2.0]]), "type float64"),
        (np.array([[True]]), "type bool"),
    ],
)
def test_what_are_no_ranks_is_refused(metric, ranks, message: str):
    with pytest.raises(InvalidInputError, match=message):
        metric(ranks)


@pytest.mark.parametrize("metric", [recall_at, hits_at])
@pytest.mark.parametrize("k", [0, -1])
def test_k_starts_at_one(metric, k: int):
    with pytest.raises(InvalidInputError, match=f"k={k}"):
        metric(RANKS, k)


@pytest.mark.parametrize("compare", [better, worse])
def test_only_the_same_dialogues_and_rounds_compare(compare):
    with pytest.raises(InvalidInputError, match=r"\(3, 4\) and baseline of shape \(1, 4\)"):
        compare(RANKS, RANKS[:1])
    with pytest.raises(InvalidInputError, match="by=-1"):
        compare(RANKS, RANKS, by=-1)
    with pytest.raises(InvalidInputError, match="baseline with a rank of 0"):
        compare(RANKS, RANKS * 0)


# Against other implementations.


def test_ranx_says_the_same():
    import ranx

    pool, ks = 20, (1, 5, 10, 20)
    ranks = random_ranks(30, 4, pool, seed=1)
    relevant, runs = {}, {}
    for number, rank in enumerate(ranks.ravel()):
        query = f"q{number:04}"
        places = [f"other{place}" for place in range(1, pool)]
        places.insert(rank - 1, "target")
        relevant[query] = {"target": 1}
        runs[query] = {name: float(pool - place) for place, name in enumerate(places)}
    names = [f"{metric}@{k}" for metric in ("hit_rate", "recall") for k in ks]

    said = ranx.evaluate(
        ranx.Qrels(relevant), ranx.Run(runs), [*names, "mrr"], return_mean=False, threads=1
    )

    for k in ks:
        ours = recall_at(ranks, k).ravel()
        np.testing.assert_array_equal(ours, said[f"hit_rate@{k}"])
        np.testing.assert_array_equal(ours, said[f"recall@{k}"])
    np.testing.assert_allclose(reciprocal_rank(ranks).ravel(), said["mrr"], rtol=1e-12)


def test_plain_loops_say_the_same():
    ranks = random_ranks(200, 11, 300, seed=2)
    baseline = random_ranks(200, 11, 300, seed=3)
    hits, best, areas = hits_at(ranks, 10), best_rank(ranks), bri(ranks)
    up, down = better(ranks, baseline, 5), worse(ranks, baseline, 5)

    for dialogue in range(200):
        lowest, logs = math.inf, []
        for number in range(11):
            rank, other = int(ranks[dialogue, number]), int(baseline[dialogue, number])
            lowest = min(lowest, rank)
            logs.append(math.log(lowest))
            assert best[dialogue, number] == lowest
            assert hits[dialogue, number] == (lowest <= 10)
            assert up[dialogue, number] == (other - rank > 5)
            assert down[dialogue, number] == (rank - other > 5)
        area = sum((one + other) / 2 for one, other in itertools.pairwise(logs))
        assert math.isclose(areas[dialogue], area / 10, rel_tol=1e-12)


# What holds for any ranks.


@given(rank_arrays(), st.integers(1, 60))
def test_hits_grow_with_k_and_rounds_and_are_no_fewer_than_recall(ranks, k: int):
    hits = hits_at(ranks, k)

    assert (hits <= hits_at(ranks, k + 1)).all()
    assert (hits[:, :-1] <= hits[:, 1:]).all()
    assert (recall_at(ranks, k) <= hits).all()
    np.testing.assert_array_equal(hits[:, 0], recall_at(ranks, k)[:, 0])


@given(rank_arrays())
def test_bri_lies_between_the_best_and_the_first(ranks):
    area = bri(ranks)

    assert (area >= np.log(ranks.min(axis=1)) - 1e-12).all()
    assert (area <= np.log(ranks[:, 0]) + 1e-12).all()


@given(rank_arrays(), st.integers(0, 1000))
def test_bri_forgives_later_worse_ranks(ranks, more: int):
    best = best_rank(ranks)
    worsened = np.where(ranks > best, ranks + more, ranks)

    np.testing.assert_array_equal(bri(worsened), bri(ranks))
    np.testing.assert_array_equal(bri(best), bri(ranks))


@given(rank_pairs(), st.integers(0, 20))
def test_better_and_worse_mirror_and_exclude_each_other(pair, by: int):
    ranks, baseline = pair

    assert not (better(ranks, baseline, by) & worse(ranks, baseline, by)).any()
    np.testing.assert_array_equal(better(ranks, baseline, by), worse(baseline, ranks, by))
    changed = better(ranks, baseline) | worse(ranks, baseline)
    np.testing.assert_array_equal(changed, ranks != baseline)


@given(rank_arrays())
def test_ranks_are_left_as_they_are(ranks):
    before = ranks.copy()

    best_rank(ranks)[:] = 0
    bri(ranks)
    hits_at(ranks, 3)

    np.testing.assert_array_equal(ranks, before)


# Intervals.


def as_tuple(interval: Interval) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return interval.value, interval.low, interval.high


def assert_same(one: Interval, other: Interval) -> None:
    for left, right in zip(as_tuple(one), as_tuple(other), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    ("statistic", "confidence"), [("mean", 0.95), ("mean", 0.8), ("median", 0.9)]
)
def test_intervals_hold_the_truth_as_often_as_they_say(statistic, confidence: float):
    # 500 experiments side by side; the true mean and median are 3.
    values = np.random.default_rng(5).normal(3, 2, (150, 500))

    interval = bootstrap(values, statistic, confidence=confidence, resamples=500)

    held = ((interval.low <= 3) & (interval.high >= 3)).mean()
    assert abs(held - confidence) < 0.04


def test_hits_get_the_interval_that_the_normal_approximation_gives():
    values = np.arange(2000) % 10 < 3

    interval = bootstrap(values, resamples=4000)

    half = 1.96 * math.sqrt(0.3 * 0.7 / 2000)
    assert interval.value == pytest.approx(0.3)
    assert interval.low == pytest.approx(0.3 - half, abs=0.002)
    assert interval.high == pytest.approx(0.3 + half, abs=0.002)


def test_a_plain_loop_resamples_alike():
    values = np.random.default_rng(8).exponential(2, (60, 3))
    rng = np.random.default_rng(9)
    drawn = [np.median(values[rng.integers(0, 60, 60)], axis=0) for _ in range(4000)]

    interval = bootstrap(values, "median", resamples=4000)

    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    np.testing.assert_array_equal(interval.value, np.median(values, axis=0))
    np.testing.assert_allclose(interval.low, low, atol=0.1)
    np.testing.assert_allclose(interval.high, high, atol=0.1)


def test_a_seed_fixes_the_interval():
    values = np.random.default_rng(0).normal(size=(40, 2, 3))

    once, again = bootstrap(values, seed=3), bootstrap(values, seed=3)
    otherwise = bootstrap(values, seed=4)

    assert once.low.shape == once.high.shape == once.value.shape == (2, 3)
    assert_same(once, again)
    assert (once.low != otherwise.low).any()


def test_the_batch_does_not_change_the_interval(monkeypatch: pytest.MonkeyPatch):
    values = np.random.default_rng(0).normal(size=(40, 11))
    whole = bootstrap(values)

    monkeypatch.setattr("dar_retriever.evaluation.statistics._BATCH", 1)

    assert_same(bootstrap(values), whole)


def test_more_dialogues_narrow_and_more_confidence_widens():
    values = np.random.default_rng(1).normal(size=4000)

    def width(interval: Interval) -> float:
        return float(interval.high - interval.low)

    assert width(bootstrap(values)) < width(bootstrap(values[:400]))
    assert width(bootstrap(values, confidence=0.99)) > width(bootstrap(values, confidence=0.5))


def test_the_median_shrugs_off_one_lost_target():
    values = np.array([1.0] * 30 + [2.0] * 31 + [50_000.0])

    median, mean = bootstrap(values, "median"), bootstrap(values, "mean")

    assert median.value == 2
    assert 1 <= median.low <= median.high <= 2
    assert mean.high > 100


@pytest.mark.parametrize("statistic", ["mean", "median"])
@pytest.mark.parametrize("dialogues", [1, 2, 999])
def test_equal_values_are_their_own_interval(statistic, dialogues: int):
    values = np.full((dialogues, 4), 0.1)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        interval = bootstrap(values, statistic)

    for part in as_tuple(interval):
        np.testing.assert_array_equal(part, [0.1] * 4)


def test_an_equal_round_beside_others_is_its_own_interval():
    rng = np.random.default_rng(2)
    values = np.column_stack([np.full(999, 0.1), rng.normal(size=999)])

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        interval = bootstrap(values)

    assert interval.value[0] == interval.low[0] == interval.high[0] == 0.1
    assert interval.low[1] < interval.value[1] < interval.high[1]


def test_identical_runs_differ_by_nothing():
    values = np.random.default_rng(0).normal(size=(50, 11))

    for part in as_tuple(paired_difference(values, values)):
        np.testing.assert_array_equal(part, np.zeros(11))


def test_pairs_tell_what_two_intervals_do_not():
    rng = np.random.default_rng(4)
    easy = rng.normal(size=400)
    a, b = easy + 0.1 + rng.normal(0, 0.1, 400), easy + rng.normal(0, 0.1, 400)

    paired, of_a, of_b = paired_difference(a, b), bootstrap(a), bootstrap(b, seed=1)

    assert paired.value == pytest.approx(float((a - b).mean()))
    assert paired.high - paired.low < 0.5 * (of_a.high - of_a.low)
    assert of_a.low < of_b.high
    assert paired.low > 0


def test_flags_subtract_as_numbers():
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])

    assert paired_difference(a, b).value == 0
    assert paired_difference(a, ~a).value == 0
    assert paired_difference(a | b, a & b).value == 0.5


def test_the_median_of_differences_is_meant():
    a, b = np.array([1.0, 5.0, 9.0]), np.array([9.0, 1.0, 7.0])

    assert paired_difference(a, b, "median").value == 2  # of -8, 4, 2; the medians differ by -2


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_thousands_of_dialogues_fit_in_memory(statistic):
    values = np.random.default_rng(0).normal(size=(5000, 11))
    bootstrap(values[:2], statistic)  # imports count elsewhere

    tracemalloc.start()
    try:
        bootstrap(values, statistic, resamples=200)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 200e6


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (np.empty((0, 3)), {}, r"shape \(0, 3\)"),
        (np.float64(3), {}, r"shape \(\)"),
        (np.array([1.0, np.nan]), {}, "nan"),
        (np.array([1.0, np.inf]), {}, "inf"),
        (np.arange(3), {"statistic": "mode"}, "'mode'.*mean, median"),
        (np.arange(3), {"confidence": 95}, "confidence=95"),
        (np.arange(3), {"confidence": 0.0}, "confidence=0.0"),
        (np.arange(3), {"resamples": 1}, "resamples=1"),
    ],
)
def test_what_has_no_interval_is_refused(values, options, message: str):
    with pytest.raises(InvalidInputError, match=message):
        bootstrap(values, **options)


def test_only_the_same_dialogues_pair():
    with pytest.raises(InvalidInputError, match=r"\(3, 2\) and b of shape \(1, 2\)"):
        paired_difference(np.ones((3, 2)), np.ones((1, 2)))
    with pytest.raises(InvalidInputError, match="b with nan"):
        paired_difference(np.ones(2), np.array([1, np.nan]))


def test_without_scipy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.stats", None)

    with pytest.raises(MissingExtraError, match=r"dar-retriever\[eval\]"):
        bootstrap(np.arange(3))


@pytest.mark.parametrize(
    ("ranks", "k", "precision", "gain"),
    [
        ([1], 50, 1, 1),
        ([2], 50, 1 / 2, 1 / np.log2(3)),
        ([51], 50, 0, 0),
        ([1, 2, 3], 2, 1, 1),
        ([1, 3, 60], 50, (1 + 2 / 3) / 3, (1 + 1 / 2) / (1 + 1 / np.log2(3) + 1 / 2)),
    ],
)
def test_of_several_right_answers_all_count(
    ranks: list[int], k: int, precision: float, gain: float
) -> None:
    assert average_precision(np.array(ranks), k) == pytest.approx(precision)
    assert ndcg(np.array(ranks), k) == pytest.approx(gain)
