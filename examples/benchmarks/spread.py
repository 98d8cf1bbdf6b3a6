"""What do samples of what is meant add to the text, by their spread and by their mean?

Dialogues that nothing was tuned on, over unseen products. The best hits of the text are ordered by
the density ratio of samples of the demo's prior, and of pictures that the catalogue's painter drew:
those show what was told rightly and leave to chance what was not, so they are the limit of what any
generator can give. Beside it the mean of the same samples, fused as the paper does and adaptively,
and the matching head. Then the samples are spoiled on purpose.

    python examples/benchmarks/spread.py --dialogues 500 --folder spread

The folder keeps queries, painted pictures and ranks, so that the same command goes on where it was
stopped. With --painted 0 nothing is painted; what the folder has is used.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from rich.progress import track
from simulated import Remembered, Simulation, encoded, gain, recall

from dar_retriever import (
    PRESETS,
    AdaptiveFusion,
    Calibration,
    DARQueryEncoder,
    DensityRatioReranker,
    EncodedQuery,
    FlowPrior,
    Fusion,
    JointEncoder,
    NoExclusion,
    PropositionReader,
    PropositionReranker,
    Reranker,
    Vectors,
    open_encoder,
    paper_schedule,
)
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import BACKGROUNDS, COLOURS, KINDS, PATTERNS, Product
from dar_retriever.evaluation import PoolNeighbours
from dar_retriever.presets.beside import SPREAD, Beside
from dar_retriever.ranking import CombinedReranker

ROUNDS: Final = (0, 2, 4, 5, 6, 8, 10)
PAINTED: Final = (2, 4, 5, 6, 8)
GALLERY, SMALL = 5_000, 3_000
MOST, USUAL = 256, 64
# So many of the dialogues have the most samples, are fused, and have their samples spoilt.
MANY = 250


def main() -> None:
    """Print one table for each gallery, for the painter, and for spoiled samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogues", type=int, default=500)
    parser.add_argument("--first", type=int, help="only so many of these dialogues")
    parser.add_argument("--painted", type=int, default=500, help="dialogues with painted pictures")
    parser.add_argument("--folder", type=Path, default=Path("spread"))
    options = parser.parse_args()
    folder: Path = options.folder
    (folder / "painted").mkdir(parents=True, exist_ok=True)
    encoder, beside = open_encoder("demo"), Beside(PRESETS["demo"].encoder)
    simulation = Simulation(encoder, options.dialogues, GALLERY, among=SMALL, folder=folder)
    simulation.targets = simulation.targets[: options.first]
    simulation.said = simulation.said[: options.first]
    query_encoder = DARQueryEncoder(
        encoder, prior=beside.prior, samples=MOST, exclusion=NoExclusion()
    )
    simulation.queries(query_encoder, ROUNDS, MANY)
    query_encoder.samples = USUAL
    queries = simulation.queries(query_encoder, ROUNDS)
    paint(encoder, simulation, options.painted, folder / "painted")
    whole = simulation.pool
    for size in (SMALL, GALLERY):
        simulation.pool = whole[:size]
        head, neighbours = Remembered(beside.matching), PoolNeighbours(simulation.pool)
        print(f"\ngallery of {size:,}, {len(simulation.targets)} dialogues")
        print(" " * 44, *(f"{n:5}" for n in ROUNDS), "   2-8    4-8")
        compare(simulation, queries, head, neighbours)
        if size == GALLERY:
            reader = PropositionReader(encoder, Calibration(neighbours))
            compared(simulation, queries, "propositions", {"": PropositionReranker(reader)})
            for most in (10, 1):
                recall("ceiling", simulation.ceiling()[:, ROUNDS], most, ROUNDS)
    orders: dict[str, Reranker | None] = {
        "density ratio and text": DensityRatioReranker(neighbours),
        "head and density ratio": both(head, neighbours),
    }
    print(f"\ngallery of {GALLERY:,}")
    with_painted(simulation, queries, folder / "painted", neighbours, orders)
    queries = queries[: MANY * len(ROUNDS)]
    for name, samples in spoilt(queries, beside.prior, simulation.pool).items():
        compared(simulation, sampled(queries, samples), name, orders)


