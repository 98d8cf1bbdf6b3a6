"""LangChain's messages as a dialogue."""

from __future__ import annotations

import base64
import io
from contextlib import suppress
from typing import Any

import pytest
from chat_models import FunctionChatModel
from hypothesis import given
from hypothesis import strategies as st
from langchain.agents.middleware import SummarizationMiddleware
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    HumanMessageChunk,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.prompt_values import ChatPromptValue
from langchain_dar import dialogue_from_messages
from langgraph.graph.message import add_messages
from PIL import Image

from dar_retriever import DARError, Dialogue, InvalidImageError, InvalidInputError

RED = (200, 10, 20)
SIZE = (6, 4)
FILE_ID = "file-7"


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", SIZE, RED).save(buffer, "PNG")
    return buffer.getvalue()


PNG = png()
BASE64 = base64.b64encode(PNG).decode()
URL = f"data:image/png;base64,{BASE64}"
REMOTE = "https://example.org/dress.png"

IMAGE_BLOCKS: dict[str, dict[str, Any]] = {
    "v1 base64": {"type": "image", "base64": BASE64, "mime_type": "image/png"},
    "v1 base64 without a type": {"type": "image", "base64": BASE64},
    "v1 url": {"type": "image", "url": URL},
    "v1 file": {"type": "file", "base64": BASE64, "mime_type": "image/png"},
    "v0 base64": {
        "type": "image",
        "source_type": "base64",
        "data": BASE64,
        "mime_type": "image/png",
    },
    "v0 url": {"type": "image", "source_type": "url", "url": URL},
    "OpenAI": {"type": "image_url", "image_url": {"url": URL, "detail": "low"}},
    "OpenAI, plain": {"type": "image_url", "image_url": URL},
    "OpenAI Responses": {"type": "input_image", "image_url": URL, "detail": "auto"},
    "Anthropic base64": {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": BASE64},
    },
    "Anthropic url": {"type": "image", "source": {"type": "url", "url": URL}},
    "Bedrock": {"image": {"format": "png", "source": {"bytes": PNG}}},
    "Google": {"type": "media", "mime_type": "image/png", "data": BASE64},
    "Google inline": {"inline_data": {"mime_type": "image/png", "data": BASE64}},
}

FILE_ID_BLOCKS: dict[str, dict[str, Any]] = {
    "v1": {"type": "image", "file_id": FILE_ID},
    "v0": {"type": "image", "source_type": "id", "id": FILE_ID},
    "OpenAI Responses": {"type": "input_image", "file_id": FILE_ID},
    "Anthropic": {"type": "image", "source": {"type": "file", "file_id": FILE_ID}},
}

REMOTE_BLOCKS: dict[str, dict[str, Any]] = {
    "v1": {"type": "image", "url": REMOTE},
    "v0": {"type": "image", "source_type": "url", "url": REMOTE},
    "OpenAI": {"type": "image_url", "image_url": {"url": REMOTE}},
    "OpenAI, plain": {"type": "image_url", "image_url": REMOTE},
    "OpenAI Responses": {"type": "input_image", "image_url": REMOTE},
    "Anthropic": {"type": "image", "source": {"type": "url", "url": REMOTE}},
    "Google": {"type": "file_data", "file_uri": REMOTE, "mime_type": "image/png"},
}

OTHER_BLOCKS: list[dict[str, Any]] = [
    {"type": "audio", "base64": "AAAA", "mime_type": "audio/wav"},
    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    {"type": "video", "url": "https://example.org/dress.mp4"},
    {"type": "media", "mime_type": "video/mp4", "data": "AAAA"},
    {"type": "file", "base64": "AAAA", "mime_type": "application/pdf"},
    {"type": "file", "file": {"file_id": FILE_ID}},
    {"type": "document", "source": {"type": "text", "data": "a hat"}},
    {"type": "text-plain", "text": "a hat", "mime_type": "text/plain"},
    {"type": "guardContent", "text": "a hat"},
    {"cachePoint": {"type": "default"}},
]


def read(*messages: Any, **options: Any) -> list[tuple[str, str]]:
    """Role and text of each turn."""
    return texts(dialogue_from_messages(messages, **options))


def texts(dialogue: Dialogue) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for turn in dialogue.turns]


def human(*blocks: str | dict[str, Any]) -> HumanMessage:
    return HumanMessage(list(blocks))


