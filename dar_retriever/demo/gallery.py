"""The demo's gallery: pictures of products that no model was trained on, with their metadata."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Final

from dar_retriever.demo.captions import description
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import Product, sample_products
from dar_retriever.ingest import METADATA_FILE

PICTURE_SIZE: Final = 256
GALLERY_SEED: Final = 7


def gallery_products(count: int) -> list[Product]:
    """The products of a gallery of unseen combinations; a picture's number is its place here."""
    return sample_products(count, unseen=True, seed=GALLERY_SEED)


def picture_name(number: int) -> str:
    """File name of a gallery picture."""
    return f"{number:05d}.jpg"


def draw_gallery(
    folder: str | Path,
    products: Sequence[Product],
    *,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Draw products into a folder, with a ``metadata.jsonl`` that ``ingest`` reads.

    Pictures that are there already are left as they are.

    Args:
        folder: Created where it is missing.
        products: One picture each.
        workers: Threads that draw; Pillow lets go of Python's lock while it does.
        progress: Called with the number of pictures done and the number of all.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    missing = [n for n in range(len(products)) if not (folder / picture_name(n)).exists()]
    with ThreadPoolExecutor(workers) as executor:
        jobs = executor.map(
            _draw_file, [folder] * len(missing), missing, [products[n] for n in missing]
        )
        for done, _ in enumerate(jobs, len(products) - len(missing) + 1):
            if progress is not None:
                progress(done, len(products))
    lines = [
        json.dumps({"file_name": picture_name(number), **_metadata(product)})
        for number, product in enumerate(products)
    ]
    (folder / METADATA_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _draw_file(folder: Path, number: int, product: Product) -> None:
    path = folder / picture_name(number)
    part = path.with_suffix(".part")
    draw(product, PICTURE_SIZE, Random(number)).save(part, "JPEG", quality=92)
    part.replace(path)


def _metadata(product: Product) -> dict[str, str]:
    """Attributes and a description, for people: the search does not read them."""
    return {"caption": description(product), **product.attributes()}
