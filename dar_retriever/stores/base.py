"""What the method asks of an image store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.stores.fields import Field
from dar_retriever.stores.filters import Filter
from dar_retriever.stores.hits import Hit, StoredImage


class FillableStore(Protocol):
    """What ``ingest`` fills."""

    def known(self, ids: Iterable[str]) -> set[str]:
        """Those of the ids that are stored."""
        ...

    def add(self, images: Sequence[StoredImage]) -> None:
        """Store images; one whose id is there already replaces the other."""
        ...


class SearchableStore(FillableStore, Protocol):
    """What is searched, judged and asked back from; ``ImageStore`` and ``EngineStore`` are such."""

    def search(
        self,
        vector: Vectors,
        k: int = 10,
        where: Filter | None = None,
        exclude: Collection[str] = (),
    ) -> list[Hit]:
        """Find the images with the highest product of vectors, best first.

        Args:
            vector: float32 (d,), of any length other than 0.
            k: The most hits; fewer come where the store or the filter holds fewer.
            where: A metadata filter in Chroma's language, such as ``{"colour": "red"}``; all of
                several fields have to match.
            exclude: Ids that are no hits.

        Raises:
            InvalidInputError: ``k`` is below 1.
            InvalidFilterError: The filter cannot be translated, or the engine refuses it.
        """
        ...

    def get(self, ids: Sequence[str]) -> list[Hit]:
        """Images by id, with score 0, in the order asked for; unknown ids are left out."""
        ...

    def vectors_of(self, ids: Sequence[str]) -> Vectors:
        """The vectors of stored images: float32 (N, d) of unit length, in the order asked for.

        Raises:
            StoreError: There is no image of an id.
        """
        ...

    def nearest(self, vector: Vectors, k: int) -> Vectors:
        """The stored vectors that a query scores highest, best first: float32 (k or fewer, d)."""
        ...

    def sample(self) -> Vectors:
        """Some hundred stored vectors, as different as the store's: float32 (N, d).

        The very same array at every call, until the store has changed by so much that another
        sample is due.
        """
        ...

    def captions(self, most: int) -> list[str]:
        """Captions of some of the images, each once; the same at every call."""
        ...

    def facets(self) -> dict[str, list[str]]:
        """What a filter can ask for: text fields of few values by name, values commonest first."""
        ...


@runtime_checkable
class DescribedStore(Protocol):
    """A store that can tell the types and values of its metadata; of others ``facets`` are used."""

    def fields(self) -> Mapping[str, Field]:
        """The fields of texts or numbers by name; cheap to ask for at every search."""
        ...


StoreOpener: TypeAlias = Callable[[JointEncoder], SearchableStore]
