"""How much does a click on a hit help, and how much does a wrong click hurt?

In some rounds of the dialogues of ``adaptive_fusion.py``, the user looks at the ten best hits by
text and clicks once: "more like this" on the hit nearest to the target, "not this" on the farthest,
or, by mistake, "more like this" on the farthest or on any picture of the store. The user never
clicks on the target itself. The encodings of that script are used again.

    python examples/benchmarks/feedback_clicks.py --out adaptive
"""

from __future__ import annotations

import numpy as np
from adaptive_fusion import options_of, ranks_of, reporting
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from dar_retriever import BoundedRocchio, Feedback, Vectors
from dar_retriever.demo.gallery import gallery_products
from dar_retriever.demo.products import Product
from dar_retriever.evaluation import Encodings

ROUNDS = (1, 3, 5, 8)
SHOWN = 10
NONE = np.empty((0, 0), np.float32)


def main() -> None:
    """Print the table."""
    options = options_of(__doc__)
    encodings = reporting(options, ("text",)).encodings
    products = gallery_products(options.products)
    rules: dict[str, Feedback] = {
        "bounded (15 degrees)": BoundedRocchio(),
        "unbounded": BoundedRocchio(bound=90),
    }
    heads = ("click", "rule", *(f"round {n}" for n in ROUNDS))
    table = Table(*heads, title="Recall@10 (%) after one click at a round", box=SIMPLE_HEAD)
    before = ranks_of(encodings.texts[:, ROUNDS], encodings)
    table.add_row("none", "", *(f"{100 * (before[:, n] <= 10).mean():.1f}" for n in range(4)))
    for click in (
        "more like the nearest",
        "not the farthest",
        "both",
        "more like the farthest",
        "more like any picture",
    ):
        for name, rule in rules.items():
            queries = clicked(click, rule, encodings, products)
            found = ranks_of(queries, encodings)
            table.add_row(click, name, *(f"{100 * (r <= 10).mean():.1f}" for r in found.T))
    Console(width=100).print(table)


def clicked(click: str, rule: Feedback, encodings: Encodings, products: list[Product]) -> Vectors:
    """Queries after a click: (D, rounds, d)."""
    random = np.random.default_rng(0)
    queries = encodings.texts[:, ROUNDS].copy()
    for case, target in enumerate(encodings.targets):
        for place in range(len(ROUNDS)):
            query = queries[case, place]
            shown = np.argsort(-(encodings.pool @ query))[: SHOWN + 1]
            shown = shown[shown != target][:SHOWN]
            alike = [likeness(products[hit], products[target]) for hit in shown]
            near = encodings.pool[shown[int(np.argmax(alike))]][None]
            far = encodings.pool[shown[int(np.argmin(alike))]][None]
            anything = encodings.pool[random.integers(len(products))][None]
            liked, rejected = {
                "more like the nearest": (near, NONE),
                "not the farthest": (NONE, far),
                "both": (near, far),
                "more like the farthest": (far, NONE),
                "more like any picture": (anything, NONE),
            }[click]
            queries[case, place] = rule.moved(query, liked, rejected)
    return queries


def likeness(one: Product, other: Product) -> int:
    """How many attributes two products share; the kind counts most."""
    same = [
        a == b for a, b in zip(one.attributes().values(), other.attributes().values(), strict=True)
    ]
    return sum(same) + 2 * (one.kind == other.kind)


if __name__ == "__main__":
    main()
