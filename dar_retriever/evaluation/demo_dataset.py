"""A data set without a download: simulated dialogues over the drawn catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dar_retriever.demo.captions import FIELDS
from dar_retriever.demo.gallery import draw_gallery, gallery_products, picture_name
from dar_retriever.demo.products import Product
from dar_retriever.demo.simulated_user import ROUNDS, simulate
from dar_retriever.errors import InvalidInputError
from dar_retriever.evaluation.datasets import Case, Dataset

_TARGET_SEED: Final = 1


def demo_dataset(
    folder: str | Path,
    dialogues: int = 500,
    products: int = 5000,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Simulated dialogues over a gallery of products that no model was trained on.

    Args:
        folder: The gallery is drawn into its "pictures", where it is missing; a run that was
            stopped goes on where it was.
        dialogues: How many, each with a target of its own.
        products: Number of products in the gallery.
        progress: Called with the number of pictures done and the number of all.

    Returns:
        The same for the same numbers: rounds 0 to 10, the pool in the gallery's order.

    Raises:
        InvalidInputError: ``dialogues`` is below 1 or above ``products``, there are not so many
            products, or "pictures" holds other files.
    """
    if not 1 <= dialogues <= products:
        raise InvalidInputError(
            f"dialogues={dialogues}, products={products}: at least 1 dialogue, and no more than "
            "there are products to look for"
        )
    pictures = Path(folder) / "pictures"
    draw_gallery(pictures, products, progress=progress)
    gallery = gallery_products(products)
    # Of one order, so that more dialogues are the same ones and some more.
    targets = Random(_TARGET_SEED).sample(range(products), products)[:dialogues]
    fields = fields_of(gallery)
    cases = tuple(_case(number, target, gallery, fields) for number, target in enumerate(targets))
    return Dataset("demo", cases, tuple(map(picture_name, range(products))), pictures)


def _case(
    number: int, target: int, gallery: list[Product], fields: Mapping[str, NDArray[np.str_]]
) -> Case:
    simulated = simulate(gallery[target], number)
    dialogue = simulated.dialogue
    rounds = tuple(dialogue.at_round(n) for n in range(ROUNDS + 1))
    return Case(dialogue.id, target, rounds, perfect_ranks(fields, target, simulated.told, number))


def fields_of(products: Sequence[Product]) -> dict[str, NDArray[np.str_]]:
    """What can be told of products, by field: (P,) each."""
    return {name: np.array([getattr(p, name) for p in products]) for name in ("kind", *FIELDS)}


def perfect_ranks(
    fields: Mapping[str, NDArray[np.str_]],
    target: int,
    told: Sequence[frozenset[str]],
    seed: int,
) -> tuple[int, ...]:
    """The target's rank in each round for a perfect reader of what was told rightly, from 1.

    Args:
        fields: What the products are; see ``fields_of``.
        target: Index of the target.
        told: The fields that were told, by round.
        seed: Products that match equally well come in one random order for each dialogue, so that
            on average they share their places.
    """
    place = np.random.default_rng(seed).permutation(len(fields["kind"]))
    ranks = []
    for names in told:
        match = np.all([fields[name] == fields[name][target] for name in ("kind", *names)], axis=0)
        ranks.append(int(np.count_nonzero(match & (place <= place[target]))))
    return tuple(ranks)
