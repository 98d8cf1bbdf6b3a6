"""What is left of the second stage once the user has liked or rejected a hit?

In some rounds of the dialogues of ``second_stage.py``, the user looks at the first ten hits, never
clicks on the target, and judges once: likes the hit that has most in common with it, rejects the
one that has least, does both, or likes the wrong one.

    python examples/benchmarks/judged_hits.py --folder second_stage
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from feedback_clicks import likeness
from simulated import ALL, Simulation, gain, recall

from dar_retriever import (
    PRESETS,
    BoundedExclusion,
    BoundedRocchio,
    Calibration,
    DARQueryEncoder,
    EncodedQuery,
    Reranker,
    open_encoder,
)
from dar_retriever.evaluation import PoolNeighbours
from dar_retriever.presets.beside import Beside
from dar_retriever.ranking import Candidates
from dar_retriever.stores.hits import Hit

ROUNDS = (4, 5, 6, 8)
SHOWN = 10
CLICKS = ("likes the nearest", "rejects the farthest", "does both", "likes the farthest")


def main() -> None:
    """Print Recall@10 after each sort of click, by the search alone and by the second stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogues", type=int, default=500)
    parser.add_argument("--first", type=int, default=200, help="only so many of these dialogues")
    parser.add_argument("--gallery", type=int, default=5_000)
    parser.add_argument("--folder", type=Path, help="that of second_stage.py")
    options = parser.parse_args()
    encoder, beside = open_encoder("demo"), Beside(PRESETS["demo"].encoder)
    simulation = Simulation(encoder, options.dialogues, options.gallery, folder=options.folder)
    neighbours = PoolNeighbours(simulation.pool)
    query_encoder = DARQueryEncoder(
        encoder, prior=beside.prior, exclusion=BoundedExclusion(Calibration(neighbours))
    )
    queries = simulation.queries(query_encoder, dialogues=options.first)
    places = range(0, len(queries), len(ALL))
    queries = [queries[place + n] for place in places for n in ROUNDS]
    reranker = beside.reranker(neighbours)
    recall("no click", simulation.ranks(queries, reranker, ROUNDS), 10, ROUNDS)
    shown = [first(simulation, reranker, query, n) for n, query in enumerate(queries)]
    for click in CLICKS:
        judged = [
            clicked(click, simulation, query, hits, n)
            for n, (query, hits) in enumerate(zip(queries, shown, strict=True))
        ]
        search = simulation.ranks(judged, None, ROUNDS)
        after = simulation.ranks(judged, reranker, ROUNDS)
        recall(f"{click}: search", search, 10, ROUNDS)
        recall(f"{click}: second stage", after, 10, ROUNDS)
        print("   second stage - search:", gain(after, search, 10), flush=True)


def first(
    simulation: Simulation, reranker: Reranker, query: EncodedQuery, number: int
) -> Sequence[int]:
    """The first ten hits without the target, as places in the gallery."""
    scores = simulation.pool @ query.vector
    best = np.argsort(-scores)[: reranker.depth]
    hits = [Hit(str(place), float(scores[place]), "") for place in best]
    order = np.argsort(-reranker.scores(Candidates(query, hits, simulation.pool[best])))
    target = simulation.targets[number // len(ROUNDS)]
    return [int(place) for place in best[order] if place != target][:SHOWN]


def clicked(
    click: str, simulation: Simulation, query: EncodedQuery, hits: Sequence[int], number: int
) -> EncodedQuery:
    """The query after a click on one of the hits."""
    target = simulation.products[simulation.targets[number // len(ROUNDS)]]
    alike = [likeness(simulation.products[hit], target) for hit in hits]
    near = simulation.pool[[hits[int(np.argmax(alike))]]]
    far = simulation.pool[[hits[int(np.argmin(alike))]]]
    none = near[:0]
    liked, rejected = dict(
        zip(CLICKS, ((near, none), (none, far), (near, far), (far, none)), strict=True)
    )[click]
    vector = BoundedRocchio().moved(query.vector, liked, rejected)
    return replace(query, vector=vector, liked_vectors=liked, rejected_vectors=rejected)


if __name__ == "__main__":
    main()
