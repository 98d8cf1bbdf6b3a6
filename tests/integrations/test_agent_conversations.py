"""The same conversations with the image search of every framework."""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import langchain_dar
import llama_index_dar
import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, TextBlock, ToolCallBlock
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.memory import Memory
from llama_index.core.workflow import Context
from mcp import Client
from mcp_dar import create_server

from dar_retriever import DARQueryEncoder, DiffusionAugmentedRetriever
from dar_retriever.agents import listed_ids

Call = dict[str, Any]
# What the user says, what the assistant says ("A: ..."), and the calls of the search.
Talk = Sequence[str | Call]
Replies = Callable[[DiffusionAugmentedRetriever, Talk], Awaitable[list[str]]]


async def langchain(retriever: DiffusionAugmentedRetriever, talk: Talk) -> list[str]:
    """The replies to the calls of a talk, in LangGraph's own node for tools."""
    tool = langchain_dar.create_image_search_tool(
        langchain_dar.DARRetriever(retriever=retriever), images="none"
    )
    graph = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode([tool]))
    graph.add_edge(START, "tools")
    graph.add_edge("tools", END)
    node = graph.compile()
    messages: list[BaseMessage] = []
    for said in talk:
        if isinstance(said, str):
            told = said.startswith("A:")
            messages.append(AIMessage(said[2:]) if told else HumanMessage(said))
            continue
        call = {"name": tool.name, "args": said, "id": uuid.uuid4().hex}
        messages.append(AIMessage("", tool_calls=[call]))
        messages = (await node.ainvoke({"messages": messages}))["messages"]
    return [str(message.text) for message in messages if isinstance(message, ToolMessage)]


async def llama_index(retriever: DiffusionAugmentedRetriever, talk: Talk) -> list[str]:
    """The replies to the calls of a talk, in LlamaIndex's memory and context."""
    tool = llama_index_dar.create_image_search_tool(
        llama_index_dar.DARRetriever(retriever), images="none"
    )
    agent = FunctionAgent(tools=[tool], llm=MockFunctionCallingLLM(), streaming=False)
    ctx, memory, replies = Context(agent), Memory.from_defaults(), []
    await ctx.store.set("memory", memory)
    for said in talk:
        if isinstance(said, str):
            role, text = ("assistant", said[2:]) if said.startswith("A:") else ("user", said)
            await memory.aput(ChatMessage(role=role, content=text))
            continue
        id_ = uuid.uuid4().hex
        call = ToolCallBlock(tool_call_id=id_, tool_name=tool.metadata.name, tool_kwargs=said)
        await memory.aput(ChatMessage(role="assistant", blocks=[call]))
        output = await tool.acall(ctx=ctx, **said)
        replies.append(output.content)
        answer = ChatMessage(
            role="tool",
            blocks=[TextBlock(text=output.content)],
            additional_kwargs={"tool_call_id": id_},
        )
        await memory.aput(answer)
    return replies


async def mcp(retriever: DiffusionAugmentedRetriever, talk: Talk) -> list[str]:
    """The replies to the calls of a talk; what the user said goes along as earlier turns."""
    replies: list[str] = []
    async with Client(create_server(retriever, images="none")) as client:
        said: list[str] = []
        for each in talk:
            if isinstance(each, str):
                said += [] if each.startswith("A:") else [each]
                continue
            arguments = {**each, "earlier_turns": said}
            name = "search_images"
            if "more_like" in each or "less_like" in each:
                name = "more_like_this"
                arguments["images"] = arguments.pop("more_like", None)
                del arguments["earlier_turns"]
            if replies:
                arguments["conversation"] = replies[-1].rsplit("conversation=", 1)[1]
            result = await client.call_tool(name, arguments)
            assert not result.is_error, result.content
            replies.append(result.content[0].text)
            said = []
    return replies


@pytest.fixture(params=[langchain, llama_index, mcp], ids=lambda framework: framework.__name__)
def replies(request: pytest.FixtureRequest) -> Replies:
    """Of one framework after the other."""
    return request.param


@pytest.fixture(scope="module")
def words(demo: DiffusionAugmentedRetriever) -> DiffusionAugmentedRetriever:
    """The demo without generated images."""
    return DiffusionAugmentedRetriever(
        DARQueryEncoder(demo.query_encoder.encoder), demo.store, closeness=demo.closeness
    )


def understood(reply: str) -> str:
    return reply.splitlines()[0].removeprefix("Searched for: ")


