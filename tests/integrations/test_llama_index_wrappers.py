"""What people put around a retriever in LlamaIndex: postprocessors, synthesizers, recursion."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ImageBlock, LLMMetadata
from llama_index.core.indices.query.query_transform import HyDEQueryTransform
from llama_index.core.llms.mock import MockLLM
from llama_index.core.postprocessor import (
    LLMRerank,
    LongContextReorder,
    SimilarityPostprocessor,
)
from llama_index.core.query_engine import RetrieverQueryEngine, TransformQueryEngine
from llama_index.core.response_synthesizers import ResponseMode, get_response_synthesizer
from llama_index.core.retrievers import BaseRetriever, RecursiveRetriever
from llama_index.core.schema import ImageNode, IndexNode, NodeWithScore, QueryBundle
from llama_index.core.workflow import Context, JsonSerializer
from llama_index_dar import DARRetriever
from pydantic import PrivateAttr
from test_llama_index_engines import ids, saying
from test_llama_index_tool import conversation, function_agent, heard, judging, say
from test_llama_index_tool import ids as ids_of

from dar_retriever import DARQueryEncoder, DiffusionAugmentedRetriever

K = 4


@pytest.fixture(scope="module")
def retriever(demo: DiffusionAugmentedRetriever) -> DARRetriever:
    """Over the demo's gallery, with thumbnails, without generated images."""
    query_encoder = DARQueryEncoder(demo.query_encoder.encoder)
    opened = DiffusionAugmentedRetriever(query_encoder, demo.store)
    return DARRetriever(opened, k=K, include_images="thumbnail")


def test_postprocessors_take_the_nodes(retriever: DARRetriever) -> None:
    nodes = retriever.retrieve("a mug")
    scores = [node.score or 0.0 for node in nodes]

    similar = SimilarityPostprocessor(similarity_cutoff=scores[1]).postprocess_nodes(nodes)
    reordered = LongContextReorder().postprocess_nodes(nodes)

    assert ids(similar) == ids(nodes)[:2]
    assert sorted(ids(reordered)) == sorted(ids(nodes))


def test_a_reranker_reads_what_the_nodes_say(retriever: DARRetriever) -> None:
    llm = saying("Doc: 3, Relevance: 9\nDoc: 1, Relevance: 7")
    engine = RetrieverQueryEngine.from_args(
        retriever,
        llm=saying("These."),
        node_postprocessors=[LLMRerank(llm=llm, top_n=2)],
    )

    found = engine.query("a mug").source_nodes

    expected = retriever.retrieve("a mug")
    assert ids(found) == [expected[2].node_id, expected[0].node_id]
    assert all(node.node.get_content() in llm.prompts[0] for node in expected)


class SeeingLLM(MockLLM):
    """Keeps the pictures that it is shown."""

    _seen: set[bytes] = PrivateAttr(default_factory=set)

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(is_chat_model=True)

    def chat(self, messages: Sequence[ChatMessage], **_: Any) -> ChatResponse:
        for block in (block for message in messages for block in message.blocks):
            if isinstance(block, ImageBlock):
                self._seen.add(block.resolve_image().read())
        return ChatResponse(message=ChatMessage(role="assistant", content="These."))


@pytest.mark.parametrize("mode", [ResponseMode.COMPACT, ResponseMode.TREE_SUMMARIZE])
def test_a_synthesizer_shows_the_model_the_pictures(
    retriever: DARRetriever, mode: ResponseMode
) -> None:
    llm = SeeingLLM()
    synthesizer = get_response_synthesizer(llm, response_mode=mode, multimodal=True)
    engine = RetrieverQueryEngine(retriever, synthesizer)

    response = engine.query("a mug")

    assert str(response) == "These."
    pictures = [node.node for node in response.source_nodes if isinstance(node.node, ImageNode)]
    assert len(pictures) == K
    assert llm._seen == {base64.b64decode(picture.image or "") for picture in pictures}


class Shelves(BaseRetriever):
    """Names other retrievers, as an index of indexes does."""

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        names = ("pictures", "pictures", "nothing")
        shelves = [IndexNode(text=name, index_id=name) for name in names[:2]]
        return [NodeWithScore(node=node, score=1.0) for node in shelves]


def test_a_recursive_retriever_finds_the_pictures_once(retriever: DARRetriever) -> None:
    recursive = RecursiveRetriever("root", {"root": Shelves(), "pictures": retriever})

    found = recursive.retrieve("a mug")

    assert ids(found) == ids(retriever.retrieve("a mug"))
    assert all(isinstance(node.node, ImageNode) for node in found)


def test_hyde_changes_nothing(retriever: DARRetriever) -> None:
    llm = saying("A blue sofa with stripes, as everybody likes it.")
    engine = RetrieverQueryEngine.from_args(retriever, llm=saying("These."))
    transformed = TransformQueryEngine(engine, HyDEQueryTransform(llm))

    # The pictures that are drawn are its guess; a guess in words is not what the user said.
    assert ids(transformed.query("a mug").source_nodes) == ids(retriever.retrieve("a mug"))
    assert len(llm.prompts) == 1


async def test_a_context_that_was_saved_goes_on(retriever: DARRetriever) -> None:
    agent = function_agent(retriever, judging)
    context = Context(agent)
    memory = conversation()
    first = ids_of(await say(agent, "a handbag", ctx=context, memory=memory))
    saved = json.dumps(context.to_dict(serializer=JsonSerializer()))

    again = function_agent(retriever, judging)
    restored = Context.from_dict(again, json.loads(saved), serializer=JsonSerializer())
    # LlamaIndex leaves the memory out of a saved context; an application keeps it beside.
    second = await say(again, "not 1", ctx=restored, memory=memory)

    assert heard(second) == ["a handbag", "not 1"]
    assert first[0] not in ids_of(second)