def with_painted(
    simulation: Simulation,
    queries: list[EncodedQuery],
    folder: Path,
    neighbours: PoolNeighbours,
    orders: dict[str, Reranker | None],
) -> None:
    """Print what the painter's pictures give, for the first dialogues that have them."""
    pictures = list[Vectors]()
    while (file := folder / f"{len(pictures)}.npy").exists() and len(pictures) < len(
        simulation.targets
    ):
        pictures.append(np.load(file).astype(np.float32))
    if not pictures:
        return
    places = [ROUNDS.index(n) for n in PAINTED]
    chosen = [
        queries[number * len(ROUNDS) + place] for number in range(len(pictures)) for place in places
    ]
    print(f"with pictures of the painter, {len(pictures)} dialogues, rounds", *PAINTED)
    recall("text", simulation.ranks(chosen, None, PAINTED, text_of), 10, PAINTED)
    orders = {"density ratio alone": DensityRatioReranker(neighbours, text=False), **orders}
    for count in (16, USUAL):
        few = [each[:count] for all_ in pictures for each in all_]
        compared(simulation, sampled(chosen, few), f"{count} of the painter", orders, PAINTED)
    few = [each.sampled_vectors[:USUAL] for each in chosen]
    compared(simulation, sampled(chosen, few), f"{USUAL} of the prior", orders, PAINTED)


def compare(
    simulation: Simulation,
    queries: list[EncodedQuery],
    head: Reranker,
    neighbours: PoolNeighbours,
) -> None:
    """Print what fusions and re-rankers make of the prior's samples."""
    text = simulation.ranks(queries, None, ROUNDS, text_of)
    usual = sampled(queries, [query.sampled_vectors[:USUAL] for query in queries])
    for most in (10, 1):
        recall("text", text, most, ROUNDS)
    fusions: dict[str, Fusion] = {
        "the paper's fusion": paper_schedule(),
        "adaptive fusion": AdaptiveFusion(Calibration(neighbours)),
    }
    first = MANY * len(ROUNDS)
    rounds = ROUNDS * MANY
    large = len(simulation.pool) == GALLERY
    for name, fusion in fusions.items() if large else ():
        fused = [
            replace(query, vector=fusion.fuse(text_of(query), query.sampled_vectors, n).vector)
            for query, n in zip(usual[:first], rounds, strict=False)
        ]
        compared(simulation, fused, name, {f"of {USUAL}": None})
    alone = DensityRatioReranker(neighbours, text=False)
    compared(simulation, usual, "density ratio alone", {f"of {USUAL}": alone})
    spread = DensityRatioReranker(neighbours)
    for count in (4, 16, USUAL, MOST) if large else (USUAL,):
        those = queries if count == USUAL else queries[:first]
        some = sampled(those, [query.sampled_vectors[:count] for query in those])
        compared(simulation, some, "density ratio and text", {f"of {count}": spread})
    compared(simulation, usual, "matching head", {"": head})
    orders = {f"of {USUAL}": both(head, neighbours)}
    compared(simulation, usual, "head and density ratio", orders)


def both(head: Reranker, neighbours: PoolNeighbours) -> Reranker:
    """The matching head and the spread, as in the demo's preset."""
    return CombinedReranker([(head, 1.0), (DensityRatioReranker(neighbours, text=False), SPREAD)])


def compared(
    simulation: Simulation,
    queries: Sequence[EncodedQuery],
    name: str,
    orders: dict[str, Reranker | None],
    rounds: Sequence[int] = ROUNDS,
) -> None:
    """Print recall, and the difference to the text."""
    text = simulation.ranks(queries, None, rounds, text_of)
    late = [place for place, n in enumerate(rounds) if 4 <= n <= 8]
    for order, reranker in orders.items():
        ranks, spent = simulation.timed_ranks(f"{name}, {order}", queries, reranker, rounds)
        for most in (10, 1):
            recall(f"{name}, {order}", ranks, most, rounds)
        pushed = 100 * ((text <= 10) & (ranks > 10)).mean()
        each = [gain(ranks[:, [n]], text[:, [n]], 10) for n in range(len(rounds))]
        middle = gain(ranks[:, late], text[:, late], 10)
        print(f"   to the text, rounds 4 to 8: {middle}; by round:", "; ".join(each))
        print(
            f"   {len(ranks)} dialogues; pushed out of ten: {pushed:.1f} %; {spent:.1f} ms of CPU"
        )


