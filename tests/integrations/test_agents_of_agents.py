"""The image search in an agent that another agent calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import llama_index_dar
import pytest
from chat_models import Caller, FunctionChatModel
from langchain.agents import AgentState, create_agent
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_dar import DARRetriever, create_image_search_tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph_supervisor import create_supervisor
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ToolCallResult
from llama_index.core.base.llms.types import ChatMessage, MessageRole, ToolCallBlock
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.memory import Memory
from typing_extensions import TypedDict

from dar_retriever import DARQueryEncoder, DiffusionAugmentedRetriever
from dar_retriever.agents import listed_ids


@pytest.fixture(scope="module")
def words(demo: DiffusionAugmentedRetriever) -> DiffusionAugmentedRetriever:
    """The demo without generated images."""
    return DiffusionAugmentedRetriever(
        DARQueryEncoder(demo.query_encoder.encoder), demo.store, closeness=demo.closeness
    )


class Finder(FunctionChatModel):
    """Calls the search once in its turn, with what its script says, then tells that it has."""

    script: dict[str, dict[str, Any]]
    answer: Any = None

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> Any:
        self.answer = self._answer
        return super()._generate(messages)

    def _answer(self, messages: list[BaseMessage]) -> AIMessage:
        last = messages[-1]
        if isinstance(last, ToolMessage) and last.name == "search_images":
            return AIMessage(f"I have found something. {last.text[:60]}")
        said = [str(each.text) for each in messages if isinstance(each, HumanMessage)][-1]
        call = {"name": "search_images", "args": self.script[said], "id": f"s{len(messages)}"}
        return AIMessage("", tool_calls=[call])


def supervised(words: DiffusionAugmentedRetriever, script: dict[str, Any], **options: Any) -> Any:
    """A supervisor that hands each message of the user to the agent with the search."""

    def answer(messages: list[BaseMessage]) -> AIMessage:
        if isinstance(messages[-1], HumanMessage):
            call = {"name": "transfer_to_finder", "args": {}, "id": f"t{len(messages)}"}
            return AIMessage("", tool_calls=[call])
        return AIMessage("Here you are.")

    tool = create_image_search_tool(DARRetriever(retriever=words, k=3), images="none")
    finder = create_agent(Finder(script=script), [tool], name="finder")
    graph = create_supervisor([finder], model=FunctionChatModel(answer=answer), **options)
    return graph.compile(checkpointer=InMemorySaver())


THREAD: Any = {"configurable": {"thread_id": "1"}}
SCRIPT: dict[str, Any] = {
    "a handbag": {"request": "a handbag"},
    "in teal, like number 2": {"request": "in teal", "more_like": [2]},
}


def searches(graph: Any, said: str) -> list[ToolMessage]:
    """The messages of the search while something is said."""
    given = {"messages": [HumanMessage(said)]}
    found = [
        message
        for _, update in graph.stream(given, THREAD, stream_mode="updates", subgraphs=True)
        for state in update.values()
        for message in (state or {}).get("messages", [])
        if isinstance(message, ToolMessage) and message.name == "search_images"
    ]
    return list({message.id: message for message in found}.values())


def test_a_supervisors_agent_hears_the_user_and_is_told_that_it_sees_no_list(
    words: DiffusionAugmentedRetriever,
) -> None:
    graph = supervised(words, SCRIPT)

    (first,) = searches(graph, "a handbag")
    (second,) = searches(graph, "in teal, like number 2")

    assert [turn["text"] for turn in first.artifact["dialogue"]] == ["a handbag"]
    assert second.status == "error"
    assert "2: no such image; there is no earlier list of results" in second.text
    assert "name the ids of results, or say in the request what they look like" in second.text


def test_a_supervisor_that_keeps_the_whole_history_knows_the_list(
    words: DiffusionAugmentedRetriever,
) -> None:
    graph = supervised(words, SCRIPT, output_mode="full_history")

    (first,) = searches(graph, "a handbag")
    second = searches(graph, "in teal, like number 2")[-1]

    assert second.status == "success"
    assert second.text.startswith("Searched for: a handbag, in teal")
    assert f'"more_like": ["{listed_ids(first.text)[1]}"]' in second.text


class Outer(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


class Inner(AgentState[Any]):
    conversation: list[AnyMessage]


@pytest.mark.parametrize("earlier_key", [None, "conversation"])
def test_a_subgraph_searches_by_its_instruction_and_by_the_conversation_it_is_given(
    words: DiffusionAugmentedRetriever, earlier_key: str | None
) -> None:
    tool = create_image_search_tool(
        DARRetriever(retriever=words, k=3), images="none", earlier_key=earlier_key
    )
    model = Caller(arguments=lambda _: {"request": "in teal"})
    agent = create_agent(model, [tool], state_schema=Inner)

    def delegate(state: Outer) -> dict[str, Any]:
        instruction = HumanMessage("search again, in teal")
        given = {"messages": [instruction], "conversation": state["messages"]}
        return {"messages": agent.invoke(given)["messages"][1:3]}

    graph = StateGraph(Outer)
    graph.add_node("delegate", delegate)
    graph.add_edge(START, "delegate")
    graph.add_edge("delegate", END)
    talk = [HumanMessage("a red handbag"), AIMessage("Which colour?"), HumanMessage("teal")]

    *_, reply = graph.compile().invoke({"messages": talk})["messages"]

    understood = reply.text.splitlines()[0]
    assert "teal" in understood
    assert ("handbag" in understood) == (earlier_key is not None)


def scripted(*steps: tuple[str, dict[str, Any]]) -> MockFunctionCallingLLM:
    """Calls one tool after another, then answers."""
    left = iter(steps)

    def answer(messages: Sequence[ChatMessage], **_: Any) -> ChatMessage:
        step = next(left, None)
        if step is None:
            return ChatMessage(role=MessageRole.ASSISTANT, content="Here you are.")
        call = ToolCallBlock(tool_call_id=str(id(step)), tool_name=step[0], tool_kwargs=step[1])
        return ChatMessage(role=MessageRole.ASSISTANT, blocks=[call])

    return MockFunctionCallingLLM(response_generator=answer)


async def test_a_handoff_in_llama_index_takes_the_conversation_along(
    words: DiffusionAugmentedRetriever,
) -> None:
    tool = llama_index_dar.create_image_search_tool(
        llama_index_dar.DARRetriever(words, k=3), images="none"
    )
    desk = FunctionAgent(
        name="desk",
        description="Greets people.",
        llm=scripted(("handoff", {"to_agent": "finder", "reason": "they want pictures"})),
        can_handoff_to=["finder"],
        streaming=False,
    )
    finder = FunctionAgent(
        name="finder",
        description="Finds images.",
        tools=[tool],
        llm=scripted(("search_images", {"request": "in teal"})),
        streaming=False,
    )
    workflow = AgentWorkflow(agents=[desk, finder], root_agent="desk")
    memory = Memory.from_defaults()
    await memory.aput(ChatMessage(role="user", content="a red handbag"))
    await memory.aput(ChatMessage(role="assistant", content="Which colour instead of red?"))

    handler = workflow.run(user_msg="make it teal", memory=memory)
    found = [
        event.tool_output.content
        async for event in handler.stream_events()
        if isinstance(event, ToolCallResult) and event.tool_name == "search_images"
    ]
    await handler

    assert [reply.splitlines()[0] for reply in found] == ["Searched for: a teal handbag"]
