"""Lets this package encode with LangChain's embeddings."""

from __future__ import annotations

from langchain_core.embeddings import Embeddings

from dar_retriever import FunctionEncoder, InvalidInputError


def joint_encoder(embeddings: Embeddings, name: str, *, max_tokens: int = 256) -> FunctionEncoder:
    """Wrap multimodal embeddings of any provider as an encoder for texts and images.

    Args:
        embeddings: Embeddings that also have ``embed_image``, which takes the paths of image files,
            as ``OpenCLIPEmbeddings`` has it. Texts go through ``embed_query``.
        name: The model's name and version. A store is bound to it.
        max_tokens: Maximum number of tokens that the model reads of a text.

    Raises:
        InvalidInputError: The embeddings embed no images.

    Example:
        >>> encoder = joint_encoder(embeddings, "voyage-multimodal-3.5")  # doctest: +SKIP
    """
    embed_image = getattr(embeddings, "embed_image", None)
    if not callable(embed_image):
        raise InvalidInputError(
            f"{type(embeddings).__name__} has no embed_image, so it embeds no images; take "
            "multimodal embeddings, or write dar_retriever.FunctionEncoder(...) around your own"
        )
    return FunctionEncoder(
        name,
        lambda texts: [embeddings.embed_query(text) for text in texts],
        embed_image,
        max_tokens=max_tokens,
    )
