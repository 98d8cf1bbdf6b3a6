"""Orders hits by how they look beside the generated images, to an encoder without words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from dar_retriever.encoders.base import ImageEncoder, Vectors
from dar_retriever.errors import InvalidInputError, UndecidedError
from dar_retriever.ranking.base import Candidates, Scores, standardised
from dar_retriever.stores.base import SearchableStore
from dar_retriever.stores.hits import Hit

# Measured with more and less of it: examples/benchmarks/adaptive_fusion.md.
WEIGHT: Final = 0.1


class SecondViewReranker:
    """Compares the generated images with the hits by an image-only encoder, as CLETIR does.

    Each image has a second vector in a second store (arXiv 2509.00177). The score of the search and
    that of the second view are added, both in standard deviations among the hits. The order of the
    search stands where nothing was generated.

    Args:
        encoder: Sees the generated images; such as ``ImageOnlyEncoder``.
        store: What the same encoder filled from the same files, so that ids are the same. Hits that
            it does not know count as if they looked like the others on average.
        weight: How much the second view counts, for 1 of the search.
        depth: How many of the best hits are ordered.

    Raises:
        InvalidInputError: ``weight`` is negative, or ``depth`` below 1.
    """

    name = "second view"
    reads_pictures = False

    def __init__(
        self,
        encoder: ImageEncoder,
        store: SearchableStore,
        *,
        weight: float = WEIGHT,
        depth: int = 100,
    ) -> None:
        if not weight >= 0 or depth < 1:
            raise InvalidInputError(f"weight={weight}, depth={depth}: at least 0, and at least 1")
        self._encoder = encoder
        self._store = store
        self._weight = weight
        self.depth = depth

    def scores(self, candidates: Candidates) -> Scores:
        """See ``Reranker``.

        Raises:
            UndecidedError: Nothing was generated, or no hit is in the second store.
        """
        generated = [each.image for each in candidates.query.trace.generated]
        if not generated:
            raise UndecidedError("the second view compares generated images, and there are none")
        ids = [hit.id for hit in candidates.hits]
        known = self._store.known(ids)
        places = [place for place, id_ in enumerate(ids) if id_ in known]
        if not places:
            raise UndecidedError("the second view's store has none of the hits")
        seen = self._encoder.encode_images(generated)
        vectors = self._store.vectors_of([ids[place] for place in places])
        alike = similarity(vectors, seen)
        second = np.full(len(ids), alike.mean())
        second[places] = alike
        return with_second_view(candidates.hits, second, self._weight)


def similarity(vectors: Vectors, generated: Vectors) -> Scores:
    """How alike images and generated images are: (N,) from (N, d) and (K, d)."""
    alike: Scores = vectors @ generated.mean(0)
    return alike


def with_second_view(hits: Sequence[Hit], second: Scores, weight: float = WEIGHT) -> Scores:
    """The scores of hits and of a second view together: (N,)."""
    first = standardised(np.array([hit.score for hit in hits]))
    return first + weight * standardised(second)
