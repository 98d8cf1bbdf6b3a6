"""Do drawings that start from hits find the target as often as plain ones, with half as many?

Simulated dialogues over the demo's gallery, with the demo preset. Every row draws so many images at
a turn, from noise or from what the words find. Printed is the Recall@10 at some rounds of the
preset, of the search before its second stage, and of the drawings without the words; then the
differences to the plain row with as many as the preset draws, with their 95 % intervals over the
dialogues. Drawings are kept in the folder, so that a run goes on where it was stopped.

    python examples/benchmarks/drawn_from_hits.py --folder drawn
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from simulated import gain

from dar_retriever import Dialogue, DiffusionAugmentedRetriever, SearchResult, Vectors
from dar_retriever.demo.gallery import gallery_products, picture_name
from dar_retriever.demo.retriever import demo_retriever
from dar_retriever.demo.simulated_user import simulate
from dar_retriever.ranking import HitStarts

MOST: Final = 10
VIEWS: Final = ("preset", "first stage", "drawings alone")
_BEYOND: Final = 1_000_000

Ranks = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Row:
    """How many images are drawn at a turn, and how far from the hits; None from noise."""

    images: int
    strength: float | None = None

    def __str__(self) -> str:
        """For people."""
        how = "from noise" if self.strength is None else f"from hits, strength {self.strength}"
        return f"{self.images} {how}" if self.images else "none"


@dataclass(frozen=True, slots=True)
class Gallery:
    """The stored images: their ids, and their vectors as float32 (N, d)."""

    ids: list[str]
    vectors: Vectors

    @classmethod
    def of(cls, retriever: DiffusionAugmentedRetriever, products: int) -> Gallery:
        """All images of a store; the products in their order."""
        hits = retriever.store.search(retriever.store.sample()[0], products)
        places = {hit.file_name: hit.id for hit in hits}
        ids = [places[picture_name(number)] for number in range(products)]
        return cls(ids, retriever.store.vectors_of(ids))

    def rank(self, vector: Vectors, target: int) -> int:
        """The target's rank from 1, ties against it."""
        scores = self.vectors @ vector
        return int(np.count_nonzero(scores >= scores[target]))


def ranks_of(result: SearchResult, target: int, gallery: Gallery) -> list[int]:
    """The target's rank in each of the views."""
    found = [hit.id for hit in result.hits]
    wanted = gallery.ids[target]
    drawn = result.query.image_vectors
    return [
        found.index(wanted) + 1 if wanted in found else _BEYOND,
        gallery.rank(result.query.vector, target),
        gallery.rank(drawn.mean(0), target) if len(drawn) else _BEYOND,
    ]


def main() -> None:
    """Print a table for each view."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=Path("drawn"))
    parser.add_argument("--products", type=int, default=3_000)
    parser.add_argument("--dialogues", type=int, default=80)
    parser.add_argument("--seed", type=int, default=31, help="of targets and dialogues")
    parser.add_argument("--rounds", type=int, nargs="+", default=[2, 5, 8])
    parser.add_argument(
        "--images", type=int, nargs="+", default=[4, 2], help="from hits, at a turn"
    )
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.7])
    options = parser.parse_args()
    retriever = demo_retriever(options.folder, options.products)
    products = gallery_products(options.products)
    gallery = Gallery.of(retriever, options.products)
    targets = Random(options.seed).sample(range(options.products), options.dialogues)
    said = [
        simulate(products[target], 1_000 * options.seed + number).dialogue
        for number, target in enumerate(targets)
    ]
    rows = [Row(0), Row(4), Row(2)]
    rows += [Row(n, strength) for strength in options.strengths for n in options.images]
    ranks: dict[Row, NDArray[np.int64]] = {}
    begun = dict.fromkeys(rows, 0)
    for row in rows:
        found = [
            searched(retriever, row, dialogue.at_round(n))
            for dialogue in track(said, str(row))
            for n in options.rounds
        ]
        begun[row] = sum(any(image.start for image in each.trace.generated) for each in found)
        places = [target for target in targets for _ in options.rounds]
        each = [ranks_of(r, target, gallery) for r, target in zip(found, places, strict=True)]
        ranks[row] = np.array(each).reshape(len(said), len(options.rounds), len(VIEWS))
    for place, view in enumerate(VIEWS):
        print(f"\nRecall@{MOST} of the {view}, rounds {options.rounds}")
        for row in rows:
            if view == "drawings alone" and not row.images:
                continue
            own, plain = ranks[row][..., place], ranks[Row(4)][..., place]
            shares = " ".join(f"{x:5.1f}" for x in 100 * (own <= MOST).mean(0))
            turns = f"{begun[row]} of {own.size} turns from hits" if row.strength else ""
            print(f"{row!s:30} {shares}   {gain(own, plain, MOST):24} {turns}")


def searched(retriever: DiffusionAugmentedRetriever, row: Row, dialogue: Dialogue) -> SearchResult:
    """Search as a row does."""
    assert retriever.ending is not None
    retriever.query_encoder.images_per_turn = row.images
    strength = row.strength
    retriever.starts = HitStarts(retriever.ending, strength=strength) if strength else None
    return retriever.search(dialogue, MOST)


if __name__ == "__main__":
    main()
