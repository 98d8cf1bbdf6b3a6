"""How much of what one vector misses does the second stage find?

Dialogues that nothing was tuned on, over unseen products. The best hits of the text are ordered
anew by the demo's matching head, by the spread of the prior's samples, and by both, as the preset
does. Then pairs of pictures whose two colours are swapped: how often is the right one first?

    python examples/benchmarks/second_stage.py [DIALOGUES] [GALLERY]
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from dar_retriever import (
    PRESETS,
    BoundedExclusion,
    Calibration,
    Candidates,
    DARQueryEncoder,
    DensityRatioReranker,
    EncodedQuery,
    Hit,
    JointEncoder,
    Reranker,
    Vectors,
    open_encoder,
)
from dar_retriever.demo.captions import FIELDS, description
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import Product, sample_products
from dar_retriever.demo.simulated_user import ROUNDS, SimulatedDialogue, simulate
from dar_retriever.evaluation.ranking import PoolNeighbours
from dar_retriever.presets.opening import Beside

SEED = 78
TIMES = 1_000

Ranks = NDArray[np.int64]


def main() -> None:
    """Print Recall@10, Recall@1, the differences with intervals, and the swapped pairs."""
    dialogues, gallery = (int(text) for text in (*sys.argv[1:], "500", "5000")[:2])
    encoder, beside = open_encoder("demo"), Beside(PRESETS["demo"].encoder)
    products = sample_products(gallery, unseen=True, seed=SEED)
    pictures = enumerate(track(products, "Drawing the gallery"))
    pool = encoded(encoder, [draw(p, 128, Random(SEED * 10**6 + n)) for n, p in pictures])
    neighbours = PoolNeighbours(pool)
    orders: dict[str, Reranker | None] = {
        "text": None,
        "matching head": beside.matching,
        "spread of the samples": DensityRatioReranker(neighbours),
        "both, as in the preset": beside.reranker(neighbours),
    }
    targets = Random(SEED + 1).sample(range(gallery), dialogues)
    said = [
        simulate(products[target], 500_000 + SEED * 1_000 + number)
        for number, target in enumerate(targets)
    ]
    exclusion = BoundedExclusion(Calibration(neighbours))
    query_encoder = DARQueryEncoder(encoder, prior=beside.prior, exclusion=exclusion)
    ranks = {name: np.zeros((dialogues, ROUNDS + 1), np.int64) for name in orders}
    seconds = dict.fromkeys(orders, 0.0)
    for row, (target, each) in enumerate(zip(track(targets, "Asking"), said, strict=True)):
        for round_ in range(ROUNDS + 1):
            query = query_encoder.encode(each.dialogue.at_round(round_))
            for name, reranker in orders.items():
                began = time.perf_counter()
                ranks[name][row, round_] = rank(query, reranker, pool, target)
                seconds[name] += time.perf_counter() - began
    ranks["ceiling"] = ceiling(products, targets, said)
    print("rounds".ljust(34), *(f"{n:5}" for n in range(ROUNDS + 1)), "  2-8   4-8")
    for most in (10, 1):
        for name, found in ranks.items():
            row = 100 * (found < most).mean(0)
            means = f"{row[2:9].mean():5.1f} {row[4:9].mean():5.1f}"
            print(f"R@{most} {name}".ljust(34), *(f"{x:5.1f}" for x in row), means)
    for name in list(orders)[1:]:
        for most in (10, 1):
            gains = (ranks[name] < most).astype(float) - (ranks["text"] < most)
            print(f"R@{most} {name} - text, rounds 2 to 8: {interval(gains[:, 2:9])}")
            worst = min(range(ROUNDS + 1), key=lambda n, gains=gains: gains[:, n].mean())  # type: ignore[misc]
            print(f"   worst round: {worst}, {interval(gains[:, [worst]])}")
    turns = dialogues * (ROUNDS + 1)
    for name, spent in seconds.items():
        print(f"{name}: {1000 * spent / turns:.1f} ms a turn with the search in NumPy")
    swapped(encoder, query_encoder, orders)


def rank(query: EncodedQuery, reranker: Reranker | None, pool: Vectors, target: int) -> int:
    """The target's rank from 0; its place in the search where it is not ordered anew."""
    scores = pool @ query.vector
    place = int((scores > scores[target]).sum())
    if reranker is None or place >= reranker.depth:
        return place
    best = np.argsort(-scores)[: reranker.depth]
    hits = [Hit(str(number), float(scores[number]), "") for number in best]
    again = reranker.scores(Candidates(query, hits, pool[best]))
    return int((again > again[place]).sum())


def ceiling(products: list[Product], targets: list[int], said: list[SimulatedDialogue]) -> Ranks:
    """Ranks for a perfect reader of what was told rightly, with ties in one random order."""
    values = {
        name: np.array([getattr(product, name) for product in products])
        for name in ("kind", *FIELDS)
    }
    ranks = np.zeros((len(targets), ROUNDS + 1), np.int64)
    for row, (target, each) in enumerate(zip(targets, said, strict=True)):
        place = np.random.default_rng(row).permutation(len(products))
        for round_, told in enumerate(each.told):
            names = ("kind", *told)
            match = np.all([values[name] == values[name][target] for name in names], axis=0)
            ranks[row, round_] = np.count_nonzero(match & (place < place[target]))
    return ranks


def interval(gains: NDArray[np.float64]) -> str:
    """The mean in points with its 95 % bootstrap interval over dialogues."""
    each = 100 * gains.mean(1)
    chosen = np.random.default_rng(0).integers(len(each), size=(TIMES, len(each)))
    low, high = np.percentile(each[chosen].mean(1), [2.5, 97.5])
    return f"{each.mean():+.1f} [{low:+.1f}, {high:+.1f}]"


def swapped(
    encoder: JointEncoder, query_encoder: DARQueryEncoder, orders: dict[str, Reranker | None]
) -> None:
    """Of two pictures of a product, one with its two colours swapped: which comes first?"""
    patterned = [p for p in sample_products(1_000, unseen=True, seed=SEED + 2) if p.second_colour][
        :500
    ]
    right = dict.fromkeys(orders, 0)
    for number, product in enumerate(track(patterned, "Swapping colours")):
        other = replace(product, colour=product.second_colour, second_colour=product.colour)
        pool = encoder.encode_images([draw(p, 128, Random(number)) for p in (product, other)])
        query = query_encoder.encode(description(product))
        for name, reranker in orders.items():
            right[name] += rank(query, reranker, pool, 0) == 0
    for name, count in right.items():
        print(f"swapped colours, right one first by {name}: {100 * count / len(patterned):.1f} %")


def encoded(encoder: JointEncoder, pictures: list[Image.Image]) -> Vectors:
    """Vectors of pictures, in batches."""
    parts = [pictures[start : start + 64] for start in range(0, len(pictures), 64)]
    return np.concatenate([encoder.encode_images(part) for part in parts])


if __name__ == "__main__":
    main()