def test_messages_become_turns() -> None:
    dialogue = dialogue_from_messages(
        [HumanMessage("a dress"), AIMessage("Which colour?"), HumanMessage(" red\nplease ")], id="7"
    )

    assert texts(dialogue) == [
        ("user", "a dress"),
        ("assistant", "Which colour?"),
        ("user", "red please"),
    ]
    assert dialogue.id == "7"


def test_no_messages_are_an_empty_dialogue() -> None:
    assert dialogue_from_messages([]) == Dialogue()


def test_questions_stand_with_their_answers() -> None:
    messages = [
        HumanMessage("a dress"),
        AIMessage("", tool_calls=[{"name": "search", "args": {}, "id": "1"}]),
        ToolMessage("1. a hat", tool_call_id="1"),
        AIMessage("Here they are."),
        AIMessage("Is it red?"),
        HumanMessage("yes"),
    ]

    rounds = dialogue_from_messages(messages).rounds()

    assert [(round_.question, round_.answer.text) for round_ in rounds] == [
        ("", "a dress"),
        ("Here they are. Is it red?", "yes"),
    ]


def test_texts_of_blocks_are_joined() -> None:
    message = human(
        "a dress",
        {"type": "text", "text": "with dots"},
        {"type": "input_text", "text": "in red"},
        {"text": "on grass"},
    )

    assert read(message) == [("user", "a dress with dots in red on grass")]


@pytest.mark.parametrize("block", IMAGE_BLOCKS.values(), ids=IMAGE_BLOCKS)
def test_images_of_every_shape_are_read(block: dict[str, Any]) -> None:
    dialogue = dialogue_from_messages([human({"type": "text", "text": "like this"}, block)])

    assert texts(dialogue) == [("user", "like this")]
    (image,) = dialogue.images
    assert (image.mode, image.size, image.getpixel((2, 2))) == ("RGB", SIZE, RED)


@pytest.mark.parametrize("block", IMAGE_BLOCKS.values(), ids=IMAGE_BLOCKS)
def test_reading_changes_no_message(block: dict[str, Any]) -> None:
    message = human(block)
    before = message.model_copy(deep=True)

    dialogue_from_messages([message])

    assert message == before


def test_an_image_alone_is_a_turn() -> None:
    dialogue = dialogue_from_messages([human(*IMAGE_BLOCKS.values())])

    assert texts(dialogue) == [("user", "")]
    assert len(dialogue.images) == len(IMAGE_BLOCKS)


@pytest.mark.parametrize("block", FILE_ID_BLOCKS.values(), ids=FILE_ID_BLOCKS)
def test_a_file_of_a_provider_is_refused_with_the_way_out(block: dict[str, Any]) -> None:
    with pytest.raises(InvalidImageError, match=f"message 1: file id '{FILE_ID}'.*base64"):
        read("a dress", human(block))


@pytest.mark.parametrize("block", REMOTE_BLOCKS.values(), ids=REMOTE_BLOCKS)
def test_urls_are_not_opened_unless_the_application_does(block: dict[str, Any]) -> None:
    asked: list[str] = []

    def open_url(url: str) -> Image.Image:
        asked.append(url)
        return Image.new("RGBA", SIZE, (*RED, 255))

    with pytest.raises(InvalidImageError, match=r"message 0: .*example\.org.*fetch the image"):
        read(human(block))
    (image,) = dialogue_from_messages([human(block)], open_url=open_url).images

    assert asked == [REMOTE]
    assert (image.mode, image.getpixel((0, 0))) == ("RGB", RED)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "/etc/passwd", "dress.png", "gs://a/b", ""])
def test_local_and_other_urls_are_refused(url: str) -> None:
    with pytest.raises(InvalidImageError, match="message 0"):
        read(human({"type": "image", "url": url}))


