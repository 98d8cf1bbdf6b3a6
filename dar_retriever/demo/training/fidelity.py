"""Whether the demo's drawings show what their captions tell, as the judge sees it.

    python -m dar_retriever.demo.training.fidelity --folder training

Draws captions of unseen products, all attributes told and a part of them told, and prints for each
attribute how often the judge reads what was told. The folder is that of the training. With
``--from-hits`` the captions are also drawn from what they find in the demo's gallery.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

import torch
from PIL import Image
from rich.progress import track
from rich.table import Table

from dar_retriever.demo.captions import FIELDS, caption
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import Product, sample_products
from dar_retriever.demo.retriever import demo_retriever
from dar_retriever.demo.training.facts import Facts
from dar_retriever.demo.training.judge import Judge, read_attributes
from dar_retriever.demo.training.loop import console
from dar_retriever.demo.training.pool import Pool
from dar_retriever.generation import (
    DiffusersGenerator,
    GeneratedImage,
    ImageGenerator,
    ImageRequest,
    SelectingGenerator,
)
from dar_retriever.presets import PRESETS, open_encoder
from dar_retriever.presets.beside import Beside
from dar_retriever.ranking.starting import HitStarts
from dar_retriever.retriever import DiffusionAugmentedRetriever

_NAMES: Final = ("kind", *FIELDS)
_SEED: Final = 2026
_BATCH: Final = 32

Readings = list[dict[str, str]]


def main() -> None:
    """Judge catalogue pictures, drawings of full captions and drawings of partial ones."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=Path("training"), help="of the training")
    parser.add_argument("--generator", help="pipeline folder; the trained one by default")
    parser.add_argument("--captions", type=int, default=1_000, help="of each sort")
    parser.add_argument("--pictures", type=int, default=4, help="of each partial caption")
    parser.add_argument("--tries", type=int, default=1, help="for each picture")
    parser.add_argument("--seed", type=int, default=_SEED, help="of captions and products")
    parser.add_argument("--from-hits", type=float, nargs="*", default=(), help="strengths")
    options = parser.parse_args()
    folder: Path = options.folder
    facts = Facts(Pool.open(folder / "pool", 0).subjects)
    judge = Judge(facts.sizes)
    judge.load_state_dict(torch.load(folder / "judge-weights.pt", weights_only=True))
    judge.eval()
    drawing = DiffusersGenerator(
        options.generator or str(folder / "generator"), **PRESETS["demo"].sampling
    )
    chooser = Beside(PRESETS["demo"].encoder).faithfulness(open_encoder("demo"))
    generator = SelectingGenerator(drawing, chooser, options.tries)
    products = sample_products(options.captions, unseen=True, seed=options.seed)
    random = Random(options.seed)
    table = Table("pictures", *_NAMES)

    real = [draw(product, 128, random) for product in products]
    table.add_row("catalogue", *_shares(products, read_attributes(judge, facts, real)))

    full = [caption(product, FIELDS, random) for product in products]
    told = [frozenset(f for f in FIELDS if random.random() < 0.5) for _ in products]
    partial = [caption(p, names, random) for p, names in zip(products, told, strict=True)]
    shown = [each for each in told for _ in range(options.pictures)]
    owners = [product for product in products for _ in range(options.pictures)]

    def add(how: str, whole: Sequence[ImageRequest], some: Sequence[ImageRequest]) -> None:
        begun = sum(request.start is not None for request in (*whole, *some))
        how += f", {begun / len((*whole, *some)):.0%} from hits" if begun else ""
        seen = _readings(generator, judge, facts, whole)
        table.add_row(f"full captions{how}", *_shares(products, seen))
        seen = _readings(generator, judge, facts, some)
        table.add_row(f"partial captions, told{how}", *_shares(owners, seen, shown))
        turns = [seen[n : n + options.pictures] for n in range(0, len(seen), options.pictures)]
        table.add_row(f"partial captions, untold: differs{how}", *_variation(turns, told))

    repeated = [text for text in partial for _ in range(options.pictures)]
    whole, some = _requests(full), _requests(repeated)
    add("", whole, some)
    if options.from_hits:
        retriever = demo_retriever(folder / "demo")
        retriever.query_encoder.generator = None
        for strength in options.from_hits:
            begun = _begun(retriever, strength, whole, 1)
            add(
                f", strength {strength}", begun, _begun(retriever, strength, some, options.pictures)
            )
    console.print(table)


def _requests(captions: Sequence[str]) -> list[ImageRequest]:
    return [ImageRequest(text, seed=number) for number, text in enumerate(captions)]


def _begun(
    retriever: DiffusionAugmentedRetriever,
    strength: float,
    requests: Sequence[ImageRequest],
    pictures: int,
) -> list[ImageRequest]:
    """Requests that start from what their captions find, each of a caption from another hit."""
    assert retriever.ending is not None
    chooser, begun = HitStarts(retriever.ending, strength=strength, most=pictures), []
    for place in range(0, len(requests), pictures):
        result = retriever.search(requests[place].prompt)
        starts = chooser.of(result, retriever.store) or (None,)
        for number, request in enumerate(requests[place : place + pictures]):
            begun.append(dataclasses.replace(request, start=starts[number % len(starts)]))
    return begun


def _readings(
    generator: ImageGenerator, judge: Judge, facts: Facts, requests: Sequence[ImageRequest]
) -> Readings:
    """What the judge sees in the drawing of each request."""
    seen: Readings = []
    for start in track(range(0, len(requests), _BATCH), "Drawing"):
        made = generator.generate(requests[start : start + _BATCH])
        pictures = [
            each.image if isinstance(each, GeneratedImage) else Image.new("RGB", (128, 128))
            for each in made
        ]
        seen += read_attributes(judge, facts, pictures)
    return seen


def _shares(
    products: Sequence[Product], seen: Readings, told: Sequence[frozenset[str]] | None = None
) -> list[str]:
    """How often each attribute is read as it is, where it was told."""
    right: dict[str, list[bool]] = defaultdict(list)
    for number, (product, reading) in enumerate(zip(products, seen, strict=True)):
        for name in _NAMES:
            true = getattr(product, name)
            # A plain product has no second colour that could be drawn.
            if true and (told is None or name == "kind" or name in told[number]):
                right[name].append(reading[name] == true)
    return [_percent(right[name]) for name in _NAMES]


def _variation(turns: Sequence[Readings], told: Sequence[frozenset[str]]) -> list[str]:
    """How often the pictures of one caption differ in an attribute that it does not tell.

    The first place, that of the kind, which is always told, has the share over all attributes.
    """
    differs: dict[str, list[bool]] = defaultdict(list)
    for pictures, names in zip(turns, told, strict=True):
        for name in FIELDS:
            if name not in names:
                differs[name].append(len({reading[name] for reading in pictures}) > 1)
    overall = [outcome for name in FIELDS for outcome in differs[name]]
    return [f"all: {_percent(overall)}", *(_percent(differs[name]) for name in FIELDS)]


def _percent(outcomes: Sequence[bool]) -> str:
    return f"{sum(outcomes) / len(outcomes):.1%}" if outcomes else ""


if __name__ == "__main__":
    main()
