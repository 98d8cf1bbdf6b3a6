"""What may be said to the demo: sentences about products that its gallery holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dar_retriever.demo.captions import article
from dar_retriever.demo.gallery import gallery_products
from dar_retriever.demo.products import COLOURS, PATTERNS, Product

_LOOKED_AT: Final = 100


@dataclass(frozen=True, slots=True)
class Example:
    """Something to say, and which picture of the gallery it describes."""

    text: str
    number: int


def opening_examples(count: int = 3) -> list[Example]:
    """Descriptions to begin with: of the gallery's first products with a pattern, a kind each."""
    found: dict[str, Example] = {}
    for number, product in enumerate(gallery_products(_LOOKED_AT)):
        if product.second_colour:
            text = _said(product, len(found))
            found.setdefault(product.kind, Example(text, number))
    return list(found.values())[:count]


def _said(product: Product, number: int) -> str:
    """A product as one of several people might ask for it."""
    noun = f"{product.colour} {product.kind}"
    said = (
        f"{article(product.kind)} {product.kind}, something with {_look(product)}",
        f"{article(noun)} {noun} with {_look(product)}",
        f"do you have {article(noun)} {noun}, maybe with {_look(product)}?",
    )
    return said[number % len(said)]


def example_number() -> int:
    """The product that the example conversation is about: the gallery's first striped dress."""
    products = gallery_products(_LOOKED_AT)
    return next(n for n, p in enumerate(products) if (p.kind, p.pattern) == ("dress", "striped"))


def example_turns() -> tuple[str, str, str]:
    """Three turns that end on the example's product; a wrong colour is taken back in the last."""
    product = gallery_products(_LOOKED_AT)[example_number()]
    wrong = next(c for c in COLOURS if c not in (product.colour, product.second_colour))
    return (
        f"a {product.kind} with {product.detail}",
        f"{wrong}, with {_look(product)}",
        f"sorry, not {wrong} but {product.colour}",
    )


def _look(product: Product) -> str:
    return f"{product.second_colour} {PATTERNS[product.pattern].noun}"
