"""What does each part of the second stage add to a turn, and when do the first hits come?

The demo's preset over unseen products, without drawings. Every row is a retriever of its own, so
that none finds texts that another one has read. The rows take turns, dialogue by dialogue, so that
a busy machine slows all of them alike. Times are of the processor, in ms, medians; the prior's
samples and the ranking by them also as times of the clock.

    python examples/benchmarks/turn_times.py
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.progress import track
from simulated import Simulation

from dar_retriever import (
    Calibration,
    Dialogue,
    DiffusionAugmentedRetriever,
    ImageStore,
    JointEncoder,
    PropositionReader,
    PropositionReranker,
    SecondStage,
    StoredImage,
    from_preset,
    open_encoder,
)
from dar_retriever.demo.captions import description
from dar_retriever.presets.beside import Beside
from dar_retriever.presets.data import preset

ROUNDS = (2, 4, 5, 6, 8)


@dataclass(slots=True)
class Row:
    """A retriever, and its times in ms: of the processor, until the first hits, by the clock."""

    retriever: DiffusionAugmentedRetriever
    whole: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    sample: list[float] = field(default_factory=list)
    rank: list[float] = field(default_factory=list)

    def play(self, dialogue: Dialogue, *, count: bool) -> None:
        """Search once."""
        began = time.process_time()
        results = self.retriever.stream(dialogue)
        result = next(results)
        first = time.process_time() - began
        for later in results:
            result = later
        if not count:
            return
        self.whole.append(1000 * (time.process_time() - began))
        self.first.append(1000 * first)
        self.sample.append(1000 * result.trace.timings.get("sample", 0.0))
        self.rank.append(1000 * result.trace.timings.get("rank", 0.0))


def main() -> None:
    """Print a line for each row."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dialogues", type=int, default=8)
    parser.add_argument("--gallery", type=int, default=5_000)
    parser.add_argument("--folder", type=Path, help="keeps the gallery's vectors")
    options = parser.parse_args()
    encoder = open_encoder("demo")
    simulation = Simulation(encoder, options.dialogues, options.gallery, folder=options.folder)
    store = filled(simulation, encoder)
    rows = rows_of(store)
    for number, said in enumerate(track(simulation.said, "Searching")):
        for n in ROUNDS:
            for row in rows.values():
                row.play(said.dialogue.at_round(n), count=number > 0)
    base = next(iter(rows.values()))
    for name, row in rows.items():
        ratio = np.median(np.array(row.whole) / np.array(base.whole))
        print(
            f"{name:34} whole turn {np.median(row.whole):6.1f}, {ratio:.2f} times the first; until "
            f"the first hits {np.median(row.first):6.1f}; by the clock: samples "
            f"{np.median(row.sample):5.1f}, ranking {np.median(row.rank):5.1f}"
        )


def filled(simulation: Simulation, encoder: JointEncoder) -> ImageStore:
    """A store of the gallery."""
    store = ImageStore.in_memory(encoder)
    rows = enumerate(zip(simulation.products, simulation.pool, strict=True))
    store.add(
        [
            StoredImage(str(n), vector, f"{n}.jpg", description(p), {"kind": p.kind})
            for n, (p, vector) in rows
        ]
    )
    return store


def rows_of(store: ImageStore) -> dict[str, Row]:
    """The text alone, then with more and more of the preset."""

    def opened() -> DiffusionAugmentedRetriever:
        retriever = from_preset("demo", lambda _: store, word_filters=False)
        retriever.query_encoder.images_per_turn = 0
        return retriever

    def without(*, samples: bool = False) -> DiffusionAugmentedRetriever:
        retriever = opened()
        retriever.closeness = retriever.ending = retriever.explainer = None
        retriever.second_stage = None
        if not samples:
            retriever.query_encoder.prior = None
        return retriever

    plain, headed, worded, sampled, spread = (
        without(),
        without(),
        without(),
        without(samples=True),
        without(samples=True),
    )
    beside = Beside(preset("demo").encoder)
    headed.second_stage = SecondStage(beside.matching)
    reader = PropositionReader(worded.query_encoder.encoder, Calibration(store))
    worded.second_stage = SecondStage(PropositionReranker(reader))
    spread.second_stage = opened().second_stage
    return {
        "text": Row(plain),
        "text, propositions": Row(worded),
        "text, matching head": Row(headed),
        "text and samples": Row(sampled),
        "text and samples, head and spread": Row(spread),
        "all of the preset": Row(opened()),
    }


if __name__ == "__main__":
    main()
