"""Encoders around other people's: sentence-transformers, and functions that embed."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.embeddings import FakeEmbeddings
from langchain_dar import joint_encoder
from PIL import Image

from dar_retriever.encoders import FunctionEncoder, SentenceTransformersEncoder
from dar_retriever.errors import InvalidInputError, MissingExtraError, ModelLoadError

TEXTS = ["a red dress with white dots", "blue?"]
PICTURE = Image.new("RGB", (40, 30), "red")
Checkpoint = Callable[[str], str]


def opened(folder: str, **options: Any) -> SentenceTransformersEncoder:
    return SentenceTransformersEncoder(folder, device="cpu", **options)


@pytest.fixture(scope="module")
def qwen(checkpoint: Checkpoint) -> SentenceTransformersEncoder:
    return opened(checkpoint("sentence_qwen3_vl"))


def test_the_first_dimensions_are_kept_and_scaled_again(
    qwen: SentenceTransformersEncoder, checkpoint: Checkpoint
) -> None:
    short = opened(checkpoint("sentence_qwen3_vl"), dimension=8)
    assert short.dimension == 8
    assert short.fingerprint != qwen.fingerprint
    first = qwen.encode_texts(TEXTS)[:, :8]
    expected = first / np.linalg.norm(first, axis=1, keepdims=True)
    np.testing.assert_allclose(short.encode_texts(TEXTS), expected, atol=1e-5)
    for wrong in (0, 33):
        with pytest.raises(InvalidInputError, match=f"dimension={wrong}: the model has 32"):
            opened(checkpoint("sentence_qwen3_vl"), dimension=wrong)


def test_texts_are_asked_with_the_prompt_of_the_model(
    qwen: SentenceTransformersEncoder, checkpoint: Checkpoint
) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(checkpoint("sentence_qwen3_vl"), device="cpu")
    asked = model.encode_query(TEXTS, normalize_embeddings=True)
    shown = model.encode_document([PICTURE], normalize_embeddings=True)
    plain = model.encode(TEXTS, prompt="", normalize_embeddings=True)
    np.testing.assert_allclose(qwen.encode_texts(TEXTS), asked, atol=1e-5)
    np.testing.assert_allclose(qwen.encode_images([PICTURE]), shown, atol=1e-5)
    without = opened(checkpoint("sentence_qwen3_vl"), query_prompt="")
    np.testing.assert_allclose(without.encode_texts(TEXTS), plain, atol=1e-5)
    assert np.abs(asked - plain).max() > 0.01
    assert without.fingerprint != qwen.fingerprint
    assert qwen.count_tokens("abc") == without.count_tokens("abc") + len("Find the picture. ")


def test_images_and_words_are_one_input(
    qwen: SentenceTransformersEncoder, checkpoint: Checkpoint
) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(checkpoint("sentence_qwen3_vl"), device="cpu")
    query = {"image": PICTURE, "text": "in blue"}
    expected = model.encode_query([query], normalize_embeddings=True)[0]
    np.testing.assert_allclose(qwen.encode_composed([PICTURE], "in blue"), expected, atol=1e-5)


def test_half_precision_keeps_the_fingerprint(
    qwen: SentenceTransformersEncoder, checkpoint: Checkpoint
) -> None:
    half = opened(checkpoint("sentence_qwen3_vl"), dtype="bfloat16")
    assert half.fingerprint == qwen.fingerprint
    assert (half.encode_texts(TEXTS) * qwen.encode_texts(TEXTS)).sum(1).min() > 0.99


def test_models_that_cannot_be_used_are_named(checkpoint: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="takes no image"):
        opened(checkpoint("bert"))
    with pytest.raises(ModelLoadError, match="nothing here"):
        opened(str(tmp_path / "nothing here"))


def test_code_that_comes_with_a_model_is_not_run(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint("sentence_clip"), tmp_path / "own"))
    (folder / "custom.py").write_text("from pathlib import Path\nPath('code has run').touch()\n")
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["type"] = "custom.Module"
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelLoadError):
        opened(str(folder))
    assert not Path("code has run").exists()


def test_pickled_weights_are_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    folder = Path(shutil.copytree(checkpoint("sentence_clip"), tmp_path / "other"))
    safe = folder / "model.safetensors"
    torch.save(load_file(safe), folder / "pytorch_model.bin")
    safe.unlink()
    with pytest.raises(ModelLoadError, match="safetensors"):
        opened(str(folder))


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"dar-retriever\[sentence-transformers\]"):
        opened("never opened")


def embed(texts: Sequence[str]) -> list[list[float]]:
    return [[3.0, 4.0] for _ in texts]


def test_functions_get_files_that_are_gone_afterwards() -> None:
    seen: list[str] = []

    def embed_files(files: list[str]) -> list[list[float]]:
        seen.extend(files)
        assert all(Image.open(file).size == PICTURE.size for file in files)
        return [[0.0, 2.0] for _ in files]

    encoder = FunctionEncoder("mine", embed, embed_files)
    assert encoder.dimension == 2
    np.testing.assert_allclose(encoder.encode_texts(["a"]), [[0.6, 0.8]])
    np.testing.assert_allclose(encoder.encode_images([PICTURE, PICTURE]), [[0, 1], [0, 1]])
    assert len(seen) == 2
    assert not any(Path(file).exists() for file in seen)


@pytest.mark.parametrize(
    "wrong", [[[1.0, 2.0, 3.0]], [[1.0, 2.0]] * 2, [], [[]], [[1.0], [1.0, 2.0]], [1.0, 2.0]]
)
def test_functions_that_give_something_else_are_named(wrong: Any) -> None:
    encoder = FunctionEncoder("mine", embed, lambda _: wrong)
    with pytest.raises(InvalidInputError, match="mine"):
        encoder.encode_images([PICTURE])


def test_a_name_and_images_are_needed() -> None:
    with pytest.raises(InvalidInputError, match="name=' '"):
        FunctionEncoder(" ", embed, embed)
    with pytest.raises(InvalidInputError, match="FakeEmbeddings has no embed_image"):
        joint_encoder(FakeEmbeddings(size=4), "fake")


def test_names_and_dimensions_make_the_fingerprint() -> None:
    first = FunctionEncoder("one", embed, embed)
    assert FunctionEncoder("one", embed, embed).fingerprint == first.fingerprint
    assert FunctionEncoder("two", embed, embed).fingerprint != first.fingerprint
    wider = FunctionEncoder("one", lambda texts: [[1.0, 2.0, 3.0] for _ in texts], embed)
    assert wider.fingerprint != first.fingerprint
    assert FunctionEncoder("one", embed, embed, count_tokens=len).count_tokens("abc") == 3
