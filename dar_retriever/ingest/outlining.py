"""Outlines of stored pictures, by which line drawings are compared with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, runtime_checkable

from PIL import Image

from dar_retriever.encoders.base import ImageEncoder
from dar_retriever.errors import DARError, StoreError
from dar_retriever.ingest.report import IngestReport, Progress
from dar_retriever.stores.base import OutlineStore
from dar_retriever.stores.hits import Hit
from dar_retriever.support.line_drawings import outline
from dar_retriever.trace import of_error

# So many are done again at most where an ingest was stopped.
_AT_ONCE: Final = 32
_READERS: Final = 4


@runtime_checkable
class _Outlined(OutlineStore, Protocol):
    def get(self, ids: Sequence[str]) -> list[Hit]: ...


def outlined_store(store: object) -> _Outlined:
    """A store, if it keeps outlines.

    Raises:
        StoreError: It does not.
    """
    if isinstance(store, _Outlined):
        return store
    raise StoreError(
        f"outlines=True: {type(store).__name__} keeps no outlines; use an ImageStore on Chroma, or "
        "leave outlines out"
    )


def add_outlines(
    store: object, encoder: ImageEncoder, ids: Iterable[str], progress: Progress | None = None
) -> IngestReport:
    """Store the outlines of pictures that have none; the pictures are not encoded again.

    Each batch is stored at once, so that a run that was stopped goes on.

    Args:
        store: The store of the pictures.
        encoder: Its encoder.
        ids: The pictures.
        progress: Called with the number of pictures done and of all that need an outline.

    Returns:
        How many were outlined, and a remark for each that could not be.

    Raises:
        StoreError: The store keeps no outlines, or cannot be written to.
    """
    kept, report = outlined_store(store), IngestReport()
    asked = list(dict.fromkeys(ids))
    known = kept.outlines.known(asked)
    waiting = [id_ for id_ in asked if id_ not in known]
    with ThreadPoolExecutor(_READERS, "dar-outline") as readers:
        for start in range(0, len(waiting), _AT_ONCE):
            hits = kept.get(waiting[start : start + _AT_ONCE])
            made = {hit.id: each for hit, each in zip(hits, readers.map(_drawn, hits), strict=True)}
            drawn = {id_: each for id_, each in made.items() if isinstance(each, Image.Image)}
            report.remarks += [each for each in made.values() if isinstance(each, str)]
            if drawn:
                vectors = encoder.encode_images(list(drawn.values()))
                kept.outlines.keep(dict(zip(drawn, vectors, strict=True)))
            report.outlined += len(drawn)
            if progress is not None:
                progress(min(start + _AT_ONCE, len(waiting)), len(waiting))
    return report


def _drawn(hit: Hit) -> Image.Image | str:
    """The outline of a stored picture, or why there is none."""
    try:
        return outline(hit.open())
    except DARError as error:
        return f"no outline of {hit.uri}: {of_error(error)}"
