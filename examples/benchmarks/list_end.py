"""Where does the list of hits end, and is "nothing fits" said rightly?

Requests with 0, 1, about 5 and about 20 right answers among unseen products that nothing was tuned
on: the kind and some attributes of a product, in the catalogue's wordings. A request without an
answer lacks a single attribute at best. Then whole conversations, in the wordings of the simulated
user and in sentences that no model has learned from, over all products and without those of the
wanted kind.

    python examples/benchmarks/list_end.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

import numpy as np
from numpy.typing import NDArray
from own_words import said_of
from rich.progress import track
from simulated import encoded

from dar_retriever import (
    Calibration,
    Candidates,
    Closeness,
    Dialogue,
    DiffusionAugmentedRetriever,
    Ending,
    Filter,
    ImageStore,
    JointEncoder,
    MatchingEnding,
    PropositionReader,
    RuleReformulator,
    StoredImage,
    StoreEnding,
    from_preset,
)
from dar_retriever.demo.captions import FIELDS, caption, description
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import Product, sample_products
from dar_retriever.demo.simulated_user import ROUNDS, simulate
from dar_retriever.presets.beside import Beside
from dar_retriever.presets.data import preset

SEED: Final = 91
SIZES: Final = {0: (0, 0), 1: (1, 1), 5: (4, 6), 20: (16, 25)}
_DEPTH: Final = 200

Count = Callable[[Candidates], int]


@dataclass(slots=True)
class Tally:
    """The F1 of lists, and how often they were empty."""

    scores: list[float] = field(default_factory=list)
    empty: list[bool] = field(default_factory=list)

    def add(self, found: NDArray[np.bool_], right: int) -> None:
        """Add a list, by which of its hits are right, and how many there are in the store."""
        wanted = len(found) + right
        self.scores.append(2 * float(found.sum()) / wanted if wanted else 1.0)
        self.empty.append(not len(found))

    def __str__(self) -> str:
        return f"F1 {np.mean(self.scores):.3f}, empty {100 * np.mean(self.empty):.1f} %"


class Gallery:
    """Products, and which of them have what was told."""

    def __init__(self, count: int, seed: int) -> None:
        self.products = sample_products(count, unseen=True, seed=seed)
        self.others = sorted(
            set(sample_products(2 * count, unseen=True, seed=seed + 1)).difference(self.products),
            key=str,
        )
        self._values = {
            name: np.array([getattr(each, name) for each in self.products])
            for name in ("kind", *FIELDS)
        }
        self._seed = seed

    def right(self, product: Product, told: frozenset[str]) -> NDArray[np.bool_]:
        """Which products are of a product's kind, and like it in all that was told."""
        found = self._values["kind"] == product.kind
        for name in told:
            found = found & (self._values[name] == getattr(product, name))
        return found

    def opened(self, encoder: JointEncoder) -> ImageStore:
        """A store of the products with their captions and kinds."""
        numbered = enumerate(track(self.products, "Drawing and encoding the gallery"))
        vectors = encoded(
            encoder, (draw(p, 128, Random(self._seed * 10**6 + n)) for n, p in numbered)
        )
        store = ImageStore.in_memory(encoder)
        store.add(
            [
                StoredImage(str(n), vector, f"{n}.jpg", description(p), {"kind": p.kind})
                for n, (p, vector) in enumerate(zip(self.products, vectors, strict=True))
            ]
        )
        return store

    def requests(self, each: int, random: Random) -> Iterator[tuple[int, str, NDArray[np.bool_]]]:
        """For each size so many requests, with what is right."""
        left = dict.fromkeys(SIZES, each)
        while any(left.values()):
            product = random.choice(self.products if random.random() < 0.6 else self.others)
            fields = [name for name in FIELDS if getattr(product, name)]
            told = frozenset(random.sample(fields, random.randint(0, len(fields))))
            right = self.right(product, told)
            for size, (least, most) in SIZES.items():
                lone = "second_colour" in told and "pattern" not in told
                if left[size] and least <= right.sum() <= most and not lone:
                    left[size] -= 1
                    yield size, caption(product, told, random), right


