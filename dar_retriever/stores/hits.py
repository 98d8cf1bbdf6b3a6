"""Stored images and hits, and their form as Chroma records."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

from PIL import Image

from dar_retriever.conversation.image_access import local_path
from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidImageError
from dar_retriever.stores.copies import RECORD, PictureRecord, record_of_text
from dar_retriever.stores.entry_parts import EntryPart, StoredPart, part_id
from dar_retriever.stores.roots import NO_ROOTS, Roots
from dar_retriever.stores.values import is_unicode
from dar_retriever.support.images import image_from_data_url, printable, read_file
from dar_retriever.support.moving_pictures import still_at
from dar_retriever.support.paths import is_gone

Metadata: TypeAlias = Mapping[str, Any]

URI: Final = "uri"
_DATA: Final = "data:image/"
_FILE: Final = "file:"
_TAKEN: Final = (
    "id",
    "uri",
    "score",
    "relevance",
    "fits",
    "shows",
    "propositions",
    "size",
    "missing",
    "copies",
    "part",
    "trace",
    "image",
)
# Names that other programs use for the location of an image in Chroma's metadata.
_PLACES: Final = (URI, "image_path", "file_path", "image_url", "source")
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


@dataclass(frozen=True, slots=True)
class Shown:
    """Whether an image shows one thing that was said of the wanted one.

    Attributes:
        phrase: What was said: "blue".
        fits: Whether it is as wanted: shown, or not shown if it was excluded.
        score: How sure it is that the image shows it, 0 to 1.
        wanted: False if it was excluded.
    """

    phrase: str
    fits: bool
    score: float
    wanted: bool = True

    def __str__(self) -> str:
        """For people: "blue: yes"; "not red: no" if the image is red."""
        return f"{self.label}: {'yes' if self.fits else 'no'}"

    @property
    def label(self) -> str:
        """For people: "blue"; "not red" if it was excluded."""
        return self.phrase if self.wanted else f"not {self.phrase}"


@dataclass(frozen=True, slots=True)
class Hit:
    """One retrieved image.

    Attributes:
        id: Hash of the image file's bytes, if this package stored it.
        score: Dot product of query and image vector; higher is better.
        uri: A path, a URL, or the image itself as a data URL.
        caption: The stored caption; empty if there is none.
        metadata: Metadata stored with the image.
        copies: Where the same picture also lies.
        relevance: The re-ranker's score, higher is better; None if the hit was not re-ranked.
        shows: Which parts of the request it shows and which not; empty if that was not read.
        part: The part of the entry that matched best; None if that was all of it, or if no parts
            are stored.
        fits: Whether it fits the request; None if that was not judged.
    """

    id: str
    score: float
    uri: str
    caption: str = ""
    metadata: Metadata = field(default_factory=dict)
    copies: tuple[str, ...] = ()
    relevance: float | None = None
    shows: tuple[Shown, ...] = ()
    part: EntryPart | None = None
    fits: bool | None = None

    @property
    def vector_id(self) -> str:
        """What ``vectors_of`` of its store knows the vector by that matched."""
        return self.id if self.part is None else part_id(self.id, self.part.number)

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
        return all(map(_is_gone, (self.uri, *self.copies))) if self.uri else False

    def as_metadata(self) -> dict[str, Any]:
        """The hit as plain data.

        Returns:
            The stored metadata with "uri", "score" and "size" ([width, height] or None), "copies"
            if there are any, "part" if a part of the entry matched (its "number", and "box": [left,
            top, right, bottom], "second" or "page", see ``EntryPart``), "relevance" if the hit was
            re-ranked, "fits" if that was judged, "shows" ("blue: yes") and "propositions" (the same
            as a list of plain data, see ``Shown``) if that was read, and "missing": True if the
            file is gone. Stored fields with one of these names, or named "id", "trace" or "image",
            which adapters add, are renamed to ``stored_NAME``.
        """
        stored = {f"stored_{n}" if n in _TAKEN else n: value for n, value in self.metadata.items()}
        width, height = self.metadata.get("width"), self.metadata.get("height")
        size = [width, height] if width and height else None
        further: dict[str, Any] = {"copies": list(self.copies)} if self.copies else {}
        further |= {} if self.part is None else {"part": self.part.as_json()}
        further |= {} if self.relevance is None else {"relevance": self.relevance}
        further |= {} if self.fits is None else {"fits": self.fits}
        if self.shows:
            said = ", ".join(map(str, self.shows))
            further |= {"shows": said, "propositions": [asdict(each) for each in self.shows]}
        further |= {"missing": True} if self.missing else {}
        return {**stored, "uri": self.uri, "score": self.score, "size": size, **further}

    def open(self) -> Image.Image:
        """Read the image from its file or data URL; the frame or page, if one of them matched.

        Raises:
            InvalidImageError: The file is gone or not readable, or is on another machine.
        """
        if not self.uri:
            raise InvalidImageError(
                f"{self.id[:60]!r}: its record names no file; another program stored it without "
                "one, so index the pictures into a store of their own"
            )
        if self.uri.startswith(_DATA):
            return image_from_data_url(self.uri)
        there = (uri for uri in (self.uri, *self.copies) if not _is_gone(uri))
        path = local_path(next(there, self.uri))
        if path is None:
            raise InvalidImageError(
                f"{self.uri[:60]!r}: hits are not fetched from other machines; to fetch this one, "
                "use ImageAccess(web=True).open(hit.uri)"
            )
        content, name = read_file(path), printable(path)
        if self.part is None:
            return still_at(content, name)
        return still_at(content, name, self.part.second, self.part.page)


def _is_gone(uri: str) -> bool:
    path = local_path(uri)
    return path is not None and is_gone(path)


def uri_of(path: Path) -> str:
    """The uri of a file: its absolute path, or a file: URL if the path is not valid UTF-8.

    ``Hit.open`` accepts both.
    """
    absolute = path.absolute()
    # Python represents other bytes as surrogates, which Chroma and JSON do not accept.
    return _uri_text(str(absolute))


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image to store: the fields of a ``Hit``, with a vector instead of a score.

    Attributes:
        record: What a sync remembers of its files; None if nothing is to be kept in step.
        parts: Its parts; an ``ImageStore`` on Chroma keeps them, other stores refuse them.
    """

    id: str
    vector: Vectors
    uri: str
    caption: str = ""
    metadata: Metadata = field(default_factory=dict)
    record: PictureRecord | None = None
    parts: Sequence[StoredPart] = ()


