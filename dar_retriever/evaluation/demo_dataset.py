"""A data set without a download: simulated dialogues over the drawn catalogue."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Final

from dar_retriever.demo.gallery import draw_gallery, gallery_products, picture_name
from dar_retriever.demo.products import Product
from dar_retriever.demo.simulated_user import ROUNDS, simulate
from dar_retriever.errors import InvalidInputError
from dar_retriever.evaluation.datasets import Case, Dataset
from dar_retriever.ingest import METADATA_FILE

_TARGET_SEED: Final = 1


def demo_dataset(
    folder: str | Path,
    dialogues: int = 500,
    gallery: int = 5000,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Simulated dialogues over a gallery of products that no model was trained on.

    Args:
        folder: The gallery is drawn into its "pictures", where it is missing; a run that was
            stopped goes on where it was.
        dialogues: How many, each with a target of its own.
        gallery: Number of products.
        progress: Called with the number of pictures done and the number of all.

    Returns:
        The same for the same numbers: rounds 0 to 10, the pool in the gallery's order.

    Raises:
        InvalidInputError: ``dialogues`` is below 1 or above ``gallery``, there are not so many
            products, or the folder holds pictures of another gallery.
    """
    if not 1 <= dialogues <= gallery:
        raise InvalidInputError(
            f"dialogues={dialogues}, gallery={gallery}: at least 1 dialogue, and no more than "
            "there are products to look for"
        )
    try:
        products = gallery_products(gallery)
    except ValueError as error:
        raise InvalidInputError(f"gallery={gallery}: {error}; ask for fewer") from error
    pictures = Path(folder) / "pictures"
    _draw(pictures, products, progress)
    # Of one order, so that more dialogues are the same ones and some more.
    targets = Random(_TARGET_SEED).sample(range(gallery), gallery)[:dialogues]
    cases = tuple(_case(number, target, products[target]) for number, target in enumerate(targets))
    return Dataset("demo", cases, tuple(map(picture_name, range(gallery))), pictures)


def _case(number: int, target: int, product: Product) -> Case:
    dialogue = simulate(product, number).dialogue
    return Case(dialogue.id, target, tuple(dialogue.at_round(n) for n in range(ROUNDS + 1)))


def _draw(
    pictures: Path, products: Sequence[Product], progress: Callable[[int, int], None] | None
) -> None:
    """Draw what is missing, but never mix galleries: their numbers mean other products."""
    if pictures.exists():
        _require_gallery(pictures, products)
        draw_gallery(pictures, products, progress=progress)
        return
    # Drawn aside, by size, so that a run that was stopped is never gone on with as another.
    part = pictures.with_name(f"pictures-{len(products)}.part")
    draw_gallery(part, products, progress=progress)
    part.replace(pictures)


def _require_gallery(pictures: Path, products: Sequence[Product]) -> None:
    listing = pictures / METADATA_FILE
    try:
        entries = [json.loads(line) for line in listing.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        entries = []
    drawn = [isinstance(entry, dict) and entry.items() for entry in entries]
    wanted = [product.attributes().items() for product in products]
    if len(drawn) != len(wanted) or not all(
        there and attributes <= there for there, attributes in zip(drawn, wanted, strict=True)
    ):
        raise InvalidInputError(
            f"{str(pictures)!r} lists {len(drawn)} pictures that are not the gallery of "
            f"{len(products)}; take another folder, or ask for the gallery that is there"
        )
