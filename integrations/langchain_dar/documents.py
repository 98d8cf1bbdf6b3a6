"""Hits as LangChain's documents."""

from __future__ import annotations

from langchain_core.documents import Document

from dar_retriever import SearchResult
from dar_retriever.agents import IncludeImages, hit_picture


class ImageDocument(Document):
    """A hit as a document. Two are equal if they are the same picture, whatever was searched for.

    Wrappers that join the results of several searches compare documents as a whole, and score and
    trace are those of one search.
    """

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ImageDocument):
            return NotImplemented
        return (self.id, self.page_content) == (other.id, other.page_content)

    def __hash__(self) -> int:
        return hash((self.id, self.page_content))

    def as_document(self) -> Document:
        """The same as a plain document, which every checkpoint gives back."""
        return Document(id=self.id, page_content=self.page_content, metadata=self.metadata)


def documents_of(
    result: SearchResult, include_images: IncludeImages = "none"
) -> list[ImageDocument]:
    """A result's hits as documents, best first.

    Args:
        result: The result of a search.
        include_images: Whether ``metadata["image"]`` holds the image as a data URL: "none",
            "thumbnail" (at most 256 pixels per side) or "full". It is None if the file is gone.

    Returns:
        Documents with the hit's id and title. The metadata are ``Hit.as_metadata``, "id" and
        "trace".
    """
    trace = result.trace.as_json()
    documents = []
    for hit in result.hits:
        metadata = hit.as_metadata() | {"id": hit.id, "trace": trace}
        if include_images != "none":
            metadata["image"] = hit_picture(hit, include_images)
        documents.append(ImageDocument(id=hit.id, page_content=hit.title, metadata=metadata))
    return documents
