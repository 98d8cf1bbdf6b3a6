"""Does adaptive fusion prevent the harm of wrong images, and what does it cost?

Draws the demo's gallery and plays simulated dialogues over it. On the dialogues that nothing was
tuned on, it compares joined text, reformulated text, the paper's schedule, adaptive fusion, and
adaptive fusion that only generates as many images as needed. Then it does the same with a generator
whose prompts are exchanged at random. Everything that is encoded is kept in the folder.

    python examples/benchmarks/adaptive_fusion.py --out adaptive
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from dar_retriever import AdaptiveFusion, Calibration, Fusion, Vectors, paper_schedule, text_only
from dar_retriever.evaluation import (
    Encodings,
    PoolNeighbours,
    demo_dataset,
    encode,
    evaluate,
    method,
    metrics,
    paired_difference,
    preset_models,
    target_ranks,
)
from dar_retriever.support.progress import progress_bar, quiet_libraries

METHODS = ("joined", "text", "images", "dar", "adaptive", "sparing")
ROUNDS = (0, 2, 5, 10)
PLACES = 10
SWAPPED = (0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Results:
    """Ranks and numbers of new images by method, and encodings for other fusions."""

    ranks: dict[str, np.ndarray]
    images: dict[str, np.ndarray]
    encodings: Encodings


def options_of(description: str | None) -> argparse.Namespace:
    """The command line, the same for all scripts that use these dialogues."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("adaptive"), help="what is kept")
    parser.add_argument("--dialogues", type=int, default=1000, help="to report on")
    parser.add_argument("--products", type=int, default=5000)
    parser.add_argument("--tuning", type=int, default=1500, help="left out: were tuned on")
    return parser.parse_args()


def reporting(options: argparse.Namespace, methods: Sequence[str]) -> Results:
    """Run methods on the dialogues that nothing was tuned on."""
    out: Path = options.out
    last = options.tuning + options.dialogues
    with progress_bar("Drawing the gallery") as bar:
        whole = demo_dataset(out, last, options.products, progress=bar)
    dataset = dataclasses.replace(whole, cases=whole.cases[options.tuning :])
    models_of, kept = preset_models(out), out / "encodings"
    chosen = [method(name, "demo") for name in methods]
    with quiet_libraries(), progress_bar("All steps") as bar:
        evaluation = evaluate(dataset, chosen, models_of, kept, progress=lambda _: bar)
        encodings = encode(dataset, models_of("demo", draws=True), kept, progress=lambda _: bar)
    return Results(
        {outcome.method.name: outcome.ranks for outcome in evaluation.outcomes},
        {outcome.method.name: outcome.images for outcome in evaluation.outcomes},
        encodings,
    )


def main() -> None:
    """Print the tables."""
    results = reporting(options_of(__doc__), METHODS)
    console = Console(width=118)
    for table in (
        main_table(results),
        differences(results),
        drops(results.ranks),
        spending(results),
        noise(results),
    ):
        table.box = SIMPLE_HEAD
        console.print(table)


def main_table(results: Results) -> Table:
    """Recall by method and round."""
    dialogues = len(results.encodings.targets)
    table = Table(
        "method",
        *(f"R@{k}, round {n}" for k in (10, 1) for n in ROUNDS),
        title=f"Recall (%), {dialogues} dialogues, pool of {len(results.encodings.pool):,}",
    )
    for name, ranks in results.ranks.items():
        table.add_row(name, *(percent(ranks[:, n] <= k) for k in (10, 1) for n in ROUNDS))
    return table


def differences(results: Results) -> Table:
    """Paired differences from text and from the paper's schedule, with their intervals."""
    table = Table(
        "method less other",
        *(f"round {n}" for n in ROUNDS),
        "worst of all rounds",
        title="Difference in Recall@10 and Recall@1, points, 95 % interval",
    )
    for k in (10, 1):
        for name in ("adaptive", "sparing"):
            for other in ("text", "dar"):
                found = paired_difference(
                    metrics.recall_at(results.ranks[name], k),
                    metrics.recall_at(results.ranks[other], k),
                )
                cells = [
                    f"{100 * v:+.1f} [{100 * lo:+.1f}, {100 * hi:+.1f}]"
                    for v, lo, hi in zip(found.value, found.low, found.high, strict=True)
                ]
                worst = int(np.argmin(found.high))
                table.add_row(
                    f"R@{k} {name} - {other}",
                    *(cells[n] for n in ROUNDS),
                    f"{worst}: {cells[worst]}",
                )
    return table


