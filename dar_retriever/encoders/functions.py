"""An encoder made of two functions, such as those of a hosted embedding service."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeAlias

import numpy as np
from PIL import Image

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError

Embeddings: TypeAlias = Sequence[Sequence[float]]

_PROBE: Final = "a photo"
# Fewer than any usual tokenizer has on average, so that texts are rather cut too early.
_LETTERS_A_TOKEN: Final = 3


class FunctionEncoder:
    """A ``JointEncoder`` around functions that embed texts and image files.

    Args:
        name: The model's name and version. A store is bound to it.
        embed_texts: Embeds texts as queries.
        embed_files: Embeds image files, given as paths of PNG files.
        max_tokens: Maximum number of tokens that the model reads of a text.
        count_tokens: Counts a text's tokens; by default a careful estimate.

    Raises:
        InvalidInputError: ``name`` is empty, or the functions do not return one vector for each
            input.
    """

    def __init__(
        self,
        name: str,
        embed_texts: Callable[[list[str]], Embeddings],
        embed_files: Callable[[list[str]], Embeddings],
        *,
        max_tokens: int = 256,
        count_tokens: Callable[[str], int] | None = None,
    ) -> None:
        if not name.strip():
            raise InvalidInputError(
                f"name={name!r}: name the model, because a store is bound to it"
            )
        self.name = name
        self.max_tokens = max_tokens
        self._embed_texts = embed_texts
        self._embed_files = embed_files
        self._count_tokens = count_tokens or _estimate
        self.dimension = _rows(embed_texts([_PROBE]), 1, name).shape[1]
        described = json.dumps([name, self.dimension])
        self.fingerprint = hashlib.sha256(described.encode()).hexdigest()[:16]

    def count_tokens(self, text: str) -> int:
        """See ``JointEncoder``."""
        return self._count_tokens(text)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """See ``JointEncoder``."""
        return self._unit(self._embed_texts(list(texts)), len(texts)) if texts else self._none()

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        """See ``JointEncoder``."""
        if not images:
            return self._none()
        with TemporaryDirectory(prefix="dar-") as folder:
            paths = [str(Path(folder) / f"{number}.png") for number in range(len(images))]
            for image, path in zip(images, paths, strict=True):
                image.save(path)
            return self._unit(self._embed_files(paths), len(images))

    def _none(self) -> Vectors:
        return np.empty((0, self.dimension), np.float32)

    def _unit(self, embeddings: Embeddings, count: int) -> Vectors:
        rows = _rows(embeddings, count, self.name)
        if rows.shape[1] != self.dimension:
            raise InvalidInputError(
                f"{self.name} gave vectors of {rows.shape[1]} dimensions after {self.dimension}; "
                "texts and images need one model and one space"
            )
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        unit: Vectors = (rows / np.where(lengths, lengths, 1)).astype(np.float32)
        return unit


def _rows(embeddings: Embeddings, count: int, name: str) -> Vectors:
    try:
        rows = np.asarray(embeddings, np.float32)
    except ValueError as error:
        raise InvalidInputError(f"{name} gave no vectors of one length: {error}") from error
    if rows.ndim != 2 or len(rows) != count or not rows.shape[1]:
        raise InvalidInputError(
            f"{name} gave {rows.shape} for {count} inputs; it must give one vector for each"
        )
    return rows


def _estimate(text: str) -> int:
    return len(text) // _LETTERS_A_TOKEN + 2
