"""The encoding step: pictures -> images to store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from dar_retriever.encoders.base import JointEncoder, PreprocessingEncoder, Vectors
from dar_retriever.errors import DARError
from dar_retriever.ingest.reader import Prepared, Preprocess
from dar_retriever.ingest.report import LeftOut
from dar_retriever.stores.hits import Metadata, StoredImage, document_and_metadata, uri_of

Encode: TypeAlias = Callable[[Sequence[Any]], Vectors]
MetadataOf: TypeAlias = Callable[[Path], Metadata]


@dataclass(frozen=True, slots=True)
class Steps:
    """The two steps by which an encoder turns a picture into a vector.

    Attributes:
        preprocess: Prepares one picture; runs in a thread.
        encode: Encodes many prepared pictures at once.
        side: Pixels per side that the encoder makes use of; None if it uses them all.
        parallel_calls: How many calls of ``encode`` should run at once.
    """

    preprocess: Preprocess
    encode: Encode
    side: int | None = None
    parallel_calls: int = 1

    @classmethod
    def of(cls, encoder: JointEncoder) -> Steps:
        """The steps of an encoder; one without separate steps does everything in ``encode``."""
        if isinstance(encoder, PreprocessingEncoder):
            return cls(
                encoder.preprocess,
                encoder.encode_preprocessed,
                encoder.useful_side,
                encoder.parallel_calls,
            )
        return cls(_as_it_is, encoder.encode_images)


def images_of(
    pictures: Sequence[Prepared], encode: Encode, metadata_of: MetadataOf
) -> tuple[list[StoredImage], list[LeftOut]]:
    """Encode pictures.

    Returns:
        The images to store, and the files that cannot be stored, with reasons.
    """
    if not pictures:
        return [], []
    vectors = encode([picture.pixels for picture in pictures])
    images: list[StoredImage] = []
    left_out: list[LeftOut] = []
    for picture, vector in zip(pictures, vectors, strict=True):
        path = picture.file.path
        try:
            image = _stored_image(picture, vector, metadata_of(path))
            # A single invalid image would make the store refuse the whole batch.
            document_and_metadata(image)
        except DARError as error:
            left_out.append(LeftOut(str(path), str(error)))
            continue
        if np.isfinite(vector).all():
            images.append(image)
        else:
            left_out.append(LeftOut(str(path), "the encoder's vector for it is not finite"))
    return images, left_out


def _stored_image(picture: Prepared, vector: Vectors, metadata: Metadata) -> StoredImage:
    entry: Mapping[str, Any] = {"width": picture.width, "height": picture.height, **metadata}
    caption = str(entry.get("caption", ""))
    rest = {name: value for name, value in entry.items() if name != "caption"}
    return StoredImage(picture.file.id, vector, uri_of(picture.file.path.resolve()), caption, rest)


def _as_it_is(image: Image.Image) -> Image.Image:
    return image
