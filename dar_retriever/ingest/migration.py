"""From one encoder to another: the images of a store are encoded into a second store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from PIL import Image

from dar_retriever.conversation.image_access import local_path
from dar_retriever.encoders.base import ImageEncoder
from dar_retriever.errors import EncoderMismatchError, InvalidImageError, StoreError
from dar_retriever.ingest.captioning import add_captions
from dar_retriever.ingest.outlining import add_outlines
from dar_retriever.ingest.parts import taken_apart
from dar_retriever.ingest.report import LeftOut, Progress
from dar_retriever.stores.base import (
    OutlineStore,
    PartStore,
    WholeStore,
    has_captions,
    has_parts,
    outlines_of,
)
from dar_retriever.stores.copies import PictureRecord
from dar_retriever.stores.entry_parts import StoredPart
from dar_retriever.stores.hits import Hit, StoredImage
from dar_retriever.stores.kept import stored_image
from dar_retriever.stores.moving import PAIRS
from dar_retriever.support.images import printable, read_file

_AT_ONCE: Final = 16


@dataclass
class MigrationReport:
    """What a migration did.

    Attributes:
        encoded: Number of images that were encoded now.
        there: Number of images that were in the new store already.
        left_out: Images that cannot be opened, with reasons; they stay in the old store only.
    """

    encoded: int = 0
    there: int = 0
    left_out: list[LeftOut] = field(default_factory=list)


def migrate(
    old: WholeStore, new: WholeStore, encoder: ImageEncoder, progress: Progress | None = None
) -> MigrationReport:
    """Encode the images of a store into a store of another encoder.

    The old store is only read. A migration that was stopped or killed goes on where it stopped.
    A random choice of images comes first, so that both stores can be searched together soon; see
    ``MovingStore``.

    Args:
        old: The store to read. Its files must be there.
        new: The store to fill.
        encoder: The encoder of the new store.
        progress: Called with the number of images done and of all images.

    Raises:
        EncoderMismatchError: Both stores are of the same encoder; copy the store instead.
        StoreError: One of the stores failed, or the new one keeps no parts, and the old one does.
    """
    parts, captions = has_parts(old), has_captions(old)
    if parts and not isinstance(new, PartStore):
        raise StoreError(
            f"the old store holds parts of images, and {type(new).__name__} keeps none; name a "
            "store on Chroma"
        )
    if old.fingerprint == new.fingerprint:
        raise EncoderMismatchError(
            f"both stores are of {new.encoder_name!r}; 'dar store copy' copies one without "
            "encoding anything"
        )
    for name, folder in old.roots.folders.items():
        new.keep_root(name, folder)
    report = MigrationReport()
    total = len(old)
    for records in _in_order(old):
        there = new.known(record.id for record in records)
        report.there += len(there)
        waiting = [record for record in records if record.id not in there]
        hits = {hit.id: hit for hit in old.get([record.id for record in waiting])}
        opened = [
            (record, hits[record.id], image)
            for record in waiting
            # Another process may have deleted it meanwhile.
            if record.id in hits and (image := _image(hits[record.id], report)) is not None
        ]
        if opened:
            vectors = encoder.encode_images([image for _, _, image in opened])
            new.add(
                [
                    replace(
                        _moved(record, hit, vector), parts=_parts(hit, encoder) if parts else ()
                    )
                    for (record, hit, _), vector in zip(opened, vectors, strict=True)
                ]
            )
            report.encoded += len(opened)
            if captions:
                add_captions(new, encoder, None, [record.id for record, _, _ in opened], begin=True)
            if outlines_of(old) and isinstance(new, OutlineStore):
                add_outlines(new, encoder, [record.id for record, _, _ in opened])
        if progress is not None:
            done = report.there + report.encoded + len(report.left_out)
            progress(done, max(done, total))
    return report


def _in_order(store: WholeStore) -> Iterator[Sequence[PictureRecord]]:
    """All records in batches, beginning with a random choice that is the same every time."""
    ids = sorted(record.id for record in store.records())
    order = np.random.default_rng(len(ids)).permutation(len(ids))
    first = [ids[place] for place in order[:PAIRS]]
    chosen = set(first)
    ids = first + [id_ for id_ in ids if id_ not in chosen]
    for start in range(0, len(ids), _AT_ONCE):
        yield list(store.records(ids[start : start + _AT_ONCE]))


def _image(hit: Hit, report: MigrationReport) -> Image.Image | None:
    try:
        return hit.open()
    except InvalidImageError as error:
        report.left_out.append(LeftOut(hit.uri, str(error)))
        return None


def _parts(hit: Hit, encoder: ImageEncoder) -> list[StoredPart]:
    """The parts of a picture that could be opened, encoded."""
    path = local_path(hit.uri)
    if path is None:
        return []
    _, apart = taken_apart(read_file(path), printable(path), None)
    parts, images = zip(*apart, strict=True)
    return list(map(StoredPart, parts, encoder.encode_images(images)))


def _moved(record: PictureRecord, hit: Hit, vector: np.ndarray) -> StoredImage:
    if record.tracked:
        return stored_image(record, vector)
    return StoredImage(hit.id, vector, hit.uri, hit.caption, hit.metadata)