def test_an_error_of_the_application_is_an_error_of_the_image() -> None:
    def open_url(url: str) -> Image.Image:
        raise TimeoutError("no answer")

    with pytest.raises(InvalidImageError, match=r"message 0: .*TimeoutError: no answer") as caught:
        read(human(REMOTE_BLOCKS["v1"]), open_url=open_url)

    cause = caught.value.__cause__
    assert isinstance(cause, TimeoutError)


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ({"type": "image", "base64": "!!", "mime_type": "image/png"}, "broken base64"),
        ({"type": "image", "base64": "äö", "mime_type": "image/png"}, "broken base64"),
        ({"type": "image", "base64": BASE64[:40], "mime_type": "image/png"}, "cannot be read"),
        ({"type": "image", "base64": "aGF0", "mime_type": "image/png"}, "cannot be read"),
        ({"type": "image", "base64": 5, "mime_type": "image/png"}, "broken base64"),
        ({"type": "image", "base64": BASE64, "mime_type": "text/html"}, "only data:image"),
        ({"type": "image", "url": URL[:-3]}, "broken base64"),
    ],
)
def test_broken_images_are_refused(block: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidImageError, match=f"message 1: .*{reason}"):
        read("a dress", human(block))


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image"},
        {"type": "image", 1: 2},
        {"type": "image", "url": None},
        {"type": "image", "source_type": "base64"},
        {"type": "image", "source_type": "url"},
        {"type": "image", "source_type": "id"},
        {"type": "image", "source_type": "parrot"},
        {"type": "image", "source": {"type": "base64"}},
        {"type": "image", "source": {"type": "parrot"}},
        {"type": "image_url"},
        {"type": "image_url", "image_url": {}},
        {"type": "image_url", "image_url": {"url": 5}},
        {"type": "input_image"},
        {"type": "file", "mime_type": "image/png"},
        {"type": "media", "mime_type": "image/png", "file_uri": "gs://a/b"},
        {"image": {"format": "png", "source": {"bytes": 5}}},
        {"image": {"format": "png", "source": None}},
        {"type": "non_standard"},
        {"type": "non_standard", "value": 5},
        {"type": ["a"]},
        {"type": {}},
        {"type": "text"},
        {"type": "text", "text": None},
        {"type": "text", "text": ["a dress"]},
        {"text": {"a": 1}},
    ],
    ids=str,
)
def test_malformed_blocks_are_refused_by_the_number_of_their_message(block: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match="message 2: "):
        read(HumanMessage("a dress"), AIMessage("red?"), human("yes", block))


@pytest.mark.parametrize("block", OTHER_BLOCKS, ids=str)
def test_what_an_image_search_cannot_use_is_left_out(block: dict[str, Any]) -> None:
    assert read(human("a dress", block), human(block)) == [("user", "a dress")]


@pytest.mark.parametrize(
    "message",
    [
        SystemMessage("You sell hats."),
        SystemMessage([{"type": "text", "text": "You sell hats."}, IMAGE_BLOCKS["v1 url"]]),
        ToolMessage("1. a hat", tool_call_id="1"),
        ToolMessage([{"type": "text", "text": "a hat"}, {"type": "image"}], tool_call_id="1"),
        FunctionMessage("a hat", name="search"),
        ChatMessage("a hat", role="system"),
        ChatMessage("a hat", role="critic"),
        RemoveMessage(id="1"),
        {"role": "developer", "content": "You sell hats."},
        ("system", "You sell hats."),
        AIMessage("", tool_calls=[{"name": "search", "args": {"request": "a hat"}, "id": "1"}]),
        AIMessage([{"type": "tool_use", "name": "search", "input": {"request": "a hat"}}]),
        AIMessage([{"type": "reasoning", "reasoning": "a hat?"}]),
        AIMessage([{"type": "thinking", "thinking": "a hat?"}]),
        AIMessage("", additional_kwargs={"reasoning_content": "a hat?"}),
        AIMessage([IMAGE_BLOCKS["v1 url"], {"type": "image"}]),
        HumanMessage(""),
        HumanMessage(" \n"),
        HumanMessage([]),
        human({"type": "text", "text": ""}),
    ],
    ids=repr,
)
def test_what_nobody_says_to_the_search_is_left_out(message: Any) -> None:
    assert read("a dress", message, "in red") == [("user", "a dress"), ("user", "in red")]


def test_words_beside_a_tool_call_are_kept() -> None:
    called = [{"name": "search", "args": {"request": "a hat"}, "id": "1"}]
    blocks = [
        {"type": "reasoning", "reasoning": "a hat?"},
        {"type": "text", "text": "One moment."},
        {"type": "tool_use", "id": "1", "name": "search", "input": {}},
    ]

    for message in (AIMessage("One moment.", tool_calls=called), AIMessage(blocks)):
        assert read(message) == [("assistant", "One moment.")]


@pytest.mark.parametrize(
    ("role", "turn"),
    [
        ("user", "user"),
        ("Human", "user"),
        ("assistant", "assistant"),
        ("AI", "assistant"),
    ],
)
def test_chat_messages_are_read_by_their_role(role: str, turn: str) -> None:
    assert read(ChatMessage("a dress", role=role)) == [(turn, "a dress")]


