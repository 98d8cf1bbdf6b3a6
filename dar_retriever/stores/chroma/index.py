"""Settings of Chroma's index, and how its distances become scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

# Twice Chroma's default of links and six times its search width: nearly exact, a few ms slower.
INDEX: Final[Mapping[str, Any]] = {
    "space": "cosine",
    "max_neighbors": 32,
    "ef_construction": 200,
    "ef_search": 600,
}
# Text vectors lie apart from image vectors. The more images there are, the wider the index has to
# search to find a text's neighbours: examples/benchmarks/index_scale.py.
_WIDTH: Final = 2.6
_WIDER: Final = 1.1


def wider_search(count: int, index: Mapping[str, Any]) -> int | None:
    """The search width for this number of images; None if the index's own width is enough."""
    wanted = max(INDEX["ef_search"], int(_WIDTH * count**0.5))
    return wanted if wanted > _WIDER * index.get("ef_search", wanted) else None


def product_of(distance: float, norm: float, space: str) -> float:
    """The product of a stored vector of unit length with a query vector of length ``norm``.

    Args:
        distance: Distance returned by Chroma.
        norm: Length of the query.
        space: Chroma's name of the distance: "cosine", "l2" or "ip".
    """
    if space == "l2":
        return (norm**2 + 1 - distance) / 2
    # The cosine distance is 1 - cos and does not depend on the query's length.
    return (1 - distance) * norm if space == "cosine" else 1 - distance
