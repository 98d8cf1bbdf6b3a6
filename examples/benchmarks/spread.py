"""What do samples of what is meant add to the text, by their spread and by their mean?

Dialogues over unseen products. At some rounds, the catalogue's painter draws K pictures that show
what was told, and leave to chance what was not: faithful drawings, the limit of what any generator
can give. The 200 best hits of the text are ordered by the text, by the text and the mean of the
samples, and by the density ratio of the samples. Then the samples are spoiled on purpose.

    python examples/benchmarks/spread.py [DIALOGUES]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from dar_retriever import (
    Candidates,
    DensityRatioReranker,
    Dialogue,
    EncodedQuery,
    Hit,
    JointEncoder,
    RuleReformulator,
    Trace,
    Vectors,
    open_encoder,
)
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import (
    BACKGROUNDS,
    COLOURS,
    KINDS,
    PATTERNS,
    Product,
    sample_products,
)
from dar_retriever.demo.simulated_user import simulate
from dar_retriever.evaluation.ranking import PoolNeighbours

GALLERY, ROUNDS, SAMPLES = 5_000, (2, 5, 8), 64
SEED = 78
CANDIDATES = 200
MEANS = (0.1, 0.2, 0.4)

Scores = NDArray[np.float64]


def main() -> None:
    """Print one table for each round."""
    dialogues = int(sys.argv[1]) if len(sys.argv) > 1 else 150
    encoder = open_encoder("demo")
    products = sample_products(GALLERY, unseen=True, seed=SEED)
    pictures = enumerate(track(products, "Drawing and encoding the gallery"))
    pool = encoded(encoder, [draw(p, 128, Random(SEED * 10**6 + n)) for n, p in pictures])
    reranker = DensityRatioReranker(PoolNeighbours(pool))
    rules = RuleReformulator(encoder.count_tokens, encoder.max_tokens)
    targets = Random(SEED + 1).sample(range(GALLERY), dialogues)
    said = [
        simulate(products[target], 500_000 + SEED * 1_000 + number)
        for number, target in enumerate(targets)
    ]
    for round_ in ROUNDS:
        captions = [rules.reformulate(each.dialogue.at_round(round_)).caption for each in said]
        texts = encoder.encode_texts(captions)
        drawn = np.stack(
            [
                painted(encoder, products[target], each.told[round_], number)
                for number, (target, each) in enumerate(
                    zip(track(targets, f"Painting for round {round_}"), said, strict=True)
                )
            ]
        )
        table(round_, pool, texts, drawn, targets, reranker)


def table(
    round_: int,
    pool: Vectors,
    texts: Vectors,
    drawn: Vectors,
    targets: list[int],
    reranker: DensityRatioReranker,
) -> None:
    """Print Recall@10 and Recall@1 of all ways to order the candidates."""

    def recall(name: str, scores_of: Callable[[int, NDArray[np.intp]], Scores]) -> None:
        ranks = []
        for number, target in enumerate(targets):
            best = np.argsort(-(pool @ texts[number]))[:CANDIDATES]
            own = np.flatnonzero(best == target)
            scores = scores_of(number, best)
            ranks.append((scores > scores[own[0]]).sum() if len(own) else GALLERY)
        at_10, at_1 = (100 * np.mean(np.array(ranks) < most) for most in (10, 1))
        print(f"round {round_}: {name:42} R@10 {at_10:5.1f}  R@1 {at_1:5.1f}", flush=True)

    def spread(samples: Vectors) -> Callable[[int, NDArray[np.intp]], Scores]:
        def scores_of(number: int, best: NDArray[np.intp]) -> Scores:
            hits = [Hit(str(each), 0.0, "") for each in best]
            query = query_of(texts[number], samples[number])
            return np.asarray(reranker.scores(Candidates(query, hits, pool[best])))

        return scores_of

    recall("text", lambda number, best: pool[best] @ texts[number])
    for weight in MEANS:
        recall(
            f"text and {weight} of the mean of {SAMPLES}",
            lambda number, best, weight=weight: (
                pool[best]  # type: ignore[misc]
                @ ((1 - weight) * texts[number] + weight * drawn[number].mean(0))
            ),
        )
    for count in (8, 16, 32, SAMPLES):
        recall(f"density ratio of {count}", spread(drawn[:, :count]))
    chance = np.random.default_rng(0)
    for share in (0.1, 0.25, 0.5):
        foreign = drawn.copy()
        places = chance.random(drawn.shape[:2]) < share
        foreign[places] = pool[chance.integers(len(pool), size=int(places.sum()))]
        recall(f"density ratio, {share:.0%} of the samples foreign", spread(foreign))
    recall("density ratio, captions shuffled", spread(np.roll(drawn, 1, axis=0)))


def query_of(text: Vectors, samples: Vectors) -> EncodedQuery:
    """A query with samples."""
    none = text[None][:0]
    return EncodedQuery(
        Dialogue.from_text("a product"),
        text,
        text,
        none,
        none,
        none,
        none,
        Trace(),
        sampled_vectors=samples,
    )


def painted(encoder: JointEncoder, product: Product, told: frozenset[str], seed: int) -> Vectors:
    """Vectors of pictures that show what was told, and chance otherwise: float32 (K, d)."""
    random = Random(seed)
    pictures = [
        draw(freed(product, told, random), 128, Random(random.random())) for _ in range(SAMPLES)
    ]
    return encoded(encoder, pictures)


def freed(product: Product, told: frozenset[str], random: Random) -> Product:
    """The product with everything drawn anew that was not told."""
    pattern, second = product.pattern, product.second_colour
    if "pattern" not in told:
        names = [n for n in PATTERNS if n != "plain" or "second_colour" not in told]
        pattern = random.choice(names)
    if "second_colour" not in told:
        second = random.choice([c for c in COLOURS if c != product.colour])
    colour = product.colour
    if "colour" not in told:
        colour = random.choice([c for c in COLOURS if c != second])
    return replace(
        product,
        colour=colour,
        pattern=pattern,
        second_colour="" if pattern == "plain" else second,
        detail=product.detail if "detail" in told else random.choice(KINDS[product.kind].details),
        background=product.background if "background" in told else random.choice(list(BACKGROUNDS)),
    )


def encoded(encoder: JointEncoder, pictures: list[Image.Image]) -> Vectors:
    """Vectors of pictures, in batches."""
    parts = [pictures[start : start + 64] for start in range(0, len(pictures), 64)]
    return np.concatenate([encoder.encode_images(part) for part in parts])


if __name__ == "__main__":
    main()
