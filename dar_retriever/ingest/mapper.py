"""The encoding step: pictures -> images to store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from dar_retriever.encoders.base import ImageEncoder, PreprocessingEncoder, Vectors
from dar_retriever.errors import DARError
from dar_retriever.ingest.reader import Prepared, Preprocess, Unread
from dar_retriever.ingest.report import LeftOut
from dar_retriever.stores.copies import PictureRecord
from dar_retriever.stores.entry_parts import StoredPart
from dar_retriever.stores.hits import StoredImage
from dar_retriever.stores.kept import document_and_metadata, stored_image

Encode: TypeAlias = Callable[[Sequence[Any]], Vectors]
RecordOf: TypeAlias = Callable[[Prepared], PictureRecord]


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
    def of(cls, encoder: ImageEncoder) -> Steps:
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
    pictures: Sequence[Prepared], encode: Encode, record_of: RecordOf, at_once: int
) -> tuple[list[StoredImage], list[Unread]]:
    """Encode pictures and their parts.

    Args:
        pictures: The pictures.
        encode: The encoder's second step.
        record_of: What is to be remembered of a picture.
        at_once: How many pictures or parts are encoded in one call.

    Returns:
        The images to store, and the files that cannot be stored, with reasons.
    """
    if not pictures:
        return [], []
    pixels = [picture.pixels for picture in pictures]
    pixels += [part_pixels for picture in pictures for _, part_pixels in picture.parts]
    starts = range(0, len(pixels), at_once)
    vectors = np.concatenate([encode(pixels[start : start + at_once]) for start in starts])
    of_parts = iter(vectors[len(pictures) :])
    images: list[StoredImage] = []
    unread: list[Unread] = []
    for picture, vector in zip(pictures, vectors, strict=False):
        file = picture.file
        parts = [StoredPart(part, next(of_parts)) for part, _ in picture.parts]
        image = replace(stored_image(record_of(picture), vector), parts=parts)
        try:
            # A single invalid image would make the store refuse the whole batch.
            document_and_metadata(image)
        except DARError as error:
            unread.append(Unread(file.key, LeftOut(str(file.state.path), str(error))))
            continue
        if np.isfinite([vector, *(part.vector for part in parts)]).all():
            images.append(image)
        else:
            reason = "the encoder's vector for it is not finite"
            unread.append(Unread(file.key, LeftOut(str(file.state.path), reason)))
    return images, unread


def _as_it_is(image: Image.Image) -> Image.Image:
    return image
