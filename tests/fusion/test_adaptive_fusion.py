from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.evaluation.ranking import PoolNeighbours
from dar_retriever.fusion import AdaptiveFusion, Calibration, FusedQuery, Surroundings
from dar_retriever.fusion.adaptive import CAP, concord_of, depiction_of, reliability_of

DIMENSION = 16
NO_IMAGES = np.empty((0, DIMENSION), np.float32)
GOOD = [0.9, 0.8, 0.85]
WRONG = [-0.4, 0.0, 0.1]


def at_unit_length(vectors: np.ndarray) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def unit_vectors(count: int, seed: int, dimension: int = DIMENSION) -> Vectors:
    return at_unit_length(np.random.default_rng(seed).standard_normal((count, dimension)))


def pool_of(seed: int, count: int = 400) -> Vectors:
    return unit_vectors(count, seed)


def text_of(seed: int) -> Vectors:
    return unit_vectors(1, seed + 10_000)[0]


def images_at(text: Vectors, cosines: list[float], seed: int) -> Vectors:
    """Unit vectors with the products with the text that are asked for."""
    sideways = unit_vectors(len(cosines), seed + 20_000).astype(float)
    sideways -= np.outer(sideways @ text, text)
    sideways = at_unit_length(sideways)
    products = np.array(cosines, np.float64).reshape(-1, 1)
    return (products * text + np.sqrt(1 - products**2) * sideways).astype(np.float32)


def fusion_over(pool: Vectors, cap: float = CAP) -> AdaptiveFusion:
    return AdaptiveFusion(Calibration(PoolNeighbours(pool)), cap)


def judged(scores: np.ndarray, by_text: np.ndarray | None = None) -> Surroundings:
    """Hits that the k-th unit vector gives the scores of the k-th column."""
    hits = np.asarray(scores, np.float32)
    text = hits[:, 0] if by_text is None else np.asarray(by_text, np.float32)
    return Surroundings(0.0, 1.0, hits, text)


def judges(count: int) -> Vectors:
    return np.eye(count, dtype=np.float32)


def icc(scores: np.ndarray) -> float | None:
    """ICC(C,k) from the mean squares of a two-way ANOVA; None where the rows do not differ."""
    scores = np.asarray(scores, np.float64)
    rows, columns = scores.shape
    grand = scores.mean()
    of_rows = columns * ((scores.mean(axis=1) - grand) ** 2).sum()
    of_columns = rows * ((scores.mean(axis=0) - grand) ** 2).sum()
    of_errors = ((scores - grand) ** 2).sum() - of_rows - of_columns
    row_square = of_rows / (rows - 1)
    error_square = of_errors / ((rows - 1) * (columns - 1))
    return (row_square - error_square) / row_square if row_square > 1e-9 else None


