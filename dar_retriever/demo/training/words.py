"""The captions that the models learn from."""

from __future__ import annotations

from collections.abc import Collection
from random import Random
from typing import Final

from dar_retriever.demo.captions import FIELDS, article, caption, chattered, colour_name
from dar_retriever.demo.products import KINDS, PATTERNS, Product
from dar_retriever.demo.scenes import SCENE_FIELDS, Scene, plural, scene_caption

Subject = Product | Scene

# How many of the encoder's captions tell three attributes or more, the others telling 0 to 2.
_LONG: Final = 0.25
_CHATTERED: Final = 0.75
# How many of the generator's captions tell all attributes, the others telling a part.
_WHOLE: Final = 0.6
# How many of them are worded as people talk, and how many of those name the kind in the plural.
_TALKED: Final = 0.4
_PLURAL: Final = 0.4
# What is learned last is told more often than the rest of a part.
_HARD: Final = ("pattern", "second_colour")


def fields_of(subject: Subject) -> list[str]:
    """The attributes beside the kinds that a caption of the subject can tell."""
    names = SCENE_FIELDS if isinstance(subject, Scene) else FIELDS
    return [name for name in names if getattr(subject, name)]


def words_of(subject: Subject, fields: Collection[str], random: Random) -> str:
    """A caption of a product or a scene that tells no more than the given fields."""
    if isinstance(subject, Scene):
        return scene_caption(subject, fields, random)
    return caption(subject, fields, random)


def encoder_caption(subject: Subject, random: Random, talk: int = 4) -> tuple[str, frozenset[str]]:
    """A caption as the web has them: mostly 0 to 2 attributes, often lost in chatter.

    Args:
        subject: What is described.
        random: Chooses what is told, and how.
        talk: The most clauses of chatter around it; 0 for none.

    Returns:
        The caption and the fields that it tells beside the kinds.
    """
    fields = fields_of(subject)
    if random.random() < _LONG:
        count = random.randint(min(3, len(fields)), len(fields))
    else:
        count = random.choices((0, 1, 2), (1, 4, 7))[0]
    told = frozenset(random.sample(fields, count))
    text = words_of(subject, told, random)
    if talk and random.random() < _CHATTERED:
        text = chattered(text, random, talk)
    return text, told


def generator_caption(product: Product, random: Random) -> str:
    """A caption that mostly tells all attributes, and sometimes a part of them."""
    kept = 1.0 if random.random() < _WHOLE else random.random()
    told = [
        name
        for name in fields_of(product)
        if random.random() < (kept**0.5 if name in _HARD else kept)
    ]
    words = talked if random.random() < _TALKED else caption
    return words(product, told, random)


def talked(product: Product, fields: Collection[str], random: Random) -> str:
    """What is left of ordinary talk about a product: bare words behind its name.

    Args:
        product: What is described; its kind is always named.
        fields: Which of ``FIELDS`` to tell.
        random: Chooses names and order.

    Example:
        >>> talked(product, {"colour", "pattern"}, Random(3))  # doctest: +SKIP
        'mugs, dots, blue'
    """
    noun = random.choice(KINDS[product.kind].names)
    many = random.random() < _PLURAL
    noun = plural(noun) if many else noun
    pattern = PATTERNS[product.pattern]
    before, behind = "", ""
    told = [name for name in fields_of(product) if name in fields]
    for name in random.sample(told, len(told)):
        first = not before and not behind and random.random() < 0.5
        if name == "colour":
            colour = colour_name(product.colour, random)
            if first and random.random() < 0.5:
                before = f"{colour} "
            else:
                behind += f" in {colour}" if first else f", {colour}"
        elif name == "pattern" and first:
            before = f"{random.choice(pattern.names)} "
        elif name == "pattern":
            behind += f", {random.choice((*pattern.names, pattern.noun or 'plain'))}"
        elif name == "second_colour":
            second = colour_name(product.second_colour, random)
            spot = pattern.noun if "pattern" in told else "second colour"
            behind += f" with {second} {spot}" if first else f", {second} {spot}"
        elif name == "detail":
            behind += f" with {product.detail}" if first else f", {product.detail}"
        else:
            behind += f", {product.background} background"
    named = before + noun
    return (named if many else f"{article(named)} {named}") + behind
