"""The server of the Model Context Protocol, asked by the official client."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from conftest import free_port
from fakes import DrawingGenerator, FailingGenerator, far_from
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.shared.exceptions import MCPError
from mcp_dar import Conversations, create_server, http_app
from slow_mcp_server import UntilStopped
from starlette.testclient import TestClient

from dar_retriever import (
    DARQueryEncoder,
    DiffusionAugmentedRetriever,
    FacetQuestions,
    ImageStore,
    StoredImage,
    ingest,
)
from dar_retriever.agents import GENERATED_LABEL, listed_ids
from dar_retriever.demo.gallery import gallery_products, picture_name
from dar_retriever.support.images import image_from_data_url, read_image

TARGET = 16
PRODUCT = gallery_products(120)[TARGET]
TOKEN = "a token of the tests"  # noqa: S105
TRICKS = [
    "dar://images/../../../../etc/passwd",
    "dar://images/..%2F..%2Fetc%2Fpasswd",
    "dar://images/%2Fetc%2Fpasswd",
    "dar://images/{path}",
    "dar://images/{path}%00.jpg",
    "dar://images/",
    "dar://images/*",
    "file://{path}",
    "{path}",
    "http://localhost/{id}",
    "dar://images/{id}/../{id}x",
]

Connect = Callable[[], Any]


@pytest.fixture(scope="module")
def folder(
    demo: DiffusionAugmentedRetriever,
    gallery_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A store of the gallery on disk."""
    store = tmp_path_factory.mktemp("mcp") / "store"
    encoder = demo.query_encoder.encoder
    ingest(gallery_folder, ImageStore.on_disk(store, encoder), encoder)
    return store


