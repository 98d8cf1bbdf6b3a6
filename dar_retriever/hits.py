"""Stored images and hits, and how a Chroma record holds them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from PIL import Image

from dar_retriever.encoders.base import Vectors
from dar_retriever.images import image_from_data_url, open_image

Metadata: TypeAlias = Mapping[str, Any]

_URI: Final = "uri"
_DATA: Final = "data:image/"
_TAKEN: Final = ("uri", "score", "size", "trace", "image")
# What other writers of Chroma collections call the place of an image.
_PLACES: Final = (_URI, "image_path", "file_path", "image_url", "source")
# LlamaIndex keeps a node as JSON, and beside it what it looks nodes up by.
_NODE: Final = "_node_content"
_NODE_FIELDS: Final = (_NODE, "_node_type", "doc_id", "ref_doc_id", "document_id")
# LangChain keeps an image as base64 in place of its text; so do the formats begin there.
_BASE64: Final = {
    "/9j/": "image/jpeg",
    "iVBORw0KGgo": "image/png",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp",
}


@dataclass(frozen=True, slots=True)
class Hit:
    """One retrieved image.

    Attributes:
        id: Hash of the image file's bytes, where this package stored it.
        score: Product of query and image vector, higher is better.
        uri: Where the image is: a path, a URL, or the image itself as a data URL.
        caption: What is said of it, if anything.
        metadata: What was stored with it.
    """

    id: str
    score: float
    uri: str
    caption: str = ""
    metadata: Metadata = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What to call it: the caption, a stored description or title, else the file's name."""
        named = (self.caption, self.metadata.get("description"), self.metadata.get("title"))
        stem = "" if self.uri.startswith(_DATA) else Path(self.uri).stem
        name = stem.replace("_", " ").replace("-", " ").strip()
        return next((str(text) for text in named if text), name or self.id)

    def as_metadata(self) -> dict[str, Any]:
        """What is known of it as plain data.

        Returns:
            What is stored with it, "uri", "score" and "size", [width, height] or None. A stored
            field whose name is taken, by these or by what adapters add, "trace" and "image", is
            found under ``stored_NAME``.
        """
        stored = {f"stored_{n}" if n in _TAKEN else n: value for n, value in self.metadata.items()}
        width, height = self.metadata.get("width"), self.metadata.get("height")
        size = [width, height] if width and height else None
        return {**stored, "uri": self.uri, "score": self.score, "size": size}

    def open(self) -> Image.Image:
        """Read the image.

        Raises:
            InvalidImageError: The file is gone or not readable.
        """
        if self.uri.startswith(_DATA):
            return image_from_data_url(self.uri)
        return open_image(self.uri.removeprefix("file://"))


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One image to be stored: the fields of a ``Hit`` with the vector in place of the score."""

    id: str
    vector: Vectors
    uri: str
    caption: str = ""
    metadata: Metadata = field(default_factory=dict)


def document_and_metadata(image: StoredImage) -> tuple[str, dict[str, str | int | float | bool]]:
    """A stored image as a Chroma record; nested metadata become JSON, missing ones are left out."""
    flat = {
        str(name): value if isinstance(value, str | int | float | bool) else json.dumps(value)
        for name, value in image.metadata.items()
        if value is not None
    }
    return image.caption, {**flat, _URI: image.uri}


def hit_of(id: str, score: float, document: str | None, metadata: Mapping[str, Any] | None) -> Hit:
    """A Chroma record as a hit, written by this package, by LangChain or by LlamaIndex."""
    text, rest = document or "", dict(metadata or {})
    if _NODE in rest:
        node = json.loads(rest[_NODE])
        rest = {name: value for name, value in rest.items() if name not in _NODE_FIELDS}
        rest |= {name: node[name] for name in _PLACES if node.get(name)}
        text = text or node.get("text") or ""
    place = next((name for name in _PLACES if rest.get(name)), None)
    uri = str(rest.pop(place)) if place else ""
    mime = next((mime for start, mime in _BASE64.items() if text.startswith(start)), None)
    if mime and " " not in text:
        uri, text = uri or f"data:{mime};base64,{text}", ""
    return Hit(id, score, uri, text, rest)
