"""The demo preset over its own gallery, ready to search."""

from __future__ import annotations

from pathlib import Path

from dar_retriever.demo.captioner import CatalogueCaptioner
from dar_retriever.demo.gallery import draw_gallery, gallery_products
from dar_retriever.errors import InvalidInputError
from dar_retriever.ingest import METADATA_FILE, ingest
from dar_retriever.presets import from_preset
from dar_retriever.retriever import DiffusionAugmentedRetriever
from dar_retriever.stores.image_store import ImageStore
from dar_retriever.support.progress import progress_bar, quiet_libraries


def demo_retriever(
    folder: str | Path = "demo-output", gallery: int = 1000
) -> DiffusionAugmentedRetriever:
    """Open the demo preset over a gallery, which is drawn and indexed where it is missing.

    Reference images of the catalogue are put into words; see ``CatalogueCaptioner``.

    Args:
        folder: Where pictures, store and generated images go; what is there is used.
        gallery: Number of products.

    Raises:
        InvalidInputError: The folder holds a gallery of another size, whose pictures show others.
    """
    folder = Path(folder)
    _require_same_gallery(folder / "gallery", gallery)
    with quiet_libraries():
        retriever = from_preset("demo", folder / "store", cache_folder=folder / "generated")
    retriever.query_encoder.captioner = CatalogueCaptioner(retriever.query_encoder.encoder)
    store = retriever.store
    # A folder's store is Chroma's.
    assert isinstance(store, ImageStore)
    if len(store) < gallery:
        with progress_bar("Drawing the gallery") as bar:
            draw_gallery(folder / "gallery", gallery_products(gallery), progress=bar)
        with progress_bar("Indexing it") as bar:
            encoder = retriever.query_encoder.encoder
            ingest(folder / "gallery", store, encoder, progress=bar)
    return retriever


def _require_same_gallery(folder: Path, gallery: int) -> None:
    listing = folder / METADATA_FILE
    if not listing.exists():
        return
    there = sum(1 for line in listing.read_text(encoding="utf-8").split("\n") if line)
    if there != gallery:
        raise InvalidInputError(
            f"gallery={gallery}: {folder} holds one of {there}, with other products; ask for "
            f"{there}, or take another folder"
        )
