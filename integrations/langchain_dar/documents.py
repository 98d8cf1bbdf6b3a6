"""Hits as LangChain's documents."""

from __future__ import annotations

from langchain_core.documents import Document

from dar_retriever import SearchResult
from dar_retriever.agents import IncludeImages, hit_picture


def documents_of(result: SearchResult, include_images: IncludeImages = "none") -> list[Document]:
    """A result's hits as documents, best first.

    Args:
        result: The result of a search.
        include_images: Whether ``metadata["image"]`` holds the image as a data URL: "none",
            "thumbnail" (at most 256 pixels per side) or "full". It is None if the file is gone.

    Returns:
        Documents with the hit's id and title. The metadata are ``Hit.as_metadata`` and "trace".
    """
    trace = result.trace.as_json()
    documents = []
    for hit in result.hits:
        metadata = hit.as_metadata() | {"trace": trace}
        if include_images != "none":
            metadata["image"] = hit_picture(hit, include_images)
        documents.append(Document(id=hit.id, page_content=hit.title, metadata=metadata))
    return documents
