from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.understanding.feedback import BoundedRocchio

DIMENSION = 16
NOTHING = np.empty((0, DIMENSION), np.float32)
SEEDS = st.integers(0, 2**32 - 1)
COUNTS = st.integers(0, 5)
WEIGHTS = st.floats(0, 3)
LENGTHS = st.floats(0.1, 3)
# What float32 cannot tell, in degrees.
BLUR = 1e-3


def unit_vectors(count: int, seed: int) -> Vectors:
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSION))
    return at_unit_length(vectors)


def at_unit_length(vectors: np.ndarray) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def judged(seed: int, liked: int, rejected: int, length: float) -> tuple[Vectors, Vectors, Vectors]:
    """A query, what was liked and what was turned down."""
    vectors = unit_vectors(1 + liked + rejected, seed)
    return np.float32(length) * vectors[0], vectors[1 : 1 + liked], vectors[1 + liked :]


def rocchio(
    query: Vectors, liked: Vectors, rejected: Vectors, more: float, less: float
) -> np.ndarray:
    """The plain update of the query at unit length, of whatever length it comes to."""
    moved = query.astype(np.float64) / np.linalg.norm(query)
    if len(liked):
        moved = moved + more * liked.astype(np.float64).mean(0)
    if len(rejected):
        moved = moved - less * rejected.astype(np.float64).mean(0)
    return moved


def degrees(one: np.ndarray, other: np.ndarray) -> float:
    one, other = (v.astype(np.float64) / np.linalg.norm(v) for v in (one, other))
    along = float(one @ other)
    # The arc cosine alone cannot tell small angles apart.
    return math.degrees(math.atan2(float(np.linalg.norm(other - along * one)), along))


@given(SEEDS, COUNTS, COUNTS, WEIGHTS, WEIGHTS, LENGTHS)
def test_below_the_bound_it_is_rocchios_update_at_the_querys_length(
    seed: int, likes: int, rejects: int, more: float, less: float, length: float
):
    query, liked, rejected = judged(seed, likes, rejects, length)
    plain = rocchio(query, liked, rejected, more, less)
    assume(degrees(query, plain) < 89)

    moved = BoundedRocchio(more, less, bound=90).moved(query, liked, rejected)

    expected = np.linalg.norm(query) * plain / np.linalg.norm(plain)
    np.testing.assert_allclose(moved, expected, atol=1e-4)


@given(SEEDS, COUNTS, COUNTS, st.tuples(WEIGHTS, WEIGHTS), st.floats(0, 90), LENGTHS)
def test_the_query_turns_as_far_as_rocchio_and_never_further_than_the_bound(
    seed: int, likes: int, rejects: int, weights: tuple[float, float], bound: float, length: float
):
    query, liked, rejected = judged(seed, likes, rejects, length)

    moved = BoundedRocchio(*weights, bound).moved(query, liked, rejected)

    wanted = degrees(query, rocchio(query, liked, rejected, *weights))
    assert degrees(query, moved) <= bound + BLUR
    assert degrees(query, moved) == pytest.approx(min(wanted, bound), abs=BLUR)


@given(SEEDS, COUNTS, COUNTS, st.floats(0.5, 3), st.floats(0.5, 3), st.floats(0, 10))
def test_what_would_go_further_stops_at_the_bound_on_its_way(
    seed: int, likes: int, rejects: int, more: float, less: float, bound: float
):
    query, liked, rejected = judged(seed, likes, rejects, 1)
    plain = rocchio(query, liked, rejected, more, less)
    assume(degrees(query, plain) > bound + 1)

    moved = BoundedRocchio(more, less, bound).moved(query, liked, rejected)

    assert degrees(query, moved) == pytest.approx(bound, abs=BLUR)
    # On its way: what is left of it is the rest of the same turn.
    rest = degrees(moved, plain)
    assert rest == pytest.approx(degrees(query, plain) - bound, abs=10 * BLUR)
    plane = np.stack([query, plain], axis=1).astype(np.float64)
    inside = plane @ np.linalg.lstsq(plane, moved.astype(np.float64), rcond=None)[0]
    np.testing.assert_allclose(moved, inside, atol=1e-5)


@given(SEEDS, COUNTS, COUNTS, WEIGHTS, WEIGHTS, st.floats(0, 90), LENGTHS)
def test_the_length_of_the_query_is_kept(
    seed: int, likes: int, rejects: int, more: float, less: float, bound: float, length: float
):
    query, liked, rejected = judged(seed, likes, rejects, length)

    moved = BoundedRocchio(more, less, bound).moved(query, liked, rejected)

    assert moved.shape == (DIMENSION,)
    assert moved.dtype == np.float32
    assert np.linalg.norm(moved) == pytest.approx(np.linalg.norm(query), rel=1e-5)


def test_by_default_no_click_turns_the_query_further_than_15_degrees():
    query, liked, rejected = judged(0, 1, 1, 1)

    far = BoundedRocchio().moved(query, at_unit_length(liked - 2 * query), rejected)

    assert degrees(query, far) == pytest.approx(15, abs=BLUR)