def main() -> None:
    """Print F1 and how often lists are empty, for each way to end them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gallery", type=int, default=3_000)
    parser.add_argument("--requests", type=int, default=100, help="of each size")
    parser.add_argument("--dialogues", type=int, default=50, help="of each sort")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--rules", action="store_true", help="read by the rules alone")
    options = parser.parse_args()
    gallery, random = Gallery(options.gallery, options.seed), Random(options.seed)
    retriever = from_preset("demo", gallery.opened, word_filters=False)
    retriever.query_encoder.images_per_turn = 0
    if options.rules:
        retriever.query_encoder.reformulator = RuleReformulator()
    closeness = retriever.closeness
    assert closeness is not None
    retriever.closeness = retriever.explainer = retriever.ending = None
    ways = ways_of(retriever)
    tallies = {name: {size: Tally() for size in SIZES} for name in ways}
    asked = track(gallery.requests(options.requests, random), "Asking", total=4 * options.requests)
    for size, text, right in asked:
        found = candidates(retriever, Dialogue.from_text(text))
        marks = right[[int(hit.id) for hit in found.hits]]
        for name, count in ways.items():
            tallies[name][size].add(marks[: count(found)], int(right.sum()))
        best = max(range(len(marks)), key=lambda n: f1(marks[:n], int(right.sum())))
        known = tallies.setdefault("the best end, known afterwards", {s: Tally() for s in SIZES})
        known[size].add(marks[:best], int(right.sum()))
    for name, sizes in tallies.items():
        scores = [float(np.mean(tally.scores)) for tally in sizes.values()]
        wrongly = np.mean([empty for size in SIZES if size for empty in sizes[size].empty])
        print(
            f"{name}: F1 {', '.join(f'{s}: {x:.3f}' for s, x in zip(SIZES, scores, strict=True))}"
            f", mean {np.mean(scores):.3f}, without 0: {np.mean(scores[1:]):.3f}; nothing rightly "
            f"{100 * np.mean(sizes[0].empty):.0f} %, wrongly {100 * wrongly:.1f} %"
        )
    for what, told in (
        ("simulated conversations", simulated(gallery, options.dialogues, random)),
        ("in people's own words", in_own_words(gallery, options.dialogues, random)),
    ):
        turns(what, told, retriever, ways, closeness)


def ways_of(retriever: DiffusionAugmentedRetriever) -> dict[str, Count]:
    """The ways to end a list."""
    encoder, store = retriever.query_encoder.encoder, retriever.store
    head = Beside(preset("demo").encoder).matching
    usual = StoreEnding(store, PropositionReader(encoder, Calibration(store)))

    def of(ending: Ending) -> Count:
        def count(found: Candidates) -> int:
            told = ending.fitting(found)
            return len(found.hits) if told is None else told

        return count

    def expected(found: Candidates) -> int:
        """The end with the highest F1 that the head's probabilities let expect."""
        chances = np.sort(np.exp(head.chances(found)))[::-1]
        right = 2 * np.cumsum(chances) / (np.arange(1, len(chances) + 1) + chances.sum())
        return 0 if np.prod(1 - chances) > right.max() else int(right.argmax()) + 1

    def gap(found: Candidates) -> int:
        """The largest gap in the logarithms of the head's probabilities."""
        chances = np.sort(head.chances(found))[::-1]
        return int(np.argmax(chances[:-1] - chances[1:])) + 1

    def mixture(found: Candidates) -> int:
        """The larger of two Gaussians in the logarithms of the first fifty."""
        scores = np.sort(head.chances(found))[::-1][:50]
        return max(1, int(np.count_nonzero(second_of_two(scores) > 0.5)))

    return {
        "matching head (preset demo)": of(MatchingEnding(head, store, encoder, usual)),
        "captions and propositions (other presets)": of(usual),
        "head, highest expected F1": expected,
        "head, largest gap": gap,
        "head, mixture of two Gaussians": mixture,
    }


def second_of_two(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    """How likely each score is of the upper of two Gaussians, by expectation maximisation."""
    middle, spread = np.quantile(scores, (0.2, 0.8)), np.full(2, scores.std() + 1e-3)
    share = np.full(2, 0.5)
    for _ in range(50):
        near = np.log(share) - np.log(spread) - ((scores[:, None] - middle) / spread) ** 2 / 2
        part = np.exp(near - near.max(1, keepdims=True))
        part /= part.sum(1, keepdims=True)
        share = part.mean(0) + 1e-9
        middle = (part * scores[:, None]).sum(0) / (part.sum(0) + 1e-9)
        away = (part * (scores[:, None] - middle) ** 2).sum(0) / (part.sum(0) + 1e-9)
        spread = np.sqrt(away) + 1e-2
    return part[:, int(np.argmax(middle))]


def candidates(
    retriever: DiffusionAugmentedRetriever, dialogue: Dialogue, without: str = ""
) -> Candidates:
    """The best hits in the preset's order; without a kind of product, if one is named."""
    result = retriever.search(dialogue, _DEPTH, but(without))
    ids = [hit.id for hit in result.hits]
    return Candidates(result.query, result.hits, retriever.store.vectors_of(ids))


def but(kind: str) -> Filter | None:
    """A filter for all but one kind of product; none for all."""
    return {"kind": {"$ne": kind}} if kind else None


def f1(found: NDArray[np.bool_], right: int) -> float:
    """See ``Tally``."""
    tally = Tally()
    tally.add(found, right)
    return tally.scores[0]


Turn = tuple[Dialogue, Product]


def simulated(gallery: Gallery, count: int, random: Random) -> Iterator[Turn]:
    """Every second turn of dialogues without mistakes."""
    for number in range(count):
        product = random.choice(gallery.products)
        said = simulate(product, 800_000 + number, correction=False)
        for n in range(0, ROUNDS + 1, 2):
            yield said.dialogue.at_round(n), product


def in_own_words(gallery: Gallery, count: int, random: Random) -> Iterator[Turn]:
    """The turns of dialogues in sentences that nothing has learned from."""
    for _ in range(count):
        product, dialogue = random.choice(gallery.products), Dialogue()
        for words in said_of(product, random):
            dialogue = dialogue.say(words)
            yield dialogue, product


def turns(
    what: str,
    told: Iterator[Turn],
    retriever: DiffusionAugmentedRetriever,
    ways: dict[str, Count],
    closeness: Closeness,
) -> None:
    """Print how often nothing was said to fit, where the wanted is there and where it is not."""
    empty = {name: np.zeros(2) for name in (*ways, "result.close")}
    total = 0
    for dialogue, product in track(told, what.capitalize()):
        total += 1
        for place, without in enumerate(("", product.kind)):
            found = candidates(retriever, dialogue, without)
            for name, count in ways.items():
                empty[name][place] += count(found) == 0
            close = closeness.verdict(found.query, but(without)).close
            empty["result.close"][place] += not close
    for name, (wrongly, rightly) in empty.items():
        print(
            f"{what}, {total} turns, {name}: nothing wrongly {100 * wrongly / total:.1f} %, "
            f"rightly where the kind is missing {100 * rightly / total:.1f} %"
        )


if __name__ == "__main__":
    main()
