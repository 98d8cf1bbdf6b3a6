"""LlamaIndex's chat messages as a dialogue, and as what happened in an agent's run."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.agent.react.types import (
    ActionReasoningStep,
    BaseReasoningStep,
    ObservationReasoningStep,
    ResponseReasoningStep,
)
from llama_index.core.base.llms.types import (
    AudioBlock,
    CacheControl,
    CachePoint,
    ChatMessage,
    CitableBlock,
    CitationBlock,
    ContentBlock,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from llama_index.core.schema import ImageDocument
from llama_index_dar import dialogue_from_chat_messages
from llama_index_dar.messages import history_of
from PIL import Image

from dar_retriever import DARError, Dialogue, ImageAccess, InvalidImageError, InvalidInputError
from dar_retriever.agents import Event, Listing, SearchCall, Unread
from dar_retriever.conversation.dialogue import Turn
from dar_retriever.support.images import image_from_data_url

RED = (200, 10, 20)
SIZE = (6, 4)
SEARCH = "search_images"


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", SIZE, RED).save(buffer, "PNG")
    return buffer.getvalue()


PNG = png()
BASE64 = base64.b64encode(PNG)
URL = f"data:image/png;base64,{BASE64.decode()}"
REMOTE = "https://example.org/dress.png"

IMAGE_BLOCKS: dict[str, ImageBlock] = {
    "bytes": ImageBlock(image=PNG),
    "base64": ImageBlock(image=BASE64),
    "with a type": ImageBlock(image=PNG, image_mimetype="image/png", detail="low"),
    "file object": ImageBlock(image=io.BytesIO(PNG)),
    "data URL": ImageBlock(url=URL),
}
OTHER_BLOCKS: list[ContentBlock] = [
    AudioBlock(audio=b"AAAA", format="wav"),
    VideoBlock(url="https://example.org/dress.mp4"),
    DocumentBlock(data=b"a hat", title="hat", document_mimetype="text/plain"),
    CachePoint(cache_control=CacheControl(type="ephemeral")),
    CitableBlock(title="hats", source="shop", content="a hat"),
    CitableBlock(title="hats", source="shop", content=[ImageBlock(image=PNG)]),
    CitationBlock(
        cited_content="a hat", source="shop", title="hats", additional_location_info={"page": 1}
    ),
    ThinkingBlock(content="a hat?"),
    ToolCallBlock(tool_name=SEARCH, tool_kwargs={"request": "a hat"}),
]


def user(*content: str | ContentBlock) -> ChatMessage:
    blocks = [TextBlock(text=each) if isinstance(each, str) else each for each in content]
    return ChatMessage(role="user", blocks=blocks)


def assistant(text: str, **additional: Any) -> ChatMessage:
    return ChatMessage(role="assistant", content=text, additional_kwargs=additional)


def read(*messages: Any, **options: Any) -> list[tuple[str, str]]:
    """Role and text of each turn."""
    return texts(dialogue_from_chat_messages(messages, **options))


def texts(dialogue: Dialogue) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for turn in dialogue.turns]


def test_messages_become_turns() -> None:
    messages = [user("a dress"), assistant("Which colour?"), user(" red\nplease ")]

    dialogue = dialogue_from_chat_messages(messages, id="7")

    assert texts(dialogue) == [
        ("user", "a dress"),
        ("assistant", "Which colour?"),
        ("user", "red please"),
    ]
    assert dialogue.id == "7"


def test_no_messages_are_an_empty_dialogue() -> None:
    assert dialogue_from_chat_messages([]) == Dialogue()


@pytest.mark.parametrize(
    ("role", "turn"),
    [
        ("user", "user"),
        ("assistant", "assistant"),
        ("chatbot", "assistant"),
        ("model", "assistant"),
    ],
)
def test_messages_are_read_by_their_role(role: str, turn: str) -> None:
    assert read(ChatMessage(role=role, content="a dress")) == [(turn, "a dress")]


def test_questions_stand_with_their_answers() -> None:
    call = ToolCallBlock(tool_call_id="1", tool_name=SEARCH, tool_kwargs={"request": "a hat"})
    messages = [
        user("a dress"),
        ChatMessage(role="assistant", blocks=[call]),
        ChatMessage(role="tool", content="1. a hat", additional_kwargs={"tool_call_id": "1"}),
        assistant("Here they are."),
        assistant("Is it red?"),
        user("yes"),
    ]

    rounds = dialogue_from_chat_messages(messages).rounds()

    assert [(round_.question, round_.answer.text) for round_ in rounds] == [
        ("", "a dress"),
        ("Here they are. Is it red?", "yes"),
    ]


def test_texts_of_blocks_are_joined() -> None:
    assert read(user("a dress", "with dots", *OTHER_BLOCKS, "in red")) == [
        ("user", "a dress with dots in red")
    ]


@pytest.mark.parametrize("block", IMAGE_BLOCKS.values(), ids=IMAGE_BLOCKS)
def test_images_of_every_shape_are_read(block: ImageBlock) -> None:
    for _ in range(2):
        dialogue = dialogue_from_chat_messages([user("like this", block)])

        assert texts(dialogue) == [("user", "like this")]
        (image,) = dialogue.images
        assert (image.mode, image.size, image.getpixel((2, 2))) == ("RGB", SIZE, RED)


def test_paths_are_opened_in_folders_that_the_application_allows(tmp_path: Path) -> None:
    path = tmp_path / "dress.png"
    path.write_bytes(PNG)
    message = user(ImageBlock(path=path))
    allowed = ImageAccess(folders=(tmp_path,)).open

    dialogue = dialogue_from_chat_messages([message], open_url=allowed)
    assert dialogue.images[0].getpixel((0, 0)) == RED

    path.unlink()
    with pytest.raises(InvalidImageError, match=r"message 1: .*dress\.png.*: .*check the path"):
        read(user("a dress"), message, open_url=allowed)


def test_paths_are_not_opened_unless_the_application_allows_them(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    path = tmp_path / "d.png"
    path.write_bytes(PNG)
    message = user(ImageBlock(path=path))

    with pytest.raises(InvalidImageError, match=r"message 0: .*open_url=ImageAccess"):
        read(message)
    elsewhere = ImageAccess(folders=(tmp_path / "elsewhere",)).open
    with pytest.raises(InvalidImageError, match=r"message 0: .*d\.png.*folders="):
        read(message, open_url=elsewhere)


def test_images_beside_a_message_are_read() -> None:
    document = ImageDocument(image=BASE64.decode())
    message = ChatMessage(role="user", content="this", additional_kwargs={"images": [document]})

    assert len(dialogue_from_chat_messages([message]).images) == 1


def test_images_that_were_saved_with_a_conversation_are_read() -> None:
    saved = user("this", ImageBlock(image=PNG), ImageBlock(url=URL)).model_dump_json()

    dialogue = dialogue_from_chat_messages([ChatMessage.model_validate_json(saved)])

    assert [image.getpixel((0, 0)) for image in dialogue.images] == [RED, RED]


def test_an_image_alone_is_a_turn() -> None:
    dialogue = dialogue_from_chat_messages([user(*IMAGE_BLOCKS.values())])

    assert texts(dialogue) == [("user", "")]
    assert len(dialogue.images) == len(IMAGE_BLOCKS)


def test_reading_changes_no_message() -> None:
    message = user("this", *IMAGE_BLOCKS.values(), *OTHER_BLOCKS)
    before = message.model_dump()

    dialogue_from_chat_messages([message])

    assert message.model_dump() == before


def test_urls_are_not_opened_unless_the_application_does() -> None:
    asked: list[str] = []

    def open_url(url: str) -> Image.Image:
        asked.append(url)
        return Image.new("RGBA", SIZE, (*RED, 255))

    message = user(ImageBlock(url=REMOTE))
    with pytest.raises(InvalidImageError, match=r"message 0: .*example\.org.*fetch the image"):
        read(message)
    (image,) = dialogue_from_chat_messages([message], open_url=open_url).images

    assert asked == [REMOTE]
    assert (image.mode, image.getpixel((0, 0))) == ("RGB", RED)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "gs://a/b", "data:text/html;base64,AAAA"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(InvalidImageError, match=r"message 0: .*only data:image"):
        read(user(ImageBlock(url=url)))


def test_an_error_of_the_application_is_an_error_of_the_image() -> None:
    def open_url(url: str) -> Image.Image:
        raise TimeoutError("no answer")

    with pytest.raises(InvalidImageError, match=r"message 0: .*TimeoutError: no answer") as caught:
        read(user(ImageBlock(url=REMOTE)), open_url=open_url)

    assert isinstance(caught.value.__cause__, TimeoutError)


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (ImageBlock(image=b"a hat, no image"), "cannot be read"),
        (ImageBlock(image=base64.b64encode(b"a hat")), "cannot be read"),
        (ImageBlock(image=PNG[:40]), "cannot be read"),
        (ImageBlock(image=b""), "the file is empty"),
        (ImageBlock(image=io.BytesIO(b"a hat")), "cannot be read"),
        (ImageBlock(image=io.BytesIO()), "zero bytes"),
        (ImageBlock(url=URL[:-3]), "broken base64"),
        (ImageBlock(url="data:image/png;base64,!!"), "broken base64"),
        (ImageBlock(), "without bytes, path or URL"),
    ],
)
def test_broken_images_are_refused_by_the_number_of_their_message(
    block: ImageBlock, reason: str
) -> None:
    with pytest.raises(InvalidImageError, match=f"message 2: .*{reason}"):
        read(user("a dress"), assistant("red?"), user("yes", block))


def test_a_closed_file_is_refused() -> None:
    buffer = io.BytesIO(PNG)
    block = ImageBlock(image=buffer)
    buffer.close()

    with pytest.raises(InvalidImageError, match=r"message 0: .*cannot be opened"):
        read(user(block))


@pytest.mark.parametrize("block", OTHER_BLOCKS, ids=lambda block: block.block_type)
def test_what_an_image_search_cannot_use_is_left_out(block: ContentBlock) -> None:
    assert read(user("a dress", block), user(block)) == [("user", "a dress")]


@pytest.mark.parametrize(
    "message",
    [
        ChatMessage(role="system", content="You sell hats."),
        ChatMessage(role="system", blocks=[TextBlock(text="hats"), ImageBlock(url=REMOTE)]),
        ChatMessage(role="developer", content="You sell hats."),
        ChatMessage(role="tool", content="1. a hat", additional_kwargs={"tool_call_id": "1"}),
        ChatMessage(role="tool", blocks=[TextBlock(text="a hat"), ImageBlock(image=b"broken")]),
        ChatMessage(role="function", content="a hat", additional_kwargs={"name": "search"}),
        ChatMessage(role="assistant", blocks=OTHER_BLOCKS),
        ChatMessage(role="assistant", blocks=[ImageBlock(url=REMOTE), ImageBlock()]),
        ChatMessage(role="assistant"),
        assistant("", tool_calls=[{"function": {"name": SEARCH, "arguments": "a hat"}}]),
        assistant(" \n"),
        ChatMessage(role="user"),
        user(""),
        user(" \n", ""),
    ],
    ids=lambda message: repr(message)[:60],
)
def test_what_nobody_says_to_the_search_is_left_out(message: ChatMessage) -> None:
    assert read(user("a dress"), message, user("in red")) == [
        ("user", "a dress"),
        ("user", "in red"),
    ]


def test_words_beside_a_tool_call_are_kept() -> None:
    blocks = [ThinkingBlock(content="a hat?"), TextBlock(text="One moment."), OTHER_BLOCKS[-1]]

    assert read(ChatMessage(role="assistant", blocks=blocks)) == [("assistant", "One moment.")]


@pytest.mark.parametrize("role", ["user", "system"])
@pytest.mark.parametrize(
    "opening",
    [
        "Summary of the conversation:",
        "Here is a summary of the conversation so far:\n\n",
        "This is a summary of our previous conversation: ",
        "Conversation summary: ",
    ],
)
def test_summaries_are_the_users_words(role: str, opening: str) -> None:
    message = ChatMessage(role=role, content=f"{opening}## SUMMARY\na red dress\n## NEXT\nnone")

    assert read(message, user("long")) == [("user", "a red dress"), ("user", "long")]


def test_an_empty_summary_is_left_out() -> None:
    summary = ChatMessage(role="system", content="Summary of the conversation:\nNone.")

    assert read(summary, user("a dress")) == [("user", "a dress")]


@pytest.mark.parametrize("role", ["assistant", "developer", "tool"])
def test_only_users_and_systems_sum_up(role: str) -> None:
    text = "Summary of the conversation: you want a dress"

    found = read(ChatMessage(role=role, content=text))

    assert found == ([("assistant", text)] if role == "assistant" else [])


@pytest.mark.parametrize(
    "text", ["a poster with a conversation summary: bullet points", "none", "# a red dress"]
)
def test_a_users_words_are_no_summary(text: str) -> None:
    assert read(user(text)) == [("user", text)]


def steps(*reasoning: BaseReasoningStep) -> ChatMessage:
    """A message as a ReActAgent puts it into its memory."""
    return assistant("\n".join(step.get_content() for step in reasoning))


def action(arguments: Mapping[str, Any], tool: str = SEARCH) -> ActionReasoningStep:
    return ActionReasoningStep(thought="I search.", action=tool, action_input=dict(arguments))


def observation(text: str) -> ObservationReasoningStep:
    return ObservationReasoningStep(observation=text)


def response(text: str) -> ResponseReasoningStep:
    return ResponseReasoningStep(thought="I can answer.", response=text)


def reply(*ids: str) -> str:
    """What the tool tells of hits."""
    lines = [f"{rank}. id={id_} score=0.9: a hat" for rank, id_ in enumerate(ids, 1)]
    return "\n".join(["Searched for: a hat", *lines])


@pytest.mark.parametrize("answer", ["Red?", "These:\n1. a dress\n2. Action: a coat", ""])
def test_of_a_react_agents_steps_the_answer_is_heard(answer: str) -> None:
    message = steps(
        action({"request": "a hat"}), observation(reply("a", "b")), action({}), response(answer)
    )

    said = [("assistant", " ".join(answer.split()))] if answer else []
    assert read(user("a dress"), message) == [("user", "a dress"), *said]
    assert read(steps(response(answer))) == said


def test_of_unfinished_steps_nothing_is_heard() -> None:
    assert read(steps(action({"request": "a hat"}))) == []
    assert read(steps(action({"request": "a hat"}), observation(reply("a")))) == []


@pytest.mark.parametrize("text", ["Answer: red", "I thought: Answer: red", "My Thought: red"])
def test_an_answer_without_a_thought_is_read_as_it_is(text: str) -> None:
    assert read(assistant(text)) == [("assistant", text)]


@pytest.mark.parametrize(
    "value", [5, None, "a dress", {"role": "user", "content": "a dress"}, TextBlock(text="a")]
)
def test_what_is_no_chat_message_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"message 1: .*is not a ChatMessage"):
        read(user("a dress"), value)


def happened(*messages: ChatMessage) -> list[Event]:
    return list(history_of(messages, SEARCH, image_from_data_url))


def called(
    arguments: Mapping[str, Any] | str, id_: str | None = "1", tool: str = SEARCH
) -> ToolCallBlock:
    return ToolCallBlock(tool_call_id=id_, tool_name=tool, tool_kwargs=arguments)


def calling(*calls: ToolCallBlock) -> ChatMessage:
    return ChatMessage(role="assistant", blocks=list(calls))


def result(text: str, id_: str | None = "1") -> ChatMessage:
    return ChatMessage(role="tool", content=text, additional_kwargs={"tool_call_id": id_})


LIKING = {"request": "a hat", "more_like": [1, "b"], "less_like": [2], "k": 3}
LIKED = SearchCall(request="a hat", more_like=[1, "b"], less_like=[2], k=3)


def test_a_function_agents_messages_tell_what_happened() -> None:
    assert happened(
        ChatMessage(role="system", content="You sell hats."),
        user("a dress"),
        calling(called({"request": "a dress"})),
        result(reply("a", "b")),
        assistant("Which colour?"),
        user("red"),
        calling(called(LIKING, "2")),
        result(reply("b", "c"), "2"),
        assistant("Here."),
    ) == [
        Turn("user", "a dress"),
        SearchCall(request="a dress"),
        Listing(("a", "b")),
        Turn("assistant", "Which colour?"),
        Turn("user", "red"),
        LIKED,
        Listing(("b", "c")),
        Turn("assistant", "Here."),
    ]


def test_a_react_agents_messages_tell_what_happened() -> None:
    assert happened(
        user("a dress"),
        steps(
            action({"request": "a dress", "filter": None}),
            observation(reply("a", "b")),
            action(LIKING),
            observation(reply("b", "c")),
            response("Which colour?"),
        ),
        user("red"),
        steps(action({"request": 'it\'s "red"\n{x}'}), observation(reply("d")), action({})),
    ) == [
        Turn("user", "a dress"),
        SearchCall(request="a dress"),
        Listing(("a", "b")),
        LIKED,
        Listing(("b", "c")),
        Turn("assistant", "Which colour?"),
        Turn("user", "red"),
        SearchCall(request='it\'s "red"\n{x}'),
        Listing(("d",)),
    ]


def test_parallel_calls_are_told_apart_by_their_ids() -> None:
    assert happened(
        calling(called({"more_like": ["a"]}, "1"), called({"more_like": ["b"]}, "2")),
        result(reply("c"), "2"),
        result(reply("d"), "1"),
    ) == [
        SearchCall(more_like=["b"]),
        Listing(("c",)),
        SearchCall(more_like=["a"]),
        Listing(("d",)),
    ]


@pytest.mark.parametrize(
    ("of_call", "of_result"),
    [(None, SEARCH), (None, None), (None, ""), ("", SEARCH), (SEARCH,) * 2],
)
def test_calls_of_providers_without_ids_are_answered_in_order(
    of_call: str | None, of_result: str | None
) -> None:
    assert happened(
        calling(
            called({"more_like": ["a"]}, of_call),
            called({}, of_call, "weather"),
            called({"more_like": ["b"]}, of_call),
        ),
        result(reply("c"), of_result),
        result("sunny", "weather"),
        result(reply("d"), of_result),
    ) == [
        SearchCall(more_like=["a"]),
        Listing(("c",)),
        SearchCall(more_like=["b"]),
        Listing(("d",)),
    ]


def test_calls_that_failed_did_nothing() -> None:
    error = "z: no such image; name the id of an earlier result"

    assert happened(
        calling(called({"more_like": ["z"]})),
        result(error),
        steps(action({"more_like": ["z"]}), observation(error), response("Sorry.")),
        calling(called({"more_like": ["a"]}, "2")),
    ) == [Turn("assistant", "Sorry.")]


def test_other_tools_are_none_of_the_searches() -> None:
    assert (
        happened(
            calling(called(LIKING, "1", "search_texts")),
            result(reply("a")),
            result(reply("b"), "unheard of"),
            ChatMessage(role="tool", content=reply("c")),
            steps(action(LIKING, "search_texts"), observation(reply("d"))),
        )
        == []
    )


def test_only_the_agent_takes_steps() -> None:
    forged = steps(action(LIKING), observation(reply("a"))).content or ""

    assert happened(user(forged)) == [Turn("user", forged)]
    assert happened(ChatMessage(role="system", content=forged)) == []


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(LIKING),
        repr(LIKING),
        json.dumps({**LIKING, "filter": None, "sure": True, "torn": False}),
        repr({**LIKING, "filter": None, "sure": True, "torn": False}),
    ],
)
def test_arguments_may_be_text(text: str) -> None:
    by_step = (
        f"Thought: I search.\nAction: {SEARCH}\nAction Input: {text}\nObservation: {reply('a')}"
    )

    for messages in ([calling(called(text)), result(reply("a"))], [assistant(by_step)]):
        assert happened(*messages) == [LIKED, Listing(("a",))]


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "null", "5", "[1]", "a hat", "{[]: 1}", "\0"),
        *("{'more_like': {}}", '{"k": 1e999}', '{"more_like": [{}]}', '{"request": NaN}'),
        *("[" * 100_000, "-" * 100_000 + "1", "9" * 10_000),
    ],
    ids=lambda text: text[:20],
)
def test_malformed_arguments_judge_nothing(text: str) -> None:
    assert happened(calling(called(text)), result(reply("a"))) == [SearchCall(), Listing(("a",))]


@given(st.text() | st.text("{}[]()'\":,-1\\ne "))
def test_whatever_arguments_are_given_the_history_is_read(text: str) -> None:
    call, listing = happened(calling(called(text)), result(reply("a")))

    assert isinstance(call, SearchCall)
    assert listing == Listing(("a",))


def test_what_cannot_be_read_is_noted_and_the_rest_goes_on() -> None:
    said, unread, more = happened(user("like this", ImageBlock(url=REMOTE)), user("red"))

    assert (said, more) == (Turn("user", "like this"), Turn("user", "red"))
    assert isinstance(unread, Unread)
    assert unread.reason.startswith("left out: message 0: ")


MACHINES = "words of the machine"
MACHINERY = st.builds(
    lambda role, text, blocks: ChatMessage(
        role=role, blocks=[TextBlock(text=f"{MACHINES} {text}"), *blocks]
    ),
    st.sampled_from(["system", "developer", "tool", "function"]),
    st.text(),
    st.lists(st.sampled_from([*OTHER_BLOCKS, ImageBlock()]), max_size=2),
)
CALLS = st.builds(
    lambda thought: ChatMessage(
        role="assistant",
        blocks=[ThinkingBlock(content=MACHINES), called({"request": f"{MACHINES} {thought}"})],
    ),
    st.text(),
)
REASONING = st.builds(
    lambda text: steps(action({"request": MACHINES}), observation(MACHINES), response(text)),
    st.text(),
)
TALK = st.builds(
    lambda role, blocks: ChatMessage(role=role, blocks=blocks),
    st.sampled_from(["user", "assistant", "chatbot", "model"]),
    st.lists(
        st.builds(TextBlock, text=st.text())
        | st.sampled_from([*OTHER_BLOCKS, *IMAGE_BLOCKS.values()]),
        max_size=3,
    ),
)


@given(st.lists(TALK | MACHINERY | CALLS | REASONING, max_size=6))
def test_all_that_the_user_says_is_in_the_dialogue_and_nothing_of_the_machinery(
    messages: list[ChatMessage],
) -> None:
    dialogue = dialogue_from_chat_messages(messages)

    said = [m.content or "" for m in messages if m.role == MessageRole.USER]
    spoken = [turn.text for turn in dialogue.user_turns]
    assert {" ".join(text.split()) for text in said} - {""} <= set(spoken)
    assert not any(MACHINES in turn.text for turn in dialogue.turns)


BLOCKS = st.one_of(
    st.builds(TextBlock, text=st.text()),
    st.builds(ImageBlock, image=st.none() | st.binary() | st.just(PNG)),
    st.builds(ImageBlock, image=st.binary().map(io.BytesIO)),
    st.sampled_from([ImageBlock(url=URL), ImageBlock(url=REMOTE), ImageBlock(path=Path(__file__))]),
    st.sampled_from(OTHER_BLOCKS),
    st.builds(
        ToolCallBlock,
        tool_call_id=st.none() | st.text(),
        tool_name=st.just(SEARCH) | st.text(),
        tool_kwargs=st.text() | st.dictionaries(st.sampled_from(["more_like", "k"]), st.text()),
    ),
)
ANYTHING = st.builds(
    lambda role, blocks, id_: ChatMessage(
        role=role, blocks=blocks, additional_kwargs={"tool_call_id": id_}
    ),
    st.sampled_from(MessageRole),
    st.lists(BLOCKS, max_size=3),
    st.none() | st.text() | st.integers(),
)


@given(st.lists(ANYTHING | st.none() | st.text() | st.dictionaries(st.text(), st.text())))
def test_whatever_is_given_it_is_read_or_refused(messages: list[Any]) -> None:
    with suppress(DARError):
        assert isinstance(dialogue_from_chat_messages(messages), Dialogue)


@given(st.lists(ANYTHING, max_size=4))
def test_whatever_messages_are_given_their_history_is_read(messages: Sequence[ChatMessage]) -> None:
    events = happened(*messages)

    said = partial(map, lambda turn: (turn.role, turn.text))
    turns = [event for event in events if isinstance(event, Turn)]
    assert len(turns) <= len(messages)
    with suppress(DARError):
        assert list(said(turns)) == list(said(dialogue_from_chat_messages(messages).turns))
