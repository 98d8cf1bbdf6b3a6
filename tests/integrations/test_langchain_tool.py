"""The image search in LangChain's agents."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from chat_models import Caller, FunctionChatModel
from fakes import DrawingGenerator, FailingGenerator, far_from
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, SummarizationMiddleware
from langchain_core.documents import Document
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import ToolException
from langchain_dar import DARRetriever, create_image_search_tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES, add_messages
from langgraph.prebuilt import ToolNode
from pydantic import BaseModel

from dar_retriever import (
    DARQueryEncoder,
    DiffusionAugmentedRetriever,
    FacetQuestions,
    NoQuestions,
    Question,
    SearchResult,
    StoreUnavailableError,
)
from dar_retriever.agents import GENERATED_LABEL, listed_ids
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
CHATTER = ["hm", "let me think about it", "thanks", "not sure", "ok", "show me more"]
K = 3


@pytest.fixture(scope="module")
def retriever(demo: DiffusionAugmentedRetriever) -> DARRetriever:
    return DARRetriever(retriever=demo, k=K)


@pytest.fixture(scope="module")
def words(demo: DiffusionAugmentedRetriever) -> DARRetriever:
    """The same without generated images."""
    searching = DiffusionAugmentedRetriever(
        DARQueryEncoder(demo.query_encoder.encoder), demo.store, closeness=demo.closeness
    )
    return DARRetriever(retriever=searching, k=K)


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


def agent_with(
    retriever: DARRetriever,
    arguments: Callable[[str], dict[str, Any]] = short_request,
    **options: Any,
) -> Any:
    options.setdefault("checkpointer", InMemorySaver())
    return create_agent(
        Caller(arguments=arguments), [create_image_search_tool(retriever)], **options
    )


def thread(name: str) -> Any:
    return {"configurable": {"thread_id": name}}


def say(agent: Any, text: str, name: str = "one") -> ToolMessage:
    """Say something in a thread; what the tool replied."""
    state = agent.invoke({"messages": [HumanMessage(text)]}, thread(name))
    return replies(state)[-1]


def replies(state: dict[str, Any]) -> list[ToolMessage]:
    return [message for message in state["messages"] if isinstance(message, ToolMessage)]


def documents(reply: ToolMessage) -> list[Document]:
    """The artifact's documents; checkpoints give them back as plain data."""
    return [Document.model_validate(document) for document in reply.artifact["documents"]]


def ids(reply: ToolMessage) -> list[str | None]:
    return [document.id for document in documents(reply)]


def files(reply: ToolMessage) -> list[str]:
    return [Path(document.metadata["uri"]).name for document in documents(reply)]


def heard(reply: ToolMessage) -> list[str]:
    """What the user said in the dialogue that was searched with."""
    return [turn["text"] for turn in reply.artifact["dialogue"] if turn["role"] == "user"]


def test_five_turns_find_the_target_though_the_last_request_alone_does_not(
    retriever: DARRetriever,
) -> None:
    agent = agent_with(retriever)

    found = [say(agent, text) for text in SAID]

    calls = [
        call["args"]["request"]
        for message in agent.get_state(thread("one")).values["messages"]
        if isinstance(message, AIMessage)
        for call in message.tool_calls
    ]
    assert len(calls) == len(SAID)
    assert all(len(request.split()) <= 2 for request in calls)
    assert heard(found[-1]) == SAID
    assert files(found[-1])[0] == picture_name(TARGET)
    alone = retriever.invoke(calls[-1])
    assert picture_name(TARGET) not in [Path(found.metadata["uri"]).name for found in alone]


async def test_five_turns_find_the_target_asynchronously(retriever: DARRetriever) -> None:
    agent = agent_with(retriever)
    for text in SAID:
        state = await agent.ainvoke({"messages": [HumanMessage(text)]}, thread("one"))

    assert picture_name(TARGET) in files(replies(state)[-1])


