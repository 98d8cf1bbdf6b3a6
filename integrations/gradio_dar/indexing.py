"""Indexing a folder from the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dar_retriever import DiffusionAugmentedRetriever, IngestReport, InvalidInputError, ingest


class FolderIndexer:
    """Indexes folders into the store of a retriever.

    Args:
        retriever: The retriever whose store and encoder are used.
    """

    def __init__(self, retriever: DiffusionAugmentedRetriever) -> None:
        self._retriever = retriever

    def index(self, folder: str, progress: Callable[[int, int], None]) -> IngestReport:
        """Store a folder's images; see ``ingest``.

        Raises:
            InvalidInputError: The folder's name is empty.
            IngestError: The folder is missing or holds no images.
            StoreError: The store cannot be written to.
        """
        if not folder.strip():
            raise InvalidInputError("name a folder, such as /home/me/photos")
        encoder = self._retriever.query_encoder.encoder
        path = Path(folder.strip()).expanduser()
        return ingest(path, self._retriever.store, encoder, progress=progress)
