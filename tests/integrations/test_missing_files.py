"""Hits whose files were deleted after indexing are found, and marked, wherever hits come out."""

from __future__ import annotations

import io
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fakes import DrawingGenerator, drawn_image
from langchain_core.messages import HumanMessage
from langchain_dar import DARRetriever as DocumentRetriever
from langchain_dar import content_blocks
from llama_index.core.schema import ImageNode, TextNode
from llama_index_dar import DARRetriever as NodeRetriever
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_dar import create_server
from rich.console import Console
from typer.testing import CliRunner

from dar_retriever import (
    DARQueryEncoder,
    DiffusionAugmentedRetriever,
    ImageStore,
    InvalidImageError,
    OpenClipEncoder,
    ingest,
)
from dar_retriever.agents import (
    AgentSearch,
    IncludeImages,
    Listing,
    SearchCall,
    listed_ids,
    progress_events,
    reply_text,
)
from dar_retriever.cli.common import APP
from dar_retriever.cli.display import as_json, contact_sheet, hits_table
from dar_retriever.conversation.dialogue import Turn

NAMES = ["red hat.png", "blue-hat.png", "café.png", "mug.png"]
GONE = {"red hat.png", "café.png"}
ASKED = "a hat"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures that are about to be indexed; half of them go away afterwards."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        drawn_image(name, number).save(folder / name)
    return folder


@pytest.fixture
def retriever(folder: Path, tiny_encoder: OpenClipEncoder) -> DiffusionAugmentedRetriever:
    store = ImageStore.in_memory(tiny_encoder)
    assert ingest(folder, store, tiny_encoder).added == len(NAMES)
    for name in GONE:
        (folder / name).unlink()
    queries = DARQueryEncoder(tiny_encoder, DrawingGenerator(), images_per_turn=1)
    return DiffusionAugmentedRetriever(queries, store)


def test_the_search_finds_and_marks_them(retriever: DiffusionAugmentedRetriever) -> None:
    hits = retriever.search(ASKED).hits

    assert {hit.file_name for hit in hits} == set(NAMES)
    assert {hit.file_name for hit in hits if hit.missing} == GONE
    for hit in hits:
        assert hit.as_metadata().get("missing", False) is hit.missing
        if hit.missing:
            with pytest.raises(InvalidImageError, match="No such file"):
                hit.open()
        else:
            assert hit.open().size == (64, 64)


def test_tables_sheets_and_json_mark_them(retriever: DiffusionAugmentedRetriever) -> None:
    result = retriever.search(ASKED)
    console = Console(record=True, width=500, file=io.StringIO())

    console.print(hits_table(result.hits))
    data = json.loads(json.dumps(as_json(result)))

    # A hit's path stands below the mark.
    lines = console.export_text().splitlines()
    marked = {Path(place.strip()).name for mark, place in pairwise(lines) if "file is gone" in mark}
    assert marked == GONE
    assert {Path(hit["uri"]).name for hit in data["hits"] if hit.get("missing")} == GONE
    for hit, line in zip(result.hits, data["hits"], strict=True):
        assert ("missing" in line) is hit.missing
    # An empty tile stands in each one's place.
    assert contact_sheet(result).size[0] > 5 * 192


def test_agents_are_told_of_them(retriever: DiffusionAugmentedRetriever) -> None:
    result = retriever.search(ASKED)

    text = reply_text(result)
    (*_, event) = progress_events(result)

    for hit in result.hits:
        (line,) = (line for line in text.splitlines() if f"id={hit.id}" in line)
        assert ("its file is gone: it cannot be shown" in line) is hit.missing
    assert listed_ids(text) == tuple(hit.id for hit in result.hits)
    assert {Path(hit["uri"]).name for hit in event["hits"] if hit.get("missing")} == GONE


