"""Simulated dialogues over unseen products that nothing was tuned on, and how well they end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from dar_retriever import DARQueryEncoder, EncodedQuery, JointEncoder, Reranker, Vectors
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import Product, sample_products
from dar_retriever.demo.simulated_user import ROUNDS, simulate
from dar_retriever.evaluation import bootstrap, target_ranks
from dar_retriever.evaluation.demo_dataset import fields_of, perfect_ranks
from dar_retriever.evaluation.reranking import reranked

SEED: Final = 78
ALL: Final = tuple(range(ROUNDS + 1))
_SIDE: Final = 128
_BATCH: Final = 64

Ranks = NDArray[np.int64]


class Simulation:
    """Dialogues and the gallery that they are about.

    Args:
        encoder: Encodes the gallery.
        dialogues: How many, each with a target of its own.
        gallery: Number of products.
        among: The targets are among so many first products; all by default.
        seed: Other products and other dialogues.

    Attributes:
        products: The gallery's products.
        pool: Their pictures' vectors: float32 (gallery, d).
        targets: The dialogues' targets, as places in the gallery.
        said: The dialogues, and what they tell.
    """

    def __init__(
        self,
        encoder: JointEncoder,
        dialogues: int,
        gallery: int,
        *,
        among: int | None = None,
        seed: int = SEED,
    ) -> None:
        self.products: list[Product] = sample_products(gallery, unseen=True, seed=seed)
        numbered = enumerate(track(self.products, "Drawing and encoding the gallery"))
        self.pool = encoded(
            encoder, (draw(p, _SIDE, Random(seed * 10**6 + n)) for n, p in numbered)
        )
        self.targets = Random(seed + 1).sample(range(among or gallery), dialogues)
        self.said = [
            simulate(self.products[target], 500_000 + seed * 1_000 + number)
            for number, target in enumerate(self.targets)
        ]

    def queries(
        self, encoder: DARQueryEncoder, rounds: Sequence[int] = ALL, dialogues: int | None = None
    ) -> list[EncodedQuery]:
        """The queries of the first dialogues at some rounds, dialogue by dialogue."""
        said = track(self.said[:dialogues], "Encoding the dialogues")
        return [encoder.encode(each.dialogue.at_round(n)) for each in said for n in rounds]

    def ranks(
        self,
        queries: Sequence[EncodedQuery],
        reranker: Reranker | None,
        rounds: Sequence[int] = ALL,
        vectors: Callable[[EncodedQuery], Vectors] = lambda query: query.vector,
    ) -> Ranks:
        """The targets' ranks from 1, ties against the method: (dialogues, rounds)."""
        count = len(queries) // len(rounds)
        targets = np.repeat(self.targets[:count], len(rounds))
        found = target_ranks(np.array([vectors(q) for q in queries]), self.pool, targets)
        if reranker is not None:
            paths = [Path(str(n)) for n in range(len(self.pool))]
            found = reranked(reranker, queries, found, self.pool, paths, targets.tolist())
        return np.asarray(found, np.int64).reshape(count, len(rounds))

    def ceiling(self) -> Ranks:
        """Ranks from 1 for a perfect reader of what was told rightly: (dialogues, 11)."""
        fields = fields_of(self.products)
        pairs = enumerate(zip(self.targets, self.said, strict=True))
        return np.array([perfect_ranks(fields, t, each.told, n) for n, (t, each) in pairs])


def encoded(encoder: JointEncoder, pictures: Iterable[Image.Image]) -> Vectors:
    """Vectors of pictures, in batches."""
    parts, waiting = [], list[Image.Image]()
    for picture in pictures:
        waiting.append(picture)
        if len(waiting) == _BATCH:
            parts.append(encoder.encode_images(waiting))
            waiting = []
    if waiting:
        parts.append(encoder.encode_images(waiting))
    return np.concatenate(parts)


def recall(name: str, ranks: Ranks, most: int, rounds: Sequence[int] = ALL) -> None:
    """Print the recall of all rounds, and its means over rounds 2 to 8 and 4 to 8."""
    share = 100 * (ranks <= most).mean(0)
    means = [
        share[[place for place, n in enumerate(rounds) if least <= n <= 8]].mean()
        for least in (2, 4)
    ]
    print(
        f"R@{most} {name}".ljust(44),
        *(f"{x:5.1f}" for x in share),
        *(f"{x:6.1f}" for x in means),
        flush=True,
    )


def gain(ranks: Ranks, before: Ranks, most: int) -> str:
    """The difference in recall in points, with its 95 % interval over the dialogues."""
    each = 100.0 * ((ranks <= most).astype(float) - (before <= most)).mean(1)
    found = bootstrap(each)
    return f"{float(found.value):+.1f} [{float(found.low):+.1f}, {float(found.high):+.1f}]"
