from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.understanding.composition import (
    CaptionedReference,
    Composition,
    Parts,
    PromptDirection,
    WeightedModalities,
    unit,
)

DIMENSION = 16
SEEDS = st.integers(0, 2**32 - 1)
COUNTS = st.integers(1, 4)
STRATEGIES = [
    WeightedModalities(),
    WeightedModalities(0.2),
    PromptDirection(),
    PromptDirection(0.5, 0.0),
    PromptDirection(2.0, 1.0),
    PromptDirection(-1.0, 0.3),
    CaptionedReference(),
]
EVERY_STRATEGY = pytest.mark.parametrize(
    "composition",
    STRATEGIES,
    ids=lambda strategy: f"{type(strategy).__name__}-{STRATEGIES.index(strategy)}",
)


def unit_vectors(count: int, seed: int) -> Vectors:
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSION))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def some_parts(seed: int, references: int = 1) -> Parts:
    words, before, after, *_ = vectors = unit_vectors(3 + references, seed)
    return Parts(vectors[3:], words, before, after)


def at_unit_length(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def of_one_error(right: Vectors, error: Vectors, share: float) -> Vectors:
    """A unit vector that is right but for an error, which is orthogonal to what is right."""
    return (np.sqrt(1 - share**2) * right + share * error).astype(np.float32)


@given(SEEDS, COUNTS, st.floats(0, 1))
def test_weighted_modalities_are_the_weighted_mean_of_images_and_words(
    seed: int, references: int, share: float
):
    parts = some_parts(seed, references)

    composed = WeightedModalities(share).compose(parts)

    images = at_unit_length(parts.references.mean(0))
    expected = at_unit_length((1 - share) * images + share * parts.words)
    np.testing.assert_allclose(composed, expected, atol=1e-5)


@given(SEEDS, COUNTS, st.floats(-2, 2), st.floats(0, 1))
def test_prompt_direction_moves_image_and_caption_by_what_the_words_change(
    seed: int, references: int, scale: float, share: float
):
    parts = some_parts(seed, references)

    composed = PromptDirection(scale, share).compose(parts)

    direction = scale * (parts.after - parts.before)
    image = at_unit_length(at_unit_length(parts.references.mean(0)) + direction)
    text = at_unit_length(parts.before + direction)
    expected = at_unit_length((1 - share) * image + share * text)
    np.testing.assert_allclose(composed, expected, atol=1e-5)


@given(SEEDS, COUNTS)
def test_a_captioned_reference_is_its_rewritten_caption_whatever_it_shows(
    seed: int, references: int
):
    parts = some_parts(seed, references)

    composed = CaptionedReference().compose(parts)

    np.testing.assert_array_equal(composed, parts.after)


@EVERY_STRATEGY
@given(seed=SEEDS, references=COUNTS, spoken=st.booleans(), captioned=st.booleans())
def test_what_is_composed_is_finite_and_of_unit_length(
    composition: Composition, *, seed: int, references: int, spoken: bool, captioned: bool
):
    parts = some_parts(seed, references)
    parts = parts if spoken else replace(parts, words=None)
    parts = parts if captioned else replace(parts, before=None, after=None)

    composed = composition.compose(parts)

    assert composed.shape == (DIMENSION,)
    assert composed.dtype == np.float32
    assert np.isfinite(composed).all()
    assert np.linalg.norm(composed) == pytest.approx(1, abs=1e-5)


@given(SEEDS, COUNTS, st.floats(0, 1))
def test_without_words_the_images_count_all(seed: int, references: int, share: float):
    images = unit_vectors(references, seed)

    composed = WeightedModalities(share).compose(Parts(images))

    np.testing.assert_allclose(composed, at_unit_length(images.mean(0)), atol=1e-5)


@pytest.mark.parametrize("composition", [PromptDirection(), CaptionedReference()])
@given(seed=SEEDS, references=COUNTS, spoken=st.booleans())
def test_without_captions_words_and_images_are_weighted(
    composition: Composition, *, seed: int, references: int, spoken: bool
):
    parts = replace(some_parts(seed, references), before=None, after=None)
    parts = parts if spoken else replace(parts, words=None)

    composed = composition.compose(parts)

    np.testing.assert_array_equal(composed, WeightedModalities().compose(parts))


@pytest.mark.parametrize("missing", ["before", "after"])
def test_half_a_direction_is_none(missing: str):
    parts = replace(some_parts(0), **{missing: None})

    composed = PromptDirection().compose(parts)

    np.testing.assert_array_equal(composed, WeightedModalities().compose(parts))


@given(SEEDS)
def test_words_are_not_weighted_where_captions_already_hold_them(seed: int):
    parts = some_parts(seed)

    composed = PromptDirection().compose(parts)

    silent = PromptDirection().compose(replace(parts, words=None))
    np.testing.assert_array_equal(composed, silent)


@given(SEEDS, st.floats(0, 1))
def test_a_scale_of_0_ignores_the_change(seed: int, share: float):
    parts = some_parts(seed)

    composed = PromptDirection(0.0, share).compose(parts)

    unchanged = WeightedModalities(share).compose(Parts(parts.references, parts.before))
    np.testing.assert_allclose(composed, unchanged, atol=1e-6)


@given(SEEDS, st.floats(0, 1))
def test_a_caption_that_stays_as_it_is_does_not_move_the_image(seed: int, share: float):
    parts = some_parts(seed)
    parts = replace(parts, after=parts.before)

    composed = PromptDirection(1.0, share).compose(parts)

    unchanged = WeightedModalities(share).compose(Parts(parts.references, parts.before))
    np.testing.assert_allclose(composed, unchanged, atol=1e-6)


@given(SEEDS, COUNTS)
def test_a_weight_of_0_is_the_images_alone_and_of_1_the_words_alone(seed: int, references: int):
    parts = some_parts(seed, references)

    images, words = (WeightedModalities(share).compose(parts) for share in (0, 1))

    np.testing.assert_allclose(images, at_unit_length(parts.references.mean(0)), atol=1e-6)
    np.testing.assert_allclose(words, parts.words, atol=1e-6)


@given(SEEDS, COUNTS)
def test_a_weight_of_0_is_the_moved_image_alone_and_of_1_the_moved_caption_alone(
    seed: int, references: int
):
    parts = some_parts(seed, references)

    image, text = (PromptDirection(text_weight=share).compose(parts) for share in (0, 1))

    direction = parts.after - parts.before
    moved = at_unit_length(at_unit_length(parts.references.mean(0)) + direction)
    np.testing.assert_allclose(image, moved, atol=1e-5)
    np.testing.assert_allclose(text, parts.after, atol=1e-5)


@given(SEEDS, st.floats(0.1, 0.9))
def test_what_the_captioner_gets_wrong_cancels_out_in_the_moved_image(seed: int, share: float):
    vectors = np.random.default_rng(seed).standard_normal((DIMENSION, 4))
    before, after, wrong, otherwise = np.linalg.qr(vectors)[0].T.astype(np.float32)
    images = unit_vectors(1, seed)
    captioned = [
        Parts(images, None, of_one_error(before, error, share), of_one_error(after, error, share))
        for error in (wrong, otherwise)
    ]

    one, other = (PromptDirection(text_weight=0.0).compose(parts) for parts in captioned)
    told_one, told_other = (PromptDirection(text_weight=1.0).compose(parts) for parts in captioned)

    np.testing.assert_allclose(one, other, atol=1e-5)
    assert not np.allclose(told_one, told_other, atol=1e-2)


@EVERY_STRATEGY
@given(SEEDS, st.integers(2, 5))
def test_several_references_count_as_their_mean(
    composition: Composition, seed: int, references: int
):
    parts = some_parts(seed, references)
    mean = at_unit_length(parts.references.mean(0)).astype(np.float32)

    composed = composition.compose(parts)

    np.testing.assert_allclose(
        composed, composition.compose(replace(parts, references=mean[None])), atol=1e-5
    )


@EVERY_STRATEGY
@given(SEEDS)
def test_the_order_of_references_makes_no_difference(composition: Composition, seed: int):
    parts = some_parts(seed, 3)

    composed = composition.compose(parts)

    turned = replace(parts, references=parts.references[::-1].copy())
    np.testing.assert_allclose(composed, composition.compose(turned), atol=1e-5)


@EVERY_STRATEGY
@pytest.mark.parametrize("captioned", [True, False])
@pytest.mark.parametrize("spoken", [True, False])
def test_opposite_references_are_no_number_that_is_none(
    composition: Composition, *, spoken: bool, captioned: bool
):
    parts = some_parts(1)
    image = parts.references[0]
    parts = replace(parts, references=np.stack([image, -image]))
    parts = parts if spoken else replace(parts, words=None)
    parts = parts if captioned else replace(parts, before=None, after=None)

    composed = composition.compose(parts)

    assert composed.dtype == np.float32
    assert np.isfinite(composed).all()


def test_where_references_say_nothing_together_the_words_count_all():
    parts = some_parts(1)
    image = parts.references[0]

    composed = WeightedModalities(0.1).compose(Parts(np.stack([image, -image]), parts.words))

    np.testing.assert_allclose(composed, parts.words, atol=1e-6)


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf"), float("-inf")])
def test_a_weight_that_is_no_share_is_refused(value: float):
    with pytest.raises(InvalidInputError, match=f"text_weight={value}: "):
        WeightedModalities(value)
    with pytest.raises(InvalidInputError, match=f"text_weight={value}: "):
        PromptDirection(text_weight=value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_scale_that_is_not_finite_is_refused(value: float):
    with pytest.raises(InvalidInputError, match=f"scale={value}: "):
        PromptDirection(value)


@EVERY_STRATEGY
@given(SEEDS, COUNTS)
def test_what_is_given_is_left_as_it_is(composition: Composition, seed: int, references: int):
    parts, same = some_parts(seed, references), some_parts(seed, references)

    composition.compose(parts)

    for given_, before in zip(astuple(parts), astuple(same), strict=True):
        np.testing.assert_array_equal(given_, before)


@given(SEEDS, st.floats(0.001, 1000))
def test_a_vector_keeps_its_direction_at_unit_length(seed: int, length: float):
    direction = unit_vectors(1, seed)[0]
    vector = direction * length
    before = vector.copy()

    scaled = unit(vector)

    np.testing.assert_allclose(scaled, direction, atol=1e-6)
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(vector, before)


def test_a_vector_without_length_stays_as_it_is():
    nothing = unit(np.zeros(DIMENSION))

    assert nothing.tolist() == [0.0] * DIMENSION
    assert nothing.dtype == np.float32
