"""Hits as LangChain's documents."""

from __future__ import annotations

from typing import Any, Final, Literal

from langchain_core.documents import Document

from dar_retriever import Hit, SearchResult
from dar_retriever.agents import hit_picture

IncludeImages = Literal["none", "thumbnail", "full"]

_OWN_FIELDS: Final = ("uri", "score", "size", "trace", "image")


def documents_of(result: SearchResult, include_images: IncludeImages = "none") -> list[Document]:
    """A result's hits as documents, best first.

    Args:
        result: Of a search.
        include_images: Whether ``metadata["image"]`` holds the image as a data URL, of at most
            256 pixels a side or in full; None where the file is gone.

    Returns:
        Documents with the hit's id and title and with JSON-serialisable metadata: what is stored
        with the image, "uri", "score", "size" ([width, height] or None) and "trace". A stored
        field of such a name is found under ``stored_NAME``.
    """
    trace = result.trace.as_json()
    documents = []
    for hit in result.hits:
        metadata = _metadata(hit) | {"trace": trace}
        if include_images != "none":
            metadata["image"] = hit_picture(hit, full=include_images == "full")
        documents.append(Document(id=hit.id, page_content=hit.title, metadata=metadata))
    return documents


def _metadata(hit: Hit) -> dict[str, Any]:
    stored = {
        f"stored_{name}" if name in _OWN_FIELDS else name: value
        for name, value in hit.metadata.items()
    }
    width, height = hit.metadata.get("width"), hit.metadata.get("height")
    size = [width, height] if width and height else None
    return {**stored, "uri": hit.uri, "score": hit.score, "size": size}
