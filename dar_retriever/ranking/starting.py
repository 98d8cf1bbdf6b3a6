"""What drawings start from: what the user liked, or what was found by the words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import islice

from PIL import Image

from dar_retriever.errors import InvalidImageError, InvalidInputError
from dar_retriever.generation.base import STRENGTH, StartingPicture
from dar_retriever.ranking.base import Candidates
from dar_retriever.ranking.ending import Ending
from dar_retriever.ranking.result import SearchResult
from dar_retriever.stores.base import SearchableStore


class HitStarts:
    """Lets drawings start from hits, so that they look like the store.

    Retrieved pictures help a generator to draw what it knows little of (Re-Imagen; Chen et al.,
    arXiv 2209.14491). The last liked hit comes first. Without one, the best hits by the words are
    taken, as far as they fit the request; each drawing starts from another one, so that the
    drawings differ in what was not told. If nothing fits, drawings start from noise.

    Args:
        ending: Decides how many of the hits fit.
        strength: See ``StartingPicture``.
        most: Number of hits that drawings start from.

    Raises:
        InvalidInputError: ``strength`` is out of range, or ``most`` is below 1.
    """

    def __init__(self, ending: Ending, *, strength: float = STRENGTH, most: int = 4) -> None:
        if not 0 < strength <= 1 or most < 1:
            raise InvalidInputError(
                f"strength={strength}, most={most}: above 0 and at most 1, and at least 1"
            )
        self._ending = ending
        self._strength = strength
        self._most = most

    def of(self, found: SearchResult, store: SearchableStore) -> tuple[StartingPicture, ...]:
        """The pictures to draw from, best first; empty if there are none.

        Args:
            found: The hits by the words.
            store: The store that they come from.
        """
        liked = found.subject.like[-1:]
        if liked:
            return tuple(StartingPicture(_id_of(image), image, self._strength) for image in liked)
        return tuple(islice(self._fitting(found, store), self._most))

    def _fitting(self, found: SearchResult, store: SearchableStore) -> Iterator[StartingPicture]:
        hits = found.hits
        vectors = store.vectors_of([hit.vector_id for hit in hits])
        count = self._ending.fitting(Candidates(found.query, hits, vectors)) or 0
        for hit in hits[:count]:
            try:
                yield StartingPicture(hit.vector_id, hit.open(), self._strength)
            except InvalidImageError:
                continue


def _id_of(image: Image.Image) -> str:
    return hashlib.sha256(repr((image.mode, image.size)).encode() + image.tobytes()).hexdigest()
