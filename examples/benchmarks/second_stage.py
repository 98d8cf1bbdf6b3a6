"""How much of what one vector misses does the second stage find?

Dialogues that nothing was tuned on, over unseen products. The best hits of the search are ordered
anew by propositions, by the demo's matching head, by the spread of the prior's samples, and by head
and spread, as the preset does; for some of the dialogues also with drawings. Then pairs of pictures
whose two colours are swapped: how often is the right one first?

    python examples/benchmarks/second_stage.py --folder second_stage

The folder keeps queries, drawings and ranks, so that the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
from rich.progress import track
from simulated import ALL, SEED, Ranks, Remembered, Simulation, gain, recall
from spread import both

from dar_retriever import (
    PRESETS,
    AdaptiveFusion,
    BoundedExclusion,
    Calibration,
    Candidates,
    DARQueryEncoder,
    DensityRatioReranker,
    EncodedQuery,
    Hit,
    JointEncoder,
    PropositionReader,
    PropositionReranker,
    Reranker,
    Vectors,
    open_encoder,
    open_generator,
)
from dar_retriever.demo.captions import description
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import sample_products
from dar_retriever.evaluation import PoolNeighbours
from dar_retriever.presets.beside import Beside

DRAWN_ROUNDS = (2, 5, 8)
PAIRS = 500


def main() -> None:
    """Print Recall@10, Recall@1, the differences with intervals, and the swapped pairs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogues", type=int, default=500)
    parser.add_argument("--first", type=int, help="only so many of these dialogues")
    parser.add_argument("--gallery", type=int, default=5_000)
    parser.add_argument("--drawn", type=int, default=500, help="dialogues with drawings")
    parser.add_argument("--pictures", type=int, default=1, help="drawings of each turn")
    parser.add_argument("--folder", type=Path, help="keeps all that was made")
    parser.add_argument("--figures", type=Path, help="JSON file for the chart of the demo's page")
    options = parser.parse_args()
    encoder, beside = open_encoder("demo"), Beside(PRESETS["demo"].encoder)
    folder: Path | None = options.folder
    simulation = Simulation(encoder, options.dialogues, options.gallery, folder=folder)
    simulation.targets = simulation.targets[: options.first]
    simulation.said = simulation.said[: options.first]
    neighbours = PoolNeighbours(simulation.pool)
    calibration = Calibration(neighbours)
    head = Remembered(beside.matching)
    orders: dict[str, Reranker | None] = {
        "search": None,
        "propositions": PropositionReranker(PropositionReader(encoder, calibration)),
        "matching head": head,
        "spread of the samples": DensityRatioReranker(neighbours),
        "head and spread, as in the preset": both(head, neighbours),
    }
    text_encoder = DARQueryEncoder(
        encoder, prior=beside.prior, exclusion=BoundedExclusion(calibration)
    )
    queries = simulation.queries(text_encoder)
    ranks = {"text, no exclusions": simulation.ranks(queries, None, vectors=text_of)}
    ranks |= ordered(simulation, queries, orders)
    ranks["ceiling"] = simulation.ceiling()
    report(ranks, "text, no exclusions", ALL)
    if options.figures:
        options.figures.write_text(json.dumps(chart_of(ranks, options), indent=2) + "\n")
    # Each of these pairs is a gallery of its own.
    afresh = {"matching head": beside.matching, "head and spread": beside.reranker(neighbours)}
    swapped(encoder, text_encoder, {"search": None, **afresh})
    if options.drawn:
        drawing_encoder = DARQueryEncoder(
            encoder,
            open_generator("demo", cache_folder=folder and folder / "drawings"),
            prior=beside.prior,
            fusion=AdaptiveFusion(calibration),
            exclusion=BoundedExclusion(calibration),
            images_per_turn=options.pictures,
            negative_prompts=False,
        )
        drawn = f"with {options.pictures} drawings"
        queries = simulation.queries(
            drawing_encoder, DRAWN_ROUNDS, options.drawn, name=f"queries {drawn}"
        )
        some = {"text, no exclusions": ranks["text, no exclusions"][: options.drawn, DRAWN_ROUNDS]}
        some |= {
            f"adaptive, then {name}": found
            for name, found in ordered(
                simulation, queries, orders, DRAWN_ROUNDS, f"{drawn} "
            ).items()
        }
        some["ceiling"] = ranks["ceiling"][: options.drawn, DRAWN_ROUNDS]
        report(some, "adaptive, then search", DRAWN_ROUNDS)


