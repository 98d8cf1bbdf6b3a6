"""The code blocks of the README and the guides: each runs as it is printed, or says why not.

Stand-ins for what is not here: the embedded models for those of the hub, scripted chat models for
hosted ones. A block after a comment such as ``<!-- not run: needs PostgreSQL -->`` is only parsed.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
import shlex
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio_dar
import pytest
import typer.main
from chat_models import Caller
from langchain_core.messages import AIMessage, BaseMessage
from llama_index.core.base.llms.types import ChatMessage, MessageRole, ToolCallBlock
from llama_index.core.llms.mock import MockFunctionCallingLLM
from markdown_it import MarkdownIt
from PIL import Image
from shop import shop_of

import dar_retriever
from dar_retriever import DiffusionAugmentedRetriever, ImageStore, StoredImage, presets
from dar_retriever.cli import APP

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "examples" / "guides").glob("*.md"))]
SERVING = ROOT / "examples" / "serving"
NOT_RUN = re.compile(r"<!-- not run: (?P<why>.+) -->")
REQUEST = "a dress with dots"


@dataclass(frozen=True)
class Block:
    language: str
    code: str
    not_run: str = ""


def blocks_of(page: Path) -> list[Block]:
    blocks, reason = [], ""
    for token in MarkdownIt().parse(page.read_text()):
        said = NOT_RUN.search(token.content) if token.type == "html_block" else None
        if said:
            reason = said["why"]
        elif token.type == "fence":
            blocks.append(Block(token.info, token.content, reason))
            reason = ""
    return blocks


def pages_with(language: str) -> list[Path]:
    return [page for page in PAGES if any(each.language == language for each in blocks_of(page))]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def calling_tool(messages: Sequence[ChatMessage], **_: Any) -> ChatMessage:
    """Calls the image search for each message of the user."""
    # Pictures of a tool may come as a message of the user, after the tool's own.
    pictures = len(messages) > 1 and messages[-2].role == MessageRole.TOOL
    if messages[-1].role != MessageRole.USER or pictures:
        return ChatMessage(role="assistant", content="Here they are.")
    arguments = {"request": REQUEST}
    if "number 2" in str(messages[-1].content):
        arguments |= {"more_like": [2]}
    call = ToolCallBlock(
        tool_call_id=str(len(messages)), tool_name="search_images", tool_kwargs=arguments
    )
    return ChatMessage(role="assistant", blocks=[call])


class Hosted(Caller):
    """Stands for a hosted chat model; without tools it answers as the reformulator asks."""

    arguments: Callable[[str], dict[str, Any]] = lambda said: (
        {"request": REQUEST} | ({"more_like": [2]} if "number 2" in said else {})
    )
    answer: Callable[[list[BaseMessage]], AIMessage] = lambda _: AIMessage(
        json.dumps({"caption": REQUEST, "prompts": [REQUEST]})
    )


@pytest.fixture(scope="module")
def folder(
    demo: DiffusionAugmentedRetriever,
    gallery_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Where a reader would be, with pictures and stores."""
    folder, encoder = tmp_path_factory.mktemp("reader"), demo.query_encoder.encoder
    pictures = sorted(gallery_folder.glob("*.jpg"))
    for name in ("photos", "holiday-photos"):
        (folder / name).mkdir()
        for picture in pictures[:3]:
            (folder / name / picture.name).write_bytes(picture.read_bytes())
    for name in ("photo.jpg", "sketch.jpg"):
        (folder / name).write_bytes(pictures[0].read_bytes())
    gallery, shop = demo.store, shop_of(demo).store
    for store, names in ((gallery, ("my-store", "demo-output/store")), (shop, ("my-shop",))):
        assert isinstance(store, ImageStore)
        ids, vectors = store.vectors()
        images = [
            StoredImage(hit.id, vector, hit.uri, hit.caption, hit.metadata)
            for hit, vector in zip(store.get(ids), vectors, strict=True)
        ]
        for name in names:
            ImageStore.on_disk(folder / name, encoder).add(images)
    return folder


