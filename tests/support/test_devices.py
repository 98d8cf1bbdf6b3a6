"""Where models run, and in which precision."""

from __future__ import annotations

import pytest
import torch

from dar_retriever.errors import InvalidInputError
from dar_retriever.support.devices import choose_device, choose_dtype


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:1", "mps"])
def test_a_named_device_is_taken(name: str) -> None:
    assert str(choose_device(name)) == name


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_the_best_device_there_is(
    cuda: bool,  # noqa: FBT001 - named by pytest
    mps: bool,  # noqa: FBT001
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device().type == expected


def test_an_unknown_device_is_named() -> None:
    with pytest.raises(InvalidInputError, match="'gpu'") as error:
        choose_device("gpu")
    assert "'cuda'" in str(error.value)


@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16"])
def test_a_named_precision_is_taken(name: str) -> None:
    assert choose_dtype(name, torch.device("cpu")) == getattr(torch, name)


@pytest.mark.parametrize("name", ["float17", "nn", ""])
def test_an_unknown_precision_is_named(name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"dtype='{name}'"):
        choose_dtype(name, torch.device("cpu"))


@pytest.mark.parametrize(
    ("device", "bfloat16", "expected"),
    [
        ("cpu", True, torch.float32),
        ("mps", True, torch.float16),
        ("cuda", True, torch.bfloat16),
        ("cuda", False, torch.float16),
    ],
)
def test_the_precision_suits_the_device(
    device: str,
    bfloat16: bool,  # noqa: FBT001 - named by pytest
    expected: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: bfloat16)
    assert choose_dtype(None, torch.device(device)) == expected