def chart_of(ranks: dict[str, Ranks], options: argparse.Namespace) -> dict[str, object]:
    """The Recall@10 that the demo's page shows, in per cent by round."""
    lines = (
        ("all that was told, read perfectly", "ceiling", "ceiling"),
        ("text alone", "text", "text, no exclusions"),
        ("DAR without drawings", "dar", "head and spread, as in the preset"),
    )
    return {
        "measured": "python examples/benchmarks/second_stage.py --drawn 0",
        "dialogues": len(ranks["ceiling"]),
        "gallery": options.gallery,
        "lines": [
            {"name": name, "style": style, "shares": (100 * (ranks[of] <= 10).mean(0)).tolist()}
            for name, style, of in lines
        ],
    }


def ordered(
    simulation: Simulation,
    queries: list[EncodedQuery],
    orders: dict[str, Reranker | None],
    rounds: tuple[int, ...] = ALL,
    before: str = "",
) -> dict[str, Ranks]:
    """The targets' ranks after each re-ranker."""
    return {
        name: simulation.timed_ranks(before + name, queries, reranker, rounds)[0]
        for name, reranker in orders.items()
    }


def report(ranks: dict[str, Ranks], before: str, rounds: tuple[int, ...]) -> None:
    """Print recall and differences; the last method is the ceiling."""
    print("rounds".ljust(44), *(f"{n:5}" for n in rounds), "   2-8    4-8")
    middle = [place for place, n in enumerate(rounds) if 2 <= n <= 8]
    late = [place for place, n in enumerate(rounds) if 4 <= n <= 8]
    for most in (10, 1):
        for name, found in ranks.items():
            recall(name, found, most, rounds)
    base = ranks[before]
    for name, found in list(ranks.items())[1:-1]:
        if name == before:
            continue
        for most in (10, 1):
            whole, part = (
                gain(found[:, places], base[:, places], most) for places in (middle, late)
            )
            print(f"R@{most} {name} - {before}: rounds 2 to 8 {whole}, 4 to 8 {part}")
            lost = [gain(found[:, [place]], base[:, [place]], most) for place in range(len(rounds))]
            print("   by round:", "; ".join(lost))
        start, reached, end = (
            (each[:, middle] <= 10).mean() for each in (base, found, ranks["ceiling"])
        )
        closed = 100 * (reached - start) / (end - start)
        print(f"   of the gap to the ceiling, rounds 2 to 8: {closed:.0f} %")
        pushed = ((base <= 10) & (found > 10)).mean()
        print(f"   targets pushed out of the first ten: {100 * pushed:.1f} % of the turns")


def text_of(query: EncodedQuery) -> Vectors:
    """The caption's vector."""
    assert query.text_vector is not None
    return query.text_vector


def swapped(
    encoder: JointEncoder, query_encoder: DARQueryEncoder, orders: dict[str, Reranker | None]
) -> None:
    """Of two pictures of a product, one with its two colours swapped: which comes first?"""
    products = sample_products(2 * PAIRS, unseen=True, seed=SEED + 2)
    patterned = [product for product in products if product.second_colour][:PAIRS]
    right = dict.fromkeys(orders, 0)
    for number, product in enumerate(track(patterned, "Swapping colours")):
        other = replace(product, colour=product.second_colour, second_colour=product.colour)
        pool = encoder.encode_images([draw(p, 128, Random(number)) for p in (product, other)])
        query = query_encoder.encode(description(product))
        hits = [Hit(name, float(v @ query.vector), "") for name, v in zip("ab", pool, strict=True)]
        for name, reranker in orders.items():
            scores = pool @ query.vector
            if reranker is not None:
                scores = np.asarray(reranker.scores(Candidates(query, hits, pool)))
            right[name] += bool(scores[0] > scores[1])
    for name, count in right.items():
        print(f"swapped colours, right one first by {name}: {100 * count / len(patterned):.1f} %")


if __name__ == "__main__":
    main()
