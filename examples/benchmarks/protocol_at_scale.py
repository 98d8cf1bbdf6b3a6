"""Can a small machine run the protocol at VisDial's size? Tested with random vectors.

Runs the protocol on 2,064 dialogues, 11 rounds and 50,000 images with an encoder that returns a
random vector for every text and image. It prints how long the ranking took and the peak memory.
The figures must be at chance level; with the target's own vector as the query, every target must
rank first. The images themselves are not needed.

    python examples/benchmarks/protocol_at_scale.py --dialogues DIALOGUES.json --pool POOL.json
"""

from __future__ import annotations

import argparse
import dataclasses
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from rich.console import Console

from dar_retriever import GeneratedImage, ImageRequest, Vectors
from dar_retriever.evaluation import (
    Dataset,
    Models,
    evaluate,
    figures_of,
    load_dataset,
    method,
    table_of,
    target_ranks,
)

METHODS = ("joined", "text", "images", "dar")
IMAGES_PER_TURN = 4


class RandomEncoder:
    """Gives every text and every image a direction at random."""

    fingerprint = name = "random"
    max_tokens = 77

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._random = np.random.default_rng(0)

    def count_tokens(self, text: str) -> int:
        """About as many as a real one counts."""
        return len(text.split()) + 2

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Directions: float32 (len(texts), d)."""
        return self._directions(len(texts))

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        """Directions: float32 (len(images), d)."""
        return self._directions(len(images))

    def _directions(self, count: int) -> Vectors:
        vectors = self._random.standard_normal((count, self.dimension), np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class OnePicture:
    """Draws the same thing for every prompt; what is drawn does not matter here."""

    fingerprint = "one picture"

    def __init__(self) -> None:
        self._picture = Image.linear_gradient("L").resize((8, 8)).convert("RGB")

    def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        """One image for each request."""
        return [GeneratedImage(self._picture, r.prompt, r.seed) for r in requests]


def main() -> None:
    """Run the protocol and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dialogues", type=Path, required=True)
    parser.add_argument("--pool", type=Path, required=True)
    parser.add_argument("--dimension", type=int, default=512)
    options = parser.parse_args()
    console = Console(width=110)

    began = time.perf_counter()
    with TemporaryDirectory() as folder:
        dataset = with_pictures(load_dataset(options.dialogues, options.pool), Path(folder))
        models = Models(RandomEncoder(options.dimension), OnePicture(), IMAGES_PER_TURN)
        evaluation = evaluate(
            dataset,
            [method(name, "demo") for name in METHODS],
            lambda _name, *, draws: models,  # noqa: ARG005
            Path(folder) / "encodings",
        )
        figures = figures_of(evaluation)
        targets = np.array([case.target for case in dataset.cases])
        pool = np.asarray(evaluation.pools["demo"])
        planted = target_ranks(pool[targets], pool, targets)
    turns = len(dataset.cases) * dataset.rounds
    ranking = sum(outcome.seconds["rank"] for outcome in evaluation.outcomes) * turns
    # Linux counts in KiB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20

    console.print(table_of(figures, "recall@10"))
    chance, guessed = 1000 / len(dataset.pool), 100 * chance_of_hits(dataset)
    console.print(f"chance: Recall@10 {chance:.3f} %, Hits@10 after the last round {guessed:.2f} %")
    for entry in figures["methods"]:
        console.print(
            f"{entry['name']:>7}: median rank {entry['median_rank'][-1][0]:,.0f} (chance "
            f"{len(dataset.pool) / 2:,.0f}), Hits@10 {100 * entry['hits@10'][-1][0]:.2f} %"
        )
    console.print(f"the target's own vector: Recall@1 {100 * (planted == 1).mean():.2f} %")
    console.print(
        f"ranking {len(METHODS)} methods: {ranking:.1f} s; everything: "
        f"{time.perf_counter() - began:.0f} s; at most {peak:.2f} GiB of memory"
    )


def with_pictures(dataset: Dataset, folder: Path) -> Dataset:
    """The data set with a picture, one and the same, at every path of its pool."""
    picture = folder / "picture.jpg"
    Image.new("RGB", (8, 8), "grey").save(picture)
    for name in dataset.pool:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(picture)
    return dataclasses.replace(dataset, root=folder)


def chance_of_hits(dataset: Dataset) -> float:
    """Share of dialogues found in the top 10 of any round by guessing."""
    return float(1 - (1 - 10 / len(dataset.pool)) ** dataset.rounds)


if __name__ == "__main__":
    main()
