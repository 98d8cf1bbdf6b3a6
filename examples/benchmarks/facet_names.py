"""Names for result sets: whether the chips name the attributes that really divide the hits.

    python examples/benchmarks/facet_names.py --out asking

The pictures are drawn products that no model was trained on, stored without metadata, and either
without captions or with them (--captions). Each request names the kind of a product and at most one
more attribute. The demo preset's encoder finds the first 24 hits, by words alone.

The catalogue says what is right:
- An attribute divides the hits if one of its values is had by 10 to 90 % of them. A chip is right
  if it names such a value (see ``catalogue_words``) and at least half of the hits that it counts
  have it. It is counted: whether the first chip is right, whether one of the first five is, how
  many of the five are, and how many attributes they name of those that divide the hits.
- An attribute is in common if at least 80 % of the hits have one value of it. It is named if one of
  the first five names in common names it. Attributes that the request tells are counted apart.

Beside it stand words at random, and the words with the scores that vary most among the hits, of the
same list. The list is printed with the time that a result set takes.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from asking_back import open_retriever, searching
from catalogue_words import fields_named
from rich.console import Console
from rich.table import Table

from dar_retriever import ImageStore, ResultNamer, StoredImage
from dar_retriever.demo.captions import FIELDS
from dar_retriever.demo.gallery import gallery_products
from dar_retriever.demo.products import Product
from dar_retriever.demo.simulated_user import simulate
from dar_retriever.questions import FacetName
from dar_retriever.questions.looks import Looks, Seen
from dar_retriever.questions.vocabulary import common_words, vocabulary_of
from dar_retriever.retriever import DiffusionAugmentedRetriever, SearchResult

HITS: Final = 24
CHIPS: Final = 5
ATTRIBUTES: Final = ("kind", *FIELDS)
SOME, MOST, RIGHT = 0.1, 0.8, 0.5


def main() -> None:
    """Name the result sets and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="Gallery and store go there.")
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--products", type=int, default=3000)
    parser.add_argument("--skip", type=int, default=0, help="Leave out so many requests first.")
    parser.add_argument("--captions", action="store_true", help="Keep the captions.")
    args = parser.parse_args()

    gallery = open_retriever(args.out, args.products, None)
    retriever = bare(gallery, captions=args.captions)
    encoder = retriever.query_encoder.encoder
    began = time.perf_counter()
    known = vocabulary_of(encoder)
    seconds = time.perf_counter() - began
    print(f"{len(common_words())} words, {len(known.words)} known, in {seconds:.2f} s:")
    print(" ".join(known.words))

    products = gallery_products(args.products)
    order = Random(1).sample(range(args.products), args.products)
    namer, looks = ResultNamer(retriever), Looks(encoder, retriever.store)
    rows: dict[str, list[list[float]]] = {"named": [], "widest scores": [], "at random": []}
    shared: Counter[tuple[bool, str, bool]] = Counter()
    times = []
    for number in range(args.skip, args.skip + args.requests):
        request = simulate(products[order[number]], number)
        result = retriever.search(request.dialogue.at_round(0), HITS)
        hits = [products[int(Path(hit.uri).stem)] for hit in result.hits]
        began = time.perf_counter()
        names = namer.names(result)
        times.append(time.perf_counter() - began)
        rows["named"].append(judged(names.divides, result, hits))
        seen = looks.seen(retriever.store.vectors_of([hit.id for hit in result.hits]))
        assert seen is not None
        widest = np.argsort(-seen.scores.var(0))[:CHIPS]
        rows["widest scores"].append(judged(as_names(seen, widest, result), result, hits))
        drawn = np.random.default_rng(number).permutation(len(seen.words))[:CHIPS]
        rows["at random"].append(judged(as_names(seen, drawn, result), result, hits))
        said = {*request.told[0], "kind"}
        for field, value in in_common(hits):
            one = next(each for each in hits if getattr(each, field) == value)
            found = any(field in fields_named(name.word, one) for name in names.common)
            shared[field in said, field, found] += 1
    Console().print(_table(rows))
    for told in (False, True):
        print("in common,", "told by the request:" if told else "not told:")
        for field in ATTRIBUTES:
            yes, no = shared[told, field, True], shared[told, field, False]
            if yes + no:
                print(f"  {field}: named in {yes} of {yes + no}")
    print(
        f"a result set took {1000 * np.median(times):.1f} ms (median), {1000 * times[0]:.0f} first"
    )


def bare(retriever: DiffusionAugmentedRetriever, *, captions: bool) -> DiffusionAugmentedRetriever:
    """The same pictures without metadata."""
    ids, vectors = retriever.store.vectors()
    store = ImageStore.in_memory(retriever.query_encoder.encoder)
    store.add(
        [
            StoredImage(hit.id, vector, hit.uri, hit.caption if captions else "")
            for hit, vector in zip(retriever.store.get(ids), vectors, strict=True)
        ]
    )
    return searching(retriever.query_encoder, store, None)


def as_names(seen: Seen, places: Sequence[int], result: SearchResult) -> tuple[FacetName, ...]:
    """Words as chips."""
    ids = [hit.id for hit in result.hits]
    return tuple(
        FacetName(seen.words[place], 0, 0, 0, tuple(np.array(ids)[seen.shows[:, place]]))
        for place in places
    )


def judged(
    chips: Sequence[FacetName], result: SearchResult, hits: Sequence[Product]
) -> list[float]:
    """First right, any right, share of right ones, share of the dividing attributes named."""
    by_id = {hit.id: product for hit, product in zip(result.hits, hits, strict=True)}
    named = [fields_of(chip, by_id, hits) for chip in chips[:CHIPS]]
    dividing = {
        field
        for field in ATTRIBUTES
        if any(SOME <= n / len(hits) <= 1 - SOME for n in _counts(hits, field).values())
    }
    if not named:
        return [0.0, 0.0, 0.0, 0.0]
    all_named = frozenset[str]().union(*named)
    right = [bool(each) for each in named]
    return [right[0], any(right), np.mean(right).item(), len(all_named & dividing) / len(dividing)]


def fields_of(
    chip: FacetName, by_id: dict[str, Product], hits: Sequence[Product]
) -> frozenset[str]:
    """The attributes that a chip names rightly."""
    counted = [by_id[id_] for id_ in chip.ids]
    right = set()
    for field in ATTRIBUTES:
        has = [field in fields_named(chip.word, product) for product in hits]
        of_counted = [field in fields_named(chip.word, product) for product in counted]
        if SOME <= np.mean(has) <= 1 - SOME and counted and np.mean(of_counted) >= RIGHT:
            right.add(field)
    return frozenset(right)


def in_common(hits: Sequence[Product]) -> list[tuple[str, str]]:
    """The attributes, with their values, that most hits have."""
    most = [(field, *each) for field in ATTRIBUTES for each in _counts(hits, field).items()]
    return [(field, value) for field, value, n in most if n >= MOST * len(hits)]


def _counts(hits: Sequence[Product], field: str) -> Counter[str]:
    return Counter(value for each in hits if (value := dataclasses.asdict(each)[field]))


def _table(rows: dict[str, list[list[float]]]) -> Table:
    table = Table(title=f"Chips for what divides {HITS} hits, {len(rows['named'])} result sets")
    for column in ("", "first right", "right in five", "right of the five", "attributes named"):
        table.add_column(column, justify="left" if not column else "right")
    for name, row in rows.items():
        table.add_row(name, *(f"{100 * each:.1f} %" for each in np.mean(row, 0)))
    return table


if __name__ == "__main__":
    main()
