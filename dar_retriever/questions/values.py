"""The values of a hit's metadata in a form in which they can be compared."""

from __future__ import annotations

import json
from typing import Any

from dar_retriever.stores.hits import Metadata


def plain(text: str) -> str:
    """A value without differences in case and spaces."""
    return " ".join(text.casefold().split())


def values_of(metadata: Metadata, field: str) -> dict[str, str]:
    """The texts of a field: those of a list one by one, and none for other types.

    Returns:
        Each text as it is written, by its ``plain`` form.
    """
    texts = [each for each in _items(metadata.get(field)) if isinstance(each, str)]
    return {plain(text): " ".join(text.split()) for text in texts if text.strip()}


def number_of(metadata: Metadata, field: str) -> float | None:
    """The number of a field; None for other types."""
    value = metadata.get(field)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _items(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    # Chroma keeps a list as JSON.
    if isinstance(value, str) and value.startswith("[") and value.endswith("]"):
        try:
            read = json.loads(value)
        # RecursionError is for deep nesting.
        except (ValueError, RecursionError):
            return [value]
        return read if isinstance(read, list) else [value]
    return [value]
