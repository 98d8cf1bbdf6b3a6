from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
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


@given(
    st.integers(0, 1),
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)),
    st.integers(0, 2**32 - 1),
    st.tuples(st.floats(0, 2), st.floats(0.01, 2)),
)
def test_the_users_images_join_the_weighted_sums(
    texts: int, counts: tuple[int, int, int], seed: int, pair: tuple[float, float]
):
    text = unit_vectors(1, seed)[0] if texts else None
    generated, shown, rejected = (
        unit_vectors(count, seed + n) for n, count in enumerate(counts, 1)
    )
    assume(texts or counts[0] or counts[1])
    stored = unit_vectors(30, seed + 4)

    fused = ScheduledFusion(pair).fuse(text, generated, 0, shown, rejected)

    sides = [(stored @ images.T).mean(axis=1) for images in (generated, shown) if len(images)]
    if text is None:
        expected = np.mean(sides, axis=0)
    elif not sides:
        expected = stored @ text
    else:
        expected = pair[0] * (stored @ text) + pair[1] * np.mean(sides, axis=0)
    if len(rejected):
        expected = expected - 0.15 * (stored @ rejected.T).mean(axis=1)
    np.testing.assert_allclose(stored @ fused.vector, expected, atol=1e-5)
    assert len(fused.shares) == counts[0] + counts[1]
    assert sum(fused.shares) == pytest.approx(1 if fused.shares else 0)


@pytest.mark.parametrize(("generated", "shown"), [(4, 1), (1, 4), (3, 3)])
def test_shown_images_together_count_as_much_as_all_generated_ones(generated: int, shown: int):
    made, theirs = unit_vectors(generated, 1), unit_vectors(shown, 2)

    fused = paper_schedule().fuse(None, made, 0, theirs)

    np.testing.assert_allclose(
        fused.vector, (made.mean(axis=0) + theirs.mean(axis=0)) / 2, atol=1e-6
    )
    assert fused.shares == (0.5 / generated,) * generated + (0.5 / shown,) * shown


def test_shown_images_are_an_image_side_of_their_own():
    text, shown = unit_vectors(1, 0)[0], unit_vectors(2, 1)

    fused = paper_schedule().fuse(text, NO_IMAGES, 0, shown)

    np.testing.assert_allclose(fused.vector, 0.8 * text + 0.2 * shown.mean(axis=0), atol=1e-6)
    assert (fused.text_weight, fused.image_weight, fused.shares) == (0.8, 0.2, (0.5, 0.5))


@pytest.mark.parametrize("count", [1, 5])
def test_the_query_moves_away_from_what_was_turned_down(count: int):
    text, images = unit_vectors(1, 0)[0], unit_vectors(2, 1)
    rejected = np.repeat(unit_vectors(1, 2), count, axis=0)
    plain = paper_schedule().fuse(text, images, 3)

    fused = paper_schedule().fuse(text, images, 3, rejected=rejected)

    fall = plain.vector @ rejected[0] - fused.vector @ rejected[0]
    assert fall == pytest.approx(0.15, abs=1e-6)
    assert (fused.text_weight, fused.image_weight, fused.shares) == (0.5, 0.5, (0.5, 0.5))


def test_what_was_turned_down_is_no_query():
    with pytest.raises(InvalidInputError, match="nothing to fuse"):
        paper_schedule().fuse(None, NO_IMAGES, 0, rejected=unit_vectors(1, 0))


@pytest.mark.parametrize("text", [unit_vectors(1, 0)[0], None], ids=["text", "no text"])
def test_no_images_of_the_user_change_nothing(text: Vectors | None):
    images = unit_vectors(3, 1)

    plain = paper_schedule().fuse(text, images, 1)
    fused = paper_schedule().fuse(text, images, 1, NO_IMAGES, NO_IMAGES)

    np.testing.assert_array_equal(fused.vector, plain.vector)
    assert fused.shares == plain.shares == (1 / 3,) * 3


def test_the_vector_is_not_renormalised():
    text, image = np.eye(DIMENSION, dtype=np.float32)[:2]

    fused = paper_schedule().fuse(text, image[None], 2)

    assert fused.vector.dtype == np.float32
    assert fused.vector.tolist() == [0.5, 0.5, *[0.0] * (DIMENSION - 2)]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shares_are_alike_and_add_up_to_one(count: int):
    fused = paper_schedule().fuse(None, unit_vectors(count, 0), 0)

    assert fused.shares == (1 / count,) * count
    assert sum(fused.shares) == pytest.approx(1)


@pytest.mark.parametrize("fusion", [paper_schedule(), text_only(), image_only()])
def test_without_images_the_text_counts_all(fusion: ScheduledFusion):
    text = unit_vectors(1, 0)[0]

    fused = fusion.fuse(text, NO_IMAGES, 0)

    np.testing.assert_array_equal(fused.vector, text)
    assert (fused.text_weight, fused.image_weight, fused.shares) == (1, 0, ())


@pytest.mark.parametrize("fusion", [paper_schedule(), text_only(), image_only()])
def test_without_text_the_images_count_all(fusion: ScheduledFusion):
    images = unit_vectors(3, 0)

    fused = fusion.fuse(None, images, 0)

    np.testing.assert_allclose(fused.vector, images.mean(axis=0), rtol=1e-6)
    assert (fused.text_weight, fused.image_weight) == (0, 1)


def test_one_side_alone_can_be_chosen():
    text, images = unit_vectors(1, 0)[0], unit_vectors(3, 1)

    np.testing.assert_array_equal(text_only().fuse(text, images, 5).vector, text)
    np.testing.assert_allclose(
        image_only().fuse(text, images, 5).vector, images.mean(axis=0), rtol=1e-6
    )


@pytest.mark.parametrize("fusion", [paper_schedule(), text_only(), image_only()])
def test_neither_text_nor_images_is_refused(fusion: ScheduledFusion):
    with pytest.raises(InvalidInputError, match="nothing to fuse"):
        fusion.fuse(None, NO_IMAGES, 0)


def test_what_is_given_is_left_as_it_is():
    text, images = unit_vectors(1, 0)[0], unit_vectors(2, 1)
    before = text.copy(), images.copy()

    paper_schedule().fuse(text, images, 0, images, images).vector[:] = 7

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
