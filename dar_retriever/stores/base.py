"""The protocols of image stores."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.stores.copies import PictureRecord
from dar_retriever.stores.entry_parts import StoredPart
from dar_retriever.stores.fields import Field
from dar_retriever.stores.filters import Filter
from dar_retriever.stores.hits import Hit, StoredImage
from dar_retriever.stores.roots import Roots


class FillableStore(Protocol):
    """A store that ``ingest`` can fill."""

    def known(self, ids: Iterable[str]) -> set[str]:
        """The ids among these that are stored."""
        ...

    def add(self, images: Sequence[StoredImage]) -> None:
        """Store images; an image replaces the stored one with the same id."""
        ...


@runtime_checkable
class TrackingStore(FillableStore, Protocol):
    """A store that can be kept in step with a folder, such as an ``ImageStore``."""

    @property
    def roots(self) -> Roots:
        """The folders that the paths of the stored images are relative to."""
        ...

    def keep_root(self, name: str, folder: str) -> None:
        """Remember a folder that paths are relative to, or that it lies elsewhere now."""
        ...

    def records(self, ids: Iterable[str] | None = None) -> Iterator[PictureRecord]:
        """What is known of the stored images and their files; of all by default."""
        ...

    def rewrite(self, records: Sequence[PictureRecord]) -> None:
        """Replace what is known of stored images and their files; their vectors stay."""
        ...

    def delete(self, ids: Sequence[str]) -> None:
        """Delete images from the store, but not their files; unknown ids are ignored."""
        ...


@runtime_checkable
class PartStore(TrackingStore, Protocol):
    """A store that keeps the vectors of an image's parts too; an ``ImageStore`` on Chroma does."""

    @property
    def has_parts(self) -> bool:
        """Whether parts are stored."""
        ...

    def with_parts(self, ids: Iterable[str]) -> set[str]:
        """The ids among these of images with parts."""
        ...

    def parts_of(self, ids: Sequence[str]) -> dict[str, list[StoredPart]]:
        """The parts of images, by id; images without are left out."""
        ...


@runtime_checkable
class CaptionStore(TrackingStore, Protocol):
    """A store whose search reads captions too; an ``ImageStore`` on Chroma does."""

    @property
    def has_captions(self) -> bool:
        """Whether vectors of captions are stored."""
        ...

    def captions_of(self, ids: Iterable[str]) -> dict[str, str]:
        """The captions of entries whose vectors are stored, by id."""
        ...

    def keep_captions(self, captions: Mapping[str, StoredPart | None]) -> None:
        """Store the vectors of captions by id, in place of those stored; None takes one away."""
        ...


class Outlines(Protocol):
    """Vectors of the outlines of stored pictures, by which line drawings are compared with them."""

    def __bool__(self) -> bool:
        """Whether there are any."""
        ...

    def known(self, ids: Iterable[str]) -> set[str]:
        """The ids among these of images with an outline."""
        ...

    def keep(self, vectors: Mapping[str, Vectors]) -> None:
        """Store outlines by the ids of their images, in place of those stored."""
        ...

    def search(
        self, vector: Vectors, k: int, where: Filter | None = None, exclude: Collection[str] = ()
    ) -> list[Hit]:
        """The images whose outlines fit best; see ``SearchableStore.search``."""
        ...

    def vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        """Outlines by the ids of their images; images without are left out."""
        ...

    def sample(self) -> Vectors:
        """Some hundred outlines: float32 (N, d)."""
        ...


@runtime_checkable
class OutlineStore(TrackingStore, Protocol):
    """A store that keeps outlines; an ``ImageStore`` on Chroma does."""

    @property
    def outlines(self) -> Outlines:
        """The outlines of its pictures."""
        ...


def outlines_of(store: object) -> Outlines | None:
    """The outlines in a store; None if there are none."""
    return store.outlines if isinstance(store, OutlineStore) and store.outlines else None


def has_captions(store: object) -> bool:
    """Whether a store holds vectors of captions."""
    return isinstance(store, CaptionStore) and store.has_captions


def has_parts(store: object) -> bool:
    """Whether a store holds parts of images."""
    return isinstance(store, PartStore) and store.has_parts


class SearchableStore(FillableStore, Protocol):
    """A store that can be searched; as all stores can."""

    def search(
        self,
        vector: Vectors,
        k: int = 10,
        where: Filter | None = None,
        exclude: Collection[str] = (),
    ) -> list[Hit]:
        """Find the images whose vectors have the highest dot product with a vector, best first.

        Args:
            vector: float32 (d,), of any length other than 0.
            k: Maximum number of hits.
            where: A metadata filter in Chroma's language, such as ``{"colour": "red"}``. If it has
                several fields, all of them must match.
            exclude: Ids of images to leave out.

        Raises:
            InvalidInputError: ``k`` is below 1.
            InvalidFilterError: The filter cannot be translated, or the engine refuses it.
        """
        ...

    def get(self, ids: Sequence[str]) -> list[Hit]:
        """Images by id, with score 0, in the order of the ids; unknown ids are left out."""
        ...

    def vectors_of(self, ids: Sequence[str]) -> Vectors:
        """The vectors of stored images: float32 (N, d) of unit length, in the order of the ids.

        Args:
            ids: Ids of images; for the vectors that hits matched by, their ``vector_id``.

        Raises:
            StoreError: There is no image with one of the ids.
        """
        ...

    def nearest(self, vector: Vectors, k: int) -> Vectors:
        """The stored vectors with the highest scores, best first: float32 (k or fewer, d)."""
        ...

    def sample(self) -> Vectors:
        """A representative sample of some hundred stored vectors: float32 (N, d).

        Every call returns the same array, until the store has changed so much that a new sample is
        needed.
        """
        ...

    def captions(self, most: int) -> list[str]:
        """The captions of some images, without duplicates; the same at every call."""
        ...

    def facets(self) -> dict[str, list[str]]:
        """Fields to filter by: text fields with few values, by name, with the commonest first."""
        ...


@runtime_checkable
class DescribedStore(Protocol):
    """A store that knows the types and values of its metadata; otherwise ``facets`` are used."""

    def fields(self) -> Mapping[str, Field]:
        """The fields of texts or numbers by name; cheap enough to call at every search."""
        ...


@runtime_checkable
class WholeStore(TrackingStore, SearchableStore, Protocol):
    """A store that can list, copy and describe all that it holds; as ``TrackingStore``.

    Attributes:
        encoder_name: Name of the encoder that filled it; empty if the store does not say.
        fingerprint: Fingerprint of that encoder; empty if the store does not say.
        width: Numbers in a vector; 0 if that is not known.
    """

    encoder_name: str
    fingerprint: str
    width: int

    def __len__(self) -> int:
        """Number of images."""
        ...

    def vectors(self) -> tuple[list[str], Vectors]:
        """All ids and their vectors, float32 (N, d)."""
        ...


StoreOpener: TypeAlias = Callable[[JointEncoder], SearchableStore]
