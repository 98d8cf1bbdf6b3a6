"""Whether samples of what is meant pay in a store, seen from the store's own captions."""

from __future__ import annotations

import pytest

from dar_retriever import (
    DARQueryEncoder,
    DiffusionAugmentedRetriever,
    ImageStore,
    InvalidInputError,
)
from dar_retriever.evaluation.payoff import Payoff, payoff


def test_the_demos_samples_are_tried_on_its_own_captions(
    demo: DiffusionAugmentedRetriever,
) -> None:
    assert demo.second_stage is not None
    found = payoff(demo.query_encoder, demo.second_stage.reranker, demo.store, captions=24)

    assert found.captions == 24
    assert found.without > 0.3
    assert not found.costs


def test_chance_is_neither_gain_nor_loss() -> None:
    assert not Payoff(100, 0.5, 0.52, -0.02, 0.06).pays
    assert Payoff(100, 0.5, 0.6, 0.02, 0.18).pays
    assert Payoff(100, 0.5, 0.4, -0.18, -0.02).costs


def test_without_a_prior_or_captions_it_cannot_tell(demo: DiffusionAugmentedRetriever) -> None:
    assert demo.second_stage is not None
    encoder, reranker = demo.query_encoder.encoder, demo.second_stage.reranker

    with pytest.raises(InvalidInputError, match="needs a prior"):
        payoff(DARQueryEncoder(encoder), reranker, demo.store)
    with pytest.raises(InvalidInputError, match="0 captions"):
        payoff(demo.query_encoder, reranker, ImageStore.in_memory(encoder))
