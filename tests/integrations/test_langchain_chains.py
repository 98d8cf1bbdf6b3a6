"""Chains over the retriever, with a model that sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any

import pytest
from chat_models import FunctionChatModel
from langchain_core.documents import Document
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    convert_to_openai_messages,
)
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import Runnable, RunnableLambda, RunnablePassthrough
from langchain_dar import DARRetriever, DialogueRetriever, content_blocks

from dar_retriever import (
    Dialogue,
    DiffusionAugmentedRetriever,
    EncodedQuery,
    InvalidInputError,
)
from dar_retriever.support.images import data_url, image_from_data_url, open_image

HISTORY = [HumanMessage("a mug"), AIMessage("Which pattern?"), HumanMessage("checked")]
K = 2


@pytest.fixture(scope="module")
def retriever(demo: DiffusionAugmentedRetriever) -> DARRetriever:
    return DARRetriever(retriever=demo, k=K, include_images="thumbnail")


@pytest.fixture
def model() -> FunctionChatModel:
    return FunctionChatModel(answer=describe)


@pytest.fixture
def chain(retriever: DARRetriever, model: FunctionChatModel) -> Runnable[Any, str]:
    """Finds images with the conversation and shows them to the model."""
    prompt = ChatPromptTemplate(
        [
            ("system", "Answer from the images alone."),
            MessagesPlaceholder("chat_history"),
            MessagesPlaceholder("found"),
            ("human", "{input}"),
        ]
    )
    found = DialogueRetriever(retriever=retriever) | RunnableLambda(shown)
    return RunnablePassthrough.assign(found=found) | prompt | model | StrOutputParser()


def shown(documents: list[Document]) -> list[BaseMessage]:
    return [HumanMessage(content_blocks=content_blocks(documents))]


def describe(messages: list[BaseMessage]) -> AIMessage:
    """What a model says that looks at the images of a prompt: their number and sizes."""
    return AIMessage(f"{len(pictures_in(messages))} images seen")


def pictures_in(messages: list[BaseMessage]) -> list[Any]:
    return [
        image_from_data_url(f"data:{block['mime_type']};base64,{block['base64']}")
        for message in messages
        for block in message.content_blocks
        if block["type"] == "image"
    ]


def test_the_model_sees_what_was_found(
    chain: Runnable[Any, str], model: FunctionChatModel, retriever: DARRetriever
) -> None:
    answer = chain.invoke({"input": "make it red", "chat_history": HISTORY})

    assert answer == "2 images seen"
    (messages,) = model.given
    assert [message.type for message in messages] == ["system", "human", "ai", "human"] + [
        "human"
    ] * 2
    found = retriever.invoke("make it red", chat_history=HISTORY)
    blocks = messages[-2].content_blocks
    assert [block["type"] for block in blocks] == ["text", "image"] * K
    assert [block["text"] for block in blocks[::2]] == [
        f"Image {number}: {document.page_content}" for number, document in enumerate(found, 1)
    ]
    for picture, document in zip(pictures_in(messages), found, strict=True):
        original = open_image(document.metadata["uri"])
        assert picture.size == original.size
        assert picture.getpixel((5, 5)) == pytest.approx(original.getpixel((5, 5)), abs=12)


async def test_the_chain_runs_asynchronously_and_streams(
    chain: Runnable[Any, str], model: FunctionChatModel
) -> None:
    question = {"input": "make it red", "chat_history": HISTORY}

    assert await chain.ainvoke(question) == "2 images seen"
    assert "".join(chain.stream(question)).split() == ["2", "images", "seen"]
    chunks = [chunk async for chunk in chain.astream(question)]
    assert len(chunks) > 1
    assert "".join(chunks).split() == ["2", "images", "seen"]
    assert [len(pictures_in(messages)) for messages in model.given] == [K] * 3


def test_batches_keep_their_order(chain: Runnable[Any, str], model: FunctionChatModel) -> None:
    questions = [{"input": f"a {kind}", "chat_history": []} for kind in ("mug", "sofa", "boot")]

    assert chain.batch(questions) == ["2 images seen"] * 3
    assert {str(messages[-1].text) for messages in model.given} == {"a mug", "a sofa", "a boot"}


def test_providers_take_the_blocks(retriever: DARRetriever) -> None:
    message = HumanMessage(content_blocks=content_blocks(retriever.invoke("a mug")))

    (sent,) = convert_to_openai_messages([message])

    urls = [part["image_url"]["url"] for part in sent["content"] if part["type"] == "image_url"]
    assert len(urls) == K
    assert all(image_from_data_url(url).size == (256, 256) for url in urls)


def test_documents_without_images_are_text(demo: DiffusionAugmentedRetriever) -> None:
    found = DARRetriever(retriever=demo, k=3).invoke("a mug")

    assert [block["type"] for block in content_blocks(found)] == ["text"] * 3


def test_events_of_the_chain_hold_the_retrievers_run(chain: Runnable[Any, str]) -> None:
    seen: list[str] = []
    chain.invoke(
        {"input": "a mug", "chat_history": []},
        {"callbacks": [recording(seen)]},
    )

    assert seen == ["start: a mug", f"end: {K}"]


def recording(seen: list[str]) -> Any:
    from langchain_core.callbacks import BaseCallbackHandler

    class Handler(BaseCallbackHandler):
        def on_retriever_start(self, serialized: Any, query: str, **_: Any) -> None:
            seen.append(f"start: {query}")

        def on_retriever_end(self, documents: Any, **_: Any) -> None:
            seen.append(f"end: {len(documents)}")

    return Handler()


@pytest.fixture
def dialogues(
    demo: DiffusionAugmentedRetriever, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Dialogue]:
    """Gives the dialogue that was searched with last."""
    seen: list[Dialogue] = []
    stages = demo.query_encoder.stages

    def watched(dialogue: Dialogue, *rest: Any, **named: Any) -> Iterator[EncodedQuery]:
        seen.append(dialogue)
        return stages(dialogue, *rest, **named)

    monkeypatch.setattr(demo.query_encoder, "stages", watched)
    return lambda: seen[-1]


def test_the_history_is_the_dialogue(
    retriever: DARRetriever, dialogues: Callable[[], Dialogue]
) -> None:
    DialogueRetriever(retriever=retriever).invoke({"input": "red", "chat_history": HISTORY})

    assert [turn.text for turn in dialogues().turns] == [
        "a mug",
        "Which pattern?",
        "checked",
        "red",
    ]


def test_the_history_may_be_missing_or_elsewhere(
    retriever: DARRetriever, dialogues: Callable[[], Dialogue]
) -> None:
    DialogueRetriever(retriever=retriever).invoke({"input": "a mug"})
    assert [turn.text for turn in dialogues().turns] == ["a mug"]

    other = DialogueRetriever(retriever=retriever, input_key="question", history_key="talk")
    other.invoke({"question": "red", "talk": [("human", "a mug")]})
    assert [turn.text for turn in dialogues().turns] == ["a mug", "red"]


def test_the_input_may_hold_images(
    retriever: DARRetriever, dialogues: Callable[[], Dialogue]
) -> None:
    url = data_url(open_image(retriever.invoke("a mug")[0].metadata["uri"]))
    said = [{"type": "text", "text": "like this"}, {"type": "image_url", "image_url": {"url": url}}]

    DialogueRetriever(retriever=retriever).invoke({"input": said})
    assert (len(dialogues().images), dialogues().turns[-1].text) == (1, "like this")

    DialogueRetriever(retriever=retriever).invoke({"input": HumanMessage(said)})
    assert (len(dialogues().images), len(dialogues().turns)) == (1, 1)


def test_fields_hold_for_one_call(retriever: DARRetriever) -> None:
    searching = DialogueRetriever(retriever=retriever)

    assert len(searching.invoke({"input": "a mug"}, k=5)) == 5
    assert len(searching.invoke({"input": "a mug"})) == K


def test_a_missing_input_is_named(retriever: DARRetriever) -> None:
    with pytest.raises(InvalidInputError, match="question: no key 'input'"):
        DialogueRetriever(retriever=retriever).invoke({"question": "a mug"})


def test_it_takes_part_in_a_chain_by_its_keys(retriever: DARRetriever) -> None:
    titles = DialogueRetriever(retriever=retriever) | RunnableLambda(
        lambda documents: [document.page_content for document in documents]
    )
    chain = {"input": itemgetter("q")} | titles

    assert len(chain.invoke({"q": "a mug"})) == K
