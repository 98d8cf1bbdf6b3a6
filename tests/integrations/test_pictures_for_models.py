"""What models of each provider are sent of a tool's pictures, as their own packages build it."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import anthropic.types
import jsonschema
import openai.types.chat
import openai.types.responses
import pytest
from chat_models import FunctionChatModel
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.tools import tool
from langchain_dar import ImagesForModel as Middleware
from langchain_dar import place_of, with_pictures
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_mistralai import ChatMistralAI
from langchain_ollama import ChatOllama
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import (
    ChatMessage,
    ImageBlock,
    MessageRole,
    TextBlock,
    ToolCallBlock,
)
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.tools import FunctionTool, ToolOutput
from llama_index.llms.anthropic import Anthropic
from llama_index.llms.anthropic.utils import blocks_to_anthropic_blocks
from llama_index.llms.google_genai.utils import chat_message_to_gemini
from llama_index.llms.openai import OpenAI, OpenAIResponses
from llama_index.llms.openai.utils import to_openai_message_dicts
from llama_index_dar import ImagesForModel as WrappedLLM
from llama_index_dar import place_of as place_of_llm
from llama_index_dar import with_pictures as with_llm_pictures
from ollama._client import _copy_messages
from PIL import Image
from pydantic import TypeAdapter

CALLS = ("call00001", "call00002")
COLOURS = (("red", "blue"), ("green",))
LIST = "Searched for: a mug\n1. id=a score=0.9: a mug"


@cache
def jpeg(colour: str) -> str:
    """A picture in base64, of some kilobytes."""
    made = io.BytesIO()
    picture = Image.composite(
        Image.new("RGB", (128, 128), colour),
        Image.new("RGB", (128, 128)),
        Image.effect_noise((128, 128), 90),
    )
    picture.save(made, "JPEG")
    return base64.b64encode(made.getvalue()).decode()


PICTURES = [jpeg(colour) for colours in COLOURS for colour in colours]


def result(id_: str, colours: Sequence[str]) -> ToolMessage:
    blocks: list[str | dict[Any, Any]] = [{"type": "text", "text": LIST}]
    for number, colour in enumerate(colours, 1):
        blocks.append({"type": "text", "text": f"Image {number}:"})
        blocks.append({"type": "image", "base64": jpeg(colour), "mime_type": "image/jpeg"})
    return ToolMessage(blocks, tool_call_id=id_, name="search_images")


def step(number: int = 0) -> list[BaseMessage]:
    """What a user says, two calls of one message, and their results."""
    ids = [f"{id_}{number}" if number else id_ for id_ in CALLS]
    calls = [{"name": "search_images", "args": {"request": "a mug"}, "id": id_} for id_ in ids]
    results = [result(id_, colours) for id_, colours in zip(ids, COLOURS, strict=True)]
    return [HumanMessage("a mug and a boot"), AIMessage("", tool_calls=calls), *results]


def accepted(kind: Any, payload: Any) -> list[Any]:
    """A payload that fits a type of the provider's own client.

    Raises:
        jsonschema.ValidationError: It does not fit.
    """
    plain = json.loads(json.dumps(payload, default=dict))
    # As a schema, since pydantic leaves what is iterable unchecked.
    jsonschema.validate(plain, TypeAdapter(list[kind]).json_schema())
    return list(plain)


def shown_in(messages: Any) -> list[str]:
    """The pictures in messages, in their order."""
    text = json.dumps(messages, default=str)
    return sorted((one for one in PICTURES if one in text), key=text.index)


def chat_completions(messages: list[BaseMessage], model: Any = None) -> list[dict[str, Any]]:
    model = model or ChatOpenAI(model="gpt-4o", api_key="none")
    sent = model._get_request_payload(with_pictures(messages, place_of(model)))["messages"]
    return accepted(openai.types.chat.ChatCompletionMessageParam, sent)


def test_openais_client_knows_that_chat_completions_refuse_pictures_in_tool_messages() -> None:
    model = ChatOpenAI(model="gpt-4o", api_key="none")

    with pytest.raises(jsonschema.ValidationError):
        accepted(
            openai.types.chat.ChatCompletionMessageParam,
            model._get_request_payload(step())["messages"],
        )


@pytest.mark.parametrize(
    "model",
    [
        ChatOpenAI(model="gpt-4o", api_key="none"),
        AzureChatOpenAI(
            model="gpt-4o", api_key="none", azure_endpoint="https://x.invalid", api_version="1"
        ),
    ],
    ids=["openai", "azure"],
)
def test_langchain_openai_chat_completions(model: Any) -> None:
    sent = chat_completions(step(), model)

    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "tool", "user"]
    assert [message["content"] for message in sent[2:4]] == [LIST, LIST]
    assert shown_in(sent[:4]) == []
    assert shown_in(sent[4]) == PICTURES
    texts = [part["text"] for part in sent[4]["content"] if part["type"] == "text"]
    assert texts == [
        *("The pictures of 1 of the 2 results above:", "Image 1:", "Image 2:"),
        *("The pictures of 2 of the 2 results above:", "Image 1:"),
    ]


def test_langchain_openai_responses() -> None:
    model = ChatOpenAI(model="gpt-4o", api_key="none", use_responses_api=True)

    payload = model._get_request_payload(with_pictures(step(), place_of(model)))["input"]

    sent = accepted(openai.types.responses.ResponseInputItemParam, payload)
    outputs = [item for item in sent if item["type"] == "function_call_output"]
    assert shown_in(outputs) == shown_in(sent) == PICTURES


def test_langchain_anthropic() -> None:
    model = ChatAnthropic(model="claude-sonnet-4-5", api_key="none")

    payload = model._get_request_payload(with_pictures(step(), place_of(model)))["messages"]

    sent = accepted(anthropic.types.MessageParam, payload)
    results = [part for part in sent[-1]["content"] if part["type"] == "tool_result"]
    assert shown_in(results) == shown_in(sent) == PICTURES


def test_langchain_google_genai() -> None:
    model = ChatGoogleGenerativeAI(model="gemini-2.5-flash", google_api_key="none")

    contents = model._prepare_request(with_pictures(step(), place_of(model)))["contents"]

    seen = [
        base64.b64encode(part.inline_data.data).decode()
        for content in contents
        for part in content.parts
        if part.inline_data
    ]
    assert seen == PICTURES


def test_langchain_ollama() -> None:
    model = ChatOllama(model="llava")

    sent = model._convert_messages_to_ollama_messages(with_pictures(step(), place_of(model)))

    read = list(_copy_messages(sent))
    assert [len(message.images or ()) for message in read] == [0, 0, 2, 1]


def test_langchain_mistralai() -> None:
    model = ChatMistralAI(model="mistral-small-latest", api_key="none")

    sent, _ = model._create_message_dicts(with_pictures(step(), place_of(model)), None)

    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "tool", "user"]
    assert {part["type"] for part in sent[4]["content"]} == {"text", "image_url"}
    assert shown_in(sent[4]) == shown_in(sent) == PICTURES


def test_a_model_that_cannot_see_is_sent_the_list_alone() -> None:
    sent = chat_completions(step(), ChatOpenAI(model="gpt-3.5-turbo", api_key="none"))

    assert [message["content"] for message in sent[2:]] == [LIST, LIST]
    assert "Image 1:" not in json.dumps(sent)


def test_a_model_without_a_profile_is_shown_pictures_in_a_users_message() -> None:
    assert place_of(FunctionChatModel(answer=lambda _: AIMessage(""))) == "user"


@pytest.mark.parametrize("place", ["tool", "user", "none"])
def test_other_messages_stay_as_they_are(place: Any) -> None:
    picture = {"type": "image", "base64": PICTURES[0], "mime_type": "image/jpeg"}
    messages = [
        HumanMessage([{"type": "text", "text": "like this:"}, picture]),
        AIMessage("", tool_calls=[{"name": "other", "args": {}, "id": "1"}]),
        ToolMessage("5 degrees", tool_call_id="1"),
        AIMessage("It is cold."),
    ]

    assert with_pictures(messages, place, searches=1) == messages


def test_of_many_searches_the_last_pictures_are_sent() -> None:
    """Sizes of what is sent, in bytes and in tokens as LangChain counts them."""
    messages = [message for number in range(20) for message in step(number + 1)]

    everything = with_pictures(messages, "user")
    last = with_pictures(messages, "user", searches=1)

    assert shown_in(last) == PICTURES
    assert [*map(type, last[:-1])] == [*map(type, messages)]
    assert all(LIST in str(message.text) for message in last if isinstance(message, ToolMessage))
    assert size(last) < size(everything) / 8
    assert count_tokens_approximately(last) < count_tokens_approximately(everything) / 3
    assert with_pictures(messages, "user", searches=0) == with_pictures(messages, "none")


def size(messages: Sequence[BaseMessage]) -> int:
    return len(json.dumps([message.model_dump() for message in messages], default=str))


@pytest.mark.parametrize("run", ["invoke", "ainvoke"])
async def test_the_middleware_changes_what_is_sent_and_not_what_is_kept(run: str) -> None:
    @tool(response_format="content")
    def search_images() -> list[Any]:
        """Search."""
        return list(result("", COLOURS[0]).content)

    def answer(messages: list[BaseMessage]) -> AIMessage:
        if isinstance(messages[-1], HumanMessage) and messages[-1].text == "a mug":
            call = {"name": "search_images", "args": {}, "id": f"call{len(messages)}"}
            return AIMessage("", tool_calls=[call])
        return AIMessage("Here.")

    model = FunctionChatModel(answer=answer)
    agent = create_agent(model, [search_images], middleware=[Middleware()])
    state: dict[str, Any] = {"messages": []}
    for _ in range(2):
        said = {"messages": [*state["messages"], HumanMessage("a mug")]}
        state = await agent.ainvoke(said) if run == "ainvoke" else agent.invoke(said)

    sent = model.given[-1]
    assert [shown_in([message.model_dump()]) for message in sent] == [[]] * 7 + [PICTURES[:2]]
    kept = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    assert [shown_in([message.model_dump()]) for message in kept] == [PICTURES[:2]] * 2


def llm_step() -> list[ChatMessage]:
    """The same in LlamaIndex's messages."""
    calls = [
        ToolCallBlock(tool_call_id=id_, tool_name="search_images", tool_kwargs={"request": "a mug"})
        for id_ in CALLS
    ]
    return [
        ChatMessage(role="user", content="a mug and a boot"),
        ChatMessage(role="assistant", blocks=calls),
        *(llm_result(id_, colours) for id_, colours in zip(CALLS, COLOURS, strict=True)),
    ]


