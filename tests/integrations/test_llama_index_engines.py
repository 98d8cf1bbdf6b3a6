"""The image search inside LlamaIndex's own engines, retrievers and evaluation."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

import pytest
from llama_index.core.base.base_selector import BaseSelector
from llama_index.core.base.llms.types import (
    ChatMessage,
    CompletionResponse,
    CompletionResponseGen,
    MessageRole,
)
from llama_index.core.base.response.schema import AsyncStreamingResponse, StreamingResponse
from llama_index.core.chat_engine import CondensePlusContextChatEngine, ContextChatEngine
from llama_index.core.chat_engine.types import BaseChatEngine
from llama_index.core.evaluation import RetrieverEvaluator
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index.core.llms.custom import CustomLLM
from llama_index.core.llms.mock import MockLLM
from llama_index.core.memory import BaseMemory, ChatMemoryBuffer, Memory
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import QueryFusionRetriever, RouterRetriever
from llama_index.core.retrievers.fusion_retriever import FUSION_MODES
from llama_index.core.schema import NodeWithScore
from llama_index.core.selectors import LLMMultiSelector, LLMSingleSelector
from llama_index.core.tools import RetrieverTool, ToolMetadata
from llama_index_dar import ChatQueryBundle, DARRetriever

from dar_retriever import DARQueryEncoder, DiffusionAugmentedRetriever
from dar_retriever.demo.captions import FIELDS, caption, description
from dar_retriever.demo.gallery import gallery_products, picture_name

K = 3
SAID = ("I want a sofa", "for every day", "pink")
QUESTION = "Which colour?"
HISTORY = [
    ChatMessage(role="user", content=SAID[0]),
    ChatMessage(role="assistant", content="What is it like?"),
    ChatMessage(role="user", content=SAID[1]),
    ChatMessage(role="assistant", content=QUESTION),
]
PRODUCTS = gallery_products(120)


class ScriptedLLM(MockLLM):
    """Says what its script has for a prompt, and keeps the prompts."""

    script: Callable[[str], str]
    prompts: list[str]

    def __init__(self, script: Callable[[str], str]) -> None:
        # LlamaIndex's own constructor takes no fields of others.
        CustomLLM.__init__(self, max_tokens=None, script=script, prompts=[])

    @llm_completion_callback()
    def complete(self, prompt: str, *_: Any, **__: Any) -> CompletionResponse:
        self.prompts.append(prompt)
        return CompletionResponse(text=self.script(prompt))

    @llm_completion_callback()
    def stream_complete(self, prompt: str, *_: Any, **__: Any) -> CompletionResponseGen:
        text = self.complete(prompt).text
        return (CompletionResponse(text=text, delta=letter) for letter in text)


def saying(text: str = QUESTION) -> ScriptedLLM:
    return ScriptedLLM(lambda _: text)


def over(demo: DiffusionAugmentedRetriever, **options: Any) -> DARRetriever:
    """A retriever over the demo's gallery that generates nothing."""
    query_encoder = DARQueryEncoder(demo.query_encoder.encoder)
    opened = DiffusionAugmentedRetriever(query_encoder, demo.store)
    return DARRetriever(opened, **{"k": K, **options})


@pytest.fixture
def retriever(demo: DiffusionAugmentedRetriever) -> DARRetriever:
    return over(demo)


def ids(nodes: Sequence[NodeWithScore]) -> list[str]:
    return [node.node_id for node in nodes]


def kinds(nodes: Sequence[NodeWithScore]) -> set[str]:
    """Of the best two; there are few pink sofas."""
    return {node.metadata["kind"] for node in nodes[:2]}


async def test_a_query_engine_answers_from_the_nodes(retriever: DARRetriever) -> None:
    llm = saying("These.")
    engine = RetrieverQueryEngine.from_args(retriever, llm=llm)
    expected = ids(retriever.retrieve("a red mug"))

    for response in (engine.query("a red mug"), await engine.aquery("a red mug")):
        assert str(response) == "These."
        assert ids(response.source_nodes) == expected
    for prompt in llm.prompts:
        assert prompt.count("kind: ") == K
        assert "a red mug" in prompt
        assert not any(name in prompt for name in ("trace", "uri", "timings", "score"))


