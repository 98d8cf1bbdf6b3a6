"""The captions that the models learn from."""

from __future__ import annotations

from collections.abc import Collection
from random import Random
from typing import Final

from dar_retriever.demo.captions import FIELDS, caption, chattered
from dar_retriever.demo.products import Product
from dar_retriever.demo.scenes import SCENE_FIELDS, Scene, scene_caption

Subject = Product | Scene

# How many of the encoder's captions tell three attributes or more, the others telling 0 to 2.
_LONG: Final = 0.25
_CHATTERED: Final = 0.75
# How many of the generator's captions tell all attributes, the others telling a part.
_WHOLE: Final = 0.6


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


def generator_caption(subject: Subject, random: Random) -> str:
    """A caption that mostly tells all attributes, and sometimes a part of them."""
    kept = 1.0 if random.random() < _WHOLE else random.random()
    return words_of(
        subject, [name for name in fields_of(subject) if random.random() < kept], random
    )