def plain_weights(
    text: Vectors, images: Vectors, pool: Vectors, cap: float
) -> tuple[float, list[float]]:
    """The text's weight and the images' shares, step by step in double precision."""
    text, images, pool = (np.asarray(v, np.float64) for v in (text, images, pool))
    nothing = 1.0, [0.0] * len(images)
    scores = pool @ text
    best = np.argsort(-scores)[: min(50, len(pool) // 4)]
    # The scale is 1 at the best hits' mean and 0 halfway from there to the mean of all.
    top, halfway = scores[best].mean(), (scores[best].mean() + scores.mean()) / 2
    depiction = [min(1, max(0, (image @ text - halfway) / (top - halfway))) for image in images]
    if not sum(depiction):
        return nothing
    shares = [value / sum(depiction) for value in depiction]
    visual = sum(share * image for share, image in zip(shares, images, strict=True))
    concord = max(0, np.corrcoef(scores[best], pool[best] @ visual)[0, 1])
    kept = images[np.array(depiction) > 0]
    reliability = 0.8 if len(kept) == 1 else max(0, icc(pool[best] @ kept.T) or 0)
    gate = cap * concord**2 * reliability**2 * np.mean(depiction)
    if not gate:
        return nothing
    text_part, image_part = (1 - gate) / scores.std(), gate / (pool @ visual).std()
    return text_part / (text_part + image_part), shares


def assert_text_alone(fused: FusedQuery, text: Vectors, images: int) -> None:
    assert fused.vector.tobytes() == text.tobytes()
    assert (fused.text_weight, fused.image_weight) == (1, 0)
    assert fused.shares == (0,) * images


def assert_same_weights(one: FusedQuery, other: FusedQuery) -> None:
    assert one.text_weight == pytest.approx(other.text_weight, abs=1e-4)
    assert one.image_weight == pytest.approx(other.image_weight, abs=1e-4)
    np.testing.assert_allclose(one.shares, other.shares, atol=1e-4)


# Depiction.


def test_depiction_by_hand():
    text = np.array([1, 0], np.float32)
    around = Surroundings(0.1, 0.1, np.zeros((3, 2)), np.array([0.6, 0.5, 0.4], np.float32))
    cosines = [0.9, 0.5, 0.45, 0.4, 0.3, 0.1, -0.7]
    images = np.array([[cosine, 0] for cosine in cosines], np.float32)

    shown = depiction_of(text, images, around)

    np.testing.assert_allclose(shown, [1, 1, 0.75, 0.5, 0, 0, 0], atol=1e-6)


@pytest.mark.parametrize("mean", [0.5, 0.6])
def test_nothing_is_depicted_where_the_best_hits_are_no_better_than_the_rest(mean: float):
    around = Surroundings(mean, 0.1, np.zeros((2, 2)), np.array([0.5, 0.5], np.float32))

    shown = depiction_of(np.array([1, 0], np.float32), judges(2), around)

    np.testing.assert_array_equal(shown, [0, 0])


def test_no_images_depict_nothing():
    around = Surroundings(0.0, 0.1, np.zeros((2, DIMENSION)), np.array([0.5, 0.5], np.float32))

    assert depiction_of(text_of(0), NO_IMAGES, around).shape == (0,)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=6), st.integers(0, 99))
def test_the_nearer_the_caption_the_better_depicted(cosines: list[float], seed: int):
    text = text_of(seed)
    around = Calibration(PoolNeighbours(pool_of(seed))).around(text)
    assert around is not None

    shown = depiction_of(text, images_at(text, sorted(cosines), seed), around)

    assert (np.diff(shown) >= -1e-5).all()
    assert ((shown >= 0) & (shown <= 1)).all()


# Concord.


@given(st.integers(2, 60), st.integers(0, 2**32 - 1), st.floats(-3, 3))
def test_concord_is_the_correlation_unless_that_is_negative(count: int, seed: int, bent: float):
    scores = np.random.default_rng(seed).standard_normal((count, 2))
    scores[:, 1] += bent * scores[:, 0]

    concord = concord_of(judges(2)[1], judged(scores))

    assert concord == pytest.approx(max(0, np.corrcoef(scores.T)[0, 1]), abs=1e-4)


def test_judges_in_step_are_in_full_concord_and_opposed_ones_in_none():
    text = np.array([4, 3, 2, 1])

    same = concord_of(judges(2)[1], judged(np.stack([text, 0.5 * text + 1], axis=1)))
    opposed = concord_of(judges(2)[1], judged(np.stack([text, -text], axis=1)))

    assert same == pytest.approx(1)
    assert opposed == 0


@pytest.mark.parametrize("flat", [0, 1])
def test_who_finds_all_hits_alike_is_in_concord_with_nobody(flat: int):
    scores = np.array([[4.0, 4.0], [3.0, 3.0], [2.0, 2.0], [1.0, 1.0]])
    scores[:, flat] = 0.5

    assert concord_of(judges(2)[1], judged(scores)) == 0


# Reliability.


def test_reliability_is_what_shrout_and_fleiss_published():
    # Psychological Bulletin 86 (1979), table 2: four judges of six targets, ICC(3,4) = 0.91.
    scores = [
        [9, 2, 5, 8],
        [6, 1, 3, 2],
        [8, 4, 6, 8],
        [7, 1, 2, 6],
        [10, 5, 6, 9],
        [6, 2, 4, 7],
    ]

    reliability = reliability_of(judges(4), judged(np.array(scores)))

    assert reliability == pytest.approx(0.91, abs=0.005)
    assert reliability == pytest.approx(icc(np.array(scores)), abs=1e-6)


