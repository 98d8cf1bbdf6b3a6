"""The demo's gallery: pictures of products that no model was trained on, with their metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any, Final

from dar_retriever.demo.captions import description
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import Product, sample_products
from dar_retriever.errors import InvalidInputError
from dar_retriever.ingest import METADATA_FILE

PICTURE_SIZE: Final = 256
GALLERY_SEED: Final = 7
# To be raised whenever a product looks different, or stands at another place.
_VERSION: Final = 2
_NOTE: Final = "gallery.json"
_OURS: Final = re.compile(r"\d{5}\.(jpg|part)")


def gallery_products(count: int) -> list[Product]:
    """The products of a gallery of unseen combinations.

    A picture's number is its product's place here, whatever the gallery's size: a larger gallery
    is a smaller one and some more.

    Raises:
        InvalidInputError: There are not so many products.
    """
    try:
        return sample_products(count, unseen=True, seed=GALLERY_SEED)
    except ValueError as error:
        raise InvalidInputError(f"products={count}: {error}; ask for fewer") from error


def picture_name(number: int) -> str:
    """File name of a gallery picture."""
    return f"{number:05d}.jpg"


def draw_gallery(
    folder: str | Path,
    count: int,
    *,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> bool:
    """Draw products into a folder, with a ``metadata.jsonl`` that ``ingest`` reads.

    Pictures that are there already are left as they are, also those beyond ``count``. A gallery
    that an older version of this package has drawn is replaced.

    Args:
        folder: Created where it is missing.
        count: Number of products.
        workers: Threads that draw; Pillow lets go of Python's lock while it does.
        progress: Called with the number of pictures done and the number of all.

    Returns:
        Whether an older gallery was replaced.

    Raises:
        InvalidInputError: There are not so many products, or the folder holds other files.
    """
    folder = Path(folder)
    products = gallery_products(count)
    replaced = _cleared(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _NOTE).write_text(json.dumps({"made_by": "dar demo", "version": _VERSION}) + "\n")
    missing = [n for n in range(count) if not (folder / picture_name(n)).exists()]
    with ThreadPoolExecutor(workers) as executor:
        jobs = executor.map(
            _draw_file, [folder] * len(missing), missing, [products[n] for n in missing]
        )
        for done, _ in enumerate(jobs, count - len(missing) + 1):
            if progress is not None:
                progress(done, count)
    there = sum(1 for path in folder.glob("*.jpg") if _OURS.fullmatch(path.name))
    _list(folder, gallery_products(max(count, there)))
    return replaced


def _cleared(folder: Path) -> bool:
    """Remove a gallery of another version; whether there was one.

    Raises:
        InvalidInputError: The folder holds what no gallery holds.
    """
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if not names:
        return False
    version = _version_of(folder)
    if version == _VERSION:
        return False
    if version is None:
        raise InvalidInputError(
            f"{str(folder)!r} holds files that are not the demo's; name another folder"
        )
    for name in names:
        if name in {_NOTE, METADATA_FILE} or _OURS.fullmatch(name):
            (folder / name).unlink()
    return True


def _version_of(folder: Path) -> int | None:
    """Which version drew a folder's gallery; None where it holds none."""
    note = _first_line(folder / _NOTE)
    if isinstance(note.get("version"), int):
        return int(note["version"])
    # The first version left no note.
    entry = _first_line(folder / METADATA_FILE)
    return 1 if {"file_name", "caption", "second_colour", "detail"} <= entry.keys() else None


def _first_line(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8").partition("\n")[0])
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _list(folder: Path, products: list[Product]) -> None:
    lines = [
        json.dumps({"file_name": picture_name(number), **_metadata(product)})
        for number, product in enumerate(products)
        if (folder / picture_name(number)).exists()
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
