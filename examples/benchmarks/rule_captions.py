"""How much does the search lose by the rules' captions, compared with true captions?

    python examples/benchmarks/rule_captions.py --out adaptive

In each round of simulated dialogues over the drawn catalogue, the target is searched with two
captions: one by the rules, and one written from the attributes that the user has told correctly by
then, in the words of the catalogue. Only words are searched with. A second table looks at
corrections and negations: what happens to a value that was corrected or denied.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dar_retriever import (
    Reformulation,
    RuleReformulator,
    TaggingReformulator,
    Vectors,
    open_encoder,
)
from dar_retriever.demo.captions import caption
from dar_retriever.demo.gallery import gallery_products
from dar_retriever.demo.products import BACKGROUNDS, COLOURS
from dar_retriever.demo.simulated_user import ROUNDS, SimulatedDialogue, simulate
from dar_retriever.evaluation import metrics, paired_difference
from dar_retriever.evaluation.demo_dataset import demo_dataset
from dar_retriever.reformulation.english.phrases import says
from dar_retriever.support.images import open_image
from dar_retriever.support.progress import progress_bar

_BATCH: Final = 256
_NO: Final = ("no", "no, it isn't", "nope", "no it's not")
_DENIED: Final = re.compile(
    r"(?:is it|does it have|are there any) (?P<what>[\w' -]+?)(?: on it)?\?$"
)
_NAMES: Final = {*COLOURS, *BACKGROUNDS, "gray", "violet", "turquoise"}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="The gallery goes there.")
    parser.add_argument("--dialogues", type=int, default=500)
    parser.add_argument("--products", type=int, default=5000)
    args = parser.parse_args()

    with progress_bar("Drawing the gallery") as bar:
        dataset = demo_dataset(args.out, args.dialogues, args.products, progress=bar)
    products, targets = gallery_products(args.products), [case.target for case in dataset.cases]
    simulated = [simulate(products[target], n) for n, target in enumerate(targets)]
    encoder = open_encoder("demo")
    rules = RuleReformulator(encoder.count_tokens, encoder.max_tokens)
    made = [
        [rules.reformulate(s.dialogue.at_round(n)) for n in range(ROUNDS + 1)] for s in simulated
    ]
    truth = [
        [caption(s.product, s.told[n], Random(f"{s.dialogue.id}/{n}")) for n in range(ROUNDS + 1)]
        for s in simulated
    ]
    pool = np.concatenate(
        [
            encoder.encode_images([open_image(dataset.root / name) for name in names])
            for names in track(list(_batches(list(dataset.pool))), "Encoding the gallery")
        ]
    )

    def ranks(captions: list[list[str]]) -> np.ndarray:
        return np.stack(
            [
                _ranks(encoder.encode_texts([text or " " for text in row]), pool, target)
                for row, target in track(list(zip(captions, targets, strict=True)), "Searching")
            ]
        )

    tagger = TaggingReformulator(encoder.count_tokens, encoder.max_tokens)
    tagged = [
        [tagger.reformulate(s.dialogue.at_round(n)) for n in range(ROUNDS + 1)]
        for s in track(simulated, "Reading with the tagger")
    ]
    by_rules = ranks([[m.caption for m in row] for row in made])
    by_tagger = ranks([[m.caption for m in row] for row in tagged])
    by_truth = ranks(truth)
    corrected = np.asarray([taken_back(s) is not None for s in simulated])
    console = Console(width=130)
    groups = {"all": corrected | ~corrected, "with a correction": corrected, "without": ~corrected}
    for name, chosen in groups.items():
        console.print(by_round(f"{name}, rules", by_rules[chosen], by_truth[chosen]))
        console.print(by_round(f"{name}, rules and tagger", by_tagger[chosen], by_truth[chosen]))
    console.print(readings(simulated, made))
    console.print(readings(simulated, tagged))


def taken_back(simulated: SimulatedDialogue) -> tuple[int, str, str] | None:
    """The round of a correction, what it takes back, and what it says instead."""
    for number, entry in enumerate(simulated.dialogue.rounds()):
        answer = entry.answer.text.replace(",", " ").split()
        if "not" in answer and (named := [word for word in answer if word in _NAMES]):
            wrong = answer[answer.index("not") + 1]
            (right,) = set(named) - {wrong}
            return number, wrong, right
    return None


def by_round(name: str, rules: np.ndarray, truth: np.ndarray) -> Table:
    """Recall@10 of both at each round, and the difference with its interval."""
    table = Table("", *map(str, range(ROUNDS + 1)), box=SIMPLE_HEAD)
    table.title = f"Recall@10 by round, %, {len(rules)} dialogues: {name}"
    ours, theirs = metrics.recall_at(rules, 10), metrics.recall_at(truth, 10)
    less = paired_difference(ours, theirs)
    table.add_row("read", *(f"{100 * value:.1f}" for value in ours.mean(0)))
    table.add_row("truth", *(f"{100 * value:.1f}" for value in theirs.mean(0)))
    table.add_row("difference", *(f"{100 * value:+.1f}" for value in less.value))
    bounds = zip(less.low, less.high, strict=True)
    table.add_row("95 %", *(f"{100 * low:+.1f} {100 * high:+.1f}" for low, high in bounds))
    return table


def readings(simulated: list[SimulatedDialogue], made: list[list[Reformulation]]) -> Table:
    """What becomes of what was taken back and of what was denied, right after it was said."""
    right = wrong = corrections = 0
    denied = named = excluded = 0
    for entry, row in zip(simulated, made, strict=True):
        change = taken_back(entry)
        if change:
            number, old, new = change
            corrections += 1
            right += says(row[number].caption, new)
            wrong += says(row[number].caption, old)
        for number, turn in enumerate(entry.dialogue.rounds()):
            what = _DENIED.match(turn.question)
            if what and turn.answer.text in _NO:
                denied += 1
                before, after = row[number - 1].caption, row[number].caption
                named += says(after, what["what"]) and not says(before, what["what"])
                excluded += says(row[number].negative_prompt, what["what"])
    table = Table("what was said", "times", "read", "%", box=SIMPLE_HEAD)
    table.title = "Corrections and negations, in the caption of the same round"
    for said, times, read, count in (
        ("X, not Y: a correction", corrections, "X is in the caption", right),
        ("", corrections, "Y is not", corrections - wrong),
        ("no: a denial", denied, "not in the caption", denied - named),
        ("", denied, "in the negative prompt", excluded),
    ):
        table.add_row(said, str(times), read, f"{100 * count / times:.1f}")
    return table


def _ranks(queries: Vectors, pool: Vectors, target: int) -> np.ndarray:
    scores = queries @ pool.T
    found: np.ndarray = (scores >= scores[:, [target]]).sum(1)
    return found


def _batches(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _BATCH):
        yield names[start : start + _BATCH]


if __name__ == "__main__":
    main()
