"""The protocol: compares methods on the same dialogues, rounds and pool."""

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

    All methods of a preset share the encoded texts and images, which are kept in the folder. A run
    that was stopped continues from there, and another method only adds what is new.

    Args:
        dataset: Dialogues, targets and pool.
        methods: The methods to compare.
        models_of: Opens the models of a preset.
        folder: Folder for encoded texts and images.
        seed: Seed of the first generated image of each turn; each further image adds 1.
        progress: Takes the name of a step and returns a progress callback for it.

    Raises:
        InvalidInputError: A method joins turns, but the data set holds whole queries; or a method
            needs a ceiling that the data set does not have.
        InvalidImageError: An image of the pool cannot be read.
    """
    known = all(case.ceiling for case in dataset.cases)
    if not known and any(method.name.startswith("ceiling") for method in methods):
        raise InvalidInputError(
            f"{dataset.name}: what a perfect reader would find is known of the demo's data set "
            "only; leave the method 'ceiling' out"
        )
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
    """Encode a data set to try your own fusions on; kept in the folder as by ``evaluate``.

    Args:
        dataset: Dialogues, targets and pool.
        models: Models with a generator.
        folder: Folder for encoded texts and images.
        seed: Seed of the first generated image of each turn.
        progress: Takes the name of a step and returns a progress callback for it.

    Raises:
        InvalidImageError: An image of the pool cannot be read.
    """
    return Bench(dataset, models, RowCache(folder), seed, progress).encodings()
