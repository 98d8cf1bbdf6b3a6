"""Gaussians of low rank agree with the textbook's formula, whatever their shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dar_retriever.ranking.gaussian import Gaussian, centred, root


@settings(deadline=None, max_examples=50)
@given(
    rank=st.integers(0, 12),
    dimensions=st.integers(1, 8),
    noise=st.floats(1e-3, 10),
    seed=st.integers(0, 1000),
)
def test_differences_of_log_densities_are_those_of_the_formula(
    rank: int, dimensions: int, noise: float, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    mean, vectors = chance.normal(size=dimensions), chance.normal(size=(6, dimensions))
    factors, others = (chance.normal(size=(rank, dimensions)) for _ in range(2))

    def formula(factors: np.ndarray) -> np.ndarray:
        covariance = factors.T @ factors + noise * np.eye(dimensions)
        away = vectors - mean
        distance = (away @ np.linalg.inv(covariance) * away).sum(1)
        return -(distance + np.linalg.slogdet(covariance)[1]) / 2

    ours, wanted = (
        density(factors) - density(others)
        for density in (lambda f: Gaussian(mean, f, noise).log_density(vectors), formula)
    )
    np.testing.assert_allclose(ours, wanted, rtol=1e-6, atol=1e-6 / noise)


def test_the_factors_of_vectors_are_their_covariance() -> None:
    vectors = np.random.default_rng(0).normal(size=(30, 4))
    factors = centred(vectors)
    np.testing.assert_allclose(factors.T @ factors, np.cov(vectors.T, bias=True), atol=1e-12)


@pytest.mark.parametrize("count", [1, 5])
def test_equal_vectors_have_a_density(count: int) -> None:
    vectors = np.ones((count, 3))
    density = Gaussian(vectors.mean(0), centred(vectors), 0.0).log_density(vectors + [[0], [1]][:1])
    assert np.isfinite(density).all()


def test_the_root_of_many_factors_has_the_same_covariance_and_few_stay_as_they_are():
    chance = np.random.default_rng(0)
    many, few = chance.normal(size=(40, 6)), chance.normal(size=(3, 6))

    assert root(many).shape == (6, 6)
    assert np.allclose(root(many).T @ root(many), many.T @ many)
    assert root(few) is few
