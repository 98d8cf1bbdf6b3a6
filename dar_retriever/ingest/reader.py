"""The reading step: a file's id, and its picture prepared for the encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from PIL import Image

from dar_retriever.errors import DARError
from dar_retriever.ingest.files import FileState
from dar_retriever.ingest.parts import taken_apart
from dar_retriever.ingest.report import LeftOut
from dar_retriever.stores.entry_parts import EntryPart
from dar_retriever.stores.near_duplicates import HASH
from dar_retriever.support.decoding import Decoded, decode
from dar_retriever.support.images import printable, read_file
from dar_retriever.support.likeness import perceptual_hash

Preprocess: TypeAlias = Callable[[Image.Image], Any]
FactsOf: TypeAlias = Callable[[Decoded], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Identified:
    """A file and its id.

    Attributes:
        key: What the source calls the file.
        state: The file as it was before it was read.
        id: Hash of its bytes.
    """

    key: str
    state: FileState
    id: str


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that could not be used."""

    key: str
    left_out: LeftOut


@dataclass(frozen=True, slots=True)
class Prepared:
    """A preprocessed picture, its parts, and what its file tells."""

    file: Identified
    pixels: Any
    facts: Mapping[str, Any] = field(default_factory=dict)
    parts: Sequence[tuple[EntryPart, Any]] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """How pictures are read.

    Attributes:
        preprocess: Prepares an RGB image for the encoder.
        side: Pixels per side that the encoder makes use of; all by default.
        facts_of: What is kept of an image as its metadata.
        parts: Whether its parts are read too.
    """

    preprocess: Preprocess
    side: int | None
    facts_of: FactsOf
    parts: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What is kept of an image as its metadata: its size, and what the camera wrote.

    Attributes:
        exif: Whether "taken", "taken_at" and "camera" are kept.
        location: Whether "latitude" and "longitude" are kept.
        likeness: Whether "phash" is kept, by which near duplicates are found.
    """

    exif: bool = True
    location: bool = False
    likeness: bool = False

    def __call__(self, decoded: Decoded) -> dict[str, Any]:
        """The facts of a decoded image."""
        facts: dict[str, Any] = {"width": decoded.width, "height": decoded.height}
        facts |= {"animated": True} if decoded.animated else {}
        facts |= {HASH: perceptual_hash(decoded.image)} if self.likeness else {}
        placed = {"latitude", "longitude"}
        return facts | {
            name: value
            for name, value in decoded.photo.items()
            if (self.location if name in placed else self.exif)
        }


def identify(key: str, state: FileState) -> Identified | Unread:
    """A file's id, the hash of its bytes."""
    try:
        return Identified(key, state, _id_of(read_file(state.path)))
    except DARError as error:
        return Unread(key, LeftOut(str(state.path), str(error)))


def prepare(file: Identified, reading: Reading) -> Prepared | Unread:
    """Decode and preprocess a file and its parts; the decoded pictures are not kept."""
    path = file.state.path
    name = printable(path.name)
    try:
        content = read_file(path)
        if reading.parts:
            decoded, apart = taken_apart(content, name, reading.side)
            parts = [(part, reading.preprocess(image)) for part, image in apart]
        else:
            decoded, parts = decode(content, name, reading.side), []
        pixels = reading.preprocess(decoded.image)
    except DARError as error:
        return Unread(file.key, LeftOut(str(path), str(error)))
    # The file may have changed since it was identified.
    id_ = _id_of(content)
    if id_ != file.id:
        file = replace(file, id=id_, state=replace(file.state, modified=None))
    return Prepared(file, pixels, reading.facts_of(decoded), parts)


def _id_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
