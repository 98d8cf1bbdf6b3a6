"""Conversations of MCP clients that several servers share."""

from __future__ import annotations

import random
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp_dar import Conversations, KeptConversations, SharedConversations, create_server

from dar_retriever import (
    DARQueryEncoder,
    DiffusionAugmentedRetriever,
    InvalidInputError,
    NoQuestions,
    Question,
    Turn,
)
from dar_retriever.agents import Event, Listing, SearchCall

EVENTS: list[Event] = [
    Turn("user", "a mug"),
    SearchCall(request="a mug", k=3, filter={"colour": {"$in": ["red"]}}, less_like=["ab"]),
    Listing(("ab", "cd")),
    Turn("assistant", "Which colour?"),
]
QUESTION = Question("Which colour?", ("red", "blue"))


@pytest.fixture(params=["memory", "file"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[int], KeptConversations]:
    if request.param == "memory":
        return Conversations
    return lambda most: SharedConversations(tmp_path / "conversations.sqlite", most)


def test_what_is_kept_comes_back(kept: Callable[[int], KeptConversations]) -> None:
    conversations = kept(10)
    conversations.keep("one", EVENTS, QUESTION)
    conversations.keep("two", EVENTS[:1], None)

    assert conversations.of("one") == (tuple(EVENTS), QUESTION)
    assert conversations.of("two") == ((EVENTS[0],), None)
    with pytest.raises(InvalidInputError, match="conversation='three': not known, or forgotten"):
        conversations.of("three")


def test_the_oldest_conversations_are_forgotten(kept: Callable[[int], KeptConversations]) -> None:
    conversations = kept(2)
    for id_ in ("one", "two", "one", "three"):
        conversations.keep(id_, EVENTS, None)

    assert conversations.of("one")
    assert conversations.of("three")
    with pytest.raises(InvalidInputError):
        conversations.of("two")


def test_a_conversation_does_not_grow_without_end(
    kept: Callable[[int], KeptConversations],
) -> None:
    conversations = kept(2)
    conversations.keep("one", [Turn("user", str(number)) for number in range(5000)], None)

    events, _ = conversations.of("one")
    assert len(events) < 1000
    assert events[-1] == Turn("user", "4999")


def test_nobody_else_can_read_the_file_and_it_holds_no_ids(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite"
    SharedConversations(path).keep("a-secret-handle", EVENTS, None)

    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert b"a-secret-handle" not in file.read_bytes()
    assert SharedConversations(path).of("a-secret-handle")


def test_a_place_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="conversations cannot be kept there"):
        SharedConversations(tmp_path / "missing" / "conversations.sqlite")
    (tmp_path / "text").write_text("no database, but long enough to be read as one" * 10)
    with pytest.raises(InvalidInputError, match="conversations cannot be kept there"):
        SharedConversations(tmp_path / "text")


COLOURS = ("red", "blue", "green", "yellow", "pink")


async def test_replicas_that_come_and_go_lose_and_mix_no_conversation(
    demo: DiffusionAugmentedRetriever, tmp_path: Path
) -> None:
    """Turns of ten conversations, each at any of two servers, which are exchanged for new ones."""
    words = DiffusionAugmentedRetriever(DARQueryEncoder(demo.query_encoder.encoder), demo.store)
    chance, handles, said = random.Random(0), [""] * 10, [""] * 10

    def replica() -> Any:
        kept = SharedConversations(tmp_path / "conversations.sqlite")
        return create_server(words, images="none", conversations=kept, questioner=NoQuestions())

    replicas = [replica(), replica()]
    for _ in range(120):
        number, place = chance.randrange(10), chance.randrange(2)
        if chance.random() < 0.1:
            replicas[chance.randrange(2)] = replica()
        colour = chance.choice(COLOURS)
        request = f"make it {colour}" if handles[number] else f"a {colour} thing{number}"
        said[number] = f"a {colour} thing{number}"
        async with Client(replicas[place]) as client:
            result = await client.call_tool(
                "search_images", {"request": request, "conversation": handles[number], "k": 1}
            )
        assert not result.is_error, result.content
        text = result.content[0].text
        assert text.startswith(f"Searched for: {said[number]}\n")
        handle = text.rsplit("conversation=", 1)[1]
        assert handles[number] in ("", handle)
        handles[number] = handle

    assert len({*handles}) == 10
