from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.fusion import ScheduledFusion, image_only, paper_schedule, text_only

DIMENSION = 16
NO_IMAGES = np.empty((0, DIMENSION), np.float32)


def unit_vectors(count: int, seed: int) -> Vectors:
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSION))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(
    ("round", "weights"),
    [(0, (0.8, 0.2)), (1, (0.8, 0.2)), (2, (0.5, 0.5)), (3, (0.5, 0.5)), (10, (0.5, 0.5))],
)
def test_the_paper_weighs_by_round(round: int, weights: tuple[float, float]):
    fused = paper_schedule().fuse(unit_vectors(1, 0)[0], unit_vectors(3, 1), round)

    assert (fused.text_weight, fused.image_weight) == weights


def test_the_last_weights_hold_from_there_on():
    fusion = ScheduledFusion((1.0, 0.0), (0.7, 0.3), (0.1, 0.9))
    text, images = unit_vectors(1, 0)[0], unit_vectors(3, 1)

    fused = [fusion.fuse(text, images, number) for number in (0, 1, 2, 3, 99)]

    weights = [(query.text_weight, query.image_weight) for query in fused]
    assert weights == [(1.0, 0.0), (0.7, 0.3), (0.1, 0.9), (0.1, 0.9), (0.1, 0.9)]


def test_weights_that_follow_from_the_round_need_no_reasons():
    text, images = unit_vectors(1, 0)[0], unit_vectors(3, 1)

    assert paper_schedule().fuse(text, images, 0).reasons == ()
    assert paper_schedule().fuse(text, NO_IMAGES, 0).reasons == ()


@given(
    st.integers(1, 5),
    st.integers(0, 10),
    st.integers(0, 2**32 - 1),
    st.tuples(st.floats(0, 2), st.floats(0.01, 2)),
)
def test_one_fused_vector_scores_and_ranks_as_the_weighted_sums(
    count: int, round: int, seed: int, pair: tuple[float, float]
):
    vectors = unit_vectors(1 + count + 50, seed)
    text, images, stored = vectors[0], vectors[1 : 1 + count], vectors[1 + count :]

    fused = ScheduledFusion((1.0, 0.5), pair).fuse(text, images, round)

    weights = (1.0, 0.5) if round == 0 else pair
    expected = weights[0] * (stored @ text) + weights[1] * (stored @ images.T).mean(axis=1)
    scores = stored @ fused.vector
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    # Neighbours closer than float32 can tell may change places, others may not.
    assert (np.diff(expected[np.argsort(-scores)]) < 1e-5).all()


def test_the_vector_is_not_renormalised():
    text, image = np.eye(DIMENSION, dtype=np.float32)[:2]

    fused = paper_schedule().fuse(text, image[None], 2)

    assert fused.vector.dtype == np.float32
    assert fused.vector.tolist() == [0.5, 0.5, *[0.0] * (DIMENSION - 2)]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shares_are_alike_and_add_up_to_one(count: int):
    fused = paper_schedule().fuse(unit_vectors(1, 0)[0], unit_vectors(count, 1), 0)

    assert fused.shares == (1 / count,) * count
    assert sum(fused.shares) == pytest.approx(1)


@pytest.mark.parametrize("fusion", [paper_schedule(), text_only(), image_only()])
def test_without_images_the_text_counts_all(fusion: ScheduledFusion):
    text = unit_vectors(1, 0)[0]

    fused = fusion.fuse(text, NO_IMAGES, 0)

    np.testing.assert_array_equal(fused.vector, text)
    assert (fused.text_weight, fused.image_weight, fused.shares) == (1, 0, ())


def test_one_side_alone_can_be_chosen():
    text, images = unit_vectors(1, 0)[0], unit_vectors(3, 1)

    np.testing.assert_array_equal(text_only().fuse(text, images, 5).vector, text)
    np.testing.assert_allclose(
        image_only().fuse(text, images, 5).vector, images.mean(axis=0), rtol=1e-6
    )


def test_what_is_given_is_left_as_it_is():
    text, images = unit_vectors(1, 0)[0], unit_vectors(2, 1)
    before = text.copy(), images.copy()

    paper_schedule().fuse(text, images, 0).vector[:] = 7

    np.testing.assert_array_equal(text, before[0])
    np.testing.assert_array_equal(images, before[1])


@pytest.mark.parametrize(
    "weights",
    [
        (),
        ((0.0, 0.0),),
        ((-0.1, 1.0),),
        ((1.0, -0.1),),
        ((0.5, 0.5), (0.0, 0.0)),
        ((float("nan"), 1.0),),
        ((1.0, float("inf")),),
    ],
)
def test_weights_without_meaning_are_refused(weights: tuple[tuple[float, float], ...]):
    with pytest.raises(InvalidInputError, match="weights="):
        ScheduledFusion(*weights)
