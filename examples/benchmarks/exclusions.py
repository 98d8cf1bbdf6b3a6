"""Does what the user does not want disappear from the hits, and does the wanted thing stay?

Asks the demo's store for a kind of product, then for the same without something: a pattern, a
colour, a background or a detail, chosen by chance with a seed. Counts how many of the ten first
hits show what was excluded, and how many are of the wanted kind, with drawings and without.

    python examples/benchmarks/exclusions.py --folder demo-output
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dar_retriever import Dialogue, DiffusionAugmentedRetriever, NoExclusion
from dar_retriever.demo import demo_retriever
from dar_retriever.demo.products import BACKGROUNDS, COLOURS, KINDS, PATTERNS

HITS = 10
# The bound and the strength were chosen with the seeds 0 and 1.
SEED = 2
SORTS = ("pattern", "colour", "background", "detail")


@dataclass(frozen=True)
class Pair:
    """A product and what it is to be without.

    Attributes:
        kind: Of the product.
        sort: Of the exclusion.
        value: As the metadata have it.
        phrase: As the user says it.
    """

    kind: str
    sort: str
    value: str
    phrase: str

    def shown_by(self, metadata: dict[str, str]) -> bool:
        """Whether an image shows what was excluded."""
        if self.sort == "colour":
            return self.value in (metadata["colour"], metadata["second_colour"])
        return metadata[self.sort] == self.value


def pairs(seed: int) -> list[Pair]:
    """One exclusion of each sort for every kind."""
    random = Random(seed)
    made = []
    for kind in KINDS:
        pattern = random.choice([name for name in PATTERNS if name != "plain"])
        colour, background = random.choice(list(COLOURS)), random.choice(list(BACKGROUNDS))
        detail = random.choice(KINDS[kind].details)
        made += [
            Pair(kind, "pattern", pattern, PATTERNS[pattern].noun),
            Pair(kind, "colour", colour, colour),
            Pair(kind, "background", background, f"{background} background"),
            Pair(kind, "detail", detail, detail),
        ]
    return made


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=Path("demo-output"))
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    retriever = demo_retriever(options.folder)
    encoder = retriever.query_encoder
    bending, drawings = encoder.exclusion, encoder.images_per_turn
    chosen = pairs(options.seed)
    table = Table("", *SORTS, "all", "right kind", box=SIMPLE_HEAD)
    table.title = f"Of {HITS} hits, those that show what was excluded; {len(chosen)} pairs"
    for images in (0, drawings):
        for exclusion in (NoExclusion(), bending):
            encoder.images_per_turn, encoder.exclusion = images, exclusion
            name = "exclusions bend the query" if exclusion is bending else "as if not said"
            counts = [found(retriever, pair) for pair in track(chosen, name, transient=True)]
            table.add_row(f"{name}, {images} drawings", *figures(chosen, counts))
    Console(width=110).print(table)


def found(retriever: DiffusionAugmentedRetriever, pair: Pair) -> tuple[int, int]:
    """How many hits show what was excluded, and how many are of the kind."""
    dialogue = Dialogue.from_text(f"a {pair.kind}").say(f"without {pair.phrase}")
    metadata = [dict(hit.metadata) for hit in retriever.search(dialogue, HITS).hits]
    return (
        sum(pair.shown_by(each) for each in metadata),
        sum(each["kind"] == pair.kind for each in metadata),
    )


def figures(chosen: list[Pair], counts: list[tuple[int, int]]) -> list[str]:
    """Means by sort and of all, and of the right kind."""
    shown, kind = np.array(counts).T
    sorts = np.array([pair.sort for pair in chosen])
    means = [shown[sorts == sort].mean() for sort in SORTS]
    return [f"{mean:.2f}" for mean in (*means, shown.mean(), kind.mean())]


if __name__ == "__main__":
    main()
