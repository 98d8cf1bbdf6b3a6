"""The guide "Your own photos": every command runs, with tiny checkpoints in place of the hub's."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import gradio_dar
import pytest
from image_service import KEY, Service
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from dar_retriever.cli.common import APP
from dar_retriever.presets import DRAWING_KEY, PRESETS, preset
from dar_retriever.support.machine import Machine

GUIDE = Path(__file__).parent.parent / "examples" / "guides" / "your_photos.md"
SAID = "a red dress\nin blue\n\n"


def commands() -> dict[str, list[list[str]]]:
    """The commands of the guide by the heading that they stand under."""
    found: dict[str, list[list[str]]] = {}
    heading, tokens = "", MarkdownIt().parse(GUIDE.read_text())
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            heading = tokens[number + 1].content
        elif token.type == "fence" and token.info == "sh":
            found.setdefault(heading, []).extend(map(shlex.split, token.content.splitlines()))
    return found


@pytest.fixture(scope="module")
def folder(gallery_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a reader would be; one for all tests, because Chroma knows a store by its path."""
    folder = tmp_path_factory.mktemp("reader")
    photos = folder / "holiday-photos"
    photos.mkdir()
    for picture in sorted(gallery_folder.glob("*.jpg"))[:5]:
        (photos / picture.name).write_bytes(picture.read_bytes())
    return folder


@pytest.fixture
def reader(checkpoint: Callable[[str], str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The reader's folder, with every preset's models replaced by tiny ones."""
    settings = {"steps": 1, "guidance": 0.0, "size": (32, 32)}
    tiny = {
        name: dataclasses.replace(
            each,
            encoder_library="open_clip",
            encoder=f"local-dir:{checkpoint('open_clip_vit')}",
            pretrained=None,
            generator=checkpoint("stable_diffusion"),
            sampling=MappingProxyType(settings),
        )
        for name, each in PRESETS.items()
    }
    monkeypatch.setattr("dar_retriever.presets.data.PRESETS", tiny)
    monkeypatch.setattr(gradio_dar, "serve", lambda *_, **__: None)
    monkeypatch.setattr(
        "dar_retriever.presets.opening.this_machine", lambda _: Machine("cpu", "cpu", 16, 12)
    )
    monkeypatch.delenv(DRAWING_KEY, raising=False)
    monkeypatch.chdir(folder)
    return folder


def run(command: list[str]) -> str:
    """Run a command of the guide; those of the shell and of pip are tested elsewhere."""
    program, *arguments = command
    if program != "dar":
        assert program in ("pip", "export")
        return ""
    done = CliRunner().invoke(APP, arguments, input=SAID)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_guide_has_commands_for_each_thing_that_people_have() -> None:
    found = commands()
    assert [len(found[each]) for each in ("A laptop", "A key", "A GPU")] == [5, 2, 2]
    assert all(len(each) > 0 for each in found.values())


def test_a_laptop(reader: Path) -> None:
    for command in commands()["Your own photos in ten minutes"]:
        run(command)
    there = [
        each for each in commands()["A laptop"] if each[-2] != "--runtime" or find_spec(each[-1])
    ]
    printed = "".join(map(run, there))
    assert "5 images added" in " ".join(printed.split())
    assert "1 images generated" in printed or "1 image generated" in printed
    assert (reader / "my-store").is_dir()


def test_a_key(reader: Path, image_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    run(commands()["A laptop"][0])
    [_, variable], chat = commands()["A key"]
    assert variable.partition("=")[0] == DRAWING_KEY
    monkeypatch.setenv(DRAWING_KEY, KEY)
    hosted = dataclasses.replace(PRESETS["laptop"].hosted, model=image_service.endpoint)
    laptop = dataclasses.replace(preset("laptop"), hosted=hosted)
    monkeypatch.setattr("dar_retriever.presets.data.PRESETS", {**PRESETS, "laptop": laptop})
    printed = run(chat)
    assert len(image_service.asked) == 2
    assert all(asked.headers["authorization"] == f"Bearer {KEY}" for asked in image_service.asked)
    assert "red dress" in json.dumps([asked.body for asked in image_service.asked])
    assert KEY not in printed


def test_a_gpu(
    reader: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(
        "dar_retriever.presets.opening.this_machine", lambda _: Machine("cuda", "a card", 21, 12)
    )
    for command in commands()["A GPU"]:
        run(command)
    assert "preset 'auto' took 'quality': cuda (a card) has 21 GB" in caplog.text
    assert (reader / "gpu-store").is_dir()
