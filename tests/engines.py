"""Stores on the vector engines of both frameworks, each empty and in memory."""

from __future__ import annotations

import uuid

import chromadb
from langchain_chroma import Chroma
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_dar import ImageEmbeddings, LangChainImageStore, predicate_filter
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index.vector_stores.chroma import ChromaVectorStore
from llama_index_dar import LlamaIndexImageStore

from dar_retriever.encoders import JointEncoder
from dar_retriever.stores import EngineStore


def in_memory(encoder: JointEncoder) -> EngineStore:
    vector_store = InMemoryVectorStore(ImageEmbeddings(encoder))
    return LangChainImageStore(vector_store, encoder, filter_of=predicate_filter)


def langchain_chroma(encoder: JointEncoder) -> EngineStore:
    vector_store = Chroma(
        f"langchain-{uuid.uuid4().hex}",
        ImageEmbeddings(encoder),
        client=chromadb.EphemeralClient(),
    )
    return LangChainImageStore(vector_store, encoder, filter_of=lambda where: {"filter": where})


def llama_index_chroma(encoder: JointEncoder) -> EngineStore:
    # Its distance is l2, and its similarity exp(-distance): not ours.
    collection = chromadb.EphemeralClient().create_collection(f"llama-{uuid.uuid4().hex}")
    return LlamaIndexImageStore(ChromaVectorStore(chroma_collection=collection), encoder)


def simple(encoder: JointEncoder) -> EngineStore:
    return LlamaIndexImageStore(SimpleVectorStore(), encoder, docstore=SimpleDocumentStore())


OPENERS = [in_memory, langchain_chroma, llama_index_chroma, simple]
