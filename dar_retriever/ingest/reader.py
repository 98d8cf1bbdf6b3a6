"""Reading files: what they are called by content, and as an encoder wants them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from PIL import Image

from dar_retriever.errors import DARError
from dar_retriever.ingest.report import LeftOut
from dar_retriever.support.images import read_file, read_reduced

Preprocess: TypeAlias = Callable[[Image.Image], Any]


@dataclass(frozen=True, slots=True)
class Identified:
    """A file and its id."""

    path: Path
    id: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture as the encoder wants it, and its size in pixels."""

    file: Identified
    pixels: Any
    width: int
    height: int


def identify(path: Path) -> Identified | LeftOut:
    """A file's id, the hash of its bytes."""
    try:
        return Identified(path, _id_of(read_file(path)))
    except DARError as error:
        return LeftOut(str(path), str(error))


def prepare(file: Identified, preprocess: Preprocess, side: int | None) -> Prepared | LeftOut:
    """Decode and preprocess a file; of the decoded picture nothing is kept.

    Args:
        file: What to read.
        preprocess: Makes of an RGB image what the encoder wants.
        side: Pixels of each side that it makes use of; all by default.
    """
    try:
        content = read_file(file.path)
        image, (width, height) = read_reduced(content, file.path.name, side)
        # A file may be written to while a folder is indexed.
        file = Identified(file.path, _id_of(content))
        return Prepared(file, preprocess(image), width, height)
    except DARError as error:
        return LeftOut(str(file.path), str(error))


def _id_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
