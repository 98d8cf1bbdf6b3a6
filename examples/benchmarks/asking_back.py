"""Asking back: how many questions it takes until the wanted product is in the top 10.

    python examples/benchmarks/asking_back.py --out asking

Each simulated user names the kind of a drawn product and at most one more attribute. Then the user
answers each question with the target's own value, or "not sure". One strategy asks what
``FacetQuestions`` proposes. The others ask for fields that were not asked for yet: at random; at
random, but without the fields of the first description; or by the entropy of the candidates'
metadata. Nothing is drawn. With --samples, the hits are ordered as the demo preset does, and one
more strategy asks for what the samples of what is meant differ in most. Everything is kept in the
folder.

The store is the gallery with its metadata, the same with many further fields that say nothing of
the picture (--metadata noisy), or without any metadata (--metadata none). Without metadata, the
random strategies ask for the facets that ``FacetQuestions`` chooses from, in random order, or for
any generic facet, whether the encoder sees it or not. Two more offer five words at every turn, as
the page does: those that divide the 24 best hits best, and any where fewer do; or any. The user
takes the first of the offered words that names the target's background, pattern, colour or detail.
Words that were offered are not offered again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from asking import Ask, any_of, at_random, chips
from catalogue_words import fields_named
from rich.console import Console
from rich.table import Table

from dar_retriever import (
    PRESETS,
    DARQueryEncoder,
    DiffusionAugmentedRetriever,
    FacetQuestions,
    ImageStore,
    Question,
    SearchResult,
    SecondStage,
    ingest,
    open_encoder,
)
from dar_retriever.demo.gallery import gallery_products, picture_name
from dar_retriever.demo.products import Product
from dar_retriever.demo.simulated_user import SimulatedDialogue, simulate
from dar_retriever.evaluation.demo_dataset import demo_dataset
from dar_retriever.presets.beside import Beside
from dar_retriever.questions.asked import fields_asked
from dar_retriever.questions.described import metadata_facets
from dar_retriever.questions.dividing import LOOK
from dar_retriever.questions.facet import Facet, question_about
from dar_retriever.questions.looks import Looks
from dar_retriever.questions.trials import Trials
from dar_retriever.questions.visual import FACETS, VisualFacets
from dar_retriever.stores.hits import Hit, StoredImage
from dar_retriever.support.progress import progress_bar

TOP: Final = 10
HITS: Final = 24
FIELDS: Final = ("kind", "colour", "pattern", "second_colour", "detail", "background")
# Fields that say nothing of the picture, each with so many values.
NOISE: Final = {f"note_{number}": 40 + 5 * number for number in range(14)}
MOST_QUESTIONS: Final = 6
# What the strategies after it are compared with.
CHOSEN: Final = ("asked: answers tried", "chips: words that divide best")


def main() -> None:
    """Play the searches and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="Gallery and store go there.")
    parser.add_argument("--targets", type=int, default=500)
    parser.add_argument("--products", type=int, default=5000)
    parser.add_argument("--metadata", choices=("all", "noisy", "none"), default="all")
    parser.add_argument("--samples", action="store_true", help="Ask by the samples as well.")
    parser.add_argument("--skip", type=int, default=0, help="Leave out so many targets first.")
    args = parser.parse_args()

    beside = Beside(PRESETS["demo"].encoder) if args.samples else None
    gallery = open_retriever(args.out, args.products, beside)
    retriever = with_metadata(gallery, args.metadata, beside)
    game = Game(retriever, args.products)
    trials = Trials(retriever)
    proposed = FacetQuestions(retriever).next_question

    def by_entropy(result: SearchResult) -> Question | None:
        candidates = trials.candidates(result)
        asked = fields_asked(result.dialogue, {*FIELDS, *NOISE})
        left = [each for each in metadata_facets(candidates) if each.name not in asked]
        best = max(left, key=lambda each: each.entropy(candidates.shares), default=None)
        return best and Question(question_about(best.name), best.choices)

    strategies: dict[str, Callable[[int], Ask]] = {
        "asked: answers tried": lambda _: proposed,
        "asked: metadata's entropy": lambda _: by_entropy,
        "random, untold fields": lambda seed: at_random(Random(seed), FIELDS, game.told(seed)),
        "random, all fields": lambda seed: at_random(Random(seed), FIELDS),
    }
    if args.metadata == "none":
        looks = Looks(retriever.query_encoder.encoder, retriever.store)
        visual = VisualFacets(retriever.query_encoder.encoder, retriever.store, looks)

        def seen(result: SearchResult) -> list[Facet]:
            return visual.facets(trials.candidates(result), (result.trace.caption,))

        strategies = {
            "chips: words that divide best": lambda seed: chips(
                looks, retriever.store, Random(seed), best=True
            ),
            "chips: words at random": lambda seed: chips(
                looks, retriever.store, Random(seed), best=False
            ),
            "asked: answers tried": lambda _: proposed,
            "random, untold seen facets": lambda seed: any_of(seen, Random(seed), game.told(seed)),
            "random, all seen facets": lambda seed: any_of(seen, Random(seed)),
            "random, all generic facets": lambda seed: at_random(Random(seed), tuple(FACETS)),
        }
    if args.samples:
        by_samples = FacetQuestions(retriever, by="samples").next_question
        strategies["asked: what the samples leave open"] = lambda _: by_samples
    targets = range(args.skip, args.skip + args.targets)
    rounds: dict[str, list[int]] = {name: [] for name in strategies}
    with progress_bar("Searching") as bar:
        for done, number in enumerate(targets, 1):
            for name, strategy in strategies.items():
                rounds[name].append(game.play(number, strategy(number)))
            bar(done, len(targets))
    Console().print(_table({name: np.asarray(row) for name, row in rounds.items()}))


