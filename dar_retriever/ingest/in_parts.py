"""The store as an ingest with parts sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dar_retriever.errors import StoreError
from dar_retriever.ingest.reader import Prepared
from dar_retriever.ingest.report import IngestReport
from dar_retriever.ingest.target import Target
from dar_retriever.stores.base import FillableStore, PartStore
from dar_retriever.stores.copies import PictureRecord


class InParts:
    """A target whose images count as stored once their parts are stored too.

    Args:
        target: The target.
        store: Its store.

    Raises:
        StoreError: The store keeps no parts.
    """

    def __init__(self, target: Target, store: FillableStore) -> None:
        if not isinstance(store, PartStore):
            raise StoreError(
                f"parts=True: {type(store).__name__} keeps one vector an image; use an ImageStore "
                "on Chroma, or leave parts out"
            )
        self._target, self._store = target, store

    def unchanged(self) -> dict[str, str]:
        """See ``Target``."""
        found = self._target.unchanged()
        whole = self._store.with_parts(found.values())
        return {key: id_ for key, id_ in found.items() if id_ in whole}

    def known(self, ids: Iterable[str]) -> set[str]:
        """See ``Target``."""
        return self._store.with_parts(self._target.known(ids))

    def record_of(self, picture: Prepared) -> PictureRecord:
        """See ``Target``."""
        return self._target.record_of(picture)

    def settle(
        self,
        ids: Mapping[str, str],
        unread: set[str],
        added: Mapping[str, PictureRecord],
        *,
        prune: bool,
    ) -> IngestReport:
        """See ``Target``."""
        return self._target.settle(ids, unread, added, prune=prune)
