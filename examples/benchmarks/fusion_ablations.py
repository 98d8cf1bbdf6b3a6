"""How much does each part of adaptive fusion contribute, and what does worse?

Compares every signal by itself, all signals together, other weights (constant, standardised, the
paper's schedule), rank fusion, and the best image instead of the mean, on the dialogues of
``adaptive_fusion.py``. The encodings of that script are used again.

    python examples/benchmarks/fusion_ablations.py --out adaptive
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from adaptive_fusion import options_of, percent, ranks_of, reporting
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dar_retriever import Calibration, Vectors
from dar_retriever.evaluation import Encodings, PoolNeighbours, metrics, paired_difference
from dar_retriever.fusion.adaptive import CAP, concord_of, depiction_of, reliability_of
from dar_retriever.fusion.spending import uncertainty_of

OVERLAP = 10
RANK_CONSTANT = 60


@dataclass(frozen=True)
class Signals:
    """All signals of all turns, each (D, R), in [0, 1]; higher if images deserve more weight.

    Attributes:
        depiction: How well the images show the caption.
        concord: How far text and images agree on the order of the text's best hits.
        reliability: How far the images agree with each other on it.
        agreement: How far the images agree with each other at all.
        overlap: How many of their best hits text and images share.
        certainty: How far the text's best hits stand out.
        visual: The images' vectors weighed by depiction: (D, R, d).
        text_spread: Standard deviation of the text's scores.
        visual_spread: Standard deviation of the images' scores.
    """

    depiction: np.ndarray
    concord: np.ndarray
    reliability: np.ndarray
    agreement: np.ndarray
    overlap: np.ndarray
    certainty: np.ndarray
    visual: Vectors
    text_spread: np.ndarray
    visual_spread: np.ndarray


def main() -> None:
    """Print the table."""
    results = reporting(options_of(__doc__), ("text", "dar", "adaptive"))
    encodings = results.encodings
    ranks = results.ranks | dict(others(encodings))
    heads = ("gate, or way to combine", "R@10", "R@10 less text's, worst round", "R@1", "R@1 at 10")
    table = Table(*heads, "MRR", "falls", "rises", box=SIMPLE_HEAD)
    table.title = f"{len(encodings.targets)} dialogues, all rounds, %"
    text = ranks["text"]
    for name, found in ranks.items():
        less = paired_difference(metrics.recall_at(found, 10), metrics.recall_at(text, 10))
        worst = int(np.argmin(less.value))
        bounds = f"[{100 * less.low[worst]:+.1f}, {100 * less.high[worst]:+.1f}]"
        table.add_row(
            name,
            percent(found <= 10),
            f"{100 * less.value[worst]:+.1f} {bounds} at {worst}",
            percent(found == 1),
            percent(found[:, -1] == 1),
            f"{metrics.reciprocal_rank(found).mean():.3f}",
            percent(metrics.worse(found, text, 10)),
            percent(metrics.better(found, text, 10)),
        )
    Console(width=130).print(table)


def others(encodings: Encodings) -> Iterator[tuple[str, np.ndarray]]:
    """Everything that adaptive fusion is compared with: a name and the ranks."""
    signals = signals_of(encodings)
    texts, mean = encodings.texts, np.nanmean(encodings.drawn, axis=2)
    gates = {
        "depiction alone": signals.depiction,
        "concord alone, squared": signals.concord**2,
        "concord alone": signals.concord,
        "reliability alone, squared": signals.reliability**2,
        "agreement of the images alone, squared": signals.agreement**2,
        "overlap of best hits alone": signals.overlap,
        "certainty of the text alone, squared": signals.certainty**2,
        "concord and depiction": signals.concord**2 * signals.depiction,
        "concord and reliability": (signals.concord * signals.reliability) ** 2,
        "all six multiplied": signals.concord
        * signals.reliability
        * signals.depiction
        * signals.agreement
        * signals.overlap
        * signals.certainty,
    }
    for name, gate in gates.items():
        yield name, ranks_of(gated(texts, signals, CAP * gate), encodings)
    for weight in (0.1, 0.3, 0.5):
        yield f"constant {weight}", ranks_of((1 - weight) * texts + weight * mean, encodings)
        even = np.full(signals.concord.shape, weight)
        yield f"standardised, constant {weight}", ranks_of(gated(texts, signals, even), encodings)
    yield from by_scores(encodings)


def gated(texts: Vectors, signals: Signals, gate: np.ndarray) -> Vectors:
    """Queries in which the images have the weight of a gate, in standard deviations."""
    spread = np.where(signals.visual_spread > 0, signals.visual_spread, 1)
    by_text = ((1 - gate) / signals.text_spread)[..., None] * texts
    fused: Vectors = (by_text + (gate / spread)[..., None] * signals.visual).astype(np.float32)
    return fused


def signals_of(encodings: Encodings) -> Signals:
    """Measure all signals, one turn after the other."""
    neighbours = PoolNeighbours(encodings.pool)
    calibration, centre = Calibration(neighbours), neighbours.sample().mean(0)
    shape = encodings.texts.shape[:2]
    values = {name: np.zeros(shape) for name in Signals.__annotations__ if name != "visual"}
    visuals = np.zeros_like(encodings.texts)
    for case in track(range(shape[0]), "Measuring the signals"):
        for n in range(shape[1]):
            text, images = encodings.texts[case, n], encodings.drawn[case, n]
            images = images[np.isfinite(images).all(-1)]
            around = calibration.around(text)
            assert around is not None
            depiction = depiction_of(text, images, around)
            shares = depiction if depiction.any() else np.ones(len(images), np.float32)
            visual = shares @ images / shares.sum()
            visuals[case, n] = visual
            bare = images - centre
            bare /= np.linalg.norm(bare, axis=1, keepdims=True)
            pairs = len(images) * (len(images) - 1)
            best = {tuple(hit) for hit in around.hits[:OVERLAP].tolist()}
            theirs = {tuple(hit) for hit in neighbours.nearest(visual, OVERLAP).tolist()}
            now = {
                "depiction": depiction.mean(),
                "concord": concord_of(visual, around),
                "reliability": reliability_of(images, around),
                "agreement": max(0.0, ((bare @ bare.T).sum() - len(images)) / max(1, pairs)),
                "overlap": len(best & theirs) / OVERLAP,
                "certainty": 1 - uncertainty_of(around),
                "text_spread": around.spread,
                "visual_spread": calibration.spread(visual),
            }
            for name, value in now.items():
                values[name][case, n] = value
    return Signals(**values, visual=visuals)


def by_scores(encodings: Encodings) -> Iterator[tuple[str, np.ndarray]]:
    """Combinations that need a score for every image, because no single query vector gives them."""
    names = ("reciprocal ranks (k = 60)", "best image at 0.3", "best image at 0.5")
    found = {name: np.zeros(encodings.texts.shape[:2], int) for name in names}
    for case in track(range(len(encodings.targets)), "Scoring the pool"):
        target = encodings.targets[case]
        for n, text in enumerate(encodings.texts[case]):
            images = encodings.drawn[case, n]
            images = images[np.isfinite(images).all(-1)]
            by_text, by_image = encodings.pool @ text, encodings.pool @ images.T
            fused = {
                names[0]: reciprocal(by_text) + reciprocal(by_image.mean(1)),
                names[1]: 0.7 * by_text + 0.3 * by_image.max(1),
                names[2]: 0.5 * by_text + 0.5 * by_image.max(1),
            }
            for name, scores in fused.items():
                found[name][case, n] = (scores >= scores[target]).sum()
    yield from found.items()


def reciprocal(scores: Vectors) -> np.ndarray:
    """Reciprocal ranks (Cormack et al., SIGIR 2009)."""
    ranks = np.empty(len(scores))
    ranks[np.argsort(-scores)] = np.arange(1, len(scores) + 1)
    return 1 / (RANK_CONSTANT + ranks)


if __name__ == "__main__":
    main()
