"""Encoding on several cores: every thread computes by itself, and nothing changes but the time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Barrier, current_thread
from typing import Any

import numpy as np
import pytest
import torch
from files_of_images import photograph

from dar_retriever.encoders import OpenClipEncoder, Vectors
from dar_retriever.ingest.mapper import Steps
from dar_retriever.ingest.side_by_side import encoding


@pytest.fixture
def many_cores() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("many_cores")
def test_each_thread_computes_on_one_core_and_all_do_at_once(tiny_encoder: OpenClipEncoder) -> None:
    pixels = [tiny_encoder.preprocess(photograph(number, (80, 60))) for number in range(7)]
    together = Barrier(3, timeout=60)
    cores: dict[str, int] = {}

    def encode(images: Sequence[Any]) -> Vectors:
        together.wait()
        vectors = tiny_encoder.encode_preprocessed(images)
        cores[current_thread().name] = torch.get_num_threads()
        return vectors

    with encoding(Steps(tiny_encoder.preprocess, encode, parallel_calls=3)) as shared_out:
        vectors = shared_out(pixels)
    assert sorted(cores.values()) == [1, 1, 1]
    assert torch.get_num_threads() == 3
    np.testing.assert_allclose(vectors, tiny_encoder.encode_preprocessed(pixels), atol=1e-5)


def test_a_device_that_one_call_keeps_busy_gets_one(tiny_encoder: OpenClipEncoder) -> None:
    calls: list[int] = []

    def encode(images: Sequence[Any]) -> Vectors:
        calls.append(len(images))
        return tiny_encoder.encode_preprocessed(images)

    pixels = [tiny_encoder.preprocess(photograph(number, (80, 60))) for number in range(20)]
    with encoding(Steps(tiny_encoder.preprocess, encode)) as whole:
        whole(pixels)
    assert calls == [20]


def test_what_the_encoder_raises_is_raised(tiny_encoder: OpenClipEncoder) -> None:
    def encode(images: Sequence[Any]) -> Vectors:
        raise MemoryError(f"no room for {len(images)}")

    with (
        encoding(Steps(tiny_encoder.preprocess, encode, parallel_calls=2)) as shared_out,
        pytest.raises(MemoryError, match="no room for 2"),
    ):
        shared_out([1, 2, 3])


@pytest.mark.usefixtures("many_cores")
def test_an_encoder_on_the_cpu_likes_a_call_for_every_core(tiny_encoder: OpenClipEncoder) -> None:
    assert Steps.of(tiny_encoder).parallel_calls == 3
