"""What people put around a retriever and a tool in LangChain and LangGraph."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
from chat_models import Caller, FunctionChatModel
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_classic.chains.history_aware_retriever import create_history_aware_retriever
from langchain_classic.retrievers import (
    ContextualCompressionRetriever,
    EnsembleRetriever,
    MultiQueryRetriever,
)
from langchain_classic.retrievers.document_compressors import DocumentCompressorPipeline
from langchain_core.chat_history import InMemoryChatMessageHistory
from langchain_core.documents import BaseDocumentTransformer, Document
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langchain_core.runnables.history import RunnableWithMessageHistory
from langchain_core.tools.retriever import create_retriever_tool
from langchain_dar import DARRetriever, DialogueRetriever, artifact_of, create_image_search_tool
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

from dar_retriever import (
    DARQueryEncoder,
    DiffusionAugmentedRetriever,
    InvalidInputError,
    from_preset,
    ingest,
)
from dar_retriever.agents import listed_ids
from dar_retriever.demo.gallery import picture_name

K = 4


@pytest.fixture(scope="module")
def words(demo: DiffusionAugmentedRetriever) -> DARRetriever:
    """The demo without generated images."""
    searching = DiffusionAugmentedRetriever(
        DARQueryEncoder(demo.query_encoder.encoder), demo.store, closeness=demo.closeness
    )
    return DARRetriever(retriever=searching, k=K)


def ids(documents: list[Document]) -> list[Any]:
    return [document.metadata["id"] for document in documents]


def saying(text: str) -> FunctionChatModel:
    return FunctionChatModel(answer=lambda _: AIMessage(text))


def test_equal_pictures_are_equal_documents(words: DARRetriever) -> None:
    one, two = words.invoke("a teal handbag"), words.invoke("a handbag in teal")
    found = {document.id: document for document in one}
    again = [document for document in two if document.id in found]

    assert again
    for document in again:
        assert document == found[document.id]
        assert document.metadata["trace"] != found[document.id].metadata["trace"]
    assert len({*one}) == K
    assert one[0] != one[1]
    assert one[0] != one[0].as_document()
    assert ids(one) == [document.id for document in one]


def test_several_queries_give_each_picture_once(words: DARRetriever) -> None:
    queries = ["a teal handbag", "a handbag in teal", "a purple sofa"]
    retriever = MultiQueryRetriever.from_llm(words, saying("\n".join(queries)))

    found = retriever.invoke("a bag or a sofa")

    assert len(ids(found)) == len(set(ids(found)))
    assert set(ids(found)) == {id_ for query in queries for id_ in ids(words.invoke(query))}


def test_an_ensemble_tells_pictures_apart_by_their_id(words: DARRetriever) -> None:
    more = words.model_copy(update={"k": K + 2})
    retriever = EnsembleRetriever(retrievers=[words, more], weights=[0.5, 0.5], id_key="id")

    found = retriever.invoke("a teal handbag")

    assert sorted(ids(found)) == sorted(ids(more.invoke("a teal handbag")))


class Reversed(BaseDocumentTransformer):
    """Stands for a compressor or a re-ranker."""

    def transform_documents(self, documents: Any, **_: Any) -> list[Document]:
        return list(documents)[::-1]


def test_compressors_take_the_documents(words: DARRetriever) -> None:
    retriever = ContextualCompressionRetriever(
        base_compressor=DocumentCompressorPipeline(transformers=[Reversed()]), base_retriever=words
    )

    assert ids(retriever.invoke("a mug")) == ids(words.invoke("a mug"))[::-1]


def test_a_history_aware_retriever_searches_with_the_models_question(words: DARRetriever) -> None:
    prompt = ChatPromptTemplate.from_messages(
        [MessagesPlaceholder("chat_history"), ("human", "{input}")]
    )
    retriever = create_history_aware_retriever(saying("a teal handbag"), words, prompt)

    found = retriever.invoke({"input": "in teal", "chat_history": [HumanMessage("a handbag")]})

    assert ids(found) == ids(words.invoke("a teal handbag"))


def test_a_kept_message_history_is_part_of_the_search(words: DARRetriever) -> None:
    history = InMemoryChatMessageHistory()

    def last_title(documents: list[Document]) -> AIMessage:
        return AIMessage(str(documents[0].metadata["trace"]["caption"]))

    chain = RunnableWithMessageHistory(
        DialogueRetriever(retriever=words) | RunnableLambda(last_title),
        lambda _: history,
        input_messages_key="input",
        history_messages_key="chat_history",
    )
    config: Any = {"configurable": {"session_id": "one"}}

    chain.invoke({"input": "a red handbag"}, config)
    said = chain.invoke({"input": "make it teal"}, config)

    assert said.text == "a teal handbag"


def test_retries_fallbacks_and_configurable_fields(words: DARRetriever) -> None:
    broken = DARRetriever(retriever=words.retriever, filter={"kind": {"$near": 1}})
    configurable = words.configurable_fields(k=ConfigurableField(id="k"))

    assert ids(words.with_retry().invoke("a mug")) == ids(words.invoke("a mug"))
    assert ids(broken.with_fallbacks([words]).invoke("a mug")) == ids(words.invoke("a mug"))
    two = configurable.with_config(configurable={"k": 2}).invoke("a mug")
    assert ids(two) == ids(words.invoke("a mug"))[:2]


def test_a_retriever_tool_gives_titles(words: DARRetriever) -> None:
    tool = create_retriever_tool(words, "find", "Find images.")

    assert tool.invoke({"query": "a mug"}).startswith(words.invoke("a mug")[0].page_content)


def test_copies_share_the_models(words: DARRetriever) -> None:
    tool = create_image_search_tool(words, images="none")

    retriever, copied = copy.deepcopy(words), copy.deepcopy(tool)

    assert retriever.retriever is words.retriever
    assert ids(retriever.invoke("a mug")) == ids(words.invoke("a mug"))
    assert listed_ids(copied.invoke({"request": "a mug"})) == tuple(ids(words.invoke("a mug")))


def pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))  # noqa: S301 (made here)


def test_what_is_pickled_is_opened_again(
    demo: DiffusionAugmentedRetriever, gallery_folder: Path, tmp_path: Path
) -> None:
    opened = from_preset("demo", tmp_path / "store")
    opened.query_encoder.generator = None
    for name in [picture_name(number) for number in range(3)]:
        (tmp_path / name).write_bytes((gallery_folder / name).read_bytes())
    ingest(tmp_path, opened.store, opened.query_encoder.encoder)
    retriever = DARRetriever(retriever=opened, k=K)

    again = pickled(retriever)
    tool = pickled(create_image_search_tool(retriever, images="none"))

    assert again.k == K
    assert ids(again.invoke("a mug")) == ids(retriever.invoke("a mug")) != []
    assert listed_ids(tool.invoke({"request": "a mug"}))
    with pytest.raises(InvalidInputError, match="cannot be pickled; make it with from_preset"):
        pickle.dumps(DARRetriever(retriever=demo))


def test_a_checkpoint_in_sqlite_gives_the_documents_back(words: DARRetriever) -> None:
    with SqliteSaver.from_conn_string(":memory:") as saver:
        agent = create_agent(
            Caller(arguments=lambda said: {"request": said}),
            [create_image_search_tool(words)],
            checkpointer=saver,
        )
        thread: Any = {"configurable": {"thread_id": "1"}}
        agent.invoke({"messages": [HumanMessage("a mug")]}, thread)
        messages = agent.get_state(thread).values["messages"]

    (reply,) = [message for message in messages if isinstance(message, ToolMessage)]
    assert all(type(document) is Document for document in artifact_of(reply)["documents"])
    assert ids(artifact_of(reply)["documents"]) == ids(words.invoke("a mug"))
    with pytest.raises(InvalidInputError, match="no artifact of the image search"):
        artifact_of(ToolMessage("", tool_call_id="1"))


def test_what_a_person_strikes_out_of_a_call_does_not_come_back(words: DARRetriever) -> None:
    def arguments(said: str) -> dict[str, Any]:
        return {"request": "handbag", "less_like": [1, 2] if said == "others" else []}

    with SqliteSaver.from_conn_string(":memory:") as saver:
        agent = create_agent(
            Caller(arguments=arguments),
            [create_image_search_tool(words, images="none")],
            middleware=[HumanInTheLoopMiddleware(interrupt_on={"search_images": True})],
            checkpointer=saver,
        )
        thread: Any = {"configurable": {"thread_id": "1"}}
        found = []
        for said in ("a handbag", "others", "please"):
            agent.invoke({"messages": [HumanMessage(said)]}, thread)
            struck = {"less_like": [1] if said == "others" else []}
            edited = {"request": "handbag", "k": 20, **struck}
            action = {"name": "search_images", "args": edited}
            decision = {"type": "edit", "edited_action": action}
            state = agent.invoke(Command(resume={"decisions": [decision]}), thread)
            reply = [each for each in state["messages"] if isinstance(each, ToolMessage)][-1]
            found.append(listed_ids(str(reply.text)))

    first, second, third = found
    assert first[0] not in second + third
    assert first[1] in {*second} & {*third}


def test_a_wrong_key_of_the_messages_is_an_error(words: DARRetriever) -> None:
    agent = create_agent(
        Caller(arguments=lambda said: {"request": said}),
        [create_image_search_tool(words, messages_key="talk")],
    )

    state = agent.invoke({"messages": [HumanMessage("a mug")]})

    (reply,) = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    assert reply.status == "error"
    assert "'talk': no messages; the agent's state has messages" in reply.text
