"""The demo preset over its own gallery, ready to search."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from dar_retriever.demo.captioner import CatalogueCaptioner
from dar_retriever.demo.gallery import draw_gallery
from dar_retriever.encoders import JointEncoder
from dar_retriever.errors import EncoderMismatchError
from dar_retriever.ingest import ingest
from dar_retriever.language_models.base import LanguageModel
from dar_retriever.presets import from_preset
from dar_retriever.retriever import DiffusionAugmentedRetriever
from dar_retriever.stores.image_store import ImageStore
from dar_retriever.support.progress import progress_bar, quiet_libraries

PRODUCTS: Final = 3000
FOLDER: Final = "demo-output"

_README: Final = """\
Made by dar demo; delete it when you like.

gallery/     drawn pictures of products, with their descriptions
store/       the image store: a Chroma database of their vectors
generated/   what the diffusion model drew, kept so that it is drawn once
index.html   the conversation that dar demo played last
"""


def demo_retriever(
    folder: str | Path = FOLDER,
    products: int = PRODUCTS,
    *,
    language_model: LanguageModel | None = None,
) -> DiffusionAugmentedRetriever:
    """Open the demo preset over a gallery, which is drawn and indexed where it is missing.

    What is there is used, also where it holds more products. What an older version of this package
    has left is replaced. Reference images of the catalogue are put into words; see
    ``CatalogueCaptioner``.

    Args:
        folder: Where pictures, store and generated images go.
        products: The least number of products in the gallery.
        language_model: Reformulates the dialogue; rules do by default.

    Raises:
        InvalidInputError: There are not so many products, or the folder's "gallery" holds other
            files.
    """
    folder = Path(folder)
    with progress_bar("Drawing the gallery") as bar:
        replaced = draw_gallery(folder / "gallery", products, progress=bar)
    (folder / "README.txt").write_text(_README, encoding="utf-8")
    place = folder / "store"
    if replaced:
        _remove(place)

    def open_store(encoder: JointEncoder) -> ImageStore:
        try:
            return ImageStore.on_disk(place, encoder)
        except EncoderMismatchError:
            _remove(place)
            return ImageStore.on_disk(place, encoder)

    with quiet_libraries():
        retriever = from_preset(
            "demo",
            open_store,
            cache_folder=folder / "generated",
            language_model=language_model,
        )
    encoder, store = retriever.query_encoder.encoder, retriever.store
    retriever.query_encoder.captioner = CatalogueCaptioner(encoder)
    assert isinstance(store, ImageStore)
    if len(store) < products:
        with progress_bar("Indexing it") as bar:
            ingest(folder / "gallery", store, encoder, progress=bar)
    return retriever


def _remove(store: Path) -> None:
    # Nothing but what Chroma has made.
    if (store / "chroma.sqlite3").exists():
        shutil.rmtree(store)