@given(
    hnp.arrays(
        np.int64,
        st.tuples(st.integers(2, 50), st.integers(2, 6)),
        elements=st.integers(-8, 8),
    )
)
def test_reliability_is_the_intraclass_correlation(scores: np.ndarray):
    expected = icc(scores)
    assume(expected is not None)

    reliability = reliability_of(judges(scores.shape[1]), judged(scores))

    assert reliability == pytest.approx(max(0, expected or 0), abs=1e-4)
    assert 0 <= reliability <= 1


@given(st.integers(2, 6), st.integers(0, 2**32 - 1), st.floats(-5, 5))
def test_a_mild_judge_is_as_reliable_as_a_strict_one(count: int, seed: int, milder: float):
    scores = np.random.default_rng(seed).standard_normal((30, count))
    scores += 2 * scores[:, :1]
    shifted = scores.copy()
    shifted[:, 0] += milder

    strict = reliability_of(judges(count), judged(scores))

    assert strict > 0
    assert reliability_of(judges(count), judged(shifted)) == pytest.approx(strict, abs=1e-4)


def test_equal_judges_are_reliable_and_opposed_ones_are_not():
    verdict = np.array([4, 3, 2, 1])

    equal = reliability_of(judges(3), judged(np.stack([verdict] * 3, axis=1)))
    opposed = reliability_of(judges(2), judged(np.stack([verdict, -verdict], axis=1)))
    undecided = reliability_of(judges(2), judged(np.ones((4, 2))))

    assert equal == pytest.approx(1)
    assert opposed == undecided == 0


def test_a_single_image_is_taken_for_what_images_usually_have():
    verdicts = [np.array([[4.0], [3.0], [2.0]]), np.zeros((5, 1))]

    assert [reliability_of(judges(1), judged(scores)) for scores in verdicts] == [0.8, 0.8]


# Text and images together.