def open_retriever(out: Path, gallery: int, beside: Beside | None) -> DiffusionAugmentedRetriever:
    """The demo's encoder over its gallery, without a generator."""
    with progress_bar("Drawing the gallery") as bar:
        pictures = demo_dataset(out, 1, gallery, progress=bar).root
    encoder = open_encoder("demo")
    store = ImageStore.on_disk(out / "store", encoder)
    if len(store) < gallery:
        with progress_bar("Indexing it") as bar:
            ingest(pictures, store, encoder, progress=bar)
    prior = beside.prior if beside else None
    return searching(DARQueryEncoder(encoder, images_per_turn=0, prior=prior), store, beside)


def searching(
    query_encoder: DARQueryEncoder, store: ImageStore, beside: Beside | None
) -> DiffusionAugmentedRetriever:
    """A retriever with the preset's second stage, if its models are open."""
    stage = SecondStage(beside.reranker(store)) if beside else None
    return DiffusionAugmentedRetriever(query_encoder, store, second_stage=stage)


def with_metadata(
    retriever: DiffusionAugmentedRetriever, kept: str, beside: Beside | None
) -> DiffusionAugmentedRetriever:
    """The same pictures with other metadata; see the top of this file."""
    if kept == "all":
        return retriever
    random = Random(2)

    def metadata(hit: Hit) -> dict[str, str]:
        noise = {name: f"note {random.randrange(values)}" for name, values in NOISE.items()}
        return {} if kept == "none" else {**hit.metadata, **noise}

    ids, vectors = retriever.store.vectors()
    store = ImageStore.in_memory(retriever.query_encoder.encoder)
    store.add(
        [
            StoredImage(hit.id, vector, hit.uri, "", metadata(hit))
            for hit, vector in zip(retriever.store.get(ids), vectors, strict=True)
        ]
    )
    return searching(retriever.query_encoder, store, beside)


class Game:
    """Simulated users in search of a product each.

    Args:
        retriever: Over the whole gallery.
        gallery: Number of products.
    """

    def __init__(self, retriever: DiffusionAugmentedRetriever, gallery: int) -> None:
        self._retriever = retriever
        self._products = gallery_products(gallery)
        self._order = Random(1).sample(range(gallery), gallery)

    def told(self, number: int) -> frozenset[str]:
        """The fields that a user's first description tells."""
        return self._simulated(number).told[0] | {"kind"}

    def play(self, number: int, ask: Ask) -> int:
        """The number of answers until the target is in the top 10.

        If it never gets there, one more than the most questions.
        """
        product = self._product(number)
        dialogue = self._simulated(number).dialogue.at_round(0)
        for answers in range(MOST_QUESTIONS + 1):
            result = self._retriever.search(dialogue, HITS)
            wanted = picture_name(self._order[number])
            if any(Path(hit.uri).name == wanted for hit in result.hits[:TOP]):
                return answers
            question = ask(result)
            if question is None:
                break
            dialogue = dialogue.ask(question.text).say(answer_of(product, question))
        return MOST_QUESTIONS + 1

    def _product(self, number: int) -> Product:
        return self._products[self._order[number]]

    def _simulated(self, number: int) -> SimulatedDialogue:
        return simulate(self._product(number), number)


def answer_of(product: Product, question: Question) -> str:
    """What the simulated user answers to a question about a product."""
    if question.text == question_about(LOOK):
        shown = {"background", "pattern", "colour", "detail"}
        return next((c for c in question.choices if fields_named(c, product) & shown), "not sure")
    field = next((name for name in FIELDS if question_about(name) == question.text), "")
    if field == "pattern":
        return product.pattern or "plain"
    return getattr(product, field) or "none" if field else "not sure"


def _table(rounds: dict[str, np.ndarray]) -> Table:
    """Each random strategy is compared with the chosen one before it."""
    count = len(next(iter(rounds.values())))
    table = Table(title=f"Questions until the target is in the top {TOP}, {count} targets")
    for column in ("", "mean", "found", "chosen needs fewer [95 %]", "0 / 1 / 2 / 3 / 4 / 5 / 6"):
        table.add_column(column, justify="left" if not column else "right")
    chosen = next(iter(rounds.values()))
    for name, row in rounds.items():
        counts = np.bincount(row, minlength=MOST_QUESTIONS + 2)
        if name in CHOSEN:
            chosen = row
        fewer = "" if row is chosen else _fewer(chosen, row)
        found = f"{100 * (row <= MOST_QUESTIONS).mean():.1f} %"
        spread = " / ".join(str(count) for count in counts[:-1])
        table.add_row(name, f"{row.mean():.2f}", found, fewer, spread)
    return table


def _fewer(ours: np.ndarray, theirs: np.ndarray) -> str:
    """How many per cent fewer questions ours needs, with a bootstrap interval over targets."""
    random = np.random.default_rng(0)
    drawn = random.integers(0, len(ours), (2000, len(ours)))
    ratios = 100 * (1 - ours[drawn].mean(1) / theirs[drawn].mean(1))
    low, high = np.percentile(ratios, (2.5, 97.5))
    return f"{100 * (1 - ours.mean() / theirs.mean()):.1f} % [{low:.1f}, {high:.1f}]"


if __name__ == "__main__":
    main()