def environment() -> dict[str, str]:
    return {**os.environ, "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    """Of ``dar mcp --http`` with a token."""
    chosen = free_port()
    command = [sys.executable, "-m", "dar_retriever", "mcp", "--store", str(folder), "--http"]
    server = subprocess.Popen(
        [*command, "--port", str(chosen)], env={**environment(), "DAR_MCP_TOKEN": TOKEN}
    )
    try:
        for _ in range(600):
            assert server.poll() is None
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", chosen)) == 0:
                    break
            time.sleep(0.1)
        yield chosen
    finally:
        server.terminate()
        server.wait(30)


@asynccontextmanager
async def over_http(
    port: int, token: str = TOKEN, statuses: list[int] | None = None
) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def note(answer: Any) -> None:
        if statuses is not None:
            statuses.append(answer.status_code)

    async with (
        httpx2.AsyncClient(headers=headers, timeout=60, event_hooks={"response": [note]}) as http,
        Client(streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=http)) as client,
    ):
        yield client


@pytest.fixture(params=["in process", "legacy", "http"])
def connect(
    request: pytest.FixtureRequest, demo: DiffusionAugmentedRetriever, folder: Path
) -> Connect:
    """Gives a client of a server over the demo gallery, over each transport."""
    if request.param == "stdio":
        arguments = ["-m", "dar_retriever", "mcp", "--store", str(folder)]
        parameters = StdioServerParameters(
            command=sys.executable, args=arguments, env=environment()
        )
        return lambda: Client(parameters)
    if request.param == "http":
        port = request.getfixturevalue("port")
        return lambda: over_http(port)
    mode = "legacy" if request.param == "legacy" else "auto"
    server = create_server(demo)
    return lambda: Client(server, mode=mode)


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result


def text_of(result: Any) -> str:
    return str(result.content[0].text)


def conversation_of(result: Any) -> str:
    return text_of(result).rsplit("conversation=", 1)[1]


@pytest.mark.parametrize("connect", ["in process", "legacy", "stdio", "http"], indirect=True)
async def test_a_client_searches_and_gets_images_over_every_transport(connect: Connect) -> None:
    async with connect() as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools.keys() == {"search_images", "more_like_this", "describe_store"}
        assert all(tool.title and tool.description for tool in tools.values())
        assert all(tool.annotations.read_only_hint for tool in tools.values())

        first = await call(client, "search_images", request=f"a {PRODUCT.kind}", k=3)
        pictures = [block for block in first.content if block.type == "image"]
        assert len(pictures) == 3
        for block in pictures:
            url = f"data:{block.mime_type};base64,{block.data}"
            assert max(image_from_data_url(url).size) <= 256

        known = {"conversation": conversation_of(first), "k": 3}
        for said in (f"it has a {PRODUCT.detail}", f"in {PRODUCT.colour}"):
            await call(client, "search_images", request=said, **known)
        last = await call(
            client,
            "search_images",
            request=f"with {PRODUCT.second_colour} {PRODUCT.pattern}, {PRODUCT.background}",
            **known,
        )
        assert conversation_of(last) == known["conversation"]
        (read,) = (
            await client.read_resource(f"dar://images/{listed_ids(text_of(last))[0]}")
        ).contents
        assert read.mime_type == "image/jpeg"
        assert read_image(base64.b64decode(read.blob)).size == (256, 256)


async def test_five_turns_find_the_target(demo: DiffusionAugmentedRetriever) -> None:
    async with Client(create_server(demo)) as client:
        conversation = ""
        for said in (
            f"a {PRODUCT.kind}",
            f"it has a {PRODUCT.detail}",
            f"it is {PRODUCT.colour}",
            f"with {PRODUCT.second_colour} {PRODUCT.pattern}",
            f"the background is {PRODUCT.background}",
        ):
            found = await call(
                client, "search_images", request=said, conversation=conversation, k=3
            )
            conversation = conversation_of(found)

    best = demo.store.get([listed_ids(text_of(found))[0]])[0]
    assert Path(best.uri).name == picture_name(TARGET)


async def test_earlier_turns_stand_for_a_conversation(demo: DiffusionAugmentedRetriever) -> None:
    async with Client(create_server(demo)) as client:
        found = await call(
            client, "search_images", earlier_turns=["a mug", "two handles"], request="make it red"
        )

    assert text_of(found).startswith("Searched for: a mug, two handles, red\n")


async def test_feedback_on_earlier_results(connect: Connect) -> None:
    async with connect() as client:
        first = await call(client, "search_images", request="a handbag", k=3)
        known = {"conversation": conversation_of(first), "k": 3}
        ids = listed_ids(text_of(first))

        liked = await call(client, "more_like_this", images=[3], less_like=[1], **known)
        later = await call(client, "search_images", request="teal", **known)

        assert listed_ids(text_of(liked))[0] == ids[2]
        assert ids[0] not in listed_ids(text_of(liked)) + listed_ids(text_of(later))


async def test_a_correction_may_go_back_to_what_was_said_before(
    demo: DiffusionAugmentedRetriever,
) -> None:
    async with Client(create_server(demo)) as client:
        conversation = ""
        for said in ("a red mug", "make it blue", "make it red"):
            found = await call(client, "search_images", request=said, conversation=conversation)
            conversation = conversation_of(found)

    assert text_of(found).startswith("Searched for: a red mug\n")


async def test_conversations_do_not_see_each_other(connect: Connect) -> None:
    async with connect() as one, connect() as two:
        mine = await call(one, "search_images", request="a handbag")
        theirs = await call(two, "search_images", request="a sofa")

        again = await call(one, "search_images", request="teal", conversation=conversation_of(mine))

        assert conversation_of(mine) != conversation_of(theirs)
        assert text_of(again).startswith("Searched for: a handbag, teal\n")


async def test_conversations_of_one_client_do_not_see_each_other(
    demo: DiffusionAugmentedRetriever,
) -> None:
    async with Client(create_server(demo)) as client:
        await call(client, "search_images", request="a handbag")
        other = await call(client, "search_images", request="teal")

    assert text_of(other).startswith("Searched for: teal\n")


async def test_an_unknown_conversation_is_an_error_that_says_what_to_do(
    demo: DiffusionAugmentedRetriever,
) -> None:
    async with Client(create_server(demo, conversations=Conversations(most=1))) as client:
        first = await call(client, "search_images", request="a handbag")
        await call(client, "search_images", request="a sofa")

        for id_ in (conversation_of(first), "guessed"):
            refused = await client.call_tool(
                "search_images", {"request": "teal", "conversation": id_}
            )
            assert refused.is_error
            assert "earlier_turns" in text_of(refused)


@pytest.mark.parametrize(
    ("tool", "arguments", "hint"),
    [
        ("search_images", {}, "describe the wanted image"),
        ("search_images", {"request": "a mug", "k": 99}, "less than or equal to 20"),
        (
            "search_images",
            {"request": "a mug", "filter": {"a": {"$near": 1}}},
            "is not a filter",
        ),
        ("more_like_this", {"images": [7]}, "7: no such image"),
        ("more_like_this", {"images": ["/etc/passwd"]}, "/etc/passwd: no such image"),
    ],
)
async def test_the_model_is_told_what_was_wrong(
    demo: DiffusionAugmentedRetriever, tool: str, arguments: dict[str, Any], hint: str
) -> None:
    async with Client(create_server(demo)) as client:
        refused = await client.call_tool(tool, arguments)

    assert refused.is_error
    assert hint in text_of(refused)


async def test_the_store_describes_itself(demo: DiffusionAugmentedRetriever) -> None:
    async with Client(create_server(demo)) as client:
        described = text_of(await call(client, "describe_store"))

    assert described.startswith("120 images.\n")
    assert "\nkind: " in described


async def test_models_that_read_only_get_text(demo: DiffusionAugmentedRetriever) -> None:
    async with Client(create_server(demo, images="none")) as client:
        found = await call(client, "search_images", request="a mug")

    assert [block.type for block in found.content] == ["text"]


async def test_the_reply_offers_the_question_that_narrows_the_search_down(
    demo: DiffusionAugmentedRetriever,
) -> None:
    async with Client(create_server(demo, images="none")) as client:
        found = await call(client, "search_images", request="a handbag", k=3)
        where = {"kind": "handbag", "background": "mint", "colour": "red"}
        nothing = await call(client, "search_images", request="a handbag", filter=where)

    question = FacetQuestions(demo).next_question(demo.search("a handbag"))
    assert question is not None
    *_, asked, to_go_on = text_of(found).splitlines()
    assert asked == f"To narrow it down, ask the user: {question}"
    assert to_go_on == f"To go on: conversation={conversation_of(found)}"
    assert len(listed_ids(text_of(found))) == 3
    assert "ask the user" not in text_of(nothing)


async def test_where_nothing_is_close_a_generated_image_is_shown_as_one(
    demo: DiffusionAugmentedRetriever,
) -> None:
    said = {"request": "a dog on a beach", "k": 3}
    retriever = far_from("dog", demo, DrawingGenerator())
    async with Client(create_server(retriever)) as client:
        far = await call(client, "search_images", **said)
        near = await call(client, "search_images", request="a mug", k=3)
    async with Client(create_server(retriever, images="none")) as client:
        read = await call(client, "search_images", **said)

    text, *rest = far.content
    assert "Nothing in the collection is close to this; say so to the user." in text.text
    assert [block.type for block in rest] == ["text", "image"] * 4
    assert rest[-2].text == GENERATED_LABEL
    shown = image_from_data_url(f"data:{rest[-1].mime_type};base64,{rest[-1].data}")
    assert max(shown.size) <= 256
    assert len(listed_ids(text.text)) == 3
    assert [block.type for block in read.content] == ["text"]
    assert "Nothing in the collection is close to this" in text_of(read)
    assert GENERATED_LABEL not in str(near.content)


async def test_progress_is_reported_while_generating(connect: Connect) -> None:
    seen: list[tuple[float, float | None, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total, message))

    async with connect() as client:
        await client.call_tool(
            "search_images", {"request": "a red mug with dots"}, progress_callback=note
        )

    assert [progress for progress, _, _ in seen] == [1, 2, 3]
    assert {total for _, total, _ in seen} == {3}
    assert str(seen[0][2]).startswith("5 text hits: a red mug")


async def test_a_generator_that_fails_is_told_and_the_hits_come(
    demo: DiffusionAugmentedRetriever,
) -> None:
    encoder = demo.query_encoder.encoder
    query_encoder = DARQueryEncoder(encoder, FailingGenerator(RuntimeError("no memory")))
    retriever = DiffusionAugmentedRetriever(query_encoder, demo.store)

    async with Client(create_server(retriever)) as client:
        found = await call(client, "search_images", request="a mug")

    assert "Note: generation failed" in text_of(found)
    assert len(listed_ids(text_of(found))) == 5


@pytest.mark.parametrize("uri", TRICKS)
async def test_nothing_but_the_stores_images_can_be_read(
    demo: DiffusionAugmentedRetriever, uri: str
) -> None:
    hit = demo.search("a mug", 1).hits[0]
    asked = uri.replace("{path}", hit.uri).replace("{id}", hit.id)

    async with Client(create_server(demo)) as client:
        with pytest.raises((MCPError, ValueError)):
            await client.read_resource(asked)


async def test_a_stored_file_that_is_no_image_is_not_read(
    demo: DiffusionAugmentedRetriever, tmp_path: Path
) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    encoder = demo.query_encoder.encoder
    store = ImageStore.in_memory(encoder)
    vector = encoder.encode_texts(["a mug"])[0]
    store.add([StoredImage("1", vector, str(tmp_path / "secret.txt"))])
    retriever = DiffusionAugmentedRetriever(DARQueryEncoder(encoder), store)

    async with Client(create_server(retriever)) as client:
        found = await call(client, "search_images", request="a mug")
        with pytest.raises(MCPError, match="1: no image of the collection"):
            await client.read_resource("dar://images/1")

    assert [block.type for block in found.content] == ["text"]


@pytest.mark.parametrize("token", ["", "another token", TOKEN[:-1], "Bearer"])
async def test_a_wrong_token_is_refused(port: int, token: str) -> None:
    statuses: list[int] = []

    with pytest.RaisesGroup(MCPError, flatten_subgroups=True):
        async with over_http(port, token, statuses) as client:
            await client.list_tools()

    assert set(statuses) == {401}


def test_every_request_needs_the_token(demo: DiffusionAugmentedRetriever) -> None:
    app = http_app(create_server(demo), token=TOKEN)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        for headers in ({}, {"Authorization": "Basic x"}, {"Authorization": "Bearer é"}):
            for path in ("/mcp", "/other"):
                encoded = {name: value.encode() for name, value in headers.items()}
                answer = client.post(path, json={}, headers=encoded)
                assert answer.status_code == 401
                assert answer.headers["WWW-Authenticate"] == "Bearer"
        for scheme in ("Bearer", "bearer", "BEARER"):
            allowed = client.post("/mcp", json={}, headers={"Authorization": f"{scheme} {TOKEN}"})
            assert allowed.status_code != 401


class Verifier:
    """Knows one token."""

    async def verify_token(self, token: str) -> AccessToken | None:
        known = AccessToken(token=token, client_id="client", scopes=["search"])
        return known if token == TOKEN else None


def test_oauth_says_where_tokens_come_from_and_takes_them(
    demo: DiffusionAugmentedRetriever,
) -> None:
    auth = AuthSettings(
        issuer_url="https://login.example.org",  # type: ignore[arg-type]
        resource_server_url="http://127.0.0.1:8000/mcp",  # type: ignore[arg-type]
        required_scopes=["search"],
        validate_token_resource=False,
    )
    app = http_app(create_server(demo, auth=auth, token_verifier=Verifier()))
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        refused = client.post("/mcp", json={})
        where = refused.headers["WWW-Authenticate"].split('resource_metadata="')[1].split('"')[0]
        told = client.get(where).json()
        wrong = client.post("/mcp", json={}, headers={"Authorization": "Bearer wrong"})
        allowed = client.post("/mcp", json={}, headers={"Authorization": f"Bearer {TOKEN}"})

    assert refused.status_code == wrong.status_code == 401
    assert told["authorization_servers"] == ["https://login.example.org"]
    assert told["scopes_supported"] == ["search"]
    assert allowed.status_code not in (401, 403)


def test_the_official_inspector_lists_calls_and_reads(port: int) -> None:
    inspector = shutil.which("mcp-inspector-cli")
    if inspector is None:
        pytest.skip("no inspector: npm install -g @modelcontextprotocol/inspector-cli@0.16.8")

    def asked(*arguments: str) -> Any:
        address = [f"http://127.0.0.1:{port}/mcp", "--transport", "http"]
        header = ["--header", f"Authorization: Bearer {TOKEN}"]
        command = [inspector, "--cli", *address, *header, "--method", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        return json.loads(done.stdout)

    tools = asked("tools/list")["tools"]
    call = ["tools/call", "--tool-name", "search_images", "--tool-arg"]
    found = asked(*call, "request=a mug", "--tool-arg", "k=2")
    hit = found["structuredContent"]["hits"][0]

    assert [tool["name"] for tool in tools] == ["search_images", "more_like_this", "describe_store"]
    assert [block["type"] for block in found["content"]] == ["text", *["text", "image"] * 2]
    assert hit["id"] == listed_ids(found["content"][0]["text"])[0]
    (read,) = asked("resources/read", "--uri", hit["uri"])["contents"]
    assert read["mimeType"] == "image/jpeg"


def test_on_loopback_other_hosts_names_are_refused(demo: DiffusionAugmentedRetriever) -> None:
    with TestClient(http_app(create_server(demo)), base_url="http://evil.example") as client:
        answer = client.post(
            "/mcp", json={}, headers={"Accept": "application/json, text/event-stream"}
        )

    assert answer.status_code in (403, 421)


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds, for at most 20 s."""
    with anyio.fail_after(20):
        while not holds():  # noqa: ASYNC110 (it happens in another process)
            await asyncio.sleep(0.02)


async def cancelled_search(client: Client, log: Path) -> None:
    """Ask for a search and give it up once its generation has begun."""
    search: Awaitable[Any] = client.call_tool("search_images", {"request": "a mug"})
    task = asyncio.ensure_future(search)
    await eventually(lambda: log.exists() and log.read_text() == "began")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: log.read_text() != "began")


async def test_cancelling_stops_the_generation(
    demo: DiffusionAugmentedRetriever, tmp_path: Path
) -> None:
    query_encoder = DARQueryEncoder(demo.query_encoder.encoder, UntilStopped(tmp_path / "log"))
    retriever = DiffusionAugmentedRetriever(query_encoder, demo.store)

    async with Client(create_server(retriever)) as client:
        await cancelled_search(client, tmp_path / "log")
        assert (await call(client, "describe_store")).content

    assert (tmp_path / "log").read_text() == "stopped"


async def test_cancelling_over_stdio_stops_the_generation(folder: Path, tmp_path: Path) -> None:
    script = Path(__file__).parent / "slow_mcp_server.py"
    log = tmp_path / "log"
    parameters = StdioServerParameters(
        command=sys.executable, args=[str(script), str(folder), str(log)], env=environment()
    )

    async with Client(parameters) as client:
        await cancelled_search(client, log)

    assert log.read_text() == "stopped"


def test_a_missing_store_is_named_before_anything_is_served(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dar_retriever", "mcp", "--store", str(tmp_path / "none")]

    done = subprocess.run(
        command, env=environment(), capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 2
    assert "does not exist; make it with 'dar index FOLDER" in done.stderr
    assert done.stdout == ""
