"""Pictures in messages to chat models that see."""

from __future__ import annotations

from typing import Any

from PIL import Image

from dar_retriever.support.images import data_url


def picture_part(image: Image.Image, side: int, most_bytes: int | None = None) -> dict[str, Any]:
    """A picture as a part of a message's content.

    Args:
        image: The picture.
        side: Its longer side is scaled down to this many pixels.
        most_bytes: It is scaled down further until its JPEG has at most so many bytes.
    """
    return {"type": "image_url", "image_url": {"url": data_url(image, side, most_bytes)}}
