"""Does the protocol fit on a small machine? VisDial's size, with vectors drawn at random.

Ranks 50,000 images for 2,064 dialogues and 11 rounds, with a vector drawn at random for each path
and for each query, and says how long the ranking took and how much memory the process had at most.
With such vectors the figures have to come out at chance; where the query is the target's own
vector, every target has to rank first.

    python examples/benchmarks/protocol_at_scale.py --dialogues DIALOGUES.json --pool POOL.json
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np

from dar_retriever.display import progress_bar
from dar_retriever.evaluation import Dataset, load_dataset, target_ranks
from dar_retriever.evaluation.metrics import bri, hits_at, recall_at


def main() -> None:
    """Load the files, rank, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dialogues", type=Path, required=True)
    parser.add_argument("--pool", type=Path, required=True)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--methods", type=int, default=4)
    options = parser.parse_args()

    began = time.perf_counter()
    dataset = load_dataset(options.dialogues, options.pool)
    print(
        f"{len(dataset.cases)} dialogues, {dataset.rounds} rounds, {len(dataset.pool):,} images, "
        f"loaded in {time.perf_counter() - began:.1f} s"
    )
    random = np.random.default_rng(0)
    pool = unit(random, len(dataset.pool), options.dimension)
    targets = np.repeat([case.target for case in dataset.cases], dataset.rounds)
    shape = (len(dataset.cases), dataset.rounds)

    began = time.perf_counter()
    for number in range(options.methods):
        queries = unit(random, len(targets), options.dimension)
        with progress_bar(f"Ranking, method {number + 1}") as bar:
            ranks = target_ranks(queries, pool, targets, bar).reshape(shape)
        recall = 100 * recall_at(ranks, 10).mean()
        hits = 100 * hits_at(ranks, 10)[:, -1].mean()
        print(
            f"random queries: Recall@10 {recall:.3f} % (chance {1000 / len(pool):.3f}), "
            f"Hits@10 {hits:.2f} % (chance {100 * chance_of_hits(dataset):.2f}), "
            f"median rank {np.median(ranks):,.0f} (chance {len(pool) / 2:,.0f}), "
            f"BRI {bri(ranks).mean():.2f}"
        )
    seconds = time.perf_counter() - began
    planted = target_ranks(pool[targets], pool, targets)
    print(f"the target's own vector: Recall@1 {100 * (planted == 1).mean():.2f} %")
    # Linux counts in KiB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{options.methods} methods ranked in {seconds:.1f} s, at most {peak:.2f} GiB of memory")


def chance_of_hits(dataset: Dataset) -> float:
    """Share of dialogues found in the top 10 of any round by guessing."""
    return float(1 - (1 - 10 / len(dataset.pool)) ** dataset.rounds)


def unit(random: np.random.Generator, count: int, dimension: int) -> np.ndarray:
    """Random directions: float32 (count, dimension)."""
    vectors = random.standard_normal((count, dimension), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


if __name__ == "__main__":
    main()
