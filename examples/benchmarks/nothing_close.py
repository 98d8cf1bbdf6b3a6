"""How often does the search say that nothing is close, and how often wrongly?

Uses simulated dialogues over the whole gallery and over the gallery without products of the wanted
kind, and texts about things that are not in the catalogue. The drawings of ``adaptive_fusion.py``
are used again.

    python examples/benchmarks/nothing_close.py --out adaptive
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
from adaptive_fusion import options_of
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dar_retriever import (
    Calibration,
    DARQueryEncoder,
    EncodedQuery,
    ImageStore,
    JointEncoder,
    StoreCloseness,
    StoredImage,
    Vectors,
    open_encoder,
    open_generator,
)
from dar_retriever.demo.captions import description
from dar_retriever.demo.gallery import gallery_products
from dar_retriever.demo.products import KINDS
from dar_retriever.evaluation import encode, preset_models
from dar_retriever.evaluation.demo_dataset import demo_dataset
from dar_retriever.support.progress import progress_bar, quiet_libraries

ROUNDS: Final = (0, 2, 5, 10)
UNKNOWN: Final = (
    "a dog on a beach",
    "two people riding bicycles",
    "a mountain lake at sunset",
    "a plate of spaghetti",
    "a cat sleeping on a bed",
    "a city street at night",
    "a man playing tennis",
    "an airplane in the sky",
    "a bird on a branch",
    "a laptop on a desk",
    "a train at a station",
    "a pizza with cheese",
    "children in a park",
    "asdf qwer zxcv",
    "a banana",
    "a white horse",
    "an old clock tower",
    "a guitar",
    "a pair of scissors",
    "a car",
)


def main() -> None:
    """Print the table."""
    options = options_of(__doc__)
    last = options.tuning + options.dialogues
    with progress_bar("Drawing the gallery") as bar:
        whole = demo_dataset(options.out, last, options.products, progress=bar)
    dataset = dataclasses.replace(whole, cases=whole.cases[options.tuning :])
    with quiet_libraries(), progress_bar("All steps") as bar:
        models = preset_models(options.out)("demo", draws=True)
        encoded = encode(dataset, models, options.out / "encodings", progress=lambda _: bar)
        encoder = open_encoder("demo")
    kinds = np.asarray([product.kind for product in gallery_products(options.products)])
    judges = {"": judge_of(encoded.pool, np.full(len(kinds), fill_value=True), encoder)}
    for kind in track(KINDS, "Filling stores"):
        judges[kind] = judge_of(encoded.pool, kinds != kind, encoder)

    said = np.zeros((2, len(encoded.targets), len(ROUNDS)), bool)
    for case in track(range(len(encoded.targets)), "Asking"):
        for place, n in enumerate(ROUNDS):
            drawn = encoded.drawn[case, n]
            drawn = drawn[np.isfinite(drawn).all(-1)]
            kind = kinds[encoded.targets[case]]
            for absent, judge in enumerate((judges[""], judges[kind])):
                query = query_of(encoded.texts[case, n], drawn)
                said[absent, case, place] = not judge.verdict(query).close
    Console(width=110).print(table(said))
    unknown(judges[""], encoder)


def judge_of(pool: Vectors, kept: np.ndarray, encoder: JointEncoder) -> StoreCloseness:
    """A judge over a store of some of the gallery's products, with their captions."""
    store = ImageStore.in_memory(encoder)
    products = gallery_products(len(pool))
    store.add(
        [
            StoredImage(str(place), pool[place], f"{place}.jpg", description(products[place]))
            for place in np.flatnonzero(kept)
        ]
    )
    return StoreCloseness(store, encoder, Calibration(store))


def query_of(text: Vectors, drawn: Vectors) -> EncodedQuery:
    """A query of which only the vectors are looked at."""
    empty = drawn[:0]
    return EncodedQuery(None, text, text, drawn, empty, empty, empty, None)  # type: ignore[arg-type]


def table(said: np.ndarray) -> Table:
    """How often nothing was said to be close, by round."""
    found = Table("", *(f"round {n}" for n in ROUNDS), box=SIMPLE_HEAD)
    found.title = f"'Nothing is close', % of {said.shape[1]} dialogues"
    for shares, what in zip(100 * said.mean(1), ("the target", "nothing of its kind"), strict=True):
        found.add_row(f"{what} is there", *(f"{share:.1f}" for share in shares))
    return found


def unknown(judge: StoreCloseness, encoder: JointEncoder) -> None:
    """Say of what the catalogue does not know whether that is noticed."""
    with quiet_libraries():
        queries = DARQueryEncoder(encoder, open_generator("demo"), images_per_turn=2)
    noticed = [text for text in UNKNOWN if not judge.verdict(queries.encode(text)).close]
    print(f"of {len(UNKNOWN)} unknown things, {len(noticed)} noticed: {', '.join(noticed)}")


if __name__ == "__main__":
    main()
