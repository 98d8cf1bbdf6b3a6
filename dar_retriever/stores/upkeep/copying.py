"""The images of a store with everything that is kept of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

from dar_retriever.errors import EncoderMismatchError
from dar_retriever.stores.base import PartStore, WholeStore
from dar_retriever.stores.hits import StoredImage
from dar_retriever.stores.kept import stored_image

_AT_ONCE: Final = 500


def images_of(store: WholeStore) -> Iterator[list[StoredImage]]:
    """All images with their vectors, in pages."""
    records = store.records()
    while page := list(islice(records, _AT_ONCE)):
        ids = [record.id for record in page]
        vectors = store.vectors_of(ids)
        parts = store.parts_of(ids) if isinstance(store, PartStore) else {}
        others = [record.id for record in page if not record.tracked]
        hits = {hit.id: hit for hit in store.get(others)}
        images = [
            stored_image(record, vector)
            if record.tracked
            else StoredImage(
                record.id,
                vector,
                hits[record.id].uri,
                hits[record.id].caption,
                hits[record.id].metadata,
            )
            for record, vector in zip(page, vectors, strict=True)
        ]
        yield [replace(image, parts=parts.get(image.id, ())) for image in images]


def copy_store(
    source: WholeStore, target: WholeStore, progress: Callable[[int, int], None] | None = None
) -> int:
    """Copy all images to another store of the same encoder; returns how many.

    Nothing is encoded again. An image replaces the one with its id, so a copy that was stopped can
    be repeated.

    Args:
        source: The store to read.
        target: The store to fill.
        progress: Called with the number of images copied and of all images.

    Raises:
        EncoderMismatchError: The stores are of different encoders.
        StoreError: One of the stores failed.
    """
    if source.fingerprint != target.fingerprint:
        raise EncoderMismatchError(
            f"the stores are of different encoders, {source.encoder_name!r} and "
            f"{target.encoder_name!r}; index the images into the other store with its encoder"
        )
    for name, folder in source.roots.folders.items():
        target.keep_root(name, folder)
    done, total = 0, len(source)
    for page in images_of(source):
        target.add(page)
        done += len(page)
        if progress is not None:
            progress(done, max(done, total))
    return done
