"""Two stores of different encoders searched as one, while images move from one to the other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Final

import numpy as np
from PIL import Image

from dar_retriever.encoders.base import ImageEncoder, Vectors
from dar_retriever.errors import InvalidImageError, StoreError
from dar_retriever.stores.arguments import hit_count
from dar_retriever.stores.base import WholeStore
from dar_retriever.stores.entry_parts import entry_of
from dar_retriever.stores.fields import Field
from dar_retriever.stores.filters import Filter
from dar_retriever.stores.hits import Hit, StoredImage
from dar_retriever.stores.spaces import SpaceMap

# So many images are encoded first; the map between the spaces is fitted on them.
PAIRS: Final = 4096
_FEWEST: Final = 64
_MORE: Final = 1.25
_UPPER: Final = 0.9
_WIDEST: Final = 2000
# Mapped vectors rank a little differently than the old store does.
_MARGIN: Final = 30
# So many of the best old images are encoded at a search, for exact scores at the very top.
_LOOKED_AT: Final = 8
_REMEMBERED: Final = 20_000


class MovingStore:
    """A new store and the old one that it is to replace.

    Queries are vectors of the new encoder. Images of the old store are mapped into its space; the
    map is fitted on images that are in both. Their scores are brought to the scale of the new
    store, on the same images. The best of them are opened and encoded, once each, as the order at
    the very top needs exact scores. What is added goes into the new store.

    Args:
        new: The store that is being filled by ``migrate``.
        old: The store that it replaces.
        encoder: The new store's encoder; without one no image is opened.

    Raises:
        StoreError: Too few images are in both yet.
    """

    def __init__(
        self, new: WholeStore, old: WholeStore, encoder: ImageEncoder | None = None
    ) -> None:
        self._new, self._old, self._encoder = new, old, encoder
        self._exact: dict[str, Vectors] = {}
        self._lock = Lock()
        self._bridge: _Bridge | None = None
        self._seen = 0
        self._bridged()

    def add(self, images: Sequence[StoredImage]) -> None:
        """Store images in the new store."""
        self._new.add(images)

    def known(self, ids: Iterable[str]) -> set[str]:
        """The ids among these that are in one of the stores."""
        asked = list(ids)
        return self._new.known(asked) | self._old.known(asked)

    def search(
        self,
        vector: Vectors,
        k: int = 10,
        where: Filter | None = None,
        exclude: Collection[str] = (),
    ) -> list[Hit]:
        """See ``SearchableStore``."""
        moved = self._new.search(vector, hit_count(k), where, exclude)
        waiting = self._waiting(vector, k, where, exclude)
        return sorted([*moved, *waiting], key=lambda hit: -hit.score)[:k]

    def get(self, ids: Sequence[str]) -> list[Hit]:
        """Images by id, with score 0, in the order of the ids; unknown ids are left out."""
        found = {hit.id: hit for store in (self._old, self._new) for hit in store.get(ids)}
        return [found[id_] for id_ in ids if id_ in found]

    def vectors_of(self, ids: Sequence[str]) -> Vectors:
        """See ``SearchableStore``; those of the old store are mapped into the new one's space.

        Raises:
            StoreError: There is no image with one of the ids.
        """
        # An image's own id may end like that of a part.
        there = self._new.known({*ids, *map(entry_of, ids)})
        moved = [id_ for id_ in ids if {id_, entry_of(id_)} & there]
        waiting = [id_ for id_ in ids if not {id_, entry_of(id_)} & there]
        rows = dict(zip(moved, self._new.vectors_of(moved), strict=True))
        mapped = self._bridged().map(self._old.vectors_of(waiting))
        rows |= {id_: self._exact.get(id_, row) for id_, row in zip(waiting, mapped, strict=True)}
        empty = np.empty((0, self._new.width), np.float32)
        return np.stack([rows[id_] for id_ in ids]) if ids else empty

    def nearest(self, vector: Vectors, k: int) -> Vectors:
        """The vectors with the highest scores, best first: float32 (k or fewer, d)."""
        return self.vectors_of([hit.vector_id for hit in self.search(vector, k)])

    def sample(self) -> Vectors:
        """See ``SearchableStore``; of the new store, which begins with a random choice."""
        return self._new.sample()

    def captions(self, most: int) -> list[str]:
        """The captions of some images, without duplicates; the same at every call."""
        return self._old.captions(most)

    def facets(self) -> dict[str, list[str]]:
        """Fields to filter by, of the old store."""
        return self._old.facets()

    def fields(self) -> dict[str, Field]:
        """The fields of texts or numbers by name, of the old store."""
        return dict(getattr(self._old, "fields", dict)())

    def _waiting(
        self, vector: Vectors, k: int, where: Filter | None, exclude: Collection[str]
    ) -> list[Hit]:
        """The best images that are not in the new store yet, with scores on its scale."""
        left = 1 - len(self._new) / max(len(self._old), 1)
        if left <= 0:
            return []
        bridge = self._bridged()
        # Of what the old store finds, most may have moved.
        asked = min(_WIDEST, int(1.5 * k / left) + k + _MARGIN)
        found = self._old.search(bridge.map.ranking(vector), asked, where, exclude)
        moved = self._new.known(hit.id for hit in found)
        waiting = [hit for hit in found if hit.id not in moved]
        mapped = bridge.map(self._old.vectors_of([hit.vector_id for hit in waiting]))
        scale = bridge.scale(vector)
        scores = (scale(float(score)) for score in mapped @ vector)
        rated = [replace(hit, score=score) for hit, score in zip(waiting, scores, strict=True)]
        return self._looked_at(vector, sorted(rated, key=lambda hit: -hit.score))

    def _looked_at(self, vector: Vectors, rated: Sequence[Hit]) -> list[Hit]:
        """The same hits, with exact scores for those that the new encoder has seen."""
        if self._encoder is not None:
            opened = {
                hit.id: image
                for hit in rated[:_LOOKED_AT]
                if hit.id not in self._exact and (image := _image(hit)) is not None
            }
            vectors = self._encoder.encode_images(list(opened.values())) if opened else ()
            if len(self._exact) > _REMEMBERED:
                self._exact = {}
            self._exact |= dict(zip(opened, vectors, strict=True))
        exact = self._exact
        return [
            replace(hit, score=float(exact[hit.id] @ vector)) if hit.id in exact else hit
            for hit in rated
        ]

    def _bridged(self) -> _Bridge:
        with self._lock:
            count = len(self._new)
            full = self._bridge is not None and len(self._bridge.new) >= PAIRS
            if self._bridge is None or (count >= _MORE * self._seen and not full):
                ids, vectors = self._new.vectors() if count <= PAIRS else self._some()
                there = self._old.known(ids)
                both = [place for place, id_ in enumerate(ids) if id_ in there]
                if len(both) < _FEWEST:
                    raise StoreError(
                        f"only {len(both)} images are in both stores yet; search the old store "
                        f"until 'dar migrate' has encoded {_FEWEST}"
                    )
                olds = self._old.vectors_of([ids[place] for place in both])
                self._bridge, self._seen = _Bridge.over(olds, vectors[both]), count
            return self._bridge

    def _some(self) -> tuple[list[str], Vectors]:
        ids = sorted(record.id for record in self._new.records())
        order = np.random.default_rng(0).permutation(len(ids))[:PAIRS]
        chosen = [ids[place] for place in order]
        return chosen, self._new.vectors_of(chosen)


def _image(hit: Hit) -> Image.Image | None:
    """The hit's picture; None if it cannot be read, as then the estimate has to do."""
    try:
        return hit.open()
    except InvalidImageError:
        return None


@dataclass(frozen=True, slots=True)
class _Bridge:
    """The map from the old space, and the images that it was fitted on."""

    map: SpaceMap
    mapped: Vectors
    new: Vectors

    @classmethod
    def over(cls, old: Vectors, new: Vectors) -> _Bridge:
        fitted = SpaceMap.fitted(old, new)
        return cls(fitted, fitted(old), new)

    def scale(self, vector: Vectors) -> _Scale:
        """The scale of the new store's scores for those of mapped images."""
        return _Scale(*_upper(self.mapped @ vector), *_upper(self.new @ vector))


@dataclass(frozen=True, slots=True)
class _Scale:
    """A straight line between two scales."""

    from_: float
    from_step: float
    to: float
    to_step: float

    def __call__(self, score: float) -> float:
        return self.to + (score - self.from_) * self.to_step / max(self.from_step, 1e-6)


def _upper(scores: Vectors) -> tuple[float, float]:
    """Where the upper tenth of scores begins, and how far its mean lies above that."""
    begins = float(np.quantile(scores, _UPPER))
    return begins, float(scores[scores >= begins].mean()) - begins
