"""The text in pictures, read by OCR."""

from __future__ import annotations

from threading import Lock
from typing import Any, Final

import numpy as np
from PIL import Image

from dar_retriever.support.extras import needs_extra
from dar_retriever.support.model_files import loading

_SURE: Final = 0.6


class OcrCaptioner:
    """Reads the text in pictures with RapidOCR, whose models come with its package (extra: ocr).

    A picture without text gets no caption. Use it for posters, packages, slides and screenshots.
    Leave it out where the text is not what a picture shows: forms, tables and shelves full of
    labels are then found by whatever word stands in them.

    Args:
        sure: How sure a line has to be, 0 to 1.

    Raises:
        MissingExtraError: RapidOCR is not installed.
    """

    name = "ocr"

    def __init__(self, sure: float = _SURE) -> None:
        with needs_extra("ocr"):
            import onnxruntime  # noqa: F401
            from rapidocr import RapidOCR
        with loading("the OCR model", "RapidOCR", local=True):
            self._reader: Any = RapidOCR(
                params={"Global.log_level": "critical", "Global.text_score": sure}
            )
        self._lock = Lock()

    def __call__(self, image: Image.Image, /) -> str:
        """The lines of text in one picture, from top to bottom; empty if there are none."""
        # Channels are in OpenCV's order.
        pixels = np.asarray(image.convert("RGB"))[:, :, ::-1]
        with self._lock:
            lines = self._reader(pixels).txts
        return ", ".join(lines or ())
