"""Captions of the drawn products, in the wordings that people and product feeds use."""

from __future__ import annotations

from collections.abc import Collection
from random import Random
from typing import Final

from dar_retriever.demo.products import COLOUR_SYNONYMS, KINDS, PATTERNS, Product

FIELDS: Final = ("colour", "pattern", "second_colour", "detail", "background")

_OPENINGS: Final = (
    "",
    "",
    "",
    "",
    "a photo of ",
    "a picture of ",
    "picture of ",
    "here is ",
    "i want ",
)
_BACKGROUND_NAMES: Final = ("background", "background", "backdrop")
_CHATTER: Final = (
    "new in the shop",
    "free delivery",
    "a lovely gift",
    "in stock now",
    "made to last",
    "order today",
    "our best seller",
    "a product picture",
    "one size",
    "easy to clean",
    "for every day",
    "half price this week",
    "seen from the front",
    "only a few left",
    "people love it",
    "what colour is it?",
    "is there a pattern on it?",
    "what is the background?",
    "what about the second colour?",
    "anything special about it?",
    "yes",
    "no",
    "not sure",
    "i can't tell",
    "i think so",
    "does it have that?",
    "is it for a man or for a woman?",
    "how big is it?",
    "is it expensive?",
    "how old is this one?",
    "any people in the picture?",
)


def caption(product: Product, fields: Collection[str], random: Random) -> str:
    """Put a product into words, telling no more than the given fields.

    Args:
        product: What is described; its kind is always named.
        fields: Which of ``FIELDS`` to tell. The second colour tells the pattern as well
            where both are given.
        random: Chooses names, order and style.

    Returns:
        One caption in lower case, as one phrase or as a list of short ones.
    """
    told = [name for name in FIELDS if name in fields and getattr(product, name)]
    as_list = random.random() < 0.6
    adjectives: list[str] = []
    phrases: list[str] = []
    for name in random.sample(told, len(told)):
        loose = phrases if as_list and random.random() < 0.4 else adjectives
        if name == "colour":
            loose.append(colour_name(product.colour, random))
        elif name == "detail":
            phrases.append(product.detail)
        elif name == "background":
            phrases.append(f"{product.background} {random.choice(_BACKGROUND_NAMES)}")
        elif name == "second_colour":
            phrases.append(_second_colour(product, random, with_pattern="pattern" in told))
        elif "second_colour" not in told or random.random() < 0.5:
            loose.append(random.choice(PATTERNS[product.pattern].names))
        if name == "pattern" and random.random() < 0.2:
            phrases.append(PATTERNS[product.pattern].noun or "no pattern")
    noun = " ".join([*adjectives, random.choice(KINDS[product.kind].names)])
    if random.random() < 0.75:
        noun = f"{article(noun)} {noun}"
    return random.choice(_OPENINGS) + (_as_list if as_list else _as_phrase)(noun, phrases)


def description(product: Product) -> str:
    """All attributes in one fixed form, for people who read a product's listing."""
    pattern = PATTERNS[product.pattern]
    look = f"{product.second_colour} {pattern.noun}" if pattern.noun else pattern.names[0]
    parts = (f"{product.colour} {product.kind}", look, product.detail)
    return f"{', '.join(parts)}, {product.background} background"


def chattered(text: str, random: Random, most: int) -> str:
    """A caption between clauses of chatter.

    Args:
        text: The caption.
        random: Chooses the clauses and its place among them.
        most: The most clauses.
    """
    clauses = random.sample(_CHATTER, random.randint(1, most))
    place = random.randint(0, len(clauses))
    return ", ".join([*clauses[:place], text, *clauses[place:]])


def colour_name(colour: str, random: Random) -> str:
    """One of the colour's names."""
    return random.choice(COLOUR_SYNONYMS.get(colour, (colour,)))


def _second_colour(product: Product, random: Random, *, with_pattern: bool) -> str:
    second = colour_name(product.second_colour, random)
    if with_pattern:
        return f"{second} {PATTERNS[product.pattern].noun}"
    return f"{second} second {random.choice(('colour', 'colour', 'color'))}"


def article(noun: str) -> str:
    """The indefinite article that a noun phrase takes."""
    return "an" if noun[0] in "aeiou" else "a"


def _as_list(noun: str, phrases: list[str]) -> str:
    return ", ".join([noun, *phrases])


def _as_phrase(noun: str, phrases: list[str]) -> str:
    text, joined = noun, "with"
    for phrase in phrases:
        if phrase.endswith(_BACKGROUND_NAMES):
            text += f" on {article(phrase)} {phrase}"
        else:
            text += f" {joined} {phrase}"
            joined = "and"
    return text
