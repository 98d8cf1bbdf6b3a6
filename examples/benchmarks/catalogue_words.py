"""Which attributes of a product of the drawn catalogue a word names, for the other scripts."""

from __future__ import annotations

from dar_retriever.demo.products import COLOUR_SYNONYMS, KINDS, PATTERNS, Product
from dar_retriever.reformulation.english.lexicon import stem


def fields_named(word: str, product: Product) -> frozenset[str]:
    """The fields of a product that a word, or two, name rightly.

    A word names a field by any of the catalogue's names for its value, and a detail by any word of
    it: "stripes" and "striped" name the pattern, "sleeves" the detail "long sleeves". All words of
    a phrase have to name something; "background" names nothing by itself.
    """
    named = [_fields(stem(part), product) for part in word.split() if part != "background"]
    return frozenset().union(*named) if named and all(named) else frozenset()


def _fields(word: str, product: Product) -> frozenset[str]:
    return frozenset(field for field, names in _names(product).items() if word in names)


def _names(product: Product) -> dict[str, set[str]]:
    pattern = PATTERNS[product.pattern]
    names = {
        "kind": KINDS[product.kind].names,
        "colour": _colours(product.colour),
        "pattern": (*pattern.names, pattern.noun),
        "second_colour": _colours(product.second_colour),
        "detail": tuple(product.detail.split()),
        "background": (product.background,),
    }
    return {field: {stem(word) for word in words if word} for field, words in names.items()}


def _colours(colour: str) -> tuple[str, ...]:
    return COLOUR_SYNONYMS.get(colour, (colour,))
