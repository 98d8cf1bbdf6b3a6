"""Does the second stage help where people word things in their own way?

Its models have learned from the catalogue's wordings and from simulated dialogues. Here the kind of
product and then its pattern, colour and background are told in sentences that none of them has
seen: "so my friend had this mug", "there were white dots all over it".

    python examples/benchmarks/own_words.py
"""

from __future__ import annotations

import argparse
from random import Random

from simulated import Simulation, gain

from dar_retriever import PRESETS, DARQueryEncoder, Dialogue, open_encoder
from dar_retriever.demo.products import PATTERNS, Product
from dar_retriever.evaluation import PoolNeighbours
from dar_retriever.presets.beside import Beside

SEED = 34
ROUNDS = (0, 1, 2, 3)
KINDS = (
    "got any {plural}?",
    "so my friend had this {}",
    "show me a {} like the ones in cafes",
    "need a {} for my flat",
    "where's that photo of a {}",
)
TOLD = {
    "pattern": (
        "there were {} all over it",
        "{}, kind of big ones",
        "i remember {}",
        "should have {}",
    ),
    "colour": ("{} all over", "in {} please, my wife likes it", "a sort of {}", "the {} one"),
    "background": (
        "in front of something {}",
        "{} wall behind it",
        "the picture is {} in the back",
    ),
}


def main() -> None:
    """Print Recall@10 by turn for the text, the matching head and the demo's second stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogues", type=int, default=200)
    parser.add_argument("--gallery", type=int, default=2_000)
    options = parser.parse_args()
    encoder, beside = open_encoder("demo"), Beside(PRESETS["demo"].encoder)
    simulation = Simulation(encoder, options.dialogues, options.gallery, seed=SEED)
    dar, random, queries = DARQueryEncoder(encoder, prior=beside.prior), Random(SEED), []
    for target in simulation.targets:
        dialogue = Dialogue()
        for words in said_of(simulation.products[target], random):
            dialogue = dialogue.say(words)
            queries.append(dar.encode(dialogue))
    text = simulation.ranks(queries, None, ROUNDS)
    for name, reranker in (
        ("text", None),
        ("matching head", beside.matching),
        ("as in the preset", beside.reranker(PoolNeighbours(simulation.pool))),
    ):
        ranks = simulation.ranks(queries, reranker, ROUNDS)
        shares = ", ".join(f"{100 * share:.1f}" for share in (ranks <= 10).mean(0))
        print(f"{name}: R@10 by turn {shares}; against the text {gain(ranks, text, 10)}")


def said_of(product: Product, random: Random) -> list[str]:
    """A person's four turns about a product, the kind first."""
    noun = PATTERNS[product.pattern].noun
    values = {
        "pattern": f"{product.second_colour} {noun}" if noun else "no pattern",
        "colour": product.colour,
        "background": product.background,
    }
    turns = [random.choice(TOLD[name]).format(value) for name, value in values.items()]
    kind = product.kind
    plural = f"{kind}es" if kind.endswith("ss") else f"{kind.removesuffix('s')}s"
    opening = random.choice(KINDS).format(kind, plural=plural)
    return [opening, *random.sample(turns, len(turns))]


if __name__ == "__main__":
    main()
