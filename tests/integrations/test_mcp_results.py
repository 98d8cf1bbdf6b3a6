"""What the MCP server answers: data that fits its schema, as much as the text, below 1 MB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes import DrawingGenerator
from mcp import Client
from mcp_dar import create_server
from PIL import Image

from dar_retriever import (
    DARQueryEncoder,
    DiffusionAugmentedRetriever,
    ImageStore,
    StoredImage,
)
from dar_retriever.agents import listed_ids


@pytest.fixture(scope="module")
def quick(demo: DiffusionAugmentedRetriever) -> DiffusionAugmentedRetriever:
    """Over the demo's store, with drawings that take no time."""
    query_encoder = DARQueryEncoder(demo.query_encoder.encoder, DrawingGenerator())
    return DiffusionAugmentedRetriever(query_encoder, demo.store)


async def asked(client: Client, tool: str = "search_images", **arguments: Any) -> Any:
    # The client checks the data against the tool's schema.
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result


async def test_the_data_says_what_the_text_says(quick: DiffusionAugmentedRetriever) -> None:
    async with Client(create_server(quick)) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        first = await asked(client, request="a red handbag with dots", k=3)
        liked = await asked(
            client,
            "more_like_this",
            images=[first.structured_content["hits"][1]["id"]],
            conversation=first.structured_content["conversation"],
        )

    text, data = first.content[0].text, first.structured_content
    for tool in ("search_images", "more_like_this"):
        assert set(tools[tool].output_schema["required"]) == data.keys()
    assert text.startswith(f"Searched for: {data['searched_for']}\n")
    assert text.endswith(f"conversation={data['conversation']}")
    assert [hit["id"] for hit in data["hits"]] == list(listed_ids(text))
    assert all(hit["title"] in text for hit in data["hits"])
    assert data["question"]["text"] in text
    assert data["close"] is True
    assert liked.structured_content["hits"][0]["id"] == data["hits"][1]["id"]
    # Drawings are for the page of clients that show one.
    assert first.meta is None or "dar-retriever/drawings" not in first.meta


async def test_what_is_missing_is_in_the_data_too(quick: DiffusionAugmentedRetriever) -> None:
    async with Client(create_server(quick)) as client:
        nothing = await asked(
            client, request="a mug", filter={"$and": [{"kind": "mug"}, {"kind": "sofa"}]}
        )

    assert nothing.structured_content["hits"] == []
    assert nothing.structured_content["close"] is False
    assert nothing.structured_content["notes"] == ["No stored image matches the filter."]
    assert nothing.structured_content["question"] is None


async def test_results_may_come_without_data(quick: DiffusionAugmentedRetriever) -> None:
    async with Client(create_server(quick, structured=False)) as client:
        tools = (await client.list_tools()).tools
        assert not any(tool.output_schema or tool.meta for tool in tools)
        assert (await client.list_resources()).resources == []
        found = await asked(client, request="a mug", k=2)

    assert found.structured_content is None
    assert [block.type for block in found.content] == ["text", *["text", "image"] * 2]


@pytest.mark.parametrize("k", [1, 20])
async def test_a_result_stays_below_a_megabyte(
    quick: DiffusionAugmentedRetriever, tmp_path: Path, k: int
) -> None:
    photo = tmp_path / "camera.jpg"
    Image.effect_noise((1000, 800), 90).convert("RGB").save(photo, quality=95)
    encoder = quick.query_encoder.encoder
    store = ImageStore.in_memory(encoder)
    vector = encoder.encode_texts(["a mug"])[0]
    store.add(StoredImage(str(n), vector, str(photo), "long " * 10_000) for n in range(k))
    retriever = DiffusionAugmentedRetriever(quick.query_encoder, store)

    async with Client(create_server(retriever, images="full")) as client:
        found = await asked(client, request="a mug", k=k)

    assert len(found.structured_content["hits"]) == k
    assert len([block for block in found.content if block.type == "image"]) == k
    assert len(found.model_dump_json()) < 1_000_000