def hit_of(
    id: str,
    score: float,
    document: str | None,
    metadata: Mapping[str, Any] | None,
    roots: Roots = NO_ROOTS,
) -> Hit:
    """Make a hit of a Chroma record that this package, LangChain or LlamaIndex wrote."""
    text, rest = document or "", dict(metadata or {})
    record = rest.pop(RECORD, None)
    if record is not None:
        copies = record_of_text(id, str(record)).copies
        uri, *others = (_uri_text(roots.location(copy)) for copy in copies)
        rest.pop(URI, None)
        return Hit(id, score, uri, text, rest, tuple(others))
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


def hit_of_metadata(id: str, title: str, metadata: Mapping[str, Any]) -> Hit:
    """The hit that an adapter's document or node was made of.

    Args:
        id: Its id.
        title: Its text.
        metadata: Those of ``Hit.as_metadata``; those that a framework's own store keeps will do.
    """
    stored = {name: value for name, value in metadata.items() if name not in _TAKEN}
    uri = metadata.get(URI) or metadata.get("image")
    hit = hit_of(id, metadata.get("score") or 0.0, title, stored | ({URI: uri} if uri else {}))
    part = metadata.get("part")
    return replace(
        hit,
        copies=tuple(metadata.get("copies") or ()),
        relevance=metadata.get("relevance"),
        shows=tuple(Shown(**each) for each in metadata.get("propositions") or ()),
        part=None if part is None else EntryPart.of_json(part),
        fits=metadata.get("fits"),
    )


def _uri_text(location: str) -> str:
    """A location that JSON can hold; see ``uri_of``."""
    return location if is_unicode(location) else Path(location).as_uri()