def llm_result(id_: str, colours: Sequence[str]) -> ChatMessage:
    return ChatMessage(
        role="tool", blocks=llm_blocks(colours), additional_kwargs={"tool_call_id": id_}
    )


def llm_blocks(colours: Sequence[str]) -> list[Any]:
    blocks: list[Any] = [TextBlock(text=LIST)]
    for number, colour in enumerate(colours, 1):
        url = f"data:image/jpeg;base64,{jpeg(colour)}"
        blocks += [
            TextBlock(text=f"Image {number}:"),
            ImageBlock(url=url, image_mimetype="image/jpeg"),
        ]
    return blocks


def fitting(llm: Any) -> list[ChatMessage]:
    return with_llm_pictures(llm_step(), place_of_llm(llm))


def test_llama_index_openai_chat_completions() -> None:
    dicts = to_openai_message_dicts(fitting(OpenAI(model="gpt-4o", api_key="none")))

    sent = accepted(openai.types.chat.ChatCompletionMessageParam, dicts)
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "tool", "user"]
    assert [message["content"] for message in sent[2:4]] == [LIST, LIST]
    assert shown_in(sent[4]) == shown_in(sent) == PICTURES


def test_llama_index_openai_responses() -> None:
    llm = OpenAIResponses(model="gpt-4o", api_key="none")

    items = to_openai_message_dicts(fitting(llm), is_responses_api=True)

    sent = accepted(openai.types.responses.ResponseInputItemParam, items)
    assert shown_in(sent) == PICTURES
    assert len([item for item in sent if item.get("type") == "function_call_output"]) == 2


