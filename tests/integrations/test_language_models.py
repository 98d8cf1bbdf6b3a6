"""Chat models of LangChain and LLMs of LlamaIndex as language models of this package."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import langchain_dar
import llama_index_dar
import pytest
from chat_models import FunctionChatModel
from fakes import ScriptedModel
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage
from llama_index.core.base.llms.types import (
    ChatMessage,
    CompletionResponse,
    LLMMetadata,
    TextBlock,
    ToolCallBlock,
)
from llama_index.core.llms import LLM, CustomLLM, MockLLM
from llama_index.core.llms.mock import MockFunctionCallingLLM
from pydantic import Field

from dar_retriever import (
    Dialogue,
    LanguageModel,
    LanguageModelError,
    LLMReformulator,
    Reformulation,
    ingest,
)
from dar_retriever.language_models.answers import ask
from dar_retriever.reformulation.llm import SearchText

ARGUMENTS = {
    "caption": "it's a red {mug}",
    "prompts": ["a red mug", 'a red mug that says "tea"'],
    "exclusions": ["people"],
    "subject_since": 0,
}
ANSWER = SearchText.model_validate(ARGUMENTS)
INSTRUCTIONS = 'Answer with JSON such as {"caption": "a dress"}, {caption}, {} and {{caption}}.'
# Templates of either framework would fill these in, or fail to.
DATA = '{"turns": [{"text": "{caption} {0} {} {{x}} {schema.name} }{ %s $prompts \\u007b"}]}'
TOLD = [("system", INSTRUCTIONS), ("user", DATA)]

Given = list[list[tuple[str, str]]]


@dataclass
class Reply:
    """What a model replies: a call of the function that stands for the form, or a text."""

    text: str = ""
    arguments: Any = None
    function: str = "SearchText"


CALL = Reply(arguments=ARGUMENTS)
TEXT = Reply(json.dumps(ARGUMENTS))


def langchain_message(reply: Reply) -> AIMessage:
    calls = [{"name": reply.function, "args": reply.arguments, "id": "call-0"}]
    return AIMessage(reply.text, tool_calls=[] if reply.arguments is None else calls)


def langchain_given(model: FunctionChatModel) -> Given:
    roles = {"human": "user", "ai": "assistant"}
    return [[(roles.get(m.type, m.type), str(m.text)) for m in given] for given in model.given]


class WordsOnlyChatModel(FunctionChatModel):
    """Cannot call tools, as most models of BaseChatModel."""

    bind_tools = BaseChatModel.bind_tools


class RefusingChatModel(FunctionChatModel):
    """Says by an error of its own that it cannot call tools."""

    error: Exception

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
        raise self.error


def langchain_model(*replies: Reply, kind: Any = FunctionChatModel, **fields: Any) -> Any:
    rest = iter(replies)
    return kind(answer=lambda _: langchain_message(next(rest)), **fields)


class ScriptedLLM(CustomLLM):
    """Completes prompts with its texts in turn."""

    texts: list[str]
    given: list[str] = Field(default_factory=list)

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata()

    def complete(self, prompt: str, formatted: bool = False, **_: Any) -> CompletionResponse:  # noqa: FBT001, FBT002
        self.given.append(prompt)
        return CompletionResponse(text=self.texts[len(self.given) - 1])

    def stream_complete(self, prompt: str, formatted: bool = False, **_: Any) -> Any:  # noqa: FBT001, FBT002
        raise NotImplementedError


class RecordingLLM(MockFunctionCallingLLM):
    """Calls functions, and keeps what it was given."""

    given: Given = Field(default_factory=list)


class RefusingLLM(RecordingLLM):
    """Could call functions, were its model one that does."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(is_function_calling_model=False)


