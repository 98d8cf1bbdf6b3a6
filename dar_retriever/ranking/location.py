"""Where in a picture a thing is."""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image

from dar_retriever.encoders.base import JointEncoder
from dar_retriever.errors import InvalidInputError

# Chosen before any picture was measured; see examples/benchmarks/second_stage.md.
_SHARES: Final = (0.5, 0.35)
_STEPS: Final = 5

Box = tuple[float, float, float, float]


class Locator:
    """Finds a thing in a picture by the crop that fits its words best; needs no training.

    It encodes 50 crops, so it is for the few hits that people look at. It tells things apart ("a
    blue mug" beside a lamp), not their parts: a part is read better from the whole thing.

    Args:
        encoder: Any joint encoder.

    Example:
        >>> from dar_retriever import Locator, open_encoder
        >>> locator = Locator(open_encoder("demo"))  # doctest: +SKIP
        >>> left, top, right, bottom = locator.box(hit.open(), "a blue mug")  # doctest: +SKIP
    """

    def __init__(self, encoder: JointEncoder) -> None:
        self._encoder = encoder

    def box(self, image: Image.Image, text: str) -> Box:
        """The part of a picture that fits a text best.

        Args:
            image: RGB.
            text: A thing in few words.

        Returns:
            Left, top, right and bottom, as shares of the width and height from 0 to 1.

        Raises:
            InvalidInputError: ``text`` is blank.
        """
        if not text.strip():
            raise InvalidInputError(f"text={text!r}: name the thing to look for")
        width, height = image.size
        boxes = _boxes()
        crops = [
            image.crop(
                (
                    int(left * width),
                    int(top * height),
                    max(int(right * width), int(left * width) + 1),
                    max(int(bottom * height), int(top * height) + 1),
                )
            )
            for left, top, right, bottom in boxes
        ]
        fits = self._encoder.encode_images(crops) @ self._encoder.encode_texts([text])[0]
        return boxes[int(np.argmax(fits))]


def _boxes() -> list[Box]:
    return [
        (float(left), float(top), float(left + share), float(top + share))
        for share in _SHARES
        for top in np.linspace(0, 1 - share, _STEPS)
        for left in np.linspace(0, 1 - share, _STEPS)
    ]