def drops(ranks: Mapping[str, np.ndarray]) -> Table:
    """How often the target falls, and rises, by more than ten places against the text alone."""
    rounds = range(ranks["text"].shape[1])
    table = Table(
        "method",
        *map(str, rounds),
        "all",
        title=f"Dialogues whose target falls by more than {PLACES} places against text, by round "
        "(%); below: rises",
    )
    for name in [name for name in ranks if name not in ("joined", "text")]:
        for sign, compared in (("-", metrics.worse), ("+", metrics.better)):
            moved = compared(ranks[name], ranks["text"], PLACES)
            table.add_row(f"{name} {sign}", *(percent(moved[:, n]) for n in rounds), percent(moved))
    return table


def spending(results: Results) -> Table:
    """How many images were generated, and how much they helped."""
    table = Table(
        "method",
        "images a dialogue",
        "of adaptive's",
        "R@10, all rounds",
        "R@1, all rounds",
        title="Images generated, an image that a dialogue has already counted once",
    )
    most = results.images["adaptive"].sum()
    for name in ("adaptive", "sparing"):
        images, ranks = results.images[name], results.ranks[name]
        table.add_row(
            name,
            f"{images.sum(1).mean():.1f}",
            percent(images.sum() / most),
            percent(ranks <= 10),
            percent(ranks == 1),
        )
    return table


def noise(results: Results) -> Table:
    """Recall@10 if the prompts of some turns are exchanged with those of other dialogues."""
    table = Table(
        "prompts exchanged",
        "method",
        *(f"round {n}" for n in ROUNDS),
        "all",
        "worst against text",
        title="Recall@10 (%) with a noisy generator",
    )
    encodings = results.encodings
    calibration = Calibration(PoolNeighbours(encodings.pool))
    fusions = {"dar": paper_schedule(), "adaptive": AdaptiveFusion(calibration)}
    text = ranks_with(text_only(), encodings.drawn, encodings) <= 10
    for share in SWAPPED:
        drawn = exchanged(encodings.drawn, share)
        for name, fusion in fusions.items():
            found = ranks_with(fusion, drawn, encodings) <= 10
            worst = 100 * (found.mean(0) - text.mean(0)).min()
            table.add_row(
                f"{100 * share:.0f} %",
                name,
                *(percent(found[:, n]) for n in ROUNDS),
                percent(found),
                f"{worst:+.1f} points",
            )
    return table


def exchanged(drawn: Vectors, share: float, seed: int = 0) -> Vectors:
    """Generated images, with some turns replaced by the same round of another dialogue."""
    random, mixed = np.random.default_rng(seed), drawn.copy()
    for n in range(drawn.shape[1]):
        # Rotate the chosen dialogues, so that none keeps its own images.
        circle = random.permutation(len(drawn))
        hit = random.random(len(drawn)) < share
        mixed[circle[hit], n] = drawn[np.roll(circle, 1)[hit], n]
    return mixed


def ranks_with(fusion: Fusion, drawn: Vectors, encodings: Encodings) -> np.ndarray:
    """Ranks by a fusion: int (D, R)."""
    queries = np.empty_like(encodings.texts)
    for case, texts in enumerate(encodings.texts):
        for n, text in enumerate(texts):
            images = drawn[case, n]
            usable = np.isfinite(images).all(-1)
            queries[case, n] = fusion.fuse(text, images[usable], n).vector
    return ranks_of(queries, encodings)


def ranks_of(queries: Vectors, encodings: Encodings) -> np.ndarray:
    """Ranks of the targets: int (D, R) for queries (D, R, d)."""
    targets = np.repeat(encodings.targets, queries.shape[1])
    flat = queries.reshape(-1, queries.shape[-1])
    return target_ranks(flat, encodings.pool, targets).reshape(queries.shape[:2])


def percent(share: float | np.ndarray | Sequence[bool]) -> str:
    """A share, or the mean of many."""
    return f"{100 * float(np.mean(share)):.1f}"


if __name__ == "__main__":
    main()