class BoastingLLM(ScriptedLLM):
    """Says that it calls functions and has no way to."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(is_function_calling_model=True)


def llama_index_model(*replies: Reply, kind: Any = RecordingLLM) -> Any:
    rest = iter(replies)
    return llama_index_model_by(lambda _: next(rest), kind)


def llama_index_model_by(choose: Callable[[str], Reply], kind: Any = RecordingLLM) -> Any:
    """Replies by what the last message says."""

    def answer(messages: Sequence[ChatMessage], **_: Any) -> ChatMessage:
        llm.given.append([(message.role.value, message.content or "") for message in messages])
        reply = choose(llm.given[-1][-1][1])
        if reply.arguments is None:
            return ChatMessage(role="assistant", content=reply.text)
        call = ToolCallBlock(
            tool_call_id="call-0", tool_name=reply.function, tool_kwargs=reply.arguments
        )
        texts = [TextBlock(text=reply.text)] if reply.text else []
        return ChatMessage(role="assistant", blocks=[*texts, call])

    llm = kind(response_generator=answer)
    return llm


def asked(model: LanguageModel) -> tuple[SearchText, int]:
    return ask(model, INSTRUCTIONS, DATA, SearchText, 30)


def reformulated(model: LanguageModel) -> Reformulation:
    reformulator = LLMReformulator(model, count_tokens=lambda text: len(text.split()))
    return reformulator.reformulate(Dialogue.from_text("a {red} mug"))


# LangChain.


@pytest.mark.parametrize("reply", [CALL, TEXT, Reply("Here you are.", ARGUMENTS)])
def test_a_chat_model_that_calls_tools_keeps_to_the_form(reply: Reply) -> None:
    model = langchain_model(reply)

    assert asked(langchain_dar.language_model(model)) == (ANSWER, 1)
    assert langchain_given(model) == [TOLD]


def test_a_chat_model_is_given_the_form_as_a_tool() -> None:
    class Recording(FunctionChatModel):
        tools: list[Any] = Field(default_factory=list)

        def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
            self.tools.extend(tools)
            return self

    model = langchain_model(CALL, kind=Recording)

    asked(langchain_dar.language_model(model))

    assert model.tools == [SearchText]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"caption": 3, "prompts": []}, "caption: Input should be a valid string"),
        ({"caption": "a mug"}, "prompts: Field required"),
        ({**ARGUMENTS, "subject_since": -1}, "subject_since: Input should be greater"),
        ({**ARGUMENTS, "caption": "a" * 1001}, "caption: String should have at most 1000"),
        ({}, "caption: Field required; prompts: Field required"),
    ],
    ids=["type", "missing", "negative", "long", "empty"],
)
def test_a_chat_model_is_told_what_was_wrong_with_its_arguments(
    wrong: dict[str, Any], why: str
) -> None:
    model = langchain_model(Reply(arguments=wrong), CALL)

    assert asked(langchain_dar.language_model(model)) == (ANSWER, 2)

    first, second = langchain_given(model)
    assert first == second[:2] == TOLD
    assert second[2] == ("assistant", json.dumps(wrong))
    assert second[3][0] == "user"
    assert why in second[3][1]


@pytest.mark.parametrize(
    "reply",
    [
        Reply("A red mug, I would say."),
        Reply(""),
        Reply(arguments={"query": "red mug"}, function="search"),
    ],
    ids=["prose", "nothing", "another tool"],
)
def test_a_chat_model_that_does_not_call_the_tool_is_asked_again(reply: Reply) -> None:
    model = langchain_model(reply, CALL)

    assert asked(langchain_dar.language_model(model)) == (ANSWER, 2)
    with pytest.raises(LanguageModelError):
        asked(langchain_dar.language_model(langchain_model(reply, reply)))


def malformed(*arguments: str | None, text: str = "") -> AIMessage:
    """A message with calls whose arguments LangChain cannot read."""
    calls = [
        {"name": "SearchText", "args": each, "id": f"call-{number}", "error": "no JSON"}
        for number, each in enumerate(arguments)
    ]
    return AIMessage(text, invalid_tool_calls=calls)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (malformed('{"caption": "a'), '{"caption": "a'),
        (malformed('{"caption": "a', "mug}"), '{"caption": "amug}'),
        (malformed('{"caption": "a', text="A red mug."), "A red mug."),
        (malformed(None), "(nothing)"),
        (malformed("", None), "(nothing)"),
    ],
    ids=["cut off", "two calls", "text beside", "none", "two of none"],
)
def test_a_call_that_is_no_json_is_asked_again(message: AIMessage, said: str) -> None:
    messages = iter([message, langchain_message(CALL)])

    model = FunctionChatModel(answer=lambda _: next(messages))

    assert asked(langchain_dar.language_model(model)) == (ANSWER, 2)
    first, second = langchain_given(model)
    assert first == second[:2] == TOLD
    assert second[2] == ("assistant", said)
    assert "it holds no JSON object" in second[3][1]


@pytest.mark.parametrize("around", ["```json\n{}\n```", "{}}}", "Arguments: {}"])
def test_an_object_within_malformed_arguments_is_taken(around: str) -> None:
    model = FunctionChatModel(answer=lambda _: malformed(around.format(TEXT.text)))

    assert asked(langchain_dar.language_model(model)) == (ANSWER, 1)


def test_actions_beside_the_arguments_are_left_out() -> None:
    model = langchain_model(Reply(arguments={**ARGUMENTS, "where": {"kind": "sofa"}, "k": 99}))

    reply = langchain_dar.language_model(model)([{"role": "user", "content": "x"}], SearchText)

    assert json.loads(reply) == {**ARGUMENTS, "conditions": []}


@pytest.mark.parametrize(
    "build",
    [
        lambda *replies: langchain_model(*replies, kind=WordsOnlyChatModel),
        *(
            lambda *replies, error=error: langchain_model(
                *replies, kind=RefusingChatModel, error=error
            )
            for error in (NotImplementedError(), ValueError("no tools"), TypeError("no tools"))
        ),
    ],
    ids=["not implemented", "NotImplementedError", "ValueError", "TypeError"],
)
@pytest.mark.parametrize("text", ["{}", "Sure:\n```json\n{}\n```\nThat is {{it}}."])
def test_a_chat_model_without_tools_is_told_in_words(build: Callable[..., Any], text: str) -> None:
    model = build(Reply(text.format(TEXT.text)))

    assert asked(langchain_dar.language_model(model)) == (ANSWER, 1)
    assert langchain_given(model) == [TOLD]


@pytest.mark.parametrize(
    ("texts", "tries"), [([TEXT.text], 1), (["A red mug.", TEXT.text], 2)], ids=["JSON", "prose"]
)
@pytest.mark.parametrize(
    "build",
    [
        lambda texts: GenericFakeChatModel(messages=iter(texts)),
        lambda texts: GenericFakeChatModel(messages=iter(map(AIMessage, texts))),
        lambda texts: FakeListChatModel(responses=texts),
    ],
    ids=["generic, texts", "generic, messages", "list"],
)
def test_langchains_own_models_answer(
    build: Callable[[list[str]], BaseChatModel], texts: list[str], tries: int
) -> None:
    assert asked(langchain_dar.language_model(build(texts))) == (ANSWER, tries)


def test_text_in_blocks_is_read() -> None:
    halves = TEXT.text[:20], TEXT.text[20:]
    message = AIMessage([{"type": "text", "text": half} for half in halves])

    model = GenericFakeChatModel(messages=iter([message]))

    assert asked(langchain_dar.language_model(model)) == (ANSWER, 1)


@pytest.mark.parametrize("kind", [FunctionChatModel, WordsOnlyChatModel])
def test_a_chat_model_of_prose_alone_is_an_error(kind: Any) -> None:
    model = langchain_model(Reply("A red mug."), Reply("As I said, a red mug."), kind=kind)

    with pytest.raises(LanguageModelError, match="it holds no JSON object"):
        asked(langchain_dar.language_model(model))
    assert len(model.given) == 2


@pytest.mark.parametrize("kind", [FunctionChatModel, WordsOnlyChatModel])
@pytest.mark.parametrize("error", [ValueError("no key"), RuntimeError("quota")])
@pytest.mark.parametrize("before", [0, 1], ids=["first try", "second try"])
def test_a_chat_models_own_error_goes_through(kind: Any, error: Exception, before: int) -> None:
    def fail(_: list[BaseMessage]) -> AIMessage:
        if len(model.given) <= before:
            return AIMessage("A red mug.")
        raise error

    model = kind(answer=fail)

    with pytest.raises(type(error)) as caught:
        asked(langchain_dar.language_model(model))
    assert caught.value is error
    assert len(model.given) == before + 1


# LlamaIndex.


@pytest.mark.parametrize(
    "reply",
    [CALL, TEXT, Reply("Here you are.", ARGUMENTS), Reply(f"Sure: {TEXT.text}")],
    ids=["call", "text", "both", "prose around"],
)
def test_an_llm_that_calls_functions_keeps_to_the_form(reply: Reply) -> None:
    llm = llama_index_model(reply)

    assert asked(llama_index_dar.language_model(llm)) == (ANSWER, 1)
    # To the letter: LlamaIndex takes what it is given for templates.
    assert llm.given == [TOLD]


def test_an_llm_is_given_the_form_as_a_function_that_it_has_to_call() -> None:
    class Recording(RecordingLLM):
        tools: list[Any] = Field(default_factory=list)

        def chat_with_tools(self, tools: Sequence[Any], *args: Any, **options: Any) -> Any:
            assert options["tool_required"]
            self.tools.extend(tools)
            return super().chat_with_tools(tools, *args, **options)

    llm = llama_index_model(CALL, kind=Recording)

    asked(llama_index_dar.language_model(llm))

    (tool,) = llm.tools
    assert tool.metadata.fn_schema is SearchText
    function = tool.metadata.to_openai_tool()["function"]
    assert function["name"] == "SearchText"
    assert function["description"] == SearchText.__doc__
    schema = SearchText.model_json_schema()
    assert function["parameters"]["properties"] == schema["properties"]
    assert function["parameters"]["required"] == schema["required"] == ["caption", "prompts"]


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply(arguments={"caption": 3, "prompts": []}), "caption: Input should be a valid string"),
        (Reply(arguments={"caption": "a mug"}), "prompts: Field required"),
        (Reply(arguments={**ARGUMENTS, "subject_since": -1}), "subject_since: Input should be gre"),
        (Reply(arguments={**ARGUMENTS, "caption": "a" * 1001}), "caption: String should have at"),
        (Reply(arguments={}), "caption: Field required; prompts: Field required"),
        (Reply("Here you are.", {"caption": "a mug"}), "prompts: Field required"),
        (Reply(arguments={"query": "mug"}, function="search"), "caption: Field required; prompts"),
        (Reply("A red mug, I would say."), "it holds no JSON object."),
        (Reply("A {red} mug."), "it holds no JSON object that can be read"),
        (Reply(""), "it holds no JSON object."),
    ],
    ids=[
        "type",
        "missing",
        "negative",
        "long",
        "empty",
        "text beside",
        "another function",
        "prose",
        "braces",
        "nothing",
    ],
)
def test_an_llm_that_does_not_keep_to_the_form_is_asked_again(reply: Reply, why: str) -> None:
    llm = llama_index_model(reply, CALL)

    assert asked(llama_index_dar.language_model(llm)) == (ANSWER, 2)

    first, second = llm.given
    assert first == second[:2] == TOLD
    said = reply.text if reply.arguments is None else json.dumps(reply.arguments)
    assert second[2] == ("assistant", said or "(nothing)")
    assert second[3][0] == "user"
    assert second[3][1].startswith(f"That was no valid answer: {why}")


def test_arguments_that_llama_index_reads_in_part_are_asked_again() -> None:
    llm = llama_index_model(Reply(arguments='{"caption": "a red m'), CALL)

    assert asked(llama_index_dar.language_model(llm)) == (ANSWER, 2)
    assert json.loads(llm.given[1][2][1]).keys() == {"caption"}
    assert "prompts: Field required" in llm.given[1][3][1]


def test_of_several_calls_the_first_counts() -> None:
    other = {**ARGUMENTS, "caption": "a blue mug"}
    calls = [
        ToolCallBlock(tool_call_id=str(number), tool_name="SearchText", tool_kwargs=arguments)
        for number, arguments in enumerate([ARGUMENTS, other])
    ]
    message = ChatMessage(role="assistant", blocks=calls)

    llm = RecordingLLM(response_generator=lambda messages, **_: message)

    assert asked(llama_index_dar.language_model(llm)) == (ANSWER, 1)


def test_an_llm_of_prose_alone_is_an_error() -> None:
    llm = llama_index_model(Reply("A red mug."), Reply("As I said, a red mug."))

    with pytest.raises(LanguageModelError, match=r"it holds no JSON object$"):
        asked(llama_index_dar.language_model(llm))
    assert len(llm.given) == 2


def test_actions_beside_a_functions_arguments_reach_no_reformulation() -> None:
    actions = {**ARGUMENTS, "where": {"kind": "sofa"}, "k": 99}

    assert asked(llama_index_dar.language_model(llama_index_model(Reply(arguments=actions)))) == (
        ANSWER,
        1,
    )
    assert reformulated(llama_index_dar.language_model(llama_index_model(Reply("", actions)))) == (
        reformulated(ScriptedModel(TEXT.text))
    )


@pytest.mark.parametrize(
    "llm",
    [lambda: llama_index_model(TEXT, kind=RefusingLLM), lambda: BoastingLLM(texts=[TEXT.text])],
    ids=["of another model", "of another kind"],
)
def test_an_llm_that_cannot_call_functions_is_told_in_words(llm: Callable[[], LLM]) -> None:
    assert asked(llama_index_dar.language_model(llm())) == (ANSWER, 1)


@pytest.mark.parametrize("text", ["{}", "Sure:\n```json\n{}\n```\nThat is {{it}}."])
def test_an_llm_without_functions_is_told_in_words(text: str) -> None:
    llm = ScriptedLLM(texts=[text.format(TEXT.text)])

    assert asked(llama_index_dar.language_model(llm)) == (ANSWER, 1)
    (prompt,) = llm.given
    assert INSTRUCTIONS in prompt
    assert DATA in prompt


def test_an_llm_without_functions_is_asked_again() -> None:
    llm = ScriptedLLM(texts=["A red mug.", TEXT.text])

    assert asked(llama_index_dar.language_model(llm)) == (ANSWER, 2)
    assert "A red mug." in llm.given[1]
    assert "it holds no JSON object" in llm.given[1]


@pytest.mark.parametrize(
    "llm",
    [MockLLM(), MockLLM(max_tokens=4), ScriptedLLM(texts=["A red mug.", ""])],
    ids=["echo", "text", "scripted"],
)
def test_an_llm_without_functions_that_answers_in_prose_is_an_error(llm: LLM) -> None:
    with pytest.raises(LanguageModelError, match="no valid answer in two tries"):
        asked(llama_index_dar.language_model(llm))


@pytest.mark.parametrize("kind", [RecordingLLM, RefusingLLM])
@pytest.mark.parametrize("error", [ValueError("no key"), ConnectionError("no route")])
@pytest.mark.parametrize("before", [0, 1], ids=["first try", "second try"])
def test_an_llms_own_error_goes_through(kind: Any, error: Exception, before: int) -> None:
    def fail(_: str) -> Reply:
        if len(llm.given) <= before:
            return Reply("A red mug.")
        raise error

    llm = llama_index_model_by(fail, kind)

    with pytest.raises(type(error)) as caught:
        asked(llama_index_dar.language_model(llm))
    assert caught.value is error
    assert len(llm.given) == before + 1


def test_the_error_of_an_llm_without_functions_goes_through() -> None:
    class Failing(ScriptedLLM):
        def complete(self, prompt: str, formatted: bool = False, **_: Any) -> Any:  # noqa: FBT001, FBT002
            raise ConnectionError("no route")

    with pytest.raises(ConnectionError, match="no route"):
        asked(llama_index_dar.language_model(Failing(texts=[])))


# Both, in use.


@pytest.mark.parametrize(
    "model",
    [
        lambda: langchain_dar.language_model(langchain_model(CALL)),
        lambda: langchain_dar.language_model(langchain_model(TEXT, kind=WordsOnlyChatModel)),
        lambda: llama_index_dar.language_model(llama_index_model(CALL)),
        lambda: llama_index_dar.language_model(ScriptedLLM(texts=[TEXT.text])),
        lambda: ScriptedModel(TEXT.text),
    ],
    ids=["chat model", "chat model in words", "LLM", "LLM in words", "function"],
)
def test_a_dialogue_is_reformulated_alike_by_every_kind_of_model(
    model: Callable[[], LanguageModel],
) -> None:
    assert reformulated(model()) == Reformulation(
        "it's a red {mug}",
        ("a red mug", 'a red mug that says "tea"'),
        ("people",),
        0,
        ("reformulated by a language model",),
    )


SAID = "I'd like {one} of those for tea"
FOUND = {"caption": "a red mug", "prompts": ["a red mug", "a mug"], "exclusions": ["people"]}
K = 3


def reply_to(data: str) -> Reply:
    """Keeps to the form for one text alone."""
    return Reply(arguments=FOUND) if "{one}" in data else Reply("Let me see.")


@dataclass
class Opened:
    """A preset opened by both frameworks over the same store, and the models it asks."""

    chains: langchain_dar.DARRetriever
    chat_model: FunctionChatModel
    engines: llama_index_dar.DARRetriever
    llm: RecordingLLM


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, gallery_folder: Path) -> Opened:
    folder = tmp_path_factory.mktemp("opened")
    # What the one has drawn the other need not draw again.
    place: dict[str, Any] = {"store": folder / "store", "cache_folder": folder / "cache"}
    chat_model = FunctionChatModel(
        answer=lambda given: langchain_message(reply_to(str(given[-1].text)))
    )
    llm = llama_index_model_by(reply_to)
    chains = langchain_dar.DARRetriever.from_preset("demo", llm=chat_model, k=K, **place)
    ingest(gallery_folder, chains.retriever.store, chains.retriever.query_encoder.encoder)
    engines = llama_index_dar.DARRetriever.from_preset("demo", llm=llm, k=K, **place)
    for retriever in (chains.retriever, engines.retriever):
        retriever.query_encoder.images_per_turn = 2
    return Opened(chains, chat_model, engines, llm)


def chains_found(opened: Opened, said: str) -> list[dict[str, Any]]:
    return [document.metadata for document in opened.chains.invoke(said)]


def engines_found(opened: Opened, said: str) -> list[dict[str, Any]]:
    return [found.node.metadata for found in opened.engines.retrieve(said)]


def chains_given(opened: Opened) -> Given:
    return langchain_given(opened.chat_model)


def engines_given(opened: Opened) -> Given:
    return opened.llm.given


BOTH = pytest.mark.parametrize(
    ("found_by", "given_to"),
    [(chains_found, chains_given), (engines_found, engines_given)],
    ids=["langchain", "llama_index"],
)


@BOTH
def test_a_preset_with_a_model_asks_it(opened: Opened, found_by: Any, given_to: Any) -> None:
    metadata = found_by(opened, SAID)

    assert len(metadata) == K
    # What was said says neither.
    assert {found["kind"] for found in metadata} == {"mug"}
    assert metadata[0]["colour"] == "red"
    trace = metadata[0]["trace"]
    assert trace["caption"] == "a red mug"
    assert trace["prompts"] == ["a red mug", "a mug"]
    assert trace["generated"] == 2
    assert "reformulated by a language model" in trace["reasons"]
    assert trace["fallbacks"] == []
    system, data = given_to(opened)[-1]
    assert "4 different prompts" in system[1]
    assert json.loads(data[1]) == {"turns": [{"number": 0, "role": "user", "text": SAID}]}


@BOTH
def test_a_preset_goes_on_without_a_model_that_fails(
    opened: Opened, found_by: Any, given_to: Any
) -> None:
    metadata = found_by(opened, "a teal sofa")

    assert {found["kind"] for found in metadata} == {"sofa"}
    trace = metadata[0]["trace"]
    assert trace["caption"] == "a teal sofa"
    (fallback,) = trace["fallbacks"]
    assert fallback.startswith("reformulation failed, rules were used: LanguageModelError: ")
    assert "a teal sofa" in given_to(opened)[-1][1][1]


def test_the_models_reformulator_keeps_to_the_presets_encoder(opened: Opened) -> None:
    for retriever in (opened.chains.retriever, opened.engines.retriever):
        encoder = retriever.query_encoder.encoder
        reformulator = retriever.query_encoder.reformulator
        assert isinstance(reformulator, LLMReformulator)
        assert reformulator._max_tokens == encoder.max_tokens
        assert reformulator._count_tokens("a red mug") == encoder.count_tokens("a red mug")
