"""The image search in LlamaIndex's agents."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes import DrawingGenerator, FailingGenerator, far_from
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent, ToolCallResult
from llama_index.core.base.llms.types import (
    ChatMessage,
    ImageBlock,
    MessageRole,
    TextBlock,
    ToolCallBlock,
)
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.memory import ChatMemoryBuffer, ChatSummaryMemoryBuffer, Memory
from llama_index.core.tools import ToolOutput
from llama_index.core.workflow import JsonSerializer
from llama_index_dar import DARRetriever, ImageSearchProgress, create_image_search_tool
from llama_index_dar.messages import history_of
from openai.types.chat import ChatCompletionMessageToolCall

from dar_retriever import (
    DARQueryEncoder,
    DiffusionAugmentedRetriever,
    FacetQuestions,
    NoQuestions,
    Question,
    SearchResult,
)
from dar_retriever.agents import GENERATED_LABEL, Listing, SearchCall, listed_ids
from dar_retriever.demo.gallery import gallery_products, picture_name
from dar_retriever.support.images import image_from_data_url

TARGET = 0
PRODUCT = gallery_products(120)[TARGET]
SAID = [
    f"Hello! I am looking for a {PRODUCT.kind}.",
    f"It has a {PRODUCT.detail}.",
    f"{PRODUCT.colour}",
    f"yes, {PRODUCT.second_colour} {PRODUCT.pattern}",
    f"the background is {PRODUCT.background}",
]
QUESTION = "Here they are. What should be different?"
K = 3

Arguments = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def retriever(demo: DiffusionAugmentedRetriever) -> DARRetriever:
    return DARRetriever(demo, k=K)


@pytest.fixture(scope="module")
def words(demo: DiffusionAugmentedRetriever) -> DARRetriever:
    """The same without generated images."""
    queries = DARQueryEncoder(demo.query_encoder.encoder)
    searching = DiffusionAugmentedRetriever(queries, demo.store, closeness=demo.closeness)
    return DARRetriever(searching, k=K)


def short_request(said: str) -> dict[str, Any]:
    """What a model that was told to say only what is new passes on."""
    return {"request": " ".join(said.rstrip(".").split()[-2:])}


def judging(said: str) -> dict[str, Any]:
    """Reads "like 2" and "not 1" as judgements, and everything else as a request."""
    word, _, number = said.partition(" ")
    return {
        "like": {"more_like": [int(number) if number.isdigit() else number]},
        "not": {"less_like": [number]},
    }.get(word, {"request": said})


def calling_model(arguments: Arguments, question: str = QUESTION) -> MockFunctionCallingLLM:
    """Calls the tool once for each message of the user, then asks what should be different."""

    def answer(messages: Sequence[ChatMessage], **_: Any) -> ChatMessage:
        if messages[-1].role != MessageRole.USER:
            return ChatMessage(role="assistant", content=question)
        call = ToolCallBlock(
            tool_call_id=f"call-{len(messages)}",
            tool_name="search_images",
            tool_kwargs=arguments(messages[-1].content or ""),
        )
        return ChatMessage(role="assistant", blocks=[call])

    return MockFunctionCallingLLM(response_generator=answer)


def reasoning_model(arguments: Arguments) -> MockFunctionCallingLLM:
    """The same in the words of a ReAct agent."""

    def answer(messages: Sequence[ChatMessage], **_: Any) -> ChatMessage:
        last = messages[-1].content or ""
        if last.startswith("Observation:"):
            text = f"Thought: I can answer.\nAnswer: {QUESTION}"
        else:
            call = json.dumps(arguments(last))
            text = f"Thought: I search.\nAction: search_images\nAction Input: {call}"
        return ChatMessage(role="assistant", content=text)

    return MockFunctionCallingLLM(response_generator=answer)


def function_agent(retriever: DARRetriever, arguments: Arguments = short_request) -> FunctionAgent:
    tool = create_image_search_tool(retriever)
    return FunctionAgent(tools=[tool], llm=calling_model(arguments), streaming=False)


def react_agent(retriever: DARRetriever, arguments: Arguments = short_request) -> ReActAgent:
    tool = create_image_search_tool(retriever)
    return ReActAgent(tools=[tool], llm=reasoning_model(arguments), streaming=False)


def workflow(retriever: DARRetriever, arguments: Arguments = short_request) -> AgentWorkflow:
    return AgentWorkflow(agents=[function_agent(retriever, arguments)])


AGENTS = [function_agent, react_agent, workflow]


def conversation() -> ChatMemoryBuffer:
    """What an agent remembers from run to run; its context does not keep it."""
    return ChatMemoryBuffer.from_defaults(token_limit=40000)


async def say(agent: Any, text: str, **options: Any) -> ToolOutput:
    """Say something to an agent; what the tool put out."""
    handler = agent.run(user_msg=text, **options)
    outputs = [e.tool_output async for e in handler.stream_events() if is_result(e)]
    await handler
    return outputs[-1]


def is_result(event: Any) -> bool:
    return isinstance(event, ToolCallResult) and event.tool_name == "search_images"


def ids(output: ToolOutput) -> list[str]:
    return [found.node.node_id for found in output.raw_output["nodes"]]


def files(output: ToolOutput) -> list[str]:
    return [Path(found.node.image_path).name for found in output.raw_output["nodes"]]


def heard(output: ToolOutput) -> list[str]:
    """What the user said in the dialogue that was searched with."""
    dialogue = output.raw_output["dialogue"]
    return [turn["text"] for turn in dialogue if turn["role"] == "user"]


@pytest.mark.parametrize("build", AGENTS)
async def test_five_turns_find_the_target_though_the_last_request_alone_does_not(
    retriever: DARRetriever, build: Callable[..., Any]
) -> None:
    agent = build(retriever)
    memory = conversation()

    for text in SAID:
        found = await say(agent, text, memory=memory)

    assert heard(found) == SAID
    assert files(found)[0] == picture_name(TARGET)
    asked = [turn["text"] for turn in found.raw_output["dialogue"] if turn["role"] == "assistant"]
    assert asked == [QUESTION] * 4
    alone = await retriever.aretrieve(short_request(SAID[-1])["request"])
    assert picture_name(TARGET) not in [Path(found.node.image_path).name for found in alone]


@pytest.mark.parametrize("build", [function_agent, react_agent])
@pytest.mark.parametrize("kind", [ChatMemoryBuffer, Memory])
async def test_any_memory_carries_the_conversation(
    retriever: DARRetriever, build: Callable[..., Any], kind: Any
) -> None:
    kept = kind.from_defaults(token_limit=40000)
    agent = build(retriever, judging)

    first = ids(await say(agent, "a handbag", memory=kept))
    second = await say(agent, "not 1", memory=kept)
    third = await say(agent, "teal", memory=kept)

    assert heard(third)[0] == "a handbag"
    assert heard(third)[-1] == "teal"
    assert first[0] not in ids(second) + ids(third)


@pytest.mark.parametrize("build", AGENTS)
async def test_judgements_of_earlier_hits_count(
    retriever: DARRetriever, build: Callable[..., Any]
) -> None:
    agent = build(retriever, judging)
    memory = conversation()
    first = ids(await say(agent, "a handbag", memory=memory))

    second = ids(await say(agent, "not 1", memory=memory))
    third = ids(await say(agent, f"like {first[2]}", memory=memory))
    fourth = ids(await say(agent, "like 2", memory=memory))

    assert first[0] not in second + third + fourth
    assert first[2] in third
    assert third[1] in fourth


async def test_several_calls_in_one_run_see_each_others_lists(retriever: DARRetriever) -> None:
    def answer(messages: Sequence[ChatMessage], **_: Any) -> ChatMessage:
        done = sum(message.role == MessageRole.TOOL for message in messages)
        if done == 2:
            return ChatMessage(role="assistant", content=QUESTION)
        arguments: dict[str, Any] = [{"request": "a handbag"}, {"less_like": [1]}][done]
        call = ToolCallBlock(
            tool_call_id=str(done), tool_name="search_images", tool_kwargs=arguments
        )
        return ChatMessage(role="assistant", blocks=[call])

    llm = MockFunctionCallingLLM(response_generator=answer)
    agent = FunctionAgent(tools=[create_image_search_tool(retriever)], llm=llm, streaming=False)

    handler = agent.run(user_msg="show me something")
    outputs = [event.tool_output async for event in handler.stream_events() if is_result(event)]
    await handler

    assert len(outputs) == 2
    assert ids(outputs[0])[0] not in ids(outputs[1])


async def test_conversations_of_one_agent_do_not_hear_each_other(retriever: DARRetriever) -> None:
    agent = function_agent(retriever, judging)
    one, two = conversation(), conversation()
    await say(agent, "a handbag", memory=one)
    await say(agent, "a sofa", memory=two)

    assert heard(await say(agent, "teal", memory=one)) == ["a handbag", "teal"]
    assert heard(await say(agent, "red", memory=two)) == ["a sofa", "red"]


async def test_a_conversation_goes_on_from_what_was_saved(retriever: DARRetriever) -> None:
    memory = conversation()
    first = ids(await say(function_agent(retriever, judging), "a handbag", memory=memory))

    saved = [message.model_dump_json() for message in memory.get_all()]
    again = conversation()
    again.set([ChatMessage.model_validate_json(message) for message in saved])
    second = await say(function_agent(retriever, judging), "not 1", memory=again)

    assert heard(second) == ["a handbag", "not 1"]
    assert first[0] not in ids(second)


async def test_a_context_with_outputs_of_the_tool_can_be_saved(retriever: DARRetriever) -> None:
    agent = function_agent(retriever)
    handler = agent.run(user_msg="a handbag")
    seen = [event async for event in handler.stream_events() if is_result(event)]
    await handler

    json.dumps(handler.ctx.to_dict(serializer=JsonSerializer()))
    assert len(json.loads(seen[0].model_dump_json())["tool_output"]["raw_output"]["nodes"]) == K


async def test_the_model_gets_a_numbered_list_and_thumbnails(retriever: DARRetriever) -> None:
    output = await say(function_agent(retriever), "a handbag")

    text, *rest = output.blocks
    assert isinstance(text, TextBlock)
    *hits, question, order = text.text.splitlines()
    assert [line[:3] for line in hits[-K:]] == ["1. ", "2. ", "3. "]
    assert question.startswith("To narrow it down, ask the user: Which ")
    assert order.endswith("they are in this order: Image 1, Image 2, Image 3.")
    assert [type(block) for block in rest] == [ImageBlock] * K
    for block in rest:
        assert isinstance(block, ImageBlock)
        assert max(image_from_data_url(str(block.url)).size) <= 256
        assert block.resolve_image().read(3) == b"\xff\xd8\xff"


async def test_models_that_read_only_get_text(retriever: DARRetriever) -> None:
    tool = create_image_search_tool(retriever, images="none")
    agent = FunctionAgent(tools=[tool], llm=calling_model(short_request), streaming=False)

    output = await say(agent, "a teal handbag")

    assert len(output.blocks) == 1
    assert output.content.startswith("Searched for: a teal handbag")


async def test_the_application_gets_nodes_and_generated_images(retriever: DARRetriever) -> None:
    output = (await say(function_agent(retriever), "a teal handbag")).raw_output

    assert len(output["nodes"]) == K
    assert [image_from_data_url(made["image"]).size for made in output["generated"]] == [
        (128, 128)
    ] * 2
    assert output["trace"]["caption"] == "a teal handbag"


async def test_progress_goes_to_the_stream(retriever: DARRetriever) -> None:
    handler = function_agent(retriever).run(user_msg="a teal handbag")

    seen = [e async for e in handler.stream_events() if isinstance(e, ImageSearchProgress)]
    await handler

    assert [event.progress["type"] for event in seen] == ["text_hits", "generated_images", "hits"]
    assert {event.tool_name for event in seen} == {"search_images"}


def test_the_model_is_asked_for_what_it_wants_and_for_nothing_else(
    retriever: DARRetriever,
) -> None:
    described = create_image_search_tool(retriever).metadata.to_openai_tool()["function"]

    assert described["name"] == "search_images"
    assert set(described["parameters"]["properties"]) == {
        "request",
        "k",
        "filter",
        "more_like",
        "less_like",
    }
    assert "colour: " in described["description"]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ({"more_like": [9]}, "a number from 1 to 3"),
        ({"request": "teal", "filter": {"price": {"$near": 3}}}, "is not a filter"),
        ({"k": 99}, "k=99"),
        ({"request": ["teal"]}, "request=['teal']"),
    ],
)
async def test_the_model_is_told_what_was_wrong_and_can_go_on(
    retriever: DARRetriever, arguments: dict[str, Any], hint: str
) -> None:
    def some_wrong(said: str) -> dict[str, Any]:
        return arguments if said == "wrong" else {"request": said}

    agent = function_agent(retriever, some_wrong)
    memory = conversation()
    await say(agent, "a handbag", memory=memory)

    refused = await say(agent, "wrong", memory=memory)
    mended = await say(agent, "teal", memory=memory)

    assert refused.is_error
    assert hint in refused.content
    assert not mended.is_error


async def test_a_store_that_fails_does_not_end_the_run(
    retriever: DARRetriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("surprise")

    with monkeypatch.context() as patch:
        patch.setattr(retriever.retriever.store, "search", fail)
        output = await say(function_agent(retriever), "a handbag")

    assert output.is_error
    assert "surprise" in output.content


async def test_a_generator_that_fails_is_told_and_the_hits_come(
    demo: DiffusionAugmentedRetriever,
) -> None:
    encoder = demo.query_encoder.encoder
    query_encoder = DARQueryEncoder(encoder, FailingGenerator(RuntimeError("no memory")))
    retriever = DARRetriever(DiffusionAugmentedRetriever(query_encoder, demo.store), k=K)

    output = await say(function_agent(retriever), "a teal handbag")

    assert output.raw_output["generated"] == []
    assert "Note: generation failed" in output.content
    assert len(ids(output)) == K


async def test_the_retrievers_own_filter_holds(demo: DiffusionAugmentedRetriever) -> None:
    retriever = DARRetriever(demo, filter={"kind": "mug"}, k=5)
    agent = function_agent(retriever, lambda _: {"request": "a boot", "filter": {"kind": "boot"}})

    assert ids(await say(agent, "a boot")) == []


def asking_agent(
    retriever: DARRetriever, question: str = QUESTION, **options: Any
) -> FunctionAgent:
    """Searches for what the user says, then asks one question."""
    tool = create_image_search_tool(retriever, **options)
    llm = calling_model(lambda said: {"request": said}, question)
    return FunctionAgent(tools=[tool], llm=llm, streaming=False)


async def test_the_output_offers_the_question_that_narrows_the_search_down(
    words: DARRetriever,
) -> None:
    output = await say(asking_agent(words), "a handbag")

    question = FacetQuestions(words.retriever).next_question(words.retriever.search("a handbag"))
    assert question is not None
    text = output.blocks[0].text
    assert f"To narrow it down, ask the user: {question}" in text.splitlines()
    asked = {"text": question.text, "choices": list(question.choices)}
    assert output.raw_output["question"] == asked
    assert output.raw_output["close"] is True
    json.dumps([output.raw_output["question"], output.raw_output["close"]])


async def test_the_answer_to_a_question_of_the_model_is_read_with_it(
    words: DARRetriever,
) -> None:
    agent, memory = asking_agent(words, "Which background?"), conversation()
    await say(agent, "a handbag", memory=memory)

    found = (await say(agent, "mint", memory=memory)).raw_output

    assert [turn["text"] for turn in found["dialogue"]] == [
        "a handbag",
        "Which background?",
        "mint",
    ]
    assert found["trace"]["caption"] == "a handbag, mint background"
    assert (found["question"] or {}).get("text") != "Which background?"


async def test_a_questioner_of_ones_own_asks_and_may_ask_nothing(words: DARRetriever) -> None:
    class Failing:
        def next_question(self, result: SearchResult) -> Question | None:
            raise RuntimeError("no idea")

    silent = await say(asking_agent(words, questioner=NoQuestions()), "a handbag")
    failing = await say(asking_agent(words, questioner=Failing()), "a handbag")

    assert silent.raw_output["question"] is None
    assert "ask the user" not in silent.content
    assert failing.raw_output["question"] is None
    assert "Note: no question was found: RuntimeError: no idea" in failing.content
    assert ids(failing) == ids(silent)


async def test_where_nothing_is_close_a_generated_image_is_shown_as_one(
    demo: DiffusionAugmentedRetriever,
) -> None:
    far = DARRetriever(far_from("dog", demo, DrawingGenerator()), k=K)

    output = await say(asking_agent(far), "a dog on a beach")

    text, *rest = output.blocks
    assert "Nothing in the collection is close to this; say so to the user." in text.text
    assert output.raw_output["close"] is False
    assert [type(block) for block in rest] == [ImageBlock] * (K + 1)
    assert text.text.endswith(f"Image 3, {GENERATED_LABEL.rstrip(':')}.")
    assert str(rest[-1].url) == output.raw_output["generated"][0]["image"]
    assert listed_ids(text.text) == tuple(ids(output))


async def test_models_that_read_only_are_told_that_nothing_is_close(
    demo: DiffusionAugmentedRetriever,
) -> None:
    far = DARRetriever(far_from("dog", demo), k=K)

    output = await say(asking_agent(far, images="none"), "a dog on a beach")

    assert len(output.blocks) == 1
    assert "Nothing in the collection is close to this" in output.content
    assert GENERATED_LABEL not in output.content


async def test_what_is_close_shows_no_generated_image(retriever: DARRetriever) -> None:
    output = await say(asking_agent(retriever), "a handbag")

    assert output.raw_output["close"] is True
    assert GENERATED_LABEL not in output.content


async def test_a_memory_that_summarises_carries_what_was_said(words: DARRetriever) -> None:
    summariser = MockFunctionCallingLLM(
        response_generator=lambda *_, **__: ChatMessage(
            role="assistant", content="a teal handbag with a long strap"
        )
    )
    memory = ChatSummaryMemoryBuffer.from_defaults(
        chat_history=[
            ChatMessage(role="user", content="I am looking for a teal handbag. " * 20),
            ChatMessage(role="assistant", content="What else should it have? " * 20),
        ],
        llm=summariser,
        token_limit=60,
    )

    output = await say(function_agent(words, judging), "on a mint background", memory=memory)

    assert output.content.startswith(
        "Searched for: a teal handbag with a long strap, on a mint background"
    )


@pytest.mark.parametrize("as_object", [True, False])
async def test_calls_are_read_where_some_providers_keep_them(*, as_object: bool) -> None:
    function = {"name": "search_images", "arguments": '{"request": "a mug", "less_like": ["ab"]}'}
    call: Any = {"id": "1", "type": "function", "function": function}
    if as_object:
        call = ChatCompletionMessageToolCall.model_validate(call)
    messages = [
        ChatMessage(role="assistant", content="", additional_kwargs={"tool_calls": [call]}),
        ChatMessage(
            role="tool",
            content="Searched for: a mug\n1. id=cd score=0.9: a mug",
            additional_kwargs={"tool_call_id": "1"},
        ),
    ]

    asked, listing = history_of(messages, "search_images", image_from_data_url)

    assert asked == SearchCall(request="a mug", less_like=["ab"])
    assert listing == Listing(("cd",))
