"""The pictures that the demo's models are trained on: drawn once, kept on disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import (
    BACKGROUNDS,
    COLOURS,
    KINDS,
    PATTERNS,
    Product,
    sample_products,
)
from dar_retriever.demo.scenes import (
    COUNTS,
    RELATIONS,
    Scene,
    draw_scene,
    sample_scenes,
)
from dar_retriever.demo.training.loop import device
from dar_retriever.demo.training.words import Subject

PICTURE_SIZE: Final = 128
_GROUP: Final = 4
# One group of scenes after so many of products.
_SCENES_EVERY: Final = 5


@dataclass(frozen=True)
class Pool:
    """Drawn products and scenes of seen combinations.

    Attributes:
        subjects: In groups of four that differ from the group's first in one attribute, so
            that a batch of whole groups holds hard negatives. Every fifth group is of scenes.
        pictures: uint8 (N, 128, 128, 3), one for each subject.
    """

    subjects: list[Subject]
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
            subjects = _grouped_subjects(count, seed)
            shape = (count, PICTURE_SIZE, PICTURE_SIZE, 3)
            pictures: Any = np.lib.format.open_memmap(array, "w+", np.uint8, shape)
            with ProcessPoolExecutor(workers) as executor:
                drawn = executor.map(_draw, subjects, range(count), chunksize=256)
                for number, picture in enumerate(track(drawn, "Drawing the pool", count)):
                    pictures[number] = picture
            pictures.flush()
            listing.write_text(json.dumps([subject.attributes() for subject in subjects]))
        entries = json.loads(listing.read_text())
        return cls([_subject(entry) for entry in entries], np.load(array, mmap_mode="r"))

    def batch(self, size: int, random: Random) -> list[int]:
        """Numbers of whole groups chosen at random, ``size`` pictures in all."""
        groups = random.sample(range(len(self.subjects) // _GROUP), size // _GROUP)
        return [group * _GROUP + member for group in groups for member in range(_GROUP)]


def pixels(pool: Pool, numbers: Sequence[int], random: Random) -> Tensor:
    """Pictures as (N, 3, 128, 128) between -1 and 1; products are mirrored or not."""
    pictures = torch.stack([torch.from_numpy(pool.pictures[number].copy()) for number in numbers])
    pictures = pictures.to(device()).permute(0, 3, 1, 2).float() / 127.5 - 1
    mirrored = torch.tensor(
        [isinstance(pool.subjects[n], Product) and random.random() < 0.5 for n in numbers],
        device=device(),
    )
    pictures = torch.where(mirrored[:, None, None, None], pictures.flip(3), pictures)
    return pictures.contiguous(memory_format=torch.channels_last)


def _subject(entry: dict[str, str]) -> Subject:
    return Scene(**entry) if "relation" in entry else Product(**entry)


def _draw(subject: Subject, number: int) -> NDArray[np.uint8]:
    random = Random(number)
    if isinstance(subject, Product):
        return np.asarray(draw(subject, PICTURE_SIZE, random), np.uint8)
    return np.asarray(draw_scene(subject, PICTURE_SIZE, random), np.uint8)


def _grouped_subjects(count: int, seed: int) -> list[Subject]:
    random = Random(seed)
    groups = count // _GROUP
    scenes = sample_scenes(groups // _SCENES_EVERY, unseen=False, seed=seed)
    products = sample_products(groups - len(scenes), unseen=False, seed=seed)
    subjects: list[Subject] = []
    for number in range(groups):
        last = number % _SCENES_EVERY == _SCENES_EVERY - 1
        first: Subject = scenes.pop() if last else products.pop(0)
        subjects.append(first)
        while len(subjects) % _GROUP:
            sibling = (
                _changed(first, random) if isinstance(first, Product) else _other(first, random)
            )
            if not sibling.unseen:
                subjects.append(sibling)
    return subjects


def _other(scene: Scene, random: Random) -> Scene:
    """The scene with its things swapped, or one attribute other than the kinds drawn anew."""
    if random.random() < 0.3:
        return replace(scene, colour=scene.other_colour, other_colour=scene.colour)
    values: dict[str, list[str]] = {
        "colour": [c for c in COLOURS if c != scene.other_colour],
        "other_colour": [c for c in COLOURS if c != scene.colour],
        "count": list(COUNTS),
        "relation": list(RELATIONS),
        "background": list(BACKGROUNDS),
    }
    name = random.choice(list(values))
    return replace(scene, **{name: random.choice(values[name])})


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
