"""What a store keeps beside its entries: vectors of their parts, captions and outlines."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import Final

import numpy as np

from dar_retriever.encoders.base import ImageEncoder, Vectors
from dar_retriever.stores.caption_scores import CaptionCalibration
from dar_retriever.stores.chroma.connection import Connection
from dar_retriever.stores.chroma.parts import Parts, part_record
from dar_retriever.stores.chroma.records import Record, once, unit_rows
from dar_retriever.stores.entry_parts import EntryPart, StoredPart
from dar_retriever.stores.hits import StoredImage
from dar_retriever.stores.survey import SAMPLE

_PARTS: Final = ".dar-parts"
_CAPTIONS: Final = ".dar-captions"
_OUTLINES: Final = ".dar-outlines"
# Seconds after which it is looked again whether another process has stored captions.
_PATIENCE: Final = 5.0
_GROWN: Final = 0.1


class Beside:
    """Parts, captions and outlines, each in a collection of its own that is made once it is needed.

    Args:
        entries: Connection to the collection of the entries.
        name: Name of that collection.
        encoder: The store's encoder; None if the store was opened without.
        width: Numbers in a vector.
    """

    def __init__(
        self, entries: Connection, name: str, encoder: ImageEncoder | None, width: int
    ) -> None:
        self._entries, self.width = entries, width
        self.parts = Parts(entries, f"{name}{_PARTS}", encoder)
        self.captions = Parts(entries, f"{name}{_CAPTIONS}", encoder, usual=1)
        self.outlines = Parts(entries, f"{name}{_OUTLINES}", encoder, usual=1)
        self._calibrating = Lock()
        self._calibrated: tuple[int, CaptionCalibration] | None = None
        self._look_again = 0.0

    def write(self, images: Sequence[StoredImage]) -> None:
        """Store what some images have, in place of what is stored of them."""
        parts, captions, outlines = list[Record](), list[Record](), list[Record]()
        for image in images:
            for stored in image.parts:
                kept = captions if stored.part.caption else parts
                kept = outlines if stored.part.outline else kept
                kept.append(part_record(image.id, stored, self.width))
        ids = [image.id for image in images]
        self.parts.write(ids, parts)
        self.captions.write(ids, captions)
        self.outlines.write(ids, outlines)
        self._look_again = 0.0

    def keep_captions(self, captions: Mapping[str, StoredPart | None]) -> None:
        """Store the captions of entries by id, in place of those that are stored."""
        records = [
            part_record(id_, part, self.width) for id_, part in captions.items() if part is not None
        ]
        self.captions.write(list(captions), records)
        self._look_again = 0.0

    def delete(self, ids: Sequence[str]) -> None:
        """Delete all that is kept of some entries."""
        self.parts.delete(ids)
        self.captions.delete(ids)
        self.outlines.delete(ids)

    def of(self, ids: Sequence[str]) -> dict[str, list[StoredPart]]:
        """All that is kept of some entries, by id."""
        found = self.parts.of(ids)
        for others in (self.captions.of(ids), self.outlines.of(ids)):
            for id_, stored in others.items():
                found[id_] = [*found.get(id_, ()), *stored]
        return found

    def lost(self, *, repair: bool) -> list[str]:
        """See ``ImageStore.lost``."""
        every = (self.parts, self.captions, self.outlines)
        return [id_ for kept in every for id_ in kept.lost(repair=repair)]

    def calibration(self) -> CaptionCalibration | None:
        """How much captions count; None if there are none.

        It is measured again once their number has changed by a tenth.
        """
        with self._calibrating:
            if time.monotonic() >= self._look_again:
                self._look_again = time.monotonic() + _PATIENCE
                count = self.captions.count()
                before = self._calibrated[0] if self._calibrated else 0
                if not count:
                    self._calibrated = None
                elif abs(count - before) > _GROWN * before:
                    self._calibrated = count, self._measured()
            return self._calibrated[1] if self._calibrated else None

    def wholes(self, ids: Iterable[str]) -> dict[str, Vectors]:
        """The own vectors of entries, by id."""
        asked = once(ids)
        if not asked:
            return {}
        found = self._entries.read(lambda c: c.get(asked, include=["embeddings"]))
        rows = unit_rows(self.width, found["embeddings"])
        return dict(zip(found["ids"], rows, strict=True))

    def _measured(self) -> CaptionCalibration:
        captions = self.captions.some(SAMPLE)
        wholes = self.wholes(captions)
        both = [id_ for id_ in captions if id_ in wholes]
        nothing = np.empty((0, self.width), np.float32)
        return CaptionCalibration(
            np.stack([captions[id_] for id_ in both]) if both else nothing,
            np.stack([wholes[id_] for id_ in both]) if both else nothing,
        )


def caption_part(text: str, vector: Vectors) -> StoredPart:
    """A caption and its vector as a part of its entry."""
    return StoredPart(EntryPart(0, caption=text), vector)
