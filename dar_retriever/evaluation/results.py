"""The figures of an evaluation, from which tables, files and charts are made."""

from __future__ import annotations

import csv
import json
import platform
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from dar_retriever.evaluation import metrics
from dar_retriever.evaluation.methods import METHODS
from dar_retriever.evaluation.metrics import Ranks
from dar_retriever.evaluation.statistics import Interval, bootstrap, paired_difference
from dar_retriever.evaluation.values import Evaluation, Outcome

KS: Final = (1, 5, 10)
PLACES: Final = 10

_PACKAGES: Final = ("chromadb", "diffusers", "numpy", "open_clip_torch", "torch", "transformers")
_BY_ROUND: Final[dict[str, Callable[[Ranks], np.ndarray[Any, Any]]]] = {
    **{f"hits@{k}": lambda ranks, k=k: metrics.hits_at(ranks, k) for k in KS},  # type: ignore[misc]
    **{f"recall@{k}": lambda ranks, k=k: metrics.recall_at(ranks, k) for k in KS},  # type: ignore[misc]
    "mrr": metrics.reciprocal_rank,
}

_OF_SEVERAL: Final[dict[str, Callable[[Outcome], np.ndarray[Any, Any]]]] = {
    "map@50": lambda outcome: outcome.precision,
    "ndcg@50": lambda outcome: outcome.gain,
}

Figures = dict[str, Any]


def figures_of(evaluation: Evaluation) -> Figures:
    """All figures as plain data.

    Returns:
        "dataset"; "run" with versions and seed; "methods", each with its models, seconds per turn,
        "bri" (lower is better), and for each round "hits@K" (cumulative), "recall@K", "mrr",
        "median_rank" and the number of generated "images", and where dialogues have several right
        answers "map@50" and "ndcg@50"; "pairs", which compares every other
        method with the baseline. Each figure is [value, low, high] with the bounds of its
        bootstrap confidence interval.
    """
    dataset, base = evaluation.dataset, baseline(evaluation)
    others = [outcome for outcome in evaluation.outcomes if outcome is not base]
    return {
        "dataset": {
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            "dialogues": len(dataset.cases),
            "rounds": dataset.rounds,
            "pool": len(dataset.pool),
        },
        "run": {
            "seed": evaluation.seed,
            "python": platform.python_version(),
            "versions": {name: version(name) for name in ("dar-retriever", *_PACKAGES)},
        },
        "baseline": base.method.name,
        "methods": [
            _method_figures(outcome, several=dataset.several) for outcome in evaluation.outcomes
        ],
        "pairs": [_pair_figures(outcome, base, several=dataset.several) for outcome in others],
    }


def baseline(evaluation: Evaluation) -> Outcome:
    """The outcome that the others are compared with: that of "text", or else the first."""
    texts = [outcome for outcome in evaluation.outcomes if outcome.method.name == "text"]
    return (texts or list(evaluation.outcomes))[0]


def table_of(figures: Figures, metric: str = "hits@10") -> Table:
    """A metric by method and round, in percent."""
    data = figures["dataset"]
    title = f"{metric} (%), {data['dialogues']} dialogues, pool of {data['pool']:,}"
    heads = ("method", *map(str, range(data["rounds"])), "BRI", "s/turn")
    columns = [Column(head, no_wrap=True, justify="right") for head in heads]
    # Long names are wrapped, so that no number is cut off on a narrow terminal.
    columns[0].no_wrap, columns[0].overflow = False, "fold"
    table = Table(*columns, title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for method in figures["methods"]:
        shares = [f"{100 * value:.1f}" for value, _, _ in method[metric]]
        seconds = f"{sum(method['seconds'].values()):.3f}"
        table.add_row(method["name"], *shares, f"{method['bri'][0]:.2f}", seconds)
    return table


def write_json(figures: Figures, path: Path) -> None:
    """Write all figures."""
    path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def write_csv(figures: Figures, path: Path) -> None:
    """Write one row for each figure: method, against, metric, round, value, low, high."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["method", "against", "metric", "round", "value", "low", "high"])
        for entry in (*figures["methods"], *figures["pairs"]):
            for metric, round_, figure in _flat(entry):
                row = [entry["name"], entry.get("against", ""), metric, round_, *figure]
                writer.writerow(row)


def _flat(entry: Figures) -> Iterator[tuple[str, str, list[float]]]:
    for metric, values in entry.items():
        if not isinstance(values, list):
            continue
        if values and isinstance(values[0], list):
            for round_, figure in enumerate(values):
                yield metric, str(round_), figure
        else:
            yield metric, "", values


def _method_figures(outcome: Outcome, *, several: bool) -> Figures:
    ranks, method = outcome.ranks, outcome.method
    return {
        "name": method.name,
        "what": METHODS.get(method.name.partition("@")[0], method.name),
        "preset": method.preset,
        "encoder": outcome.encoder,
        "generator": outcome.generator,
        "undrawn": outcome.undrawn,
        "images": _listed(bootstrap(outcome.images)),
        "seconds": {step: round(seconds, 6) for step, seconds in outcome.seconds.items()},
        **{name: _listed(bootstrap(of(ranks))) for name, of in _BY_ROUND.items()},
        **{name: _listed(bootstrap(of(outcome))) for name, of in _OF_SEVERAL.items() if several},
        "median_rank": _listed(bootstrap(ranks, "median")),
        "bri": _listed(bootstrap(metrics.bri(ranks))),
    }


def _pair_figures(outcome: Outcome, base: Outcome, *, several: bool) -> Figures:
    ours, theirs = outcome.ranks, base.ranks
    return {
        "name": outcome.method.name,
        "against": base.method.name,
        "better": _listed(bootstrap(metrics.better(ours, theirs))),
        "worse": _listed(bootstrap(metrics.worse(ours, theirs))),
        f"worse_by_{PLACES}": _listed(bootstrap(metrics.worse(ours, theirs, PLACES))),
        **{
            f"{name}_difference": _listed(paired_difference(of(ours), of(theirs)))
            for name, of in _BY_ROUND.items()
        },
        **{
            f"{name}_difference": _listed(paired_difference(of(outcome), of(base)))
            for name, of in _OF_SEVERAL.items()
            if several
        },
        "bri_difference": _listed(paired_difference(metrics.bri(ours), metrics.bri(theirs))),
    }


def _listed(interval: Interval) -> list[Any]:
    """[value, low, high], or one such list for each round."""
    stacked = np.stack([interval.value, interval.low, interval.high], axis=-1)
    return (
        [round(x, 6) for x in stacked.tolist()]
        if stacked.ndim == 1
        else [[round(x, 6) for x in row] for row in stacked.tolist()]
    )
