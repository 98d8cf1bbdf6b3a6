from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import dar_retriever
from dar_retriever.errors import InvalidInputError, ModelLoadError
from dar_retriever.presets import PRESETS, from_preset, open_encoder, open_generator, preset

OPENERS = [preset, open_encoder, open_generator, from_preset]


def test_the_presets_by_name():
    assert list(PRESETS) == ["demo", "fast", "quality", "paper"]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_complete(name: str):
    chosen = preset(name)

    assert chosen is PRESETS[name]
    assert chosen.why.endswith(".")
    assert chosen.encoder_library in ("open_clip", "transformers")
    assert chosen.encoder
    assert chosen.generator
    assert 1 <= chosen.images_per_turn <= 8
    assert chosen.sampling["steps"] >= 1
    assert chosen.sampling["guidance"] >= 0


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "demo"])
def test_published_models_are_named_as_their_libraries_name_them(name: str):
    chosen = preset(name)

    assert chosen.generator.count("/") == 1
    if chosen.encoder_library == "transformers":
        assert chosen.encoder.count("/") == 1
        assert chosen.pretrained is None
    else:
        import open_clip

        assert (chosen.encoder, chosen.pretrained) in open_clip.list_pretrained()


def test_the_demo_comes_with_the_package():
    chosen = preset("demo")
    folder = chosen.encoder.removeprefix("local-dir:")

    assert folder != chosen.encoder
    for path in (folder, chosen.generator):
        assert Path(path).parent == Path(dar_retriever.__file__).parent / "demo" / "weights"


def test_presets_cannot_be_changed():
    with pytest.raises(TypeError):
        PRESETS["mine"] = preset("fast")
    with pytest.raises(TypeError):
        preset("fast").sampling["steps"] = 50


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("name", ["best", "", "Fast"])
def test_an_unknown_name_is_refused_with_the_known_ones(opener: Callable[[str], object], name: str):
    with pytest.raises(InvalidInputError) as caught:
        opener(name)

    assert f"preset={name!r}" in str(caught.value)
    assert all(known in str(caught.value) for known in PRESETS)


@pytest.mark.parametrize("opener", [open_encoder, open_generator, from_preset])
def test_without_a_network_the_demo_is_offered(
    opener: Callable[[str], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    # What somebody has downloaded before is not to be found.
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    with pytest.raises(ModelLoadError, match="demo"):
        opener("fast")
