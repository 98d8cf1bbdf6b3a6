"""The vectors of a pool of pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from dar_retriever.encoders.base import ImageEncoder, Vectors
from dar_retriever.evaluation.datasets import Dataset
from dar_retriever.evaluation.row_cache import RowCache, digest
from dar_retriever.ingest.mapper import Steps
from dar_retriever.support.decoding import decode
from dar_retriever.support.images import printable, read_file

_IMAGES: Final = 64


def pool_vectors(
    dataset: Dataset,
    encoder: ImageEncoder,
    cache: RowCache,
    progress: Callable[[int, int], None] | None = None,
) -> Vectors:
    """Encode a data set's pool: float32 (P, d).

    Args:
        dataset: The data set.
        encoder: Encodes the pictures.
        cache: Keeps the vectors.
        progress: Called with the number of pictures done and of all pictures.

    Raises:
        InvalidImageError: A picture cannot be read.
    """
    # Read as in an ingest, so that the vectors are those of a real store.
    side = Steps.of(encoder).side

    def encode(start: int, stop: int) -> Vectors:
        paths = [dataset.path(place) for place in range(start, stop)]
        return encoder.encode_images(
            [decode(read_file(path), printable(path), side).image for path in paths]
        )

    return cache.rows(
        f"pool {encoder.fingerprint} {digest(dataset.pool)} {dataset.root.resolve()}",
        len(dataset.pool),
        encoder.dimension,
        encode,
        batch=_IMAGES,
        progress=progress,
    ).values