def test_where_nothing_was_judged_the_query_is_the_very_same():
    query = unit_vectors(1, 0)[0]

    assert BoundedRocchio().moved(query, NOTHING, NOTHING) is query


@given(SEEDS, st.integers(1, 5), st.floats(0.01, 3), st.floats(0.1, 90))
def test_the_query_comes_nearer_to_what_was_liked(seed: int, likes: int, more: float, bound: float):
    query, liked, _ = judged(seed, likes, 0, 1)

    moved = BoundedRocchio(more, bound=bound).moved(query, liked, NOTHING)

    mean = liked.mean(0)
    assert degrees(moved, mean) < degrees(query, mean)


@given(SEEDS, st.integers(1, 5), st.floats(0.01, 3), st.floats(0.1, 90))
def test_the_query_goes_away_from_what_was_turned_down(
    seed: int, rejects: int, less: float, bound: float
):
    query, _, rejected = judged(seed, 0, rejects, 1)

    moved = BoundedRocchio(less=less, bound=bound).moved(query, NOTHING, rejected)

    mean = rejected.mean(0)
    assert degrees(moved, mean) > degrees(query, mean)


@given(SEEDS)
def test_a_like_moves_the_query_further_than_a_dislike(seed: int):
    query, judgement, _ = judged(seed, 1, 0, 1)
    assume(30 < degrees(query, judgement[0]) < 150)
    feedback = BoundedRocchio(bound=90)

    towards = feedback.moved(query, judgement, NOTHING)
    away = feedback.moved(query, NOTHING, judgement)

    assert degrees(query, towards) > degrees(query, away)


@given(seed=SEEDS, like=st.booleans())
def test_one_bad_click_among_many_good_ones_does_no_harm(*, seed: int, like: bool):
    query, target, *noise = unit_vectors(12, seed)
    good = at_unit_length(target + 0.3 * np.stack(noise[:9]))
    bad = noise[9][None]
    liked, rejected = (np.concatenate([good, bad]), NOTHING) if like else (good, good[:1])

    moved = BoundedRocchio().moved(query, liked, rejected)

    assert degrees(moved, target) < degrees(query, target)


@pytest.mark.parametrize("length", [0.5, 1.0, 2.0])
@given(seed=SEEDS, like=st.booleans())
def test_a_judgement_of_the_query_itself_changes_nothing(length: float, *, seed: int, like: bool):
    direction = unit_vectors(1, seed)
    query = np.float32(length) * direction[0]

    moved = BoundedRocchio().moved(query, *((direction, NOTHING) if like else (NOTHING, direction)))

    np.testing.assert_allclose(moved, query, atol=1e-6)


@pytest.mark.parametrize("weights", [(0.0, 0.15), (0.0, 0.0)])
def test_what_has_no_weight_does_not_move_the_query(weights: tuple[float, float]):
    query, liked, _ = judged(0, 3, 0, 1)

    moved = BoundedRocchio(*weights).moved(query, liked, NOTHING)

    np.testing.assert_array_equal(moved, query)


def test_a_bound_of_0_leaves_the_query_where_it_is():
    query, liked, rejected = judged(0, 2, 2, 1.5)

    moved = BoundedRocchio(bound=0).moved(query, liked, rejected)

    np.testing.assert_allclose(moved, query, atol=1e-6)


def test_a_query_without_length_is_returned_as_it_is():
    query = np.zeros(DIMENSION, np.float32)

    assert BoundedRocchio().moved(query, unit_vectors(2, 0), unit_vectors(1, 1)) is query
    assert not query.any()


@pytest.mark.parametrize("value", [-0.01, float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["more", "less"])
def test_a_weight_without_meaning_is_refused(name: str, value: float):
    with pytest.raises(InvalidInputError, match=rf"\b{name}={value}\b"):
        BoundedRocchio(**{name: value})


@pytest.mark.parametrize("value", [-0.01, 91.0, float("nan"), float("inf"), float("-inf")])
def test_a_bound_that_is_no_angle_up_to_90_degrees_is_refused(value: float):
    with pytest.raises(InvalidInputError, match=f"bound={value}: "):
        BoundedRocchio(bound=value)


@given(SEEDS, COUNTS, COUNTS)
def test_what_is_given_is_left_as_it_is(seed: int, likes: int, rejects: int):
    inputs, same = judged(seed, likes, rejects, 1.2), judged(seed, likes, rejects, 1.2)

    BoundedRocchio().moved(*inputs)

    for given_, before in zip(inputs, same, strict=True):
        np.testing.assert_array_equal(given_, before)


@pytest.mark.parametrize("less", [0.5, 1.0, 2.0, 1e20])
def test_turning_down_what_was_asked_for_has_no_direction(less: float):
    query = np.random.default_rng(0).standard_normal(64).astype(np.float32)
    query /= np.linalg.norm(query)

    moved = BoundedRocchio(less=less).moved(query, np.empty((0, 64), np.float32), query[None])

    np.testing.assert_allclose(moved, query, atol=1e-6)