async def test_a_query_engine_streams(retriever: DARRetriever) -> None:
    engine = RetrieverQueryEngine.from_args(retriever, llm=saying("These."), streaming=True)
    expected = ids(retriever.retrieve("a red mug"))

    response = engine.query("a red mug")
    asynchronous = await engine.aquery("a red mug")

    assert isinstance(response, StreamingResponse)
    assert "".join(response.response_gen) == "These."
    assert isinstance(asynchronous, AsyncStreamingResponse)
    assert "".join([text async for text in asynchronous.async_response_gen()]) == "These."
    assert ids(response.source_nodes) == ids(asynchronous.source_nodes) == expected


async def test_a_query_engine_hands_the_conversation_on(retriever: DARRetriever) -> None:
    llm = saying("These.")
    engine = RetrieverQueryEngine.from_args(retriever, llm=llm)
    query = ChatQueryBundle(SAID[-1], messages=HISTORY)

    for response in (engine.query(query), await engine.aquery(query)):
        assert kinds(response.source_nodes) == {"sofa"}
        assert response.source_nodes[0].metadata["colour"] == "pink"
    assert "sofa" not in kinds(engine.query(SAID[-1]).source_nodes)
    assert all("Query: pink" in prompt for prompt in llm.prompts)


@pytest.fixture(params=[ChatMemoryBuffer, Memory])
def remembered(request: pytest.FixtureRequest) -> Iterator[BaseMemory]:
    """An empty memory of each kind."""
    memory: BaseMemory = request.param.from_defaults(token_limit=10_000)
    yield memory
    if isinstance(memory, Memory):
        engine = memory.sql_store._async_engine  # type: ignore[attr-defined]
        if engine:
            asyncio.run(engine.dispose())


def condensing(prompt: str) -> str:
    """Asks again what the user has said last, and otherwise a question of its own."""
    follow_up = re.search(r"Follow Up Input: (.*)\n *Standalone question:", prompt)
    return follow_up[1] if follow_up else QUESTION


def rephrasing(prompt: str) -> str:
    """Likewise, in other words."""
    said = condensing(prompt)
    return said if said == QUESTION else f"is there one in {said}?"


def context(retriever: DARRetriever, remembered: BaseMemory) -> BaseChatEngine:
    return ContextChatEngine.from_defaults(retriever, memory=remembered, llm=saying())


def condensed(retriever: DARRetriever, remembered: BaseMemory) -> BaseChatEngine:
    return CondensePlusContextChatEngine.from_defaults(
        retriever, memory=remembered, llm=ScriptedLLM(condensing)
    )


def rephrased(retriever: DARRetriever, remembered: BaseMemory) -> BaseChatEngine:
    return CondensePlusContextChatEngine.from_defaults(
        retriever, memory=remembered, llm=ScriptedLLM(rephrasing)
    )


def uncondensed(retriever: DARRetriever, remembered: BaseMemory) -> BaseChatEngine:
    return CondensePlusContextChatEngine.from_defaults(
        retriever, memory=remembered, llm=saying(), skip_condense=True
    )


Engine = Callable[[DARRetriever, BaseMemory], BaseChatEngine]
ENGINES = pytest.mark.parametrize("engine", [context, condensed, rephrased, uncondensed])


def assert_whole_conversation_counted(
    nodes: Sequence[NodeWithScore], alone: Sequence[NodeWithScore], remembered: BaseMemory
) -> None:
    assert kinds(nodes) == {"sofa"}
    assert nodes[0].metadata["colour"] == "pink"
    assert "sofa" not in kinds(alone)
    assert [message.content for message in remembered.get_all()] == [
        text for said in SAID for text in (said, QUESTION)
    ]


@ENGINES
def test_in_a_chat_engine_the_whole_conversation_counts(
    retriever: DARRetriever, engine: Engine, remembered: BaseMemory
) -> None:
    chat = engine(retriever.with_memory(remembered), remembered)

    for said in SAID:
        response = chat.chat(said)

    assert str(response) == QUESTION
    alone = engine(retriever, ChatMemoryBuffer.from_defaults()).chat(SAID[-1]).source_nodes
    assert_whole_conversation_counted(response.source_nodes, alone, remembered)