async def test_two_requests_of_one_message_are_two_searches(
    words: DiffusionAugmentedRetriever, replies: Replies
) -> None:
    talk = ["I'd like to see a teal handbag and a purple sofa"]

    bag, sofa, again = await replies(
        words, [*talk, {"request": "teal handbag"}, {"request": "purple sofa"}, {"request": "bag"}]
    )

    assert understood(bag) == "teal handbag"
    assert understood(sofa) == "purple sofa"
    assert understood(again).endswith("bag")
    assert kinds(words, bag) == {"handbag"}
    assert kinds(words, sofa) == {"sofa"}


def kinds(retriever: DiffusionAugmentedRetriever, reply: str) -> set[Any]:
    """The kinds of the best hits."""
    return {hit.metadata["kind"] for hit in retriever.store.get(listed_ids(reply)[:2])}


async def test_a_request_narrows_what_was_said(
    words: DiffusionAugmentedRetriever, replies: Replies
) -> None:
    said = "My office has a purple armchair and mint walls. Now find a white vase for the desk"

    (reply,) = await replies(words, [said, {"request": "white vase"}])

    assert understood(reply) == "white vase"


CHAT = [
    "Compose a short advert for our summer sale",
    "A:Summer is here, and so are our prices!",
    "remind me to ring the dentist on Monday",
    "A:I will.",
    "what is 12 * 12? my mail is kim@example.net",
    "A:144",
]
WISHES = [
    "a teal handbag",
    "a red chair",
    "a purple sofa",
    "an orange dress",
    "a green boot",
    "a pink mug",
    "a blue lamp",
    "a white vase",
]


@pytest.mark.parametrize("request_", [lambda wish: wish, lambda _: None, lambda wish: wish[2:]])
async def test_what_else_was_talked_about_does_not_change_what_is_found(
    words: DiffusionAugmentedRetriever, replies: Replies, request_: Callable[[str], str | None]
) -> None:
    right = {"clean": 0, "after": 0}
    for wish in WISHES:
        for name, before in (("clean", []), ("after", CHAT)):
            (reply,) = await replies(words, [*before, wish, {"request": request_(wish)}])
            right[name] += hits_right(words, reply, wish)
            assert "kim" not in reply
            assert "144" not in reply

    # The gallery has six such pictures in all.
    assert right["clean"] >= 5
    assert abs(right["after"] - right["clean"]) <= 2


def hits_right(retriever: DiffusionAugmentedRetriever, reply: str, wish: str) -> int:
    """How many of the hits have the colour and the kind that were wished for."""
    *_, colour, kind = wish.split()
    hits = retriever.store.get(listed_ids(reply))
    return sum(hit.metadata["colour"] == colour and hit.metadata["kind"] == kind for hit in hits)


async def test_what_the_assistant_says_it_found_takes_no_words_away(
    words: DiffusionAugmentedRetriever, replies: Replies
) -> None:
    found = "A:found teal vase, white dots, narrow neck, on a mint background"

    *_, last = await replies(
        words,
        [
            *("a teal vase", {"request": "a teal vase"}, found),
            *("with a wide rim", {"request": "with a wide rim"}, found),
            *("make it yellow", {"request": "make it yellow"}),
        ],
    )

    assert understood(last) == "a yellow vase, a wide rim"


@pytest.mark.parametrize(
    "said",
    [
        "same as number 3, but yellow",
        "make it yellow, like number three",
        "the third one, only in yellow",
        "I like #3 best, but make it yellow",
        "similar to the 3rd but in yellow please",
    ],
)
async def test_names_of_results_leave_nothing_in_the_caption(
    words: DiffusionAugmentedRetriever, replies: Replies, said: str
) -> None:
    first, last = await replies(
        words,
        ["a purple sofa", {"request": "purple sofa"}, said, {"request": said, "more_like": "3"}],
    )

    assert understood(last) in ("a yellow sofa", "yellow sofa")
    assert listed_ids(first)[2] in last


async def test_null_and_json_text_are_taken(
    words: DiffusionAugmentedRetriever, replies: Replies
) -> None:
    nothing = {"request": None, "k": None, "filter": None}
    texts = {"request": "sofa", "k": "3", "filter": json.dumps({"colour": "purple"})}
    listed = {"request": "sofa", "filter": [condition("colour", "$in", ["purple", "teal"])]}
    disliked = {"request": None, "more_like": None, "less_like": "1", "k": None, "filter": ""}

    plain, filtered, both, last = await replies(words, ["a sofa", nothing, texts, listed, disliked])

    assert len(listed_ids(plain)) == 5
    assert colours(words, filtered) == {"purple"}
    assert len(listed_ids(filtered)) <= 3
    assert colours(words, both) <= {"purple", "teal"}
    assert listed_ids(both)[0] not in listed_ids(last)


def condition(field: str, operator: str, value: Any) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


def colours(retriever: DiffusionAugmentedRetriever, reply: str) -> set[Any]:
    return {hit.metadata["colour"] for hit in retriever.store.get(listed_ids(reply))}
