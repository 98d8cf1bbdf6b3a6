"""A reference picture and changes in words: which strategy finds the right product?

Each query names a product of the drawn gallery and changes to one or two of its attributes, and
looks for the product with those changes. The reference itself does not count as a hit. Then it does
the same with other kinds of references: small thumbnails, sketches, painted pictures.

    python examples/benchmarks/composed_queries.py --out composed
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dar_retriever import (
    CaptionedReference,
    Captioner,
    Composition,
    DARQueryEncoder,
    Dialogue,
    PromptDirection,
    WeightedModalities,
    open_encoder,
)
from dar_retriever.demo.captioner import CatalogueCaptioner
from dar_retriever.demo.changes import ComposedQuery, composed_queries
from dar_retriever.demo.gallery import gallery_products
from dar_retriever.evaluation import bootstrap, demo_dataset
from dar_retriever.support.images import open_image
from dar_retriever.support.progress import progress_bar, quiet_libraries

KS = (1, 10, 50)
# The queries for choosing constants had seed 5.
SEED = 6

Change = Callable[[Image.Image], Image.Image]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("composed"), help="what is kept")
    parser.add_argument("--queries", type=int, default=600)
    parser.add_argument("--products", type=int, default=5000)
    options = parser.parse_args()
    console = Console(width=100)

    with progress_bar("Drawing the gallery") as bar:
        dataset = demo_dataset(options.out, 1, options.products, progress=bar)
    queries = composed_queries(gallery_products(options.products), options.queries, SEED)
    with quiet_libraries():
        encoder = open_encoder("demo")
    places = range(len(dataset.pool))
    pool = np.concatenate(
        [
            encoder.encode_images([open_image(dataset.path(place)) for place in places[n : n + 64]])
            for n in track(range(0, len(places), 64), "Encoding the gallery")
        ]
    )
    described = captioning_once(CatalogueCaptioner(encoder))

    def encoded(composition: Composition, captioner: Captioner | None) -> DARQueryEncoder:
        return DARQueryEncoder(encoder, composition=composition, captioner=captioner)

    strategies: dict[str, DARQueryEncoder] = {
        "reference only": encoded(WeightedModalities(0.0), None),
        "words only": encoded(WeightedModalities(1.0), None),
        "weighted modalities": encoded(WeightedModalities(), None),
        "captioned reference": encoded(CaptionedReference(), described),
        "prompt direction, image": encoded(PromptDirection(text_weight=0.0), described),
        "prompt direction, fused": encoded(PromptDirection(), described),
    }

    @cache
    def picture(place: int) -> Image.Image:
        return open_image(dataset.path(place))

    ranks = ranks_of(strategies, queries, pool, picture)
    console.print(main_table(ranks))
    kinds: dict[str, Change] = {
        "as it is": lambda image: image,
        "thumbnail of 32 pixels": lambda image: image.resize((32, 32)),
        "grey": lambda image: ImageOps.grayscale(image).convert("RGB"),
        "painted": painted,
        "sketch": sketched,
    }
    some = queries[: len(queries) // 2]
    title = f"Recall@10 (%) by kind of reference, {len(some)} queries"
    table = Table("reference", *strategies, title=title, box=SIMPLE_HEAD)
    for name, change in kinds.items():
        found = ranks_of(strategies, some, pool, lambda place, c=change: c(picture(place)))
        table.add_row(name, *(f"{100 * (r <= 10).mean():.1f}" for r in found.values()))
    console.print(table)


def ranks_of(
    strategies: Mapping[str, DARQueryEncoder],
    queries: list[ComposedQuery],
    pool: np.ndarray,
    picture: Callable[[int], Image.Image],
) -> dict[str, np.ndarray]:
    """The target's rank for each query, the reference left out."""
    ranks: dict[str, list[int]] = {name: [] for name in strategies}
    for query in track(queries, "Searching"):
        dialogue = Dialogue().say(query.words, picture(query.reference))
        for name, strategy in strategies.items():
            scores = pool @ strategy.encode(dialogue).vector
            scores[query.reference] = -np.inf
            ranks[name].append(int((scores >= scores[query.target]).sum()))
    return {name: np.array(found) for name, found in ranks.items()}


def main_table(ranks: Mapping[str, np.ndarray]) -> Table:
    """Recall by strategy, with 95 % intervals."""
    count = len(next(iter(ranks.values())))
    heads = (f"Recall@{k}" for k in KS)
    table = Table("strategy", *heads, title=f"{count} queries (%)", box=SIMPLE_HEAD)
    for name, found in ranks.items():
        cells = []
        for k in KS:
            share = bootstrap(found <= k)
            low, high = 100 * float(share.low), 100 * float(share.high)
            cells.append(f"{100 * float(share.value):.1f} [{low:.1f}, {high:.1f}]")
        table.add_row(name, *cells)
    return table


def captioning_once(captioner: Captioner) -> Captioner:
    """The captioner with a cache, because several strategies need the same captions."""
    last: list[tuple[Image.Image, str]] = []

    def caption(image: Image.Image) -> str:
        if not last or last[0][0] is not image:
            last[:] = [(image, captioner(image))]
        return last[0][1]

    return caption


def painted(image: Image.Image) -> Image.Image:
    """Flat strokes in few colours."""
    return ImageOps.posterize(image.filter(ImageFilter.ModeFilter(9)), 3)


def sketched(image: Image.Image) -> Image.Image:
    """Dark lines on white paper."""
    edges = ImageOps.grayscale(image).filter(ImageFilter.FIND_EDGES)
    return ImageOps.autocontrast(ImageOps.invert(edges)).convert("RGB")


if __name__ == "__main__":
    main()