def test_images_of_chat_messages_are_read() -> None:
    message = ChatMessage(content=[IMAGE_BLOCKS["OpenAI"]], role="user")

    assert len(dialogue_from_messages([message]).images) == 1


def test_whatever_langchain_takes_for_a_message_is_read() -> None:
    found = read(
        "a dress",
        ("ai", "Which colour?"),
        ["human", "red"],
        {"role": "assistant", "content": "With dots?"},
        {"type": "human", "content": [{"type": "text", "text": "yes"}]},
        {"role": "user", "content": None},
        HumanMessage("white ones").to_json(),
    )

    assert found == [
        ("user", "a dress"),
        ("assistant", "Which colour?"),
        ("user", "red"),
        ("assistant", "With dots?"),
        ("user", "yes"),
        ("user", "white ones"),
    ]


def test_a_prompt_value_is_read() -> None:
    value: Any = ChatPromptValue(messages=[SystemMessage("be brief"), HumanMessage("a dress")])

    assert texts(dialogue_from_messages(value)) == [("user", "a dress")]


def test_message_chunks_are_read() -> None:
    chunk = AIMessageChunk("Which ") + AIMessageChunk("colour?")

    assert read(HumanMessageChunk("a dress"), chunk) == [
        ("user", "a dress"),
        ("assistant", "Which colour?"),
    ]


@pytest.mark.parametrize(
    "value",
    [
        [5],
        [None],
        [("parrot", "a dress")],
        [("human", "a dress", "red")],
        [{"role": "user"}],
        [{"content": "a dress"}],
        [{"role": "tool", "content": "a hat"}],
        [("human", 5)],
        [("human", [5])],
        None,
        5,
        "a dress",
        {"role": "user", "content": "a dress"},
        HumanMessage("a dress"),
    ],
    ids=repr,
)
def test_what_is_no_list_of_messages_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInputError, match="not a list of messages"):
        dialogue_from_messages(value)


SUMMARY = """## SESSION INTENT

The user wants a red dress.

## SUMMARY
- It has white dots.
- None of the blue ones is right.

## ARTIFACTS
None

## NEXT STEPS

- none.
"""
SUMMED_UP = "The user wants a red dress. - It has white dots. - None of the blue ones is right."


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_summary_of_langchains_middleware_is_the_users_words(newline: str) -> None:
    (message,) = SummarizationMiddleware._build_new_messages(SUMMARY.replace("\n", newline))

    assert message.text.startswith("Here is a summary")
    assert read(message, HumanMessage("with sleeves")) == [
        ("user", SUMMED_UP),
        ("user", "with sleeves"),
    ]


def test_a_conversation_that_the_middleware_cut_is_read() -> None:
    model = FunctionChatModel(answer=lambda _: AIMessage(SUMMARY))
    middleware = SummarizationMiddleware(model, trigger=("messages", 3), keep=("messages", 1))
    state: Any = {"messages": [HumanMessage("a dress"), AIMessage("red?"), HumanMessage("long")]}
    update: Any = middleware.before_model(state, None)  # type: ignore[arg-type]

    for messages in (update["messages"], add_messages(state["messages"], update["messages"])):
        assert read(*messages) == [("user", SUMMED_UP), ("user", "long")]


@pytest.mark.parametrize(
    "message",
    [
        SystemMessage("Summary of conversation earlier: a red dress"),
        SystemMessage("Summary of the conversation so far:\n\na red dress"),
        SystemMessage("This is a summary of our previous conversation: a red dress"),
        HumanMessage("Conversation summary: a red dress"),
        HumanMessage("a red dress", additional_kwargs={"lc_source": "summarization"}),
        human(
            {"type": "text", "text": "Here is a summary of the conversation to date: a red dress"}
        ),
    ],
    ids=repr,
)
def test_summaries_are_known_by_what_stands_before_them(message: BaseMessage) -> None:
    assert read(message) == [("user", "a red dress")]


@pytest.mark.parametrize(
    "text",
    [
        "Here is a summary of the conversation to date:",
        "Here is a summary of the conversation to date:\n\n## SESSION INTENT\nNone\n# SUMMARY\n",
        "Here is a summary of the conversation to date:\n\n* None.\n",
    ],
)
def test_an_empty_summary_is_left_out(text: str) -> None:
    message = HumanMessage(text, additional_kwargs={"lc_source": "summarization"})

    assert read(message, "a dress") == [("user", "a dress")]


