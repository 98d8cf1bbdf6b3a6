"""The reading step: a file's id, and its picture prepared for the encoder."""

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
    """A preprocessed picture and its original size in pixels."""

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
    """Decode and preprocess a file; the decoded picture is not kept.

    Args:
        file: The file to read.
        preprocess: Prepares an RGB image for the encoder.
        side: Pixels per side that the encoder makes use of; all by default.
    """
    try:
        content = read_file(file.path)
        image, (width, height) = read_reduced(content, file.path.name, side)
        # The file may have changed since it was identified.
        file = Identified(file.path, _id_of(content))
        return Prepared(file, preprocess(image), width, height)
    except DARError as error:
        return LeftOut(str(file.path), str(error))


def _id_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