@ENGINES
async def test_in_a_chat_engine_the_whole_conversation_counts_asynchronously(
    retriever: DARRetriever, engine: Engine, remembered: BaseMemory
) -> None:
    chat = engine(retriever.with_memory(remembered), remembered)

    for said in SAID:
        response = await chat.achat(said)

    alone = (await engine(retriever, ChatMemoryBuffer.from_defaults()).achat(SAID[-1])).source_nodes
    assert_whole_conversation_counted(response.source_nodes, alone, remembered)


@ENGINES
def test_in_a_streaming_chat_engine_the_whole_conversation_counts(
    retriever: DARRetriever, engine: Engine, remembered: BaseMemory
) -> None:
    chat = engine(retriever.with_memory(remembered), remembered)

    for said in SAID:
        response = chat.stream_chat(said)
        assert "".join(response.response_gen) == QUESTION

    alone = engine(retriever, ChatMemoryBuffer.from_defaults()).chat(SAID[-1]).source_nodes
    assert_whole_conversation_counted(response.source_nodes, alone, remembered)


@ENGINES
async def test_in_a_streaming_chat_engine_the_whole_conversation_counts_asynchronously(
    retriever: DARRetriever, engine: Engine, remembered: BaseMemory
) -> None:
    chat = engine(retriever.with_memory(remembered), remembered)

    for said in SAID:
        response = await chat.astream_chat(said)
        assert "".join([text async for text in response.async_response_gen()]) == QUESTION

    alone = (await engine(retriever, ChatMemoryBuffer.from_defaults()).achat(SAID[-1])).source_nodes
    assert_whole_conversation_counted(response.source_nodes, alone, remembered)


@ENGINES
def test_a_chat_engine_that_is_reset_starts_again(
    retriever: DARRetriever, engine: Engine, remembered: BaseMemory
) -> None:
    chat = engine(retriever.with_memory(remembered), remembered)
    alone = ids(chat.chat(SAID[-1]).source_nodes)
    chat.reset()
    chat.chat(SAID[0])
    chat.reset()

    assert ids(chat.chat(SAID[-1]).source_nodes) == alone


@ENGINES
def test_a_chat_engine_may_be_given_the_conversation(
    retriever: DARRetriever, engine: Engine, remembered: BaseMemory
) -> None:
    chat = engine(retriever.with_memory(remembered), remembered)

    response = chat.chat(SAID[-1], chat_history=list(HISTORY))

    assert kinds(response.source_nodes) == {"sofa"}
    assert [message.role for message in chat.chat_history][-2:] == [
        MessageRole.USER,
        MessageRole.ASSISTANT,
    ]


@pytest.mark.parametrize("use_async", [True, False])
async def test_fusion_of_one_query_finds_the_same(
    retriever: DARRetriever, *, use_async: bool
) -> None:
    fused = QueryFusionRetriever(
        [retriever], llm=saying(), num_queries=1, similarity_top_k=K, use_async=use_async
    )

    expected = ids(retriever.retrieve("a red mug"))

    assert ids(fused.retrieve("a red mug")) == expected
    assert ids(await fused.aretrieve("a red mug")) == expected


@pytest.mark.parametrize("mode", FUSION_MODES)
async def test_fusion_of_several_queries_lists_every_image_once(
    retriever: DARRetriever, mode: FUSION_MODES
) -> None:
    llm = saying("a red mug\na mug, red\na third one too many")
    fused = QueryFusionRetriever(
        [retriever], llm=llm, num_queries=3, similarity_top_k=3 * K, mode=mode, use_async=False
    )
    queries = ("a teal hat", "a red mug", "a mug, red")
    found = {id_ for query in queries for id_ in ids(retriever.retrieve(query))}

    for nodes in (fused.retrieve("a teal hat"), await fused.aretrieve("a teal hat")):
        assert sorted(ids(nodes)) == sorted(found)
        scores = [node.score or 0 for node in nodes]
        assert scores == sorted(scores, reverse=True)
    assert K < len(found) < 3 * K