def test_llama_index_anthropic() -> None:
    results = fitting(Anthropic(model="claude-sonnet-4-5", api_key="none"))

    # Its function for whole messages fails with Anthropic's client of today.
    sent = [
        {
            "type": "tool_result",
            "tool_use_id": "1",
            "content": blocks_to_anthropic_blocks(blocks, {}),
        }
        for blocks in (message.blocks for message in results if message.role == MessageRole.TOOL)
    ]

    assert shown_in(accepted(anthropic.types.ToolResultBlockParam, sent)) == PICTURES


@pytest.mark.parametrize(("model", "in_responses"), [("gemini-2.5-flash", 0), ("gemini-3-pro", 3)])
async def test_llama_index_google_genai(model: str, in_responses: int) -> None:
    place = "tool" if in_responses else "user"
    contents = [
        (await chat_message_to_gemini(message, "inline"))[0]
        for message in with_llm_pictures(llm_step(), place)
    ]

    parts = [part for content in contents for part in content.parts]
    responses = [part.function_response for part in parts if part.function_response]
    assert len(responses) == 2
    assert sum(len(response.parts or ()) for response in responses) == in_responses
    assert len([part for part in parts if part.inline_data]) == len(PICTURES) - in_responses


def scripted(seen: list[list[ChatMessage]]) -> MockFunctionCallingLLM:
    """Calls the tool once, then answers; keeps what it is sent."""

    def answer(messages: Sequence[ChatMessage], **_: Any) -> ChatMessage:
        seen.append(list(messages))
        if any(message.role == MessageRole.TOOL for message in messages):
            return ChatMessage(role="assistant", content="Here.")
        call = ToolCallBlock(tool_call_id="1", tool_name="search_images", tool_kwargs={})
        return ChatMessage(role="assistant", blocks=[call])

    return MockFunctionCallingLLM(response_generator=answer)


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_wrapped_llm_serves_an_agent(*, streaming: bool) -> None:
    def search_images() -> str:
        """Search."""
        return LIST

    def output(text: str) -> ToolOutput:
        return ToolOutput(
            tool_name="search_images", blocks=llm_blocks(COLOURS[0]), raw_input={}, raw_output=text
        )

    found = FunctionTool.from_defaults(search_images, callback=output)
    seen: list[list[ChatMessage]] = []
    agent = FunctionAgent(tools=[found], llm=WrappedLLM(llm=scripted(seen)), streaming=streaming)

    answer = await agent.run(user_msg="a mug")

    assert str(answer) == "Here."
    *_, listed, pictures = seen[-1]
    assert (listed.role, listed.content) == (MessageRole.TOOL, LIST)
    assert pictures.role == MessageRole.USER
    assert [type(block) for block in pictures.blocks] == [TextBlock] + [TextBlock, ImageBlock] * 2
