"""What people say who point at one product and want another: "like this, but in blue"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from dar_retriever.demo.captions import FIELDS
from dar_retriever.demo.products import PATTERNS, Product


@dataclass(frozen=True, slots=True)
class ComposedQuery:
    """A reference, what is to change about it, and the product that is wanted.

    Attributes:
        reference: The reference's place among the products.
        target: The wanted product's place.
        words: What is to change, in a user's words.
        changed: The attributes that change.
    """

    reference: int
    target: int
    words: str
    changed: frozenset[str]


def composed_queries(products: Sequence[Product], count: int, seed: int) -> list[ComposedQuery]:
    """Pairs of products of one kind that differ in one or two attributes, with words for it.

    A pattern and its colour are one attribute.

    Args:
        products: What there is to point at and to want.
        count: How many, each with a target of its own.
        seed: Same products and seed, same queries.

    Raises:
        ValueError: Fewer than ``count`` products have such a counterpart.
    """
    random = Random(seed)
    by_kind: dict[str, list[int]] = {}
    for place, product in enumerate(products):
        by_kind.setdefault(product.kind, []).append(place)
    queries: list[ComposedQuery] = []
    for target in random.sample(range(len(products)), len(products)):
        if len(queries) == count:
            break
        wanted = products[target]
        near = [
            (place, changed)
            for place in by_kind[wanted.kind]
            if 1 <= len(changed := _changed(products[place], wanted)) <= 2
        ]
        if near:
            reference, changed = random.choice(near)
            words = _words(products[reference], wanted, changed, random)
            queries.append(ComposedQuery(reference, target, words, changed))
    if len(queries) >= count:
        return queries
    raise ValueError(f"count={count}: only {len(queries)} products have a counterpart")


def _changed(reference: Product, target: Product) -> frozenset[str]:
    names = {name for name in FIELDS if getattr(reference, name) != getattr(target, name)}
    return frozenset(names - {"second_colour"} if "pattern" in names else names)


def _words(reference: Product, target: Product, changed: frozenset[str], random: Random) -> str:
    said = []
    for name in random.sample(sorted(changed), len(changed)):
        new, old = _phrase(target, name), _phrase(reference, name)
        with_ = "" if name == "colour" else "on a " if name == "background" else "with "
        plain = name == "pattern" and not PATTERNS[target.pattern].noun
        forms = [f"{'' if plain else with_}{new}", f"{new} instead of {old}", f"{new}, not {old}"]
        if name == "colour":
            forms += [f"in {new}", f"make it {new}"]
        said.append(random.choice(forms))
    opening = random.choice(("", "", "like this, but ", "the same, but ", "similar, but "))
    return opening + " and ".join(said)


def _phrase(product: Product, name: str) -> str:
    """An attribute as it stands in captions."""
    pattern = PATTERNS[product.pattern]
    if name in ("pattern", "second_colour"):
        return f"{product.second_colour} {pattern.noun}" if pattern.noun else pattern.names[0]
    value = str(getattr(product, name))
    return f"{value} background" if name == "background" else value
