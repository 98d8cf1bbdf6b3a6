"""Lets this package encode with LlamaIndex's multimodal embeddings."""

from __future__ import annotations

from llama_index.core.embeddings import MultiModalEmbedding

from dar_retriever import FunctionEncoder


def joint_encoder(
    embed_model: MultiModalEmbedding, name: str, *, max_tokens: int = 256
) -> FunctionEncoder:
    """Wrap a multimodal embedding of any provider as an encoder for texts and images.

    Args:
        embed_model: Such as ``ClipEmbedding``, ``VoyageEmbedding`` or ``CohereEmbedding``. Texts go
            through ``get_query_embedding``.
        name: The model's name and version. A store is bound to it.
        max_tokens: Maximum number of tokens that the model reads of a text.

    Example:
        >>> encoder = joint_encoder(embed_model, "cohere embed-v4.0")  # doctest: +SKIP
    """
    return FunctionEncoder(
        name,
        lambda texts: [embed_model.get_query_embedding(text) for text in texts],
        lambda files: embed_model.get_image_embedding_batch([*files]),
        max_tokens=max_tokens,
    )