def test_retrievers_of_different_filters_are_fused(demo: DiffusionAugmentedRetriever) -> None:
    mugs, hats = (over(demo, filter={"kind": kind}) for kind in ("mug", "hat"))
    fused = QueryFusionRetriever([mugs, hats], llm=saying(), num_queries=1, similarity_top_k=2 * K)

    nodes = fused.retrieve("a red one")

    assert sorted(ids(nodes)) == sorted(
        [*ids(mugs.retrieve("a red one")), *ids(hats.retrieve("a red one"))]
    )
    assert kinds(nodes) == {"mug", "hat"}


async def test_fusion_hands_the_conversation_on(demo: DiffusionAugmentedRetriever) -> None:
    red = over(demo, filter={"background": {"$ne": "pink"}})
    fused = QueryFusionRetriever(
        [over(demo), red], llm=saying(), num_queries=1, similarity_top_k=K, use_async=False
    )
    query = ChatQueryBundle(SAID[-1], messages=HISTORY)

    assert kinds(fused.retrieve(query)) == {"sofa"}
    assert kinds(await fused.aretrieve(query)) == {"sofa"}


def routed(demo: DiffusionAugmentedRetriever, selector: BaseSelector) -> RouterRetriever:
    tools = [
        RetrieverTool(
            over(demo, filter={"kind": kind}), ToolMetadata(f"Pictures of a {kind}.", name=kind)
        )
        for kind in ("mug", "hat", "sofa")
    ]
    return RouterRetriever(selector, tools, llm=saying())


async def test_a_router_chooses_a_retriever(demo: DiffusionAugmentedRetriever) -> None:
    llm = saying('[{"choice": 2, "reason": "they ask for a hat"}]')
    router = routed(demo, LLMSingleSelector.from_defaults(llm=llm))

    for nodes in (router.retrieve("a red one"), await router.aretrieve("a red one")):
        assert kinds(nodes) == {"hat"}
        assert len(nodes) == K
    assert "Pictures of a hat." in llm.prompts[0]


async def test_a_router_chooses_several_retrievers(demo: DiffusionAugmentedRetriever) -> None:
    choices = '[{"choice": 1, "reason": "mug"}, {"choice": 3, "reason": "sofa"}]'
    router = routed(demo, LLMMultiSelector.from_defaults(llm=saying(choices)))
    query = ChatQueryBundle(SAID[-1], messages=HISTORY)

    for nodes in (router.retrieve(query), await router.aretrieve(query)):
        assert [node.metadata["kind"] for node in nodes] == ["mug"] * K + ["sofa"] * K
        assert nodes[-1].metadata["trace"]["caption"] != SAID[-1]


def described(number: int) -> str:
    return description(PRODUCTS[number])


def worded(number: int) -> str:
    return caption(PRODUCTS[number], FIELDS, Random(number))


@pytest.mark.parametrize(
    ("query", "generating", "count"),
    [(described, False, len(PRODUCTS)), (worded, False, len(PRODUCTS)), (worded, True, 10)],
)
async def test_llama_indexs_own_evaluation_finds_the_pictures(
    demo: DiffusionAugmentedRetriever, query: Callable[[int], str], *, generating: bool, count: int
) -> None:
    everything = over(demo, k=len(PRODUCTS)).retrieve("a picture")
    id_of = {Path(node.metadata["uri"]).name: node.node_id for node in everything}
    evaluator = RetrieverEvaluator.from_metric_names(
        ["hit_rate", "mrr"],
        retriever=DARRetriever(demo, k=10) if generating else over(demo, k=10),
    )

    results = [
        await evaluator.aevaluate(query(number), [id_of[picture_name(number)]])
        for number in range(count)
    ]

    means = {
        name: fmean(result.metric_vals_dict[name] for result in results)
        for name in ("hit_rate", "mrr")
    }
    print(query.__name__, means)  # noqa: T201
    assert means["hit_rate"] >= 0.9
    assert means["mrr"] > 0.6