def sampled(queries: Sequence[EncodedQuery], samples: Sequence[Vectors]) -> list[EncodedQuery]:
    """Queries with other samples."""
    pairs = zip(queries, samples, strict=True)
    return [replace(query, sampled_vectors=some) for query, some in pairs]


def text_of(query: EncodedQuery) -> Vectors:
    """The caption's vector."""
    assert query.text_vector is not None
    return query.text_vector


def spoilt(
    queries: list[EncodedQuery], prior: FlowPrior, pool: Vectors
) -> dict[str, list[Vectors]]:
    """Samples of a prior that is broken, by how it is."""
    chance = np.random.default_rng(0)
    usual = [query.sampled_vectors[:USUAL] for query in queries]
    noise = chance.standard_normal((len(usual), *usual[0].shape)).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=-1, keepdims=True)

    def with_some(share: float, others: Callable[[EncodedQuery], Vectors]) -> list[Vectors]:
        count = round(share * USUAL)
        return [
            np.concatenate([some[count:], others(query)[:count]])
            for some, query in zip(usual, queries, strict=True)
        ]

    def foreign(_: EncodedQuery) -> Vectors:
        chosen: Vectors = pool[chance.integers(len(pool), size=USUAL)]
        return chosen

    def wrong(query: EncodedQuery) -> Vectors:
        caption = other_colour(query.trace.caption, chance)
        return prior.sample(caption, text_of(query), USUAL, seed=1)

    return {
        "captions shuffled": [*usual[len(ROUNDS) :], *usual[: len(ROUNDS)]],
        "noise": list(noise),
        "one picture for all": [np.repeat(pool[:1], USUAL, 0)] * len(usual),
        "one caption for all": [usual[0]] * len(usual),
        "half of them foreign": with_some(0.5, foreign),
        "one told colour wrong in 40 %": with_some(0.4, wrong),
    }


def other_colour(caption: str, chance: np.random.Generator) -> str:
    """A caption with one of its colours exchanged for one that was not told."""
    told = [word for word in re.findall(r"[a-z]+", caption) if word in COLOURS]
    if not told:
        return caption
    other = sorted(set(COLOURS).difference(told))
    chosen = told[int(chance.integers(len(told)))]
    return re.sub(rf"\b{chosen}\b", other[int(chance.integers(len(other)))], caption, count=1)


def paint(encoder: JointEncoder, simulation: Simulation, dialogues: int, folder: Path) -> None:
    """Vectors of pictures that show what was told rightly, and chance otherwise.

    Kept in the folder, for each dialogue float16 (rounds, K, d).
    """
    pairs = list(zip(simulation.targets, simulation.said, strict=True))[:dialogues]
    for number, (target, each) in enumerate(track(pairs, "Painting")):
        file = folder / f"{number}.npy"
        if file.exists():
            continue
        product = simulation.products[target]
        # Many rounds tell nothing new.
        made = {
            told: painted(encoder, product, told, number)
            for told in {each.told[n] for n in PAINTED}
        }
        part = file.with_suffix(".part.npy")
        np.save(part, np.stack([made[each.told[n]] for n in PAINTED]).astype(np.float16))
        part.replace(file)


def painted(encoder: JointEncoder, product: Product, told: frozenset[str], seed: int) -> Vectors:
    """Vectors of pictures of products that are like one in what was told: float32 (K, d)."""
    random = Random(seed)
    return encoded(
        encoder,
        (draw(freed(product, told, random), 128, Random(random.random())) for _ in range(USUAL)),
    )


def freed(product: Product, told: frozenset[str], random: Random) -> Product:
    """The product with everything drawn anew that was not told."""
    pattern, second = product.pattern, product.second_colour
    if "pattern" not in told:
        names = [n for n in PATTERNS if n != "plain" or "second_colour" not in told]
        pattern = random.choice(names)
    if "second_colour" not in told:
        second = random.choice([c for c in COLOURS if c != product.colour])
    colour = product.colour
    if "colour" not in told:
        colour = random.choice([c for c in COLOURS if c != second])
    return replace(
        product,
        colour=colour,
        pattern=pattern,
        second_colour="" if pattern == "plain" else second,
        detail=product.detail if "detail" in told else random.choice(KINDS[product.kind].details),
        background=product.background if "background" in told else random.choice(list(BACKGROUNDS)),
    )


if __name__ == "__main__":
    main()
