"""Kandinsky's prior: image vectors from a pipeline in the published format."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dar_retriever import (
    DARQueryEncoder,
    InvalidInputError,
    KandinskyPrior,
    ModelLoadError,
    OpenClipEncoder,
)


@pytest.fixture(scope="module")
def prior(checkpoint: Callable[[str], str]) -> KandinskyPrior:
    return KandinskyPrior(checkpoint("kandinsky_prior"), steps=3, device="cpu")


def test_samples_are_seeded_unit_vectors_that_follow_the_caption(prior: KandinskyPrior) -> None:
    text = np.zeros(32, np.float32)
    samples = prior.sample("a red mug", text, 4, seed=0)
    assert samples.shape == (4, 32)
    assert samples.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(samples, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(samples, prior.sample("a red mug", text, 4, seed=0))
    assert not np.allclose(samples, prior.sample("a red mug", text, 4, seed=1))
    assert not np.allclose(samples, prior.sample("a sofa", text, 4, seed=0))
    assert not np.allclose(samples[0], samples[1])


def test_the_encoder_of_pictures_is_not_needed(
    prior: KandinskyPrior, checkpoint: Callable[[str], str], tmp_path: Path
) -> None:
    shutil.copytree(checkpoint("kandinsky_prior"), tmp_path / "half")
    shutil.rmtree(tmp_path / "half" / "image_encoder")
    half = KandinskyPrior(str(tmp_path / "half"), steps=3, device="cpu")
    assert half.fingerprint == prior.fingerprint


def test_it_samples_beside_an_encoder_of_its_dimension(
    prior: KandinskyPrior, tiny_encoder: OpenClipEncoder
) -> None:
    encoded = DARQueryEncoder(tiny_encoder, prior=prior, samples=3).encode("a red mug")
    assert encoded.sampled_vectors.shape == (3, tiny_encoder.dimension)


def test_guidance_changes_samples_and_fingerprint(
    prior: KandinskyPrior, checkpoint: Callable[[str], str]
) -> None:
    strict = KandinskyPrior(checkpoint("kandinsky_prior"), steps=3, guidance=4.0, device="cpu")
    assert strict.fingerprint != prior.fingerprint
    text = np.zeros(32, np.float32)
    assert not np.allclose(strict.sample("a mug", text, 1, 0), prior.sample("a mug", text, 1, 0))


def test_bad_input_is_named(prior: KandinskyPrior, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="32 dimensions, the encoder's have 7"):
        prior.sample("a mug", np.zeros(7, np.float32), 1, seed=0)
    with pytest.raises(InvalidInputError, match="steps=0"):
        KandinskyPrior(str(tmp_path), steps=0)
    with pytest.raises(ModelLoadError, match="the prior"):
        KandinskyPrior(str(tmp_path), device="cpu")