@pytest.mark.parametrize(
    "text",
    [
        "a poster with a conversation summary: bullet points",
        "none",
        "# a red dress",
        "a summary of conversation topics",
    ],
)
def test_a_users_words_are_no_summary(text: str) -> None:
    assert read(text) == [("user", text)]


def test_an_assistants_summary_stays_the_assistants() -> None:
    text = "Summary of the conversation: you want a dress"

    assert read(AIMessage(text)) == [("assistant", text)]


@pytest.mark.parametrize("filler", ["\n", " ", "#", "- ", "none\n"])
def test_summaries_of_endless_lines_are_read(filler: str) -> None:
    read(f"Conversation summary: a dress{filler * 100_000}in red")


SHAPES = [*IMAGE_BLOCKS.values(), *FILE_ID_BLOCKS.values(), *REMOTE_BLOCKS.values(), *OTHER_BLOCKS]
# What providers write, and whatever else somebody puts in its place.
WORDS = st.sampled_from(
    "text image image_url input_image file audio media non_standard base64 url id document "
    f"reasoning tool_use image/png {URL} {BASE64}".split()
)
KEYS = st.sampled_from(
    sorted({key for block in SHAPES for key in block} | {"text", "value", "format", "bytes"})
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | st.text() | WORDS
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYS | st.text() | st.integers(), inner, max_size=5)
    ),
    max_leaves=8,
)
BLOCKS = st.dictionaries(KEYS, JSON | WORDS, max_size=5) | st.builds(
    lambda kind, rest: {**rest, "type": kind}, WORDS | JSON, st.dictionaries(KEYS, JSON, max_size=4)
)
KNOWN_BLOCKS = st.sampled_from(SHAPES)
CONTENTS = st.text() | st.lists(st.text() | BLOCKS | KNOWN_BLOCKS, max_size=3)
MACHINES = "words of the machine"
MACHINE_CONTENTS = st.text().map(lambda text: f"{MACHINES} {text}") | st.lists(
    st.just(MACHINES) | BLOCKS, max_size=3
)
TALK = st.one_of(
    st.builds(HumanMessage, st.text()),
    st.builds(AIMessage, st.text()),
    st.builds(ChatMessage, st.text(), role=st.sampled_from(["user", "assistant", "other"])),
)
MACHINERY = st.one_of(
    st.builds(SystemMessage, MACHINE_CONTENTS),
    st.builds(ToolMessage, MACHINE_CONTENTS, tool_call_id=st.text()),
    st.builds(FunctionMessage, MACHINE_CONTENTS, name=st.text()),
)
ANYTHING = st.one_of(
    TALK,
    MACHINERY,
    st.builds(HumanMessage, CONTENTS),
    st.builds(HumanMessageChunk, CONTENTS),
    st.builds(
        AIMessage,
        CONTENTS,
        response_metadata=st.fixed_dictionaries(
            {"model_provider": st.sampled_from(["openai", "anthropic", "google_genai", "other"])}
        ),
    ),
    st.just(RemoveMessage(id="1")),
    st.tuples(st.sampled_from(["human", "ai", "system", "parrot"]), CONTENTS),
    st.fixed_dictionaries({}, optional={"role": WORDS | st.just("user"), "content": JSON}),
    JSON,
)


@given(st.lists(TALK | MACHINERY, max_size=6))
def test_all_that_the_user_says_is_in_the_dialogue_and_nothing_of_the_machinery(
    messages: list[BaseMessage],
) -> None:
    dialogue = dialogue_from_messages(messages)

    said = [str(message.text) for message in messages if isinstance(message, HumanMessage)]
    spoken = [turn.text for turn in dialogue.user_turns]
    assert {" ".join(text.split()) for text in said} - {""} <= set(spoken)
    assert not any(MACHINES in turn.text for turn in dialogue.turns)


@given(st.lists(ANYTHING, max_size=4))
def test_whatever_is_given_it_is_read_or_refused(messages: list[Any]) -> None:
    with suppress(DARError):
        assert isinstance(dialogue_from_messages(messages), Dialogue)


@given(st.lists(BLOCKS | KNOWN_BLOCKS, min_size=1, max_size=3))
def test_whatever_blocks_are_given_they_are_read_or_refused(blocks: list[Any]) -> None:
    said: object = ""
    try:
        said = dialogue_from_messages([HumanMessage(blocks)])
    except InvalidInputError as error:
        said = str(error)

    assert isinstance(said, Dialogue) or str(said).startswith("message 0: ")
