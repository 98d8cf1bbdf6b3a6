"""Chains of LangChain and query engines of LlamaIndex that answer from pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from chat_models import FunctionChatModel
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.runnables import Runnable, RunnableLambda, RunnablePassthrough
from langchain_dar import AnswerFromDocuments, DialogueRetriever
from langchain_dar import DARRetriever as LangChainRetriever
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.llms import ChatResponse, CustomLLM, LLMMetadata
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import ImageNode, NodeWithScore
from llama_index_dar import ChatQueryBundle, PictureResponse, PictureSynthesizer
from llama_index_dar import DARRetriever as LlamaIndexRetriever
from pydantic import Field

from dar_retriever import DARQueryEncoder, DiffusionAugmentedRetriever, InvalidInputError
from dar_retriever.agents import Answer, PictureBudget
from dar_retriever.support.images import data_url, image_from_data_url, open_image

ASKED = "a red mug"
NOTHING = "Nothing that was found fits the question."
SAID = json.dumps({"answer": "It has zigzags [1], not dots [7]."})
REPORT = ("a citation was removed, no such picture was shown: 7",)


@pytest.fixture(scope="module")
def searching(demo: DiffusionAugmentedRetriever) -> DiffusionAugmentedRetriever:
    """The demo, without drawings."""
    return DiffusionAugmentedRetriever(
        DARQueryEncoder(demo.query_encoder.encoder),
        demo.store,
        closeness=demo.closeness,
        second_stage=demo.second_stage,
        ending=demo.ending,
        explainer=demo.explainer,
    )


def assert_answered(answer: Answer) -> None:
    (hit,) = answer.cited
    assert (hit.metadata["kind"], hit.metadata["colour"]) == ("mug", "red")
    assert answer.text == f"It has zigzags [{hit.id}], not dots."
    assert answer.shown == (hit,)
    assert answer.left_out
    assert all(each.reason.startswith("does not fit") for each in answer.left_out)
    assert answer.fallbacks == REPORT


# LangChain.


@pytest.fixture
def model() -> FunctionChatModel:
    return FunctionChatModel(answer=lambda _: AIMessage(SAID))


@pytest.fixture
def chain(
    searching: DiffusionAugmentedRetriever, model: FunctionChatModel
) -> Runnable[Any, Answer]:
    retriever = LangChainRetriever(retriever=searching, k=6)
    found = RunnablePassthrough.assign(context=DialogueRetriever(retriever=retriever))
    return found | AnswerFromDocuments(model=model)


def images_in(messages: Sequence[BaseMessage]) -> list[Any]:
    return [block for each in messages for block in each.content_blocks if block["type"] == "image"]


def test_a_chain_answers(chain: Runnable[Any, Answer], model: FunctionChatModel) -> None:
    assert_answered(chain.invoke({"input": ASKED}))
    ((system, user),) = model.given
    assert system.type == "system"
    assert len(images_in([user])) == 1


async def test_a_chain_answers_asynchronously_and_in_batches(chain: Runnable[Any, Answer]) -> None:
    assert_answered(await chain.ainvoke({"input": ASKED}))
    first, second = chain.batch([{"input": ASKED}, {"input": "a helicopter"}])
    assert_answered(first)
    assert second.text == NOTHING


def test_a_chain_does_not_ask_about_pictures_beside_the_point(
    chain: Runnable[Any, Answer], model: FunctionChatModel
) -> None:
    answer = chain.invoke({"input": "a helicopter"})
    assert (answer.text, answer.answered) == (NOTHING, False)
    assert model.given == []


def test_a_chain_reads_the_conversation(
    chain: Runnable[Any, Answer], model: FunctionChatModel
) -> None:
    history = [("human", "a mug"), ("ai", "Which colour?")]
    assert_answered(chain.invoke({"input": "red", "chat_history": history}))
    text = json.loads(model.given[0][1].content_blocks[0]["text"])
    assert [turn["text"] for turn in text["conversation"]] == ["a mug", "Which colour?", "red"]


def test_the_words_of_the_search_may_be_others(
    searching: DiffusionAugmentedRetriever, model: FunctionChatModel
) -> None:
    retriever = LangChainRetriever(retriever=searching, k=6)
    found = DialogueRetriever(retriever=retriever, input_key="search")
    answering = AnswerFromDocuments(model=model, input_key="question")
    chain = RunnablePassthrough.assign(context=found) | answering
    assert_answered(chain.invoke({"search": ASKED, "question": "what is on it?"}))


def test_documents_alone_do(
    searching: DiffusionAugmentedRetriever, model: FunctionChatModel
) -> None:
    """What checkpoints and other retrievers give: plain documents, some without an id."""
    found = LangChainRetriever(retriever=searching, k=6).invoke(ASKED)
    plain = [Document.model_validate(json.loads(each.model_dump_json())) for each in found]
    assert_answered(AnswerFromDocuments(model=model).invoke({"input": ASKED, "context": plain}))

    uri = found[0].metadata["uri"]
    other = Document(page_content="a mug", metadata={"source": uri})
    answer = AnswerFromDocuments(model=model).invoke({"input": ASKED, "context": [other]})
    assert [hit.uri for hit in answer.cited] == [uri]


def test_a_budget_and_instructions_reach_the_model(
    searching: DiffusionAugmentedRetriever, model: FunctionChatModel
) -> None:
    found = LangChainRetriever(retriever=searching, k=6).invoke("a mug")
    answering = AnswerFromDocuments(
        model=model, budget=PictureBudget(pictures=2), instructions="Answer in JSON."
    )
    given = {"input": "a mug", "context": found}
    assert len(answering.invoke(given).shown) == len(images_in(model.given[0])) == 2
    assert model.given[0][0].text == "Answer in JSON."
    assert len(answering.invoke(given, budget=PictureBudget(pictures=1)).shown) == 1


class Runs(BaseCallbackHandler):
    """Keeps which runs lie within which."""

    def __init__(self) -> None:
        self.parents: dict[Any, Any] = {}
        self.models: list[Any] = []

    def on_chain_start(self, *_: Any, run_id: Any, parent_run_id: Any = None, **__: Any) -> None:
        self.parents[run_id] = parent_run_id

    def on_chat_model_start(self, *_: Any, parent_run_id: Any = None, **__: Any) -> None:
        self.models.append(parent_run_id)


async def test_the_models_run_lies_within_the_chains(chain: Runnable[Any, Answer]) -> None:
    for call in ("sync", "async"):
        runs = Runs()
        config: Any = {"callbacks": [runs]}
        given = {"input": ASKED}
        await chain.ainvoke(given, config) if call == "async" else chain.invoke(given, config)
        (within,) = runs.models
        assert runs.parents[within] in runs.parents


def test_a_failing_chat_model_is_reported(
    searching: DiffusionAugmentedRetriever,
) -> None:
    def down(_: list[BaseMessage]) -> AIMessage:
        raise ConnectionError("no route to host")

    found = LangChainRetriever(retriever=searching, k=6).invoke(ASKED)
    answering = AnswerFromDocuments(model=FunctionChatModel(answer=down))
    answer = answering.invoke({"input": ASKED, "context": found})
    assert not answer.answered
    assert "no route to host" in answer.fallbacks[0]


def test_missing_keys_are_named(model: FunctionChatModel) -> None:
    answering = AnswerFromDocuments(model=model)
    with pytest.raises(InvalidInputError, match="no key 'context'"):
        answering.invoke({"input": ASKED})
    with pytest.raises(InvalidInputError, match="no key 'input'"):
        answering.invoke({"context": []})


def test_the_answer_goes_on_in_a_chain(chain: Runnable[Any, Answer]) -> None:
    asked = HumanMessage(ASKED)
    text = (chain | RunnableLambda(lambda answer: answer.text)).invoke({"input": asked})
    assert text.startswith("It has zigzags [")


# LlamaIndex.


class SeeingLLM(CustomLLM):
    """Says the same of all pictures, or fails, and keeps what it was given."""

    says: str = SAID
    given: list[Sequence[ChatMessage]] = Field(default_factory=list)

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(is_chat_model=True)

    def chat(self, messages: Sequence[ChatMessage], **_: Any) -> ChatResponse:
        self.given.append(messages)
        if not self.says:
            raise ConnectionError("no route to host")
        return ChatResponse(message=ChatMessage(role="assistant", content=self.says))

    def complete(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    def stream_complete(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


def engine_over(searching: DiffusionAugmentedRetriever, llm: SeeingLLM) -> RetrieverQueryEngine:
    return RetrieverQueryEngine(LlamaIndexRetriever(searching, k=6), PictureSynthesizer(llm))


async def test_a_query_engine_answers(searching: DiffusionAugmentedRetriever) -> None:
    llm = SeeingLLM()
    engine = engine_over(searching, llm)
    for response in (engine.query(ASKED), await engine.aquery(ASKED)):
        assert isinstance(response, PictureResponse)
        assert_answered(response.answer)
        assert str(response) == response.answer.text
        assert [node.node_id for node in response.source_nodes] == [response.answer.cited[0].id]
    _, user = llm.given[0]
    talk, label, picture = user.blocks
    assert isinstance(talk, TextBlock)
    assert isinstance(label, TextBlock)
    assert isinstance(picture, ImageBlock)
    assert label.text.startswith("Picture 1: ")
    original = open_image(response.source_nodes[0].metadata["uri"])
    seen = image_from_data_url(str(picture.url))
    assert seen.getpixel((5, 5)) == pytest.approx(original.getpixel((5, 5)), abs=12)


def test_a_query_engine_does_not_ask_about_pictures_beside_the_point(
    searching: DiffusionAugmentedRetriever,
) -> None:
    llm = SeeingLLM()
    response = engine_over(searching, llm).query("a helicopter")
    assert (str(response), response.source_nodes, llm.given) == (NOTHING, [], [])
    assert str(PictureSynthesizer(llm).synthesize(ASKED, [])) == NOTHING


def test_a_query_engine_reads_the_conversation(searching: DiffusionAugmentedRetriever) -> None:
    llm = SeeingLLM()
    history = [
        ChatMessage(role="user", content="a mug"),
        ChatMessage(role="assistant", content="Which colour?"),
    ]
    response = engine_over(searching, llm).query(ChatQueryBundle("red", messages=history))
    assert isinstance(response, PictureResponse)
    assert_answered(response.answer)
    text = json.loads(llm.given[0][1].blocks[0].text)
    assert [turn["text"] for turn in text["conversation"]] == ["a mug", "Which colour?", "red"]


def test_image_nodes_of_other_retrievers_do(searching: DiffusionAugmentedRetriever) -> None:
    path = searching.search(ASKED, 1).hits[0].uri
    inline = data_url(open_image(path)).partition(",")[2]
    nodes = [
        NodeWithScore(node=ImageNode(id_="one", text="a mug", image_path=path), score=0.3),
        NodeWithScore(node=ImageNode(id_="two", text="a mug", image=inline), score=None),
    ]
    llm = SeeingLLM(says='{"answer": "Both [1, two]."}')
    response = PictureSynthesizer(llm).synthesize("a mug", nodes, [nodes[0]])
    assert response.answer.text == "Both [one, two]."
    assert [hit.score for hit in response.answer.cited] == [0.3, 0.0]
    assert [node.node_id for node in response.source_nodes] == ["one", "two", "one"]


def test_a_failing_llm_is_reported(searching: DiffusionAugmentedRetriever) -> None:
    response = engine_over(searching, SeeingLLM(says="")).query(ASKED)
    assert isinstance(response, PictureResponse)
    assert not response.answer.answered
    assert "no route to host" in response.answer.fallbacks[0]
    assert str(response) == "The language model gave no answer."


def test_observers_see_the_synthesis(searching: DiffusionAugmentedRetriever) -> None:
    class Names(BaseEventHandler):
        seen: list[str] = Field(default_factory=list)

        def handle(self, event: Any, **_: Any) -> None:
            self.seen.append(event.class_name())

    handler = Names()
    dispatcher = get_dispatcher()
    dispatcher.add_event_handler(handler)
    try:
        engine_over(searching, SeeingLLM()).query(ASKED)
    finally:
        dispatcher.event_handlers.remove(handler)
    assert [name for name in handler.seen if name.startswith("Synth")] == [
        "SynthesizeStartEvent",
        "SynthesizeEndEvent",
    ]