def test_the_assistants_questions_stand_with_their_answers(retriever: DARRetriever) -> None:
    tool = create_image_search_tool(retriever)
    node = ToolNode([tool])
    messages: list[AnyMessage] = [
        SystemMessage("You sell mugs."),
        HumanMessage("a handbag"),
        AIMessage("Is it teal?"),
        HumanMessage("yes"),
        AIMessage("", tool_calls=[{"name": tool.name, "args": {}, "id": "1"}]),
    ]

    (reply,) = run_node(node, {"messages": messages})

    assert [turn["text"] for turn in reply.artifact["dialogue"]] == [
        "a handbag",
        "Is it teal?",
        "yes",
    ]
    assert "teal" in reply.artifact["trace"]["caption"]
    assert "mugs" not in reply.artifact["trace"]["caption"]


def run_node(node: ToolNode, state: Any, schema: Any = None) -> list[ToolMessage]:
    """Run a tool node as a graph of its own."""

    class State(BaseModel):
        messages: Annotated[list[AnyMessage], add_messages]

    graph = StateGraph(schema or State)
    graph.add_node("tools", node)
    graph.add_edge(START, "tools")
    graph.add_edge("tools", END)
    done = graph.compile().invoke(state)
    return [
        message
        for messages in done.values()
        for message in messages
        if isinstance(message, ToolMessage)
    ]


def test_messages_may_stand_elsewhere_in_the_state(retriever: DARRetriever) -> None:
    class State(BaseModel):
        talk: Annotated[list[AnyMessage], add_messages]

    tool = create_image_search_tool(retriever, messages_key="talk")
    call = AIMessage("", tool_calls=[{"name": tool.name, "args": {"request": "teal"}, "id": "1"}])

    (reply,) = run_node(
        ToolNode([tool], messages_key="talk"),
        {"talk": [HumanMessage("a handbag"), call]},
        State,
    )

    assert heard(reply) == ["a handbag", "teal"]


def test_the_model_is_asked_for_what_it_wants_and_for_nothing_else(
    retriever: DARRetriever,
) -> None:
    tool = create_image_search_tool(retriever)
    schema = tool.tool_call_schema.model_json_schema()

    assert set(schema["properties"]) == {"request", "k", "filter", "more_like", "less_like"}
    assert all(field["description"] for field in schema["properties"].values())
    assert "colour: " in tool.description


def test_the_model_gets_a_numbered_list_and_thumbnails(retriever: DARRetriever) -> None:
    reply = say(agent_with(retriever), "a handbag")

    text, *rest = reply.content
    *_, first, second, third, question = text["text"].splitlines()
    hits = zip((first, second, third), documents(reply), strict=True)
    for number, (line, document) in enumerate(hits, 1):
        assert line.startswith(f"{number}. id={document.id} score=")
        assert line.endswith(f"{document.page_content} (shows: {document.metadata['shows']})")
    assert question.startswith("To narrow it down, ask the user: Which ")
    assert [block["type"] for block in rest] == ["text", "image"] * K
    assert [block["text"] for block in rest[::2]] == [f"Image {n}:" for n in range(1, K + 1)]
    for block in rest[1::2]:
        picture = image_from_data_url(f"data:{block['mime_type']};base64,{block['base64']}")
        assert max(picture.size) <= 256


def test_models_that_read_only_get_text(retriever: DARRetriever) -> None:
    tool = create_image_search_tool(retriever, images="none")

    content = tool.invoke({"request": "a teal handbag"})

    assert isinstance(content, str)
    assert content.startswith("Searched for: a teal handbag")


def test_the_application_gets_documents_and_generated_images(retriever: DARRetriever) -> None:
    artifact = say(agent_with(retriever), "a teal handbag").artifact

    assert all(isinstance(document, Document) for document in artifact["documents"])
    assert len(artifact["generated"]) == retriever.retriever.query_encoder.images_per_turn
    for generated in artifact["generated"]:
        assert image_from_data_url(generated["image"]).size == (128, 128)
        assert generated["prompt"] == "a teal handbag"
    assert artifact["trace"]["caption"] == "a teal handbag"
    json.dumps({**artifact, "documents": [found.model_dump() for found in artifact["documents"]]})


