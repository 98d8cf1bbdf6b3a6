"""Stored images and hits, and their form as Chroma records."""

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
# Names that other programs use for the location of an image in Chroma's metadata.
_PLACES: Final = (_URI, "image_path", "file_path", "image_url", "source")
# LlamaIndex stores a node as JSON, together with fields to look it up by.
_NODE: Final = "_node_content"
_NODE_FIELDS: Final = (_NODE, "_node_type", "doc_id", "ref_doc_id", "document_id")
# LangChain stores an image as base64 in place of a text; each format begins in its own way.
_BASE64: Final = {
    "/9j/": "image/jpeg",
    "iVBORw0KGgo": "image/png",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp",
}


# Larger texts and metadata belong in a file or database of their own.
_MOST_OF_VALUE: Final = 64 * 2**10
_MOST_OF_IMAGE: Final = 4 * 2**20
_ELSEWHERE: Final = "keep it in a file or a database, and store its name"
_TOO_LONG: Final = f"over 64 KiB; {_ELSEWHERE}"
_NOT_UNICODE: Final = "not valid Unicode; replace the invalid characters"
_SHOWN: Final = 60
# Our own field, and the one that marks LlamaIndex's records.
_RESERVED: Final = (_URI, _NODE)
_SIGNS: Final = ("#", "$", "chroma:")


@dataclass(frozen=True, slots=True)
class Hit:
    """One retrieved image.

    Attributes:
        id: Hash of the image file's bytes, if this package stored it.
        score: Dot product of query and image vector; higher is better.
        uri: A path, a URL, or the image itself as a data URL.
        caption: The stored caption; empty if there is none.
        metadata: Metadata stored with the image.
    """

    id: str
    score: float
    uri: str
    caption: str = ""
    metadata: Metadata = field(default_factory=dict)

    @property
    def title(self) -> str:
        """A name for people: the caption, a stored description or title, or the file's name."""
        named = (self.caption, self.metadata.get("description"), self.metadata.get("title"))
        name = Path(self.file_name).stem.replace("_", " ").replace("-", " ").strip()
        return next((str(text) for text in named if text), name or self.id)

    @property
    def file_name(self) -> str:
        """The name of the file in readable form; empty if there is no file."""
        if self.uri.startswith(_DATA):
            return ""
        return Path(unquote(self.uri) if self.uri.startswith(_FILE) else self.uri).name

    @property
    def missing(self) -> bool:
        """Whether the file was deleted or moved.

        Only local files are checked; data URLs and remote URLs never count as missing.
        """
        path = local_path(self.uri) if self.uri else None
        return path is not None and not Path(path).is_file()

    def as_metadata(self) -> dict[str, Any]:
        """The hit as plain data.

        Returns:
            The stored metadata with "uri", "score" and "size" ([width, height] or None), and
            "missing": True if the file is gone. Stored fields with one of these names, or named
            "trace" or "image", which adapters add, are renamed to ``stored_NAME``.
        """
        stored = {f"stored_{n}" if n in _TAKEN else n: value for n, value in self.metadata.items()}
        width, height = self.metadata.get("width"), self.metadata.get("height")
        size = [width, height] if width and height else None
        gone = {"missing": True} if self.missing else {}
        return {**stored, "uri": self.uri, "score": self.score, "size": size, **gone}

    def open(self) -> Image.Image:
        """Read the image from its file or data URL.

        Raises:
            InvalidImageError: The file is gone or not readable, or is on another machine.
        """
        if self.uri.startswith(_DATA):
            return image_from_data_url(self.uri)
        path = local_path(self.uri)
        if path is None:
            raise InvalidImageError(
                f"{self.uri[:60]!r}: hits are not fetched from other machines; to fetch this one, "
                "use ImageAccess(web=True).open(hit.uri)"
            )
        return open_image(path)


def uri_of(path: Path) -> str:
    """The uri of a file: its absolute path, or a file: URL if the path is not valid UTF-8.

    ``Hit.open`` accepts both.
    """
    absolute = path.absolute()
    # Python represents other bytes as surrogates, which Chroma and JSON do not accept.
    return str(absolute) if is_unicode(str(absolute)) else absolute.as_uri()


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image to store: the fields of a ``Hit``, with a vector instead of a score."""

    id: str
    vector: Vectors
    uri: str
    caption: str = ""
    metadata: Metadata = field(default_factory=dict)


def document_and_metadata(image: StoredImage) -> tuple[str, dict[str, str | int | float | bool]]:
    """An image's document and metadata for Chroma. Nested values become JSON, None is left out.

    Raises:
        InvalidInputError: Something cannot be stored: a field name that is empty, not text or
            reserved; a value that is not JSON, not finite, an integer beyond 64 bits, or text that
            is not valid Unicode; a caption or value of over 64 KiB, or over 4 MiB in all.
    """
    flat: dict[str, str | int | float | bool] = {}
    for name, value in image.metadata.items():
        if not isinstance(name, str) or not name or not is_unicode(name):
            raise _unfit(
                image, f"metadata field {_shown(name)}", "a name must be text and not empty"
            )
        if name in _RESERVED or name.startswith(_SIGNS):
            raise _unfit(
                image, f"metadata field {_shown(name)}", "the name is reserved; use another"
            )
        if value is not None:
            flat[name] = _plain(image, name, value)
    if not isinstance(image.caption, str):
        raise _unfit(image, f"caption {_shown(image.caption)}", "give it as text")
    texts = {"caption": image.caption, _URI: image.uri}
    for what, text in texts.items():
        if not is_unicode(text):
            raise _unfit(image, f"{what} {_shown(text)}", _NOT_UNICODE)
    if len(image.caption.encode()) > _MOST_OF_VALUE:
        raise _unfit(image, f"caption {_shown(image.caption)}", f"{_TOO_LONG}, or shorten it")
    flat[_URI] = image.uri
    size = sum(len(json.dumps(part)) for part in flat.items())
    if size > _MOST_OF_IMAGE:
        raise _unfit(
            image, f"{size:,} bytes of metadata and uri", f"the limit is 4 MiB; {_ELSEWHERE}"
        )
    return image.caption, flat


def _plain(image: StoredImage, name: str, value: Any) -> str | int | float | bool:
    """A value in a type that Chroma accepts."""
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
        raise _unfit(image, what, _NOT_UNICODE)
    if len(text.encode()) > _MOST_OF_VALUE:
        raise _unfit(image, what, _TOO_LONG)
    return text


def _json_of(image: StoredImage, what: str, value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    # Not JSON, not finite, circular, or nested too deeply.
    except (TypeError, ValueError, RecursionError) as error:
        raise _unfit(
            image,
            what,
            f"not JSON ({error}); use text, numbers, true or false, or lists and objects of them; "
            "for a date, use its isoformat()",
        ) from None


def is_unicode(text: str) -> bool:
    """Whether a text can be encoded as UTF-8; file names may contain bytes that cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: Any) -> str:
    """A value, shortened for messages."""
    if isinstance(value, str | bytes):
        value = value[:_SHOWN]
    try:
        text = repr(value)
    # Integers with thousands of digits, deep nesting, and objects whose __repr__ fails.
    except Exception:
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _unfit(image: StoredImage, what: str, reason: str) -> InvalidInputError:
    return InvalidInputError(f"{_shown(image.id)} cannot be stored with {what}: {reason}")


def hit_of(id: str, score: float, document: str | None, metadata: Mapping[str, Any] | None) -> Hit:
    """Make a hit of a Chroma record that this package, LangChain or LlamaIndex wrote."""
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