@pytest.fixture
def reader(
    folder: Path, demo: DiffusionAugmentedRetriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Models that open without a network, and a page that does not wait for visitors."""
    encoder, generator = demo.query_encoder.encoder, demo.query_encoder.generator
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    monkeypatch.setattr(presets.opening, "open_encoder", lambda *_, **__: encoder)
    monkeypatch.setattr(presets.opening, "open_generator", lambda *_, **__: generator)
    monkeypatch.setattr(dar_retriever, "OpenClipEncoder", lambda *_: encoder)
    monkeypatch.setattr(dar_retriever, "ImageOnlyEncoder", lambda *_: encoder)
    monkeypatch.setattr(dar_retriever, "DiffusersGenerator", lambda *_, **__: generator)
    for module in ("langchain.chat_models", "langchain.agents.factory"):
        monkeypatch.setattr(f"{module}.init_chat_model", lambda *_: Hosted(), raising=False)
    monkeypatch.setattr(gradio_dar, "serve", lambda _: None)


def given(demo: DiffusionAugmentedRetriever) -> dict[str, Any]:
    """What the pages take as known, such as the reader's own language model."""
    query_encoder = demo.query_encoder
    return {
        "llm": MockFunctionCallingLLM(response_generator=calling_tool),
        "encoder": query_encoder.encoder,
        "generator": query_encoder.generator,
        "describe": lambda _: "a red dress",
        "Image": Image,
    }


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("page", pages_with("python"), ids=name_of)
def test_the_python_of_a_page_runs(page: Path, demo: DiffusionAugmentedRetriever) -> None:
    names = given(demo)
    for block in blocks_of(page):
        if block.language == "python":
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            code = compile(block.code, page.name, "exec", flags=flags)
            if not block.not_run:
                running = eval(code, names)  # noqa: S307 (the page's own code)
                if inspect.isawaitable(running):
                    asyncio.run(_awaited(running))


async def _awaited(running: Any) -> None:
    await running


@pytest.mark.parametrize("page", pages_with("sh"), ids=name_of)
def test_the_commands_of_a_page_exist(page: Path) -> None:
    for block in blocks_of(page):
        if block.language == "sh":
            for line in block.code.splitlines():
                check(shlex.split(line, comments=True))


def check(command: list[str]) -> None:
    """Fail where a command, an option, an extra or a target of the Makefile is not there."""
    program, *arguments = command or [""]
    if program == "dar":
        found: Any = typer.main.get_command(APP)
        while hasattr(found, "commands"):
            name, *arguments = arguments
            found = found.commands[name]
        found.make_context(name, arguments)
    elif program == "make":
        assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif program == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        extra = re.fullmatch(r"\.\[(.+)\]", arguments[-1])
        assert extra
        assert extra[1] in extras["optional-dependencies"]
    elif program == "docker" and arguments[0] == "run":
        in_it = arguments[arguments.index("dar") + 1 :]
        check(["dar", *in_it] if in_it else [])
    else:
        assert program in ("", "export", "chroma", "docker", "sudo")


def test_what_serves_the_page_for_others_names_what_there_is() -> None:
    unit = (SERVING / "dar-page.service").read_text()
    (started,) = re.findall("^ExecStart=.*/bin/(dar .+)$", unit, re.MULTILINE)
    check(shlex.split(started))
    image = (SERVING / "Dockerfile").read_text()
    (command,) = re.findall(r"^CMD (\[.+\])$", image, re.MULTILINE)
    check(["dar", *json.loads(command)])
    for copied in re.findall("^COPY (.+) [^ ]+$", image, re.MULTILINE):
        assert all((ROOT / name).exists() for name in copied.split())
    (extras,) = re.findall(r'"\.\[(.+)\]"', image)
    check(["pip", "install", *(f".[{extra}]" for extra in extras.split(","))])


@pytest.mark.parametrize("page", pages_with("json"), ids=name_of)
def test_the_json_of_a_page_is_json(page: Path) -> None:
    for block in blocks_of(page):
        if block.language == "json":
            json.loads(block.code)


def test_every_block_names_a_language_that_is_tested() -> None:
    found = {(page.name, block.language) for page in PAGES for block in blocks_of(page)}

    assert {language for _, language in found} == {"python", "sh", "json"}