def test_progress_tells_text_hits_generated_images_and_final_hits(
    retriever: DARRetriever,
) -> None:
    agent = agent_with(retriever)
    said = {"messages": [HumanMessage("a teal handbag")]}

    events = list(agent.stream(said, thread("one"), stream_mode="custom"))

    assert [event["type"] for event in events] == ["text_hits", "generated_images", "hits"]
    assert {event["tool"] for event in events} == {"search_images"}
    assert len(events[0]["hits"]) == len(events[2]["hits"]) == K
    final = replies(agent.get_state(thread("one")).values)[-1]
    assert [hit["id"] for hit in events[2]["hits"]] == ids(final)
    assert {event["tool_call_id"] for event in events} == {final.tool_call_id}


async def test_progress_is_told_asynchronously_too(retriever: DARRetriever) -> None:
    agent = agent_with(retriever)
    said = {"messages": [HumanMessage("a teal handbag")]}

    kinds = [
        event["type"] async for event in agent.astream(said, thread("one"), stream_mode="custom")
    ]

    assert kinds == ["text_hits", "generated_images", "hits"]


def test_what_is_turned_down_never_comes_back(retriever: DARRetriever) -> None:
    agent = agent_with(retriever, judging)
    first = ids(say(agent, "a handbag"))

    second = ids(say(agent, "not 1"))
    third = ids(say(agent, "not 1"))
    fourth = ids(say(agent, "teal"))

    assert first[0] not in second + third + fourth
    assert second[0] not in third + fourth
    assert len(third) == K


def test_more_like_one_brings_it_up(retriever: DARRetriever) -> None:
    agent = agent_with(retriever, judging)
    first = say(agent, "a handbag")

    assert ids(say(agent, "like 3"))[0] == ids(first)[2]


def test_hits_are_named_by_id_when_the_list_is_long_gone(retriever: DARRetriever) -> None:
    agent = agent_with(retriever.model_copy(update={"k": 20}), judging)
    named = ids(say(agent, "a handbag"))[2]
    before = ids(say(agent, "in teal"))

    # No handbag is teal: what was liked comes nearer, but the words still count.
    assert ids(say(agent, f"like {named}")).index(named) < before.index(named)
    assert named not in ids(say(agent, f"not {named}"))


def test_numbers_mean_the_last_list(retriever: DARRetriever) -> None:
    agent = agent_with(retriever, judging)
    say(agent, "a handbag")
    second = ids(say(agent, "teal"))

    assert f'"more_like": ["{second[1]}"]' in str(say(agent, "like 2").content)


def test_threads_of_one_agent_do_not_hear_each_other(retriever: DARRetriever) -> None:
    agent = agent_with(retriever, judging)
    say(agent, "a handbag", "one")
    say(agent, "a sofa", "two")
    turned_down = ids(say(agent, "not 1", "two"))

    one, two = say(agent, "teal", "one"), say(agent, "red", "two")

    assert heard(one) == ["a handbag", "teal"]
    assert heard(two) == ["a sofa", "not 1", "red"]
    assert turned_down


async def test_threads_at_the_same_time_do_not_hear_each_other(retriever: DARRetriever) -> None:
    agent = agent_with(retriever, judging)
    kinds = ["handbag", "sofa", "mug", "boot"]

    async def talk(kind: str) -> dict[str, Any]:
        for text in (f"a {kind}", "teal"):
            said = {"messages": [HumanMessage(text)]}
            state = await agent.ainvoke(said, thread(kind))
        return dict(state)

    states = await asyncio.gather(*map(talk, kinds))

    assert [heard(replies(state)[-1]) for state in states] == [[f"a {k}", "teal"] for k in kinds]


