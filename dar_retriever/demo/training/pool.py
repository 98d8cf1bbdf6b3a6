"""The pictures that the demo's models are trained on: drawn once, kept on disk."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import (
    BACKGROUNDS,
    COLOURS,
    KINDS,
    PATTERNS,
    Product,
    sample_products,
)

PICTURE_SIZE: Final = 128
_GROUP: Final = 4


@dataclass(frozen=True)
class Pool:
    """Drawn products of seen combinations.

    Attributes:
        products: In groups of four that differ from the group's first in one attribute, so
            that a batch of whole groups holds hard negatives.
        pictures: uint8 (N, 128, 128, 3), one for each product.
    """

    products: list[Product]
    pictures: NDArray[np.uint8]

    @classmethod
    def open(cls, folder: Path, count: int, seed: int = 0, workers: int = 2) -> Pool:
        """Open the pool in a folder, drawing it first where it is not complete.

        Args:
            folder: Where ``pool.json`` and ``pictures.npy`` are or will be.
            count: Number of pictures, a multiple of four.
            seed: Same seed, same pictures.
            workers: Processes that draw.
        """
        folder.mkdir(parents=True, exist_ok=True)
        listing, array = folder / "pool.json", folder / "pictures.npy"
        if not listing.exists():
            products = _grouped_products(count, seed)
            shape = (count, PICTURE_SIZE, PICTURE_SIZE, 3)
            pictures: Any = np.lib.format.open_memmap(array, "w+", np.uint8, shape)
            with ProcessPoolExecutor(workers) as executor:
                drawn = executor.map(_draw, products, range(count), chunksize=256)
                for number, picture in enumerate(track(drawn, "Drawing the pool", count)):
                    pictures[number] = picture
            pictures.flush()
            listing.write_text(json.dumps([product.attributes() for product in products]))
        products = [Product(**entry) for entry in json.loads(listing.read_text())]
        return cls(products, np.load(array, mmap_mode="r"))

    def batch(self, size: int, random: Random) -> list[int]:
        """Numbers of whole groups chosen at random, ``size`` pictures in all."""
        groups = random.sample(range(len(self.products) // _GROUP), size // _GROUP)
        return [group * _GROUP + member for group in groups for member in range(_GROUP)]


def _draw(product: Product, number: int) -> NDArray[np.uint8]:
    return np.asarray(draw(product, PICTURE_SIZE, Random(number)), np.uint8)


def _grouped_products(count: int, seed: int) -> list[Product]:
    random = Random(seed)
    products: list[Product] = []
    for first in sample_products(count // _GROUP, unseen=False, seed=seed):
        products.append(first)
        while len(products) % _GROUP:
            sibling = _changed(first, random)
            if not sibling.unseen:
                products.append(sibling)
    return products


def _changed(product: Product, random: Random) -> Product:
    """The product with one attribute other than its kind drawn anew."""
    name = random.choice([field.name for field in fields(product) if field.name != "kind"])
    if name == "second_colour" and product.second_colour and random.random() < 0.5:
        # The two colours swapped: the negative that teaches which word goes with which colour.
        return replace(product, colour=product.second_colour, second_colour=product.colour)
    values: dict[str, list[str]] = {
        "colour": [c for c in COLOURS if c != product.second_colour],
        "pattern": [p for p in PATTERNS if (p == "plain") == (product.pattern == "plain")],
        "second_colour": [c for c in COLOURS if product.second_colour and c != product.colour]
        or [""],
        "detail": list(KINDS[product.kind].details),
        "background": list(BACKGROUNDS),
    }
    return replace(product, **{name: random.choice(values[name])})
