"""Diffusion Augmented Retrieval for LlamaIndex: a retriever and an agent tool."""

from dar_retriever.support.extras import needs_extra

with needs_extra("llama-index"):
    from llama_index_dar.answers import PictureResponse, PictureSynthesizer
    from llama_index_dar.encoder import joint_encoder
    from llama_index_dar.language_model import language_model
    from llama_index_dar.messages import dialogue_from_chat_messages
    from llama_index_dar.pictures import ImagesForModel, place_of, with_pictures
    from llama_index_dar.retriever import ChatQueryBundle, DARRetriever, ImageSearchEvent
    from llama_index_dar.tool import ImageSearchProgress, create_image_search_tool
    from llama_index_dar.vector_store import LlamaIndexImageStore

__all__ = [
    "ChatQueryBundle",
    "DARRetriever",
    "ImageSearchEvent",
    "ImageSearchProgress",
    "ImagesForModel",
    "LlamaIndexImageStore",
    "PictureResponse",
    "PictureSynthesizer",
    "create_image_search_tool",
    "dialogue_from_chat_messages",
    "joint_encoder",
    "language_model",
    "place_of",
    "with_pictures",
]
