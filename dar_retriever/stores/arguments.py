"""Checks of arguments before an engine sees them, so that errors name the argument."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from numbers import Integral
from typing import Any, Final

from dar_retriever.errors import InvalidInputError, StoreError
from dar_retriever.stores.hits import StoredImage

_COLLECTION: Final = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9._-]{1,510})[a-zA-Z0-9]")


def hit_count(k: Any) -> int:
    """A number of hits.

    Raises:
        InvalidInputError: It is not a whole number of at least 1.
    """
    if isinstance(k, bool) or not isinstance(k, Integral):
        raise InvalidInputError(f"k={k!r}: the number of hits must be a whole number")
    if k < 1:
        raise InvalidInputError(f"k={k}: ask for at least 1 hit")
    return int(k)


def require_stored(ids: Iterable[str], found: Collection[str]) -> None:
    """Refuse ids that were not found in a store.

    Raises:
        StoreError: Some were not.
    """
    missing = [id_ for id_ in ids if id_ not in found]
    if missing:
        raise StoreError(f"{', '.join(missing)}: not stored, or deleted meanwhile; search again")


def require_whole(images: Iterable[StoredImage], engine: str) -> None:
    """Refuse images with parts in an engine that keeps one vector an image.

    Captions are kept as texts, and outlines can be made again, so their vectors are left out
    without an error.

    Raises:
        InvalidInputError: An image has parts.
    """
    parts = [stored.part for image in images for stored in image.parts]
    if any(not (part.caption or part.outline) for part in parts):
        raise InvalidInputError(
            f"{engine} keeps one vector an image, and no parts; index without parts, or into a "
            "store on Chroma"
        )


def collection_name(name: Any) -> str:
    """The name of a Chroma collection.

    Raises:
        InvalidInputError: Chroma does not take the name.
    """
    if not isinstance(name, str) or not _COLLECTION.fullmatch(name):
        raise InvalidInputError(
            f"collection={name!r}: use 3 to 512 letters, digits, dots, hyphens or underscores, "
            "with a letter or digit at both ends"
        )
    return name