@given(
    st.lists(st.floats(-1, 1), min_size=1, max_size=6),
    st.integers(0, 99),
    st.sampled_from([20, 60, 203, 400]),
    st.floats(0, 1),
)
def test_the_weights_are_those_of_a_plain_computation(
    cosines: list[float], seed: int, count: int, cap: float
):
    pool, text = pool_of(seed, count), text_of(seed)
    images = images_at(text, cosines, seed)

    fused = fusion_over(pool, cap).fuse(text, images, 0)

    weight, shares = plain_weights(text, images, pool, cap)
    assert fused.text_weight == pytest.approx(weight, abs=1e-3)
    np.testing.assert_allclose(fused.shares, shares, atol=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_images_that_show_the_caption_count(seed: int):
    pool, text = pool_of(seed), text_of(seed)

    fused = fusion_over(pool).fuse(text, images_at(text, [0.97, 0.96, 0.98], seed), 0)

    assert 0.1 < fused.image_weight < 0.9
    assert fused.shares == pytest.approx((1 / 3,) * 3)
    assert fused.vector.dtype == np.float32
    assert (fused.vector != text).any()


@given(st.lists(st.floats(-1, 0), min_size=1, max_size=6), st.integers(0, 99))
def test_images_of_something_else_leave_the_text_as_it_is(cosines: list[float], seed: int):
    text = text_of(seed)

    fused = fusion_over(pool_of(seed)).fuse(text, images_at(text, cosines, seed), 0)

    assert_text_alone(fused, text, len(cosines))
    assert fused.reasons[0] == "no image shows the caption"


@pytest.mark.parametrize("place", [0, 1, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_one_wrong_image_among_good_ones_is_not_in_the_vector(place: int, seed: int):
    text, fusion = text_of(seed), fusion_over(pool_of(seed))
    good = images_at(text, GOOD, seed)
    wrong = images_at(text, WRONG, seed + 1)

    fused = [fusion.fuse(text, np.insert(good, place, image, axis=0), 0) for image in wrong]

    assert [query.shares[place] for query in fused] == [0, 0, 0]
    assert sum(fused[0].shares) == pytest.approx(1)
    assert {query.vector.tobytes() for query in fused} == {fused[0].vector.tobytes()}
    others = np.array([share for share in fused[0].shares if share])
    expected = fused[0].text_weight * text + fused[0].image_weight * (others @ good)
    np.testing.assert_allclose(fused[0].vector, expected, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_a_wrong_image_takes_from_what_the_images_count_together(seed: int):
    text, fusion = text_of(seed), fusion_over(pool_of(seed))
    good = images_at(text, GOOD, seed)
    mixed = np.concatenate([good, images_at(text, WRONG[:1], seed + 1)])

    assert 0 < fusion.fuse(text, mixed, 0).image_weight < fusion.fuse(text, good, 0).image_weight


def test_the_share_of_an_image_is_its_part_of_what_is_depicted():
    pool, text = pool_of(0), text_of(0)
    around = Calibration(PoolNeighbours(pool)).around(text)
    assert around is not None
    level = float(around.scores.mean()) - around.mean
    # Depicted at 1, 1/2 and 1/4.
    cosines = [around.mean + level * (1 + depicted) / 2 for depicted in (1, 0.5, 0.25)]

    fused = fusion_over(pool).fuse(text, images_at(text, cosines, 3), 0)

    assert fused.shares == pytest.approx((4 / 7, 2 / 7, 1 / 7), abs=1e-4)


def test_images_that_rank_the_best_hits_the_other_way_round_count_nothing():
    # To the text hits score s; to the image 0.6 s - 0.8 s.
    falling = np.linspace(0.6, 0.5, 10)
    pool = np.zeros((40, DIMENSION))
    pool[:10, 0], pool[:10, 1] = falling, -falling
    pool[:, 2] = np.sqrt(1 - (pool**2).sum(axis=1))
    text, image = np.zeros(DIMENSION, np.float32), np.zeros((1, DIMENSION), np.float32)
    text[0], image[0, :2] = 1, (0.6, 0.8)

    fused = fusion_over(pool.astype(np.float32)).fuse(text, image, 0)

    assert_text_alone(fused, text, 1)
    assert "r = 0.00" in fused.reasons[0]
    assert "at 1.00" in fused.reasons[1]


def test_without_images_the_text_counts_all():
    text = text_of(0)

    fused = fusion_over(pool_of(0)).fuse(text, NO_IMAGES, 3)

    assert_text_alone(fused, text, 0)
    assert fused.reasons == ()


@pytest.mark.parametrize("count", [0, 1, 19])
def test_in_a_store_too_small_the_text_counts_all(count: int):
    text = text_of(0)

    fused = fusion_over(pool_of(0, count)).fuse(text, images_at(text, GOOD, 0), 0)

    assert_text_alone(fused, text, 3)
    assert fused.reasons == ("the store is too small to tell what scores are usual",)


def test_twenty_vectors_are_enough():
    text = text_of(0)

    fused = fusion_over(pool_of(0, 20)).fuse(text, images_at(text, [0.95, 0.95], 0), 0)

    assert fused.image_weight > 0


def test_in_a_store_of_one_vector_many_times_the_text_counts_all():
    text = text_of(0)

    fused = fusion_over(np.repeat(pool_of(0, 1), 100, axis=0)).fuse(
        text, images_at(text, GOOD, 0), 0
    )

    assert_text_alone(fused, text, 3)
    assert len(fused.reasons) == 1


def test_a_cap_of_0_is_the_text_alone():
    text = text_of(0)

    fused = fusion_over(pool_of(0), 0).fuse(text, images_at(text, GOOD, 0), 0)

    assert_text_alone(fused, text, 3)


def test_a_cap_of_1_lets_images_that_say_the_same_take_over():
    text = text_of(0)

    fused = fusion_over(pool_of(0), 1).fuse(text, np.stack([text, text]), 0)

    assert fused.text_weight == pytest.approx(0, abs=1e-5)
    assert fused.image_weight == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(fused.vector, text, atol=1e-6)


@pytest.mark.parametrize("cap", [-0.1, 1.01, 70, float("nan"), float("inf")])
def test_a_cap_out_of_range_is_refused(cap: float):
    with pytest.raises(InvalidInputError, match=re.escape(f"cap={cap}")):
        fusion_over(pool_of(0), cap)


@given(st.lists(st.floats(0.2, 1), min_size=1, max_size=6), st.integers(0, 99), st.floats(0.01, 1))
def test_the_images_never_weigh_more_than_the_cap(cosines: list[float], seed: int, cap: float):
    pool, text = pool_of(seed), text_of(seed)
    images = images_at(text, cosines, seed)

    def part_of_the_images(cap: float) -> float:
        fused = fusion_over(pool, cap).fuse(text, images, 0)
        visual = np.array(fused.shares) @ images
        by_images = fused.image_weight * float((pool @ visual).std())
        return by_images / (by_images + fused.text_weight * float((pool @ text).std()))

    assert part_of_the_images(cap) <= cap + 1e-5
    assert part_of_the_images(cap) == pytest.approx(cap * part_of_the_images(1), abs=1e-4)


def test_the_reasons_tell_the_agreement_and_then_of_each_image():
    pool, text = pool_of(1), text_of(1)
    images = images_at(text, [0.9, *WRONG[:1], 0.8], 1)
    best = pool[np.argsort(-(pool @ text))[:50]]
    agreement = np.corrcoef(best @ text, best @ images[[0, 2]].mean(axis=0))[0, 1]

    fused = fusion_over(pool).fuse(text, images, 0)

    assert len(fused.reasons) == 4
    assert f"r = {agreement:.2f}" in fused.reasons[0]
    assert f"with each other with {icc(best @ images[[0, 2]].T):.2f}" in fused.reasons[0]
    for number, (reason, value) in enumerate(
        zip(fused.reasons[1:], ("1.00", "0.00", "1.00"), strict=True), 1
    ):
        assert reason.startswith(f"image {number} shows the caption at {value}")


def test_wrong_images_have_a_line_each_too():
    text = text_of(0)

    fused = fusion_over(pool_of(0)).fuse(text, images_at(text, WRONG, 0), 0)

    assert [reason[:7] for reason in fused.reasons[1:]] == ["image 1", "image 2", "image 3"]


def test_the_round_plays_no_part():
    text, fusion = text_of(0), fusion_over(pool_of(0))
    images = images_at(text, GOOD, 0)
    first, *others = (fusion.fuse(text, images, number) for number in (0, 1, 2, 10))

    assert first.image_weight > 0
    for other in others:
        assert other.vector.tobytes() == first.vector.tobytes()
        assert (other.text_weight, other.shares, other.reasons) == (
            first.text_weight,
            first.shares,
            first.reasons,
        )


@pytest.mark.parametrize("cosines", [GOOD, [0.3], [0.35, 0.9, *WRONG], WRONG])
@pytest.mark.parametrize("gap", [(0.5, 0.5), (0.8, -0.6), (-1.0, 0.2)])
def test_a_gap_between_the_modalities_changes_nothing(
    cosines: list[float], gap: tuple[float, float]
):
    pool, text = pool_of(2), text_of(2)
    images = images_at(text, cosines, 2)

    def beside(vectors: Vectors, constant: float) -> Vectors:
        column = np.full((*vectors.shape[:-1], 1), constant, np.float32)
        return np.concatenate([vectors, column], axis=-1)

    plain = fusion_over(pool).fuse(text, images, 0)
    apart = fusion_over(beside(pool, gap[1])).fuse(beside(text, gap[0]), beside(images, gap[1]), 0)

    assert_same_weights(apart, plain)


@pytest.mark.parametrize("cosines", [GOOD, [0.3], [0.35, 0.9, *WRONG], WRONG])
@pytest.mark.parametrize("seed", range(5))
def test_turning_the_whole_space_changes_nothing(cosines: list[float], seed: int):
    pool, text = pool_of(seed), text_of(seed)
    images = images_at(text, cosines, seed)
    random = np.random.default_rng(seed).standard_normal((DIMENSION, DIMENSION))
    turn = np.linalg.qr(random)[0].astype(np.float32)

    plain = fusion_over(pool).fuse(text, images, 0)
    turned = fusion_over(pool @ turn).fuse(text @ turn, images @ turn, 0)

    assert_same_weights(turned, plain)
    np.testing.assert_allclose(turned.vector, plain.vector @ turn, atol=1e-4)


def test_the_order_of_the_images_changes_only_the_order_of_the_shares():
    text, fusion = text_of(0), fusion_over(pool_of(0))
    images = images_at(text, [0.3, 0.9, -0.2, 0.35], 0)

    plain = fusion.fuse(text, images, 0)
    reversed_ = fusion.fuse(text, images[::-1], 0)

    assert len(set(plain.shares)) == 4
    assert reversed_.shares == pytest.approx(plain.shares[::-1], abs=1e-6)
    np.testing.assert_allclose(reversed_.vector, plain.vector, atol=1e-5)


def test_what_is_given_is_left_as_it_is():
    pool, text = pool_of(0), text_of(0)
    images = images_at(text, [*GOOD, *WRONG], 0)
    before = pool.copy(), text.copy(), images.copy()

    fusion_over(pool).fuse(text, images, 0).vector[:] = 7

    for given_, copy in zip((pool, text, images), before, strict=True):
        np.testing.assert_array_equal(given_, copy)


def odd_stores() -> st.SearchStrategy[Vectors]:
    """Stores of any size, often of few different vectors."""

    def store(dimension: int, kinds: int, count: int, seed: int) -> Vectors:
        chosen = np.random.default_rng(seed).integers(kinds, size=count)
        return unit_vectors(kinds, seed, dimension)[chosen]

    return st.builds(
        store, st.integers(2, 8), st.integers(1, 80), st.integers(0, 80), st.integers(0, 2**32 - 1)
    )


@given(odd_stores(), st.data(), st.floats(0, 1))
def test_whatever_is_fused_the_weights_are_weights(pool: Vectors, data: st.DataObject, cap: float):
    known = np.concatenate([unit_vectors(3, data.draw(st.integers(0, 999)), pool.shape[1]), pool])
    known = np.concatenate([known, -known])
    places = st.integers(0, len(known) - 1)
    text = known[data.draw(places)]
    images = known[data.draw(st.lists(places | st.sampled_from([0, 1]), max_size=6))]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fused = fusion_over(pool, cap).fuse(text, images.reshape(-1, pool.shape[1]), 0)

    assert np.isfinite(fused.vector).all()
    assert fused.vector.dtype == np.float32
    assert fused.text_weight + fused.image_weight == 1
    assert -1e-5 <= fused.image_weight <= 1 + 1e-5
    assert len(fused.shares) == len(images)
    assert all(share >= 0 for share in fused.shares)
    assert sum(fused.shares) == pytest.approx(1 if any(fused.shares) else 0)
    assert any(fused.shares) or not fused.image_weight
    images_part = np.array(fused.shares) @ images if len(images) else 0
    np.testing.assert_allclose(
        fused.vector, fused.text_weight * text + fused.image_weight * images_part, atol=1e-5
    )


def test_what_differs_by_rounding_alone_bears_nothing_out() -> None:
    alike = np.tile(np.float32([0.3, 0.3]), (6, 1))

    assert concord_of(np.float32([0, 1]), Surroundings(0, 0.1, alike, alike[:, 0])) == 0
    nearly = np.tile(np.float32([0.3, 0.33]), (10, 1))
    around = Surroundings(0, 0.1, nearly, nearly[:, 0])
    assert reliability_of(np.eye(2, dtype=np.float32), around) == 0
    one = Surroundings(0, 0.1, nearly[:1], nearly[:1, 0])
    assert reliability_of(np.eye(2, dtype=np.float32), one) == 0
