"""The image search in LangGraph: checkpoints in Postgres, its Store, parallel calls, interrupts."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from chat_models import Caller, FunctionChatModel
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ToolCallRequest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_dar import DARRetriever, artifact_of, create_image_search_tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.store.sqlite import SqliteStore
from langgraph.types import Command, interrupt

from dar_retriever import DARQueryEncoder, DiffusionAugmentedRetriever
from dar_retriever.agents import listed_ids

K = 3
THREAD: Any = {"configurable": {"thread_id": "1"}}


@pytest.fixture(scope="module")
def words(demo: DiffusionAugmentedRetriever) -> DARRetriever:
    """The demo without generated images."""
    query_encoder = DARQueryEncoder(demo.query_encoder.encoder)
    return DARRetriever(retriever=DiffusionAugmentedRetriever(query_encoder, demo.store), k=K)


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """How to connect to a Postgres of one's own, over a socket in its folder."""
    server = shutil.which("postgres")
    if server is None:
        pytest.skip("no Postgres is installed")
    # Postgres refuses to be root, and its user may not enter the folders of pytest.
    run = partial(subprocess.run, check=True, capture_output=True, timeout=120)
    owner = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="dar-postgres-"))
    if owner:
        shutil.chown(folder, owner)
    tools, data = Path(server).resolve().parent, folder / "data"
    run([tools / "initdb", "-D", data, "-U", "tester", "-A", "trust", "--no-sync"], user=owner)
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    log = ["-l", folder / "log"]
    run([tools / "pg_ctl", "-D", data, *log, "-w", "-o", options, "start"], user=owner)
    try:
        yield f"host={folder} user=tester dbname=postgres"
    finally:
        run([tools / "pg_ctl", "-D", data, "-m", "immediate", "stop"], user=owner)
        shutil.rmtree(folder)


def liking(said: str) -> dict[str, Any]:
    """Reads "like 2" as a judgement, and everything else as a request."""
    word, _, number = said.partition(" ")
    return {"more_like": [int(number)]} if word == "like" else {"request": said}


def agent_of(words: DARRetriever, model: FunctionChatModel | None = None, **options: Any) -> Any:
    tool = create_image_search_tool(words)
    return create_agent(model or Caller(arguments=liking), [tool], **options)


def replies(state: dict[str, Any]) -> list[ToolMessage]:
    return [message for message in state["messages"] if isinstance(message, ToolMessage)]


def ids(documents: list[Document]) -> list[str | None]:
    return [document.id for document in documents]


def test_a_conversation_goes_on_from_postgres(words: DARRetriever, postgres: str) -> None:
    with PostgresSaver.from_conn_string(postgres) as saver:
        saver.setup()
        agent = agent_of(words, checkpointer=saver)
        agent.invoke({"messages": [HumanMessage("a mug\0 or a cup")]}, THREAD)
    with PostgresSaver.from_conn_string(postgres) as saver:
        agent = agent_of(words, checkpointer=saver)
        (kept,) = replies(agent.get_state(THREAD).values)
        state = agent.invoke({"messages": [HumanMessage("like 2")]}, THREAD)

    found = artifact_of(kept)["documents"]
    assert all(type(document) is Document for document in found)
    assert ids(found) == list(listed_ids(str(kept.text)))
    assert len(found) == K
    assert listed_ids(str(replies(state)[-1].text))[0] == found[1].id


def test_the_store_keeps_what_was_liked(words: DARRetriever, tmp_path: Path) -> None:
    with SqliteStore.from_conn_string(str(tmp_path / "store")) as store:
        store.setup()
        agent = agent_of(words, store=store)
        (reply,) = replies(agent.invoke({"messages": [HumanMessage("a mug")]}))
        liked = artifact_of(reply)["documents"][0]
        store.put(("liked", "mugs"), str(liked.id), liked.model_dump())

        (kept,) = store.search(("liked",))

    assert Document.model_validate(kept.value) == liked
    assert kept.key == liked.id


def test_calls_of_one_message_run_side_by_side(words: DARRetriever) -> None:
    def answer(messages: list[BaseMessage]) -> AIMessage:
        if messages[-1].type != "human":
            return AIMessage("Here they are.")
        said = str(messages[-1].text)
        requests = said.split(" and ") if " and " in said else [said]
        calls = [
            {"name": "search_images", "args": liking(request), "id": f"{len(messages)}-{number}"}
            for number, request in enumerate(requests)
        ]
        return AIMessage("", tool_calls=calls)

    agent = agent_of(words, FunctionChatModel(answer=answer), checkpointer=InMemorySaver())

    state = agent.invoke({"messages": [HumanMessage("a mug and a sofa and a boot")]}, THREAD)
    found = [artifact_of(reply)["documents"] for reply in replies(state)]
    liked = replies(agent.invoke({"messages": [HumanMessage("like 3")]}, THREAD))[-1]

    for documents, kind in zip(found, ("mug", "sofa", "boot"), strict=True):
        assert documents[0].metadata["kind"] == kind
        assert len(documents) == K
    # Numbers mean the last list.
    assert listed_ids(str(liked.text))[0] == found[2][2].id


class AsksFirst(AgentMiddleware[Any, Any]):
    """Shows a person what was found before the model sees it."""

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Any]
    ) -> Any:
        reply = handler(request)
        answer = interrupt({"found": listed_ids(reply.text)})
        reply.content = [*reply.content, {"type": "text", "text": f"The person says: {answer}"}]
        return reply


def test_an_interrupt_in_the_middle_of_a_call_is_resumed(words: DARRetriever) -> None:
    agent = agent_of(words, checkpointer=InMemorySaver(), middleware=[AsksFirst()])

    halted = agent.invoke({"messages": [HumanMessage("a mug")]}, THREAD)
    (asked,) = halted["__interrupt__"]
    assert replies(halted) == []
    state = agent.invoke(Command(resume="the first"), THREAD)
    (reply,) = replies(state)

    assert asked.value["found"] == listed_ids(str(reply.text))
    assert ids(artifact_of(reply)["documents"]) == list(asked.value["found"])
    assert "The person says: the first" in str(reply.text)
    liked = agent.invoke({"messages": [HumanMessage("like 2")]}, THREAD)["__interrupt__"]
    assert liked[0].value["found"][0] == asked.value["found"][1]