def test_a_thread_goes_on_from_a_strict_checkpoint(
    retriever: DARRetriever, caplog: pytest.LogCaptureFixture
) -> None:
    saver = InMemorySaver(serde=JsonPlusSerializer(allowed_msgpack_modules=None))
    first = ids(say(agent_with(retriever, judging, checkpointer=saver), "a handbag"))

    with caplog.at_level(logging.WARNING):
        agent = agent_with(retriever, judging, checkpointer=saver)
        kept = replies(agent.get_state(thread("one")).values)[-1]
        second = ids(say(agent, "not 1"))

    assert ids(kept) == first
    assert first[0] not in second
    assert "msgpack" not in caplog.text


def test_a_conversation_of_a_hundred_messages(retriever: DARRetriever) -> None:
    talk: list[BaseMessage] = []
    told = iter(SAID)
    for number in range(50):
        text = next(told) if number % 10 == 0 else CHATTER[number % len(CHATTER)]
        talk += [HumanMessage(text), AIMessage("Here they are. Anything else?")]
    agent = agent_with(retriever)

    state = agent.invoke({"messages": [*talk, HumanMessage("show me")]}, thread("one"))

    reply = replies(state)[-1]
    assert len(heard(reply)) >= 50
    assert picture_name(TARGET) in files(reply)
    encoder = retriever.retriever.query_encoder.encoder
    assert encoder.count_tokens(reply.artifact["trace"]["caption"]) <= encoder.max_tokens


def test_a_summary_stands_for_what_it_replaced(retriever: DARRetriever) -> None:
    summary = f"## SESSION INTENT\na {PRODUCT.colour} {PRODUCT.kind}\n## ARTIFACTS\nNone"
    middleware: AgentMiddleware[Any, Any] = SummarizationMiddleware(
        FunctionChatModel(answer=lambda _: AIMessage(summary)),
        trigger=("messages", 6),
        keep=("messages", 2),
    )
    agent = agent_with(retriever, middleware=[middleware])

    for text in ("good morning", "how are you?", "show me some"):
        reply = say(agent, text)

    assert heard(reply)[0] == f"a {PRODUCT.colour} {PRODUCT.kind}"
    assert "good morning" not in heard(reply)
    assert all(document.metadata["kind"] == PRODUCT.kind for document in documents(reply))


def test_a_trimmed_conversation_goes_on_with_what_is_left(retriever: DARRetriever) -> None:
    class Trim(AgentMiddleware[Any, Any]):
        def before_model(self, state: Any, runtime: Any) -> dict[str, Any]:
            kept = [RemoveMessage(id=REMOVE_ALL_MESSAGES), *state["messages"][-3:]]
            return {"messages": kept}

    agent = agent_with(retriever, judging, middleware=[Trim()])
    first = ids(say(agent, "a handbag"))
    say(agent, "teal")
    say(agent, "with white dots")

    reply = say(agent, f"not {first[0]}")

    assert reply.status == "success"
    assert "a handbag" not in heard(reply)
    assert first[0] not in ids(reply)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ({"more_like": [9]}, "a number from 1 to 3"),
        ({"less_like": ["nothing-like-it"]}, "nothing-like-it: no such image"),
        ({"request": "teal", "filter": {"price": {"$near": 3}}}, "is not a filter"),
        ({"k": 99}, "k=99"),
        ({"request": ["teal"]}, "request=['teal']"),
    ],
)
def test_the_model_is_told_what_was_wrong_and_can_go_on(
    retriever: DARRetriever, arguments: dict[str, Any], hint: str
) -> None:
    agent = agent_with(retriever, lambda said: arguments if said == "wrong" else {"request": said})
    say(agent, "a handbag")

    refused, mended = say(agent, "wrong"), say(agent, "teal")

    assert refused.status == "error"
    assert hint in str(refused.text)
    assert mended.status == "success"


def test_nothing_said_is_a_tool_error(retriever: DARRetriever) -> None:
    tool = create_image_search_tool(retriever)

    message = tool.invoke({"name": tool.name, "args": {}, "id": "1", "type": "tool_call"})

    assert message.status == "error"
    assert "describe the wanted image" in message.content


