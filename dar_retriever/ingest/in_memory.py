"""Indexing images that are in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from PIL import Image

from dar_retriever.encoders.base import ImageEncoder
from dar_retriever.errors import InvalidImageError
from dar_retriever.ingest.in_step import ingest
from dar_retriever.ingest.report import IngestReport
from dar_retriever.stores.base import FillableStore
from dar_retriever.stores.hits import Metadata
from dar_retriever.support.images import to_rgb

_PNG_MODES: Final = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"})


def ingest_images(
    images: Iterable[tuple[Image.Image, Metadata]],
    folder: str | Path,
    store: FillableStore,
    encoder: ImageEncoder,
    **options: Any,
) -> IngestReport:
    """Store PIL images with their metadata; each is saved as a PNG file in a folder first.

    Args:
        images: Images, each with its metadata.
        folder: Where the files are saved, so that hits can be opened later.
        store: See ``ingest``.
        encoder: See ``ingest``.
        **options: See ``ingest``.

    Raises:
        InvalidImageError: One of the images is not a PIL image.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    metadata: dict[str, Metadata] = {}
    for image, entry in images:
        if not isinstance(image, Image.Image):
            raise InvalidImageError(
                f"{image!r} is not a PIL image; open it with PIL.Image.open first"
            )
        form = (image.mode, image.size, image.getpalette(), image.info.get("transparency"))
        name = hashlib.sha256(image.tobytes() + repr(form).encode()).hexdigest()
        path = folder / f"{name[:32]}.png"
        if not path.exists():
            (image if image.mode in _PNG_MODES else to_rgb(image)).save(path)
        metadata[str(path)] = entry
    return ingest(list(metadata), store, encoder, metadata=metadata, **options)
