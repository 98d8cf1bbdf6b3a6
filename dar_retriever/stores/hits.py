"""Stored images and hits, and how a Chroma record holds them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

import numpy as np
from PIL import Image

from dar_retriever.conversation.image_access import local_path
from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidImageError, InvalidInputError
from dar_retriever.support.images import image_from_data_url, open_image

Metadata: TypeAlias = Mapping[str, Any]

_URI: Final = "uri"
_DATA: Final = "data:image/"
_FILE: Final = "file:"
_TAKEN: Final = ("uri", "score", "size", "missing", "trace", "image")
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


# Beyond these, what is said of an image is a document of its own.
_MOST_OF_VALUE: Final = 64 * 2**10
_MOST_OF_IMAGE: Final = 4 * 2**20
_ELSEWHERE: Final = "keep it in a file or a database, and store its name"
_TOO_LONG: Final = f"over 64 KiB; {_ELSEWHERE}"
_SHOWN: Final = 60
# What Chroma keeps for itself, and what a record is taken for LlamaIndex's by.
_RESERVED: Final = (_URI, _NODE)
_SIGNS: Final = ("#", "$", "chroma:")


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
        name = Path(self.file_name).stem.replace("_", " ").replace("-", " ").strip()
        return next((str(text) for text in named if text), name or self.id)

    @property
    def file_name(self) -> str:
        """The name of its file, to be read by people; empty where it has none."""
        if self.uri.startswith(_DATA):
            return ""
        return Path(unquote(self.uri) if self.uri.startswith(_FILE) else self.uri).name

    @property
    def missing(self) -> bool:
        """Whether its file is gone.

        Only files of this machine are looked for: it is false of data URLs and remote ones.
        """
        path = local_path(self.uri) if self.uri else None
        return path is not None and not Path(path).is_file()

    def as_metadata(self) -> dict[str, Any]:
        """What is known of it as plain data.

        Returns:
            What is stored with it, "uri", "score" and "size", [width, height] or None; "missing",
            True, where its file is gone. A stored field whose name is taken, by these or by what
            adapters add, "trace" and "image", is found under ``stored_NAME``.
        """
        stored = {f"stored_{n}" if n in _TAKEN else n: value for n, value in self.metadata.items()}
        width, height = self.metadata.get("width"), self.metadata.get("height")
        size = [width, height] if width and height else None
        gone = {"missing": True} if self.missing else {}
        return {**stored, "uri": self.uri, "score": self.score, "size": size, **gone}

    def open(self) -> Image.Image:
        """Read the image from its file or data URL.

        Raises:
            InvalidImageError: The file is gone or not readable, or the image on another machine.
        """
        if self.uri.startswith(_DATA):
            return image_from_data_url(self.uri)
        path = local_path(self.uri)
        if path is None:
            raise InvalidImageError(
                f"{self.uri[:60]!r}: hits are not fetched from elsewhere; open such a one with "
                "ImageAccess(web=True).open(hit.uri)"
            )
        return open_image(path)


def uri_of(path: Path) -> str:
    """How a store names a file: its absolute path, as a file: URL where that is no valid UTF-8.

    ``Hit.open`` finds the file by either.
    """
    absolute = path.absolute()
    # Python holds a file system's other bytes as surrogates; Chroma and JSON take none.
    return str(absolute) if is_unicode(str(absolute)) else absolute.as_uri()


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One image to be stored: the fields of a ``Hit`` with the vector in place of the score."""

    id: str
    vector: Vectors
    uri: str
    caption: str = ""
    metadata: Metadata = field(default_factory=dict)


def document_and_metadata(image: StoredImage) -> tuple[str, dict[str, str | int | float | bool]]:
    """A stored image as a Chroma record; nested metadata become JSON, missing ones are left out.

    Raises:
        InvalidInputError: Something of it cannot be stored: a field's name that is empty, no text
            or taken; a value that is no JSON, not finite, an integer beyond 64 bits or text that
            is no valid Unicode; a caption or a value of over 64 KiB, or all of over 4 MiB.
    """
    flat: dict[str, str | int | float | bool] = {}
    for name, value in image.metadata.items():
        if not isinstance(name, str) or not name or not is_unicode(name):
            raise _unfit(image, f"metadata field {_shown(name)}", "names are text that is not ''")
        if name in _RESERVED or name.startswith(_SIGNS):
            raise _unfit(image, f"metadata field {_shown(name)}", "the name is taken; use another")
        if value is not None:
            flat[name] = _plain(image, name, value)
    if not isinstance(image.caption, str):
        raise _unfit(image, f"caption {_shown(image.caption)}", "give it as text")
    texts = {"caption": image.caption, _URI: image.uri}
    for what, text in texts.items():
        if not is_unicode(text):
            raise _unfit(image, f"{what} {_shown(text)}", "no valid Unicode; replace what is not")
    if len(image.caption.encode()) > _MOST_OF_VALUE:
        raise _unfit(image, f"caption {_shown(image.caption)}", f"{_TOO_LONG}, or shorten it")
    flat[_URI] = image.uri
    size = sum(len(json.dumps(part)) for part in flat.items())
    if size > _MOST_OF_IMAGE:
        raise _unfit(
            image, f"{size:,} bytes of metadata and uri", f"the most is 4 MiB; {_ELSEWHERE}"
        )
    return image.caption, flat


def _plain(image: StoredImage, name: str, value: Any) -> str | int | float | bool:
    """A value as Chroma takes it."""
    what = f"metadata field {_shown(name)}: {_shown(value)}"
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int | float):
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise _unfit(image, what, "an integer of over 64 bits; give it as text")
        if not math.isfinite(value):
            raise _unfit(image, what, "not finite; leave the field out, or give None")
        return value
    text = value if isinstance(value, str) else _json_of(image, what, value)
    if not is_unicode(text):
        raise _unfit(image, what, "no valid Unicode; replace what is not")
    if len(text.encode()) > _MOST_OF_VALUE:
        raise _unfit(image, what, _TOO_LONG)
    return text


def _json_of(image: StoredImage, what: str, value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    # What is no JSON, what is not finite, what holds itself, and what is nested too deep.
    except (TypeError, ValueError, RecursionError) as error:
        raise _unfit(
            image,
            what,
            f"no JSON ({error}); give text, numbers, true or false, or lists and objects of them, "
            "such as a date by its isoformat()",
        ) from None


def is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8; names of files may hold bytes that cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: Any) -> str:
    """A value in a few characters."""
    if isinstance(value, str | bytes):
        value = value[:_SHOWN]
    try:
        text = repr(value)
    # Integers of thousands of digits, deep nesting, and objects that fail to describe themselves.
    except Exception:
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _unfit(image: StoredImage, what: str, reason: str) -> InvalidInputError:
    return InvalidInputError(f"{_shown(image.id)} cannot be stored with {what}: {reason}")


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