@pytest.mark.parametrize("error", [StoreUnavailableError("no server"), RuntimeError("surprise")])
def test_a_store_that_fails_does_not_end_the_run(
    retriever: DARRetriever,
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent = agent_with(retriever)

    def fail(*_: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(retriever.retriever.store, "search", fail)
        state = agent.invoke({"messages": [HumanMessage("a handbag")]}, thread("one"))

    assert replies(state)[-1].status == "error"
    assert str(error) in str(replies(state)[-1].text)
    assert state["messages"][-1].type == "ai"


def test_a_generator_that_fails_is_told_and_the_hits_come(
    demo: DiffusionAugmentedRetriever,
) -> None:
    query_encoder = DARQueryEncoder(
        demo.query_encoder.encoder, FailingGenerator(RuntimeError("no memory"))
    )
    retriever = DARRetriever(retriever=DiffusionAugmentedRetriever(query_encoder, demo.store))

    reply = say(agent_with(retriever), "a teal handbag")

    assert reply.artifact["generated"] == []
    assert "Note: generation failed" in reply.content[0]["text"]
    assert len(reply.artifact["documents"]) == retriever.k


def test_an_image_that_cannot_be_read_is_told_and_the_words_count(
    retriever: DARRetriever,
) -> None:
    agent = agent_with(retriever, lambda _: {})
    said = HumanMessage(
        [
            {"type": "text", "text": "a teal handbag like this"},
            {"type": "image", "url": "https://example.org/handbag.jpg"},
        ]
    )

    reply = replies(agent.invoke({"messages": [said]}, thread("one")))[-1]

    assert reply.status == "success"
    assert heard(reply) == ["a teal handbag like this"]
    assert "only data:image" in str(reply.artifact["trace"]["fallbacks"])


def test_the_retrievers_own_filter_and_limit_hold(demo: DiffusionAugmentedRetriever) -> None:
    retriever = DARRetriever(retriever=demo, filter={"kind": "mug"}, k=20)
    call = {"request": "a boot", "filter": {"background": {"$ne": "sand"}}}

    sofas = create_image_search_tool(retriever, images="none").invoke(
        {**call, "filter": {"kind": "sofa"}}
    )
    every = scores_in(create_image_search_tool(retriever, images="none").invoke(call))
    middle = sorted(every)[len(every) // 2]
    # Half of the last digit shown: the limit is on the search's score, whatever orders the hits.
    limited = retriever.model_copy(update={"min_score": middle - 0.0005})
    best = create_image_search_tool(limited, images="none").invoke(call)

    assert "No stored image matches the filter." in sofas
    assert min(every) < middle
    assert scores_in(best) == [score for score in every if score >= middle]
    assert best.count(" mug, ") == len(scores_in(best))


def scores_in(text: str) -> list[float]:
    return [float(part.split(":")[0]) for part in text.split("score=")[1:]]


def test_a_request_that_says_nothing_new_is_not_said_twice(retriever: DARRetriever) -> None:
    agent = agent_with(retriever, lambda said: {"request": "teal handbag"})

    assert heard(say(agent, "I want a teal handbag")) == ["I want a teal handbag"]


class Asker(Caller):
    """Calls the tool, then asks the user one question."""

    question: str

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        result = super()._generate(messages)
        if messages[-1].type != "human":
            result.generations[0] = ChatGeneration(message=AIMessage(self.question))
        return result


def asking_agent(retriever: DARRetriever, question: str, **options: Any) -> Any:
    model = Asker(arguments=lambda said: {"request": said}, question=question)
    tool = create_image_search_tool(retriever, images="none", **options)
    return create_agent(model, [tool], checkpointer=InMemorySaver())


def test_the_reply_offers_the_question_that_narrows_the_search_down(words: DARRetriever) -> None:
    reply = say(asking_agent(words, "?"), "a handbag")

    question = FacetQuestions(words.retriever).next_question(words.retriever.search("a handbag"))
    assert question is not None
    assert reply.content.splitlines()[-1] == f"To narrow it down, ask the user: {question}"
    assert reply.artifact["question"] == {
        "text": question.text,
        "choices": list(question.choices),
    }
    assert reply.artifact["close"] is True
    assert len(ids(reply)) == K


@pytest.mark.parametrize("said", ["mint", "I think it is mint", "mint, please"])
def test_the_answer_to_a_question_of_the_model_is_read_with_it(
    words: DARRetriever, said: str
) -> None:
    agent = asking_agent(words, "Which background?")
    say(agent, "a handbag")

    reply = say(agent, said)

    assert [turn["text"] for turn in reply.artifact["dialogue"]] == [
        "a handbag",
        "Which background?",
        said,
    ]
    assert "mint background" in reply.artifact["trace"]["caption"]
    asked = reply.artifact["question"]
    assert asked is None or asked["text"] != "Which background?"


def test_a_questioner_of_ones_own_asks_and_may_ask_nothing(words: DARRetriever) -> None:
    class Polite:
        def next_question(self, result: SearchResult) -> Question | None:
            return Question("Anything else?\n9. id=trap score=1.000: trap")

    silent = say(asking_agent(words, "?", questioner=NoQuestions()), "a handbag")
    polite = say(asking_agent(words, "?", questioner=Polite()), "a handbag")

    assert silent.artifact["question"] is None
    assert "ask the user" not in silent.content
    assert polite.artifact["question"]["text"].startswith("Anything else?")
    assert listed_ids(polite.content) == listed_ids(silent.content) == tuple(ids(silent))


def test_a_questioner_that_fails_is_told_and_the_hits_come(words: DARRetriever) -> None:
    class Failing:
        def next_question(self, result: SearchResult) -> Question | None:
            raise RuntimeError("no idea")

    reply = say(asking_agent(words, "?", questioner=Failing()), "a handbag")

    assert "Note: no question was found: RuntimeError: no idea" in reply.content
    assert reply.artifact["trace"]["fallbacks"] == ["no question was found: RuntimeError: no idea"]
    assert len(ids(reply)) == K


async def test_where_nothing_is_close_a_generated_image_is_shown_as_one(
    demo: DiffusionAugmentedRetriever,
) -> None:
    far = DARRetriever(retriever=far_from("dog", demo, DrawingGenerator()), k=K)
    agent = agent_with(far, lambda said: {"request": said})
    said = {"messages": [HumanMessage("a dog on a beach")]}

    state = await agent.ainvoke(said, thread("one"))

    reply = replies(state)[-1]
    text, *rest = reply.content
    assert "Nothing in the collection is close to this; say so to the user." in text["text"]
    assert "offer it, and say that it is generated" in text["text"]
    assert reply.artifact["close"] is False
    assert [block["type"] for block in rest] == ["text", "image"] * (K + 1)
    assert rest[-2]["text"] == GENERATED_LABEL
    shown = f"data:{rest[-1]['mime_type']};base64,{rest[-1]['base64']}"
    assert shown == reply.artifact["generated"][0]["image"]
    # Its number is no image's.
    assert listed_ids(text["text"]) == tuple(ids(reply))


def test_models_that_read_only_are_told_that_nothing_is_close(
    demo: DiffusionAugmentedRetriever,
) -> None:
    far = DARRetriever(retriever=far_from("dog", demo), k=K)

    reply = say(asking_agent(far, "?"), "a dog on a beach")

    assert "Nothing in the collection is close to this" in reply.content
    assert GENERATED_LABEL not in reply.content
    assert reply.artifact["close"] is False


def test_what_is_close_shows_no_generated_image(retriever: DARRetriever) -> None:
    reply = say(agent_with(retriever), "a handbag")

    assert reply.artifact["close"] is True
    assert GENERATED_LABEL not in str(reply.content)


def test_errors_are_the_callers_where_no_model_made_the_call(retriever: DARRetriever) -> None:
    tool = create_image_search_tool(retriever).model_copy(update={"handle_tool_error": False})

    with pytest.raises(ToolException, match="no such image"):
        tool.invoke({"more_like": [1]})