def test_a_judgement_of_one_is_a_note_and_the_search_goes_on(
    retriever: DiffusionAugmentedRetriever,
) -> None:
    hits = retriever.search(ASKED).hits
    place = next(n for n, hit in enumerate(hits, 1) if hit.missing)
    history = [Turn("user", ASKED), Listing(tuple(hit.id for hit in hits))]

    *_, result = AgentSearch(retriever).stages(history, SearchCall(more_like=[place]))

    assert len(result.hits) == len(NAMES)
    (note,) = (note for note in result.trace.fallbacks if "left out" in note)
    assert hits[place - 1].file_name in note


@pytest.mark.parametrize("include_images", ["none", "thumbnail", "full"])
def test_documents_of_langchain_mark_them(
    retriever: DiffusionAugmentedRetriever, include_images: IncludeImages
) -> None:
    adapter = DocumentRetriever(retriever=retriever, k=9, include_images=include_images)

    documents = adapter.invoke(ASKED)

    assert len(documents) == len(NAMES)
    for document in documents:
        gone = Path(document.metadata["uri"]).name in GONE
        assert document.metadata.get("missing", False) is gone
        if include_images != "none":
            assert (document.metadata["image"] is None) is gone
    blocks = content_blocks(documents)
    pictures = [block for block in blocks if block["type"] == "image"]
    assert len(pictures) == (0 if include_images == "none" else len(NAMES) - len(GONE))
    HumanMessage(content_blocks=blocks)


@pytest.mark.parametrize("include_images", ["none", "thumbnail", "full"])
def test_nodes_of_llama_index_mark_them(
    retriever: DiffusionAugmentedRetriever, include_images: IncludeImages
) -> None:
    found = NodeRetriever(retriever, k=9, include_images=include_images).retrieve(ASKED)

    assert len(found) == len(NAMES)
    for node in found:
        gone = Path(node.metadata["uri"]).name in GONE
        assert node.metadata.get("missing", False) is gone
        assert isinstance(node.node, ImageNode) is not gone
        # What engines make of a node; they would fail at an image node without its file.
        kinds = [block.block_type for block in node.node.get_content_blocks()]
        assert ("image" in kinds) is not gone
        kind = TextNode if gone else ImageNode
        assert kind.from_json(node.node.to_json()) == node.node


async def test_the_mcp_server_marks_them(retriever: DiffusionAugmentedRetriever) -> None:
    hits = {hit.id: hit for hit in retriever.search(ASKED).hits}
    async with Client(create_server(retriever)) as client:
        result: Any = await client.call_tool("search_images", {"request": ASKED, "k": 9})
        assert not result.is_error
        text = result.content[0].text
        pictures = [block for block in result.content[1:] if block.type == "image"]
        labels = [block.text for block in result.content[1:] if block.type == "text"]

        assert text.count("its file is gone") == len(GONE)
        shown = [n for n, id_ in enumerate(listed_ids(text), 1) if not hits[id_].missing]
        assert [label for label in labels if label.startswith("Image ")] == [
            f"Image {number}:" for number in shown
        ]
        assert len(pictures) >= len(shown)
        for id_, hit in hits.items():
            if hit.missing:
                with pytest.raises(MCPError):
                    await client.read_resource(f"dar://images/{id_}")
            else:
                assert (await client.read_resource(f"dar://images/{id_}")).contents


def test_the_command_line_marks_them(folder: Path, tmp_path: Path) -> None:
    store, run = str(tmp_path / "store"), CliRunner().invoke
    indexed = run(APP, ["index", str(folder), "--store", store])
    assert indexed.exit_code == 0, indexed.output
    for name in GONE:
        (folder / name).unlink()

    table = run(APP, ["search", ASKED, "--store", store], env={"COLUMNS": "200"})
    data = run(APP, ["search", ASKED, "--store", store, "--json"])

    assert table.exit_code == data.exit_code == 0, table.output + data.output
    assert table.output.count("file is gone") == len(GONE)
    hits = json.loads(data.stdout)["hits"]
    assert {Path(hit["uri"]).name for hit in hits if hit.get("missing")} == GONE
