"""Reads the content of role/content messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from dar_retriever.errors import InvalidInputError
from dar_retriever.support.images import image_from_data_url


def read_content(content: Any, number: int) -> tuple[str, tuple[Image.Image, ...]]:
    """The words and pictures of a message's content.

    Args:
        content: A string, or a list of parts; see ``Dialogue.from_messages``.
        number: Which message it is, for errors.

    Raises:
        InvalidInputError: It has another form.
        InvalidImageError: A picture is not a readable data URL.
    """
    if isinstance(content, str):
        return content, ()
    if not isinstance(content, Sequence):
        raise InvalidInputError(
            f"message {number}: content={content!r} is neither a str nor a list"
        )
    texts, images = [], []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind in ("text", "input_text", "output_text"):
            texts.append(_text_of(part, number))
        elif kind in ("image_url", "input_image"):
            url = part.get("image_url")
            images.append(
                image_from_data_url(str(url.get("url") if isinstance(url, Mapping) else url))
            )
        else:
            raise InvalidInputError(
                f"message {number}: unknown part of type {kind!r}; use 'text' or 'image_url'"
            )
    return " ".join(texts), tuple(images)


def _text_of(part: Mapping[str, Any], number: int) -> str:
    text = part.get("text")
    if not isinstance(text, str):
        raise InvalidInputError(f"message {number}: text={text!r} of a text part is not a str")
    return text
