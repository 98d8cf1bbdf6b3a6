"""Diffusion Augmented Retrieval for LangChain: a retriever, chain helpers and an agent tool."""

from dar_retriever.support.extras import needs_extra

with needs_extra("langchain"):
    from langchain_dar.answers import AnswerFromDocuments
    from langchain_dar.chains import DialogueRetriever, content_blocks
    from langchain_dar.encoder import joint_encoder
    from langchain_dar.language_model import language_model
    from langchain_dar.messages import dialogue_from_messages
    from langchain_dar.pictures import ImagesForModel, place_of, with_pictures
    from langchain_dar.retriever import DARRetriever
    from langchain_dar.tool import artifact_of, create_image_search_tool
    from langchain_dar.vector_store import (
        ImageEmbeddings,
        LangChainImageStore,
        predicate_filter,
    )

__all__ = [
    "AnswerFromDocuments",
    "DARRetriever",
    "DialogueRetriever",
    "ImageEmbeddings",
    "ImagesForModel",
    "LangChainImageStore",
    "artifact_of",
    "content_blocks",
    "create_image_search_tool",
    "dialogue_from_messages",
    "joint_encoder",
    "language_model",
    "place_of",
    "predicate_filter",
    "with_pictures",
]
