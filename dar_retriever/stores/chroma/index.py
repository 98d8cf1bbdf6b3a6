"""How Chroma's index is built, how far it looks, and what its distances mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

# Twice Chroma's links, six times its search width: near-exact ranking for some milliseconds.
INDEX: Final[Mapping[str, Any]] = {
    "space": "cosine",
    "max_neighbors": 32,
    "ef_construction": 200,
    "ef_search": 600,
}
# Texts lie apart from images, and the more there are of these, the further the index has to look
# from them: examples/benchmarks/index_scale.py.
_WIDTH: Final = 2.6
_WIDER: Final = 1.1


def wider_search(count: int, index: Mapping[str, Any]) -> int | None:
    """The search width that so many images need; None where the index's own is enough."""
    wanted = max(INDEX["ef_search"], int(_WIDTH * count**0.5))
    return wanted if wanted > _WIDER * index.get("ef_search", wanted) else None


def product_of(distance: float, norm: float, space: str) -> float:
    """The product of a stored vector of unit length with a query vector of length ``norm``.

    Args:
        distance: As Chroma gives it.
        norm: The query's length.
        space: Chroma's name of the distance: "cosine", "l2" or "ip".
    """
    if space == "l2":
        return (norm**2 + 1 - distance) / 2
    # Its cosine distance is 1 - cos, whatever the query's length.
    return (1 - distance) * norm if space == "cosine" else 1 - distance
