"""The protocol: methods side by side on the same dialogues, rounds and pool."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dar_retriever.errors import InvalidInputError
from dar_retriever.evaluation.bench import Bench
from dar_retriever.evaluation.datasets import Dataset
from dar_retriever.evaluation.methods import Method
from dar_retriever.evaluation.row_cache import RowCache
from dar_retriever.evaluation.values import Encodings, Evaluation, Models, ModelsOf, Progress


def evaluate(
    dataset: Dataset,
    methods: Sequence[Method],
    models_of: ModelsOf,
    folder: Path,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Rank the whole pool for every dialogue, round and method.

    What is encoded serves all methods of a preset and is kept in the folder: a run that was
    stopped goes on where it was, another method adds only what is new.

    Args:
        dataset: Dialogues, targets and pool.
        methods: What is compared.
        models_of: Opens the models of a preset.
        folder: Where encodings are kept.
        seed: Of the first generated image of each turn; the others count up from it.
        progress: Gives for a step's name what its progress is told to.

    Raises:
        InvalidInputError: A method joins turns where the data set holds whole queries.
        InvalidImageError: A picture of the pool cannot be read.
    """
    if dataset.whole_queries and any(method.joined for method in methods):
        raise InvalidInputError(
            f"{dataset.name}: each round is a whole query, there are no turns to join; leave the "
            "method 'joined' out"
        )
    benches: dict[str, Bench] = {}
    outcomes = []
    for method in methods:
        if method.preset not in benches:
            draws = any(m.draws for m in methods if m.preset == method.preset)
            models = models_of(method.preset, draws=draws)
            benches[method.preset] = Bench(dataset, models, RowCache(folder), seed, progress)
        outcomes.append(benches[method.preset].outcome(method))
    return Evaluation(
        dataset,
        tuple(outcomes),
        {preset: bench.pool for preset, bench in benches.items()},
        {preset: bench.models for preset, bench in benches.items()},
        seed,
    )


def encode(
    dataset: Dataset,
    models: Models,
    folder: Path,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Encodings:
    """Encode a data set for one's own fusions; kept in the folder as ``evaluate`` keeps it.

    Args:
        dataset: Dialogues, targets and pool.
        models: With a generator.
        folder: Where encodings are kept.
        seed: Of the first generated image of each turn.
        progress: Gives for a step's name what its progress is told to.

    Raises:
        InvalidImageError: A picture of the pool cannot be read.
    """
    return Bench(dataset, models, RowCache(folder), seed, progress).encodings()
