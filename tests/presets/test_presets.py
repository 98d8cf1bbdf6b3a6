from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import pytest
from image_service import KEY, Service

import dar_retriever
from dar_retriever import Dialogue
from dar_retriever.errors import InvalidInputError, ModelLoadError
from dar_retriever.generation import OpenAIImageGenerator
from dar_retriever.presets import (
    DRAWING_KEY,
    PRESETS,
    choose_drawing,
    choose_preset,
    from_preset,
    open_encoder,
    open_generator,
    preset,
)
from dar_retriever.support.machine import Machine

OPENERS = [preset, open_encoder, open_generator, from_preset]


def test_the_presets_by_name():
    names = ["demo", "laptop", "fast", "quality", "best", "multilingual", "paper"]
    assert list(PRESETS) == names


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_complete(name: str):
    chosen = preset(name)

    assert chosen is PRESETS[name]
    assert chosen.why.endswith(".")
    assert chosen.encoder_library in ("open_clip", "transformers", "sentence_transformers")
    assert chosen.encoder
    assert chosen.generator
    assert 1 <= chosen.images_per_turn <= 8
    assert chosen.sampling["steps"] >= 1
    assert chosen.sampling["guidance"] >= 0
    assert chosen.needs.memory > 0
    assert (chosen.needs.download > 0) == (name != "demo")
    assert all(chosen.needs.licences)
    assert "estimated" in chosen.needs.source


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "demo"])
def test_published_models_are_named_as_their_libraries_name_them(name: str):
    chosen = preset(name)

    assert chosen.generator.count("/") == 1
    if chosen.encoder_library != "open_clip":
        assert chosen.encoder.count("/") == 1
        assert chosen.pretrained is None
    else:
        import open_clip

        assert (chosen.encoder, chosen.pretrained) in open_clip.list_pretrained()


@pytest.mark.parametrize("page", ["README.md", "examples/guides/presets.md"])
def test_the_pages_say_what_a_preset_needs(page: str):
    lines = (Path(__file__).parents[2] / page).read_text().splitlines()
    for name in PRESETS if page != "README.md" else [each for each in PRESETS if each != "demo"]:
        needs = preset(name).needs
        download = f"{needs.download:g} GB" if needs.download else "none"
        said = [f"`{name}`", f"{needs.memory:g} GB", download, needs.licences[1]]
        assert any(all(part in line for part in said) for line in lines), said


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
@pytest.mark.parametrize("name", ["finest", "", "Fast"])
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


# What suits a machine.

CPU = Machine("cpu", "x86_64", 16, 12)


def gpu(memory: float) -> Machine:
    return Machine("cuda", "a card", memory, 12)


@pytest.mark.parametrize(
    ("machine", "name"),
    [
        (CPU, "laptop"),
        (Machine("cpu", "x86_64", 512, 500), "laptop"),
        (gpu(4), "laptop"),
        (gpu(8), "fast"),
        (Machine("mps", "arm", 16, 8), "fast"),
        (gpu(21), "quality"),
        (gpu(80), "best"),
    ],
)
def test_a_preset_is_chosen_by_device_and_memory(machine: Machine, name: str):
    choice = choose_preset(machine)

    assert choice.name == name
    assert f"{machine.memory:.0f} GB" in choice.why
    assert machine.name in choice.why


def test_a_preset_whose_package_is_missing_is_passed_over_and_said(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("dar_retriever.presets.choice.find_spec", lambda _: None)

    choice = choose_preset(gpu(80))

    assert choice.name == "quality"
    assert "'sentence-transformers'" in choice.why


def test_who_draws_for_a_laptop(monkeypatch: pytest.MonkeyPatch):
    laptop, full = preset("laptop"), Machine("cpu", "x86_64", 16, 2)
    monkeypatch.delenv(DRAWING_KEY, raising=False)
    # A token that was set for something else sends nothing anywhere.
    monkeypatch.setenv("HF_TOKEN", "hf_for_something_else")

    assert choose_drawing(laptop, CPU)[0] == "local"
    who, why = choose_drawing(laptop, full)
    assert who == "none"
    assert "2.0 GB of free memory" in why
    monkeypatch.setenv(DRAWING_KEY, "hf_for_drawings")
    for machine in (CPU, full):
        who, why = choose_drawing(laptop, machine)
        assert who == "hosted"
        assert DRAWING_KEY in why
        assert "hf_for" not in why
    assert choose_drawing(preset("fast"), full)[0] == "local"


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, checkpoint: Callable[[str], str]) -> None:
    """The preset "laptop" with checkpoints that cost nothing, and no key."""
    small = dataclasses.replace(
        preset("laptop"),
        encoder=f"local-dir:{checkpoint('open_clip_vit')}",
        pretrained=None,
        generator=checkpoint("stable_diffusion"),
        sampling=MappingProxyType(
            {"steps": 1, "guidance": 0.0, "size": (32, 32), "decoder": checkpoint("tiny_decoder")}
        ),
    )
    small = dataclasses.replace(small, needs=dataclasses.replace(small.needs, memory=0.001))
    monkeypatch.setattr("dar_retriever.presets.data.PRESETS", {**PRESETS, "laptop": small})
    monkeypatch.delenv(DRAWING_KEY, raising=False)


@pytest.mark.usefixtures("tiny")
def test_auto_says_what_it_took_and_draws_with_a_tiny_decoder(caplog: pytest.LogCaptureFixture):
    retriever = from_preset("auto", device="cpu")

    assert "preset 'auto' took 'laptop': there is no GPU" in caplog.text
    assert f"because no {DRAWING_KEY} is set" in caplog.text
    trace = retriever.query_encoder.encode("a red dress").trace
    assert trace.fallbacks == ()
    assert [image.image.size for image in trace.generated] == [(32, 32)]


@pytest.mark.usefixtures("tiny")
def test_with_a_key_a_hosted_model_draws_so_many_images(
    image_service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv(DRAWING_KEY, KEY)
    hosted = dataclasses.replace(PRESETS["laptop"].hosted, model=image_service.endpoint)
    small = dataclasses.replace(preset("laptop"), hosted=hosted)
    monkeypatch.setattr("dar_retriever.presets.data.PRESETS", {**PRESETS, "laptop": small})

    retriever = from_preset("laptop", device="cpu")
    dialogue = Dialogue.from_text("a red dress")
    traces = [retriever.query_encoder.encode(dialogue).trace]
    for number in range(21):
        dialogue = dialogue.say(f"one with {number} dots")
        traces.append(retriever.query_encoder.encode(dialogue).trace)

    assert [len(trace.generated) for trace in traces] == [1] * 20 + [0] * 2
    assert "20 images a dialogue are the limit" in traces[-1].fallbacks[0]
    assert len(image_service.asked) == 20
    assert image_service.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert DRAWING_KEY in caplog.text
    assert KEY not in caplog.text


@pytest.mark.usefixtures("tiny")
def test_where_nothing_can_draw_the_words_are_searched_with(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    full = Machine("cpu", "x86_64", 16, 0.0)
    monkeypatch.setattr("dar_retriever.presets.opening.this_machine", lambda _: full)

    retriever = from_preset("laptop", device="cpu")

    assert retriever.query_encoder.generator is None
    assert "nothing is drawn" in caplog.text
    assert retriever.query_encoder.encode("a red dress").final


def test_a_generator_of_ones_own_draws_for_a_preset(image_service: Service):
    generator = OpenAIImageGenerator("draws", base_url=image_service.openai)

    query = from_preset("demo", generator=generator).query_encoder.encode("a red dress")

    assert len(query.trace.generated) == 4
    assert len(image_service.asked) == 4
