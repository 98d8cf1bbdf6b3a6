"""What may be said first, with a picture that it describes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PIL import Image

from dar_retriever import DARError, DiffusionAugmentedRetriever
from dar_retriever.support.images import data_url

_MOST: Final = 3
_LONGEST: Final = 100
_THUMBNAIL: Final = 96
# What follows one of these is no noun that could be said after "with".
_ON: Final = frozenset({"in", "on", "at", "with", "of", "near", "under", "over", "by", "for"})


@dataclass(frozen=True, slots=True)
class Example:
    """Something to say.

    Attributes:
        text: What is said when it is clicked.
        picture: The address of a picture that shows it, as a data URL; may be empty.
    """

    text: str
    picture: str = ""

    @classmethod
    def of(cls, text: str, picture: Image.Image) -> Example:
        """An example with a thumbnail of its picture."""
        return cls(text, data_url(picture, _THUMBNAIL))


def examples_of(retriever: DiffusionAugmentedRetriever) -> list[Example]:
    """What people might say of some of the store's images, each with the picture it finds."""
    try:
        captions = [c for c in retriever.store.captions(_MOST) if len(c) < _LONGEST]
        return [_illustrated(retriever, caption) for caption in captions]
    # The page opens; searching tells what is wrong with the store.
    except DARError:
        return []


def _illustrated(retriever: DiffusionAugmentedRetriever, caption: str) -> Example:
    vector = retriever.query_encoder.encoder.encode_texts([caption])[0]
    for hit in retriever.store.search(vector, 1):
        return Example.of(spoken(caption), hit.open())
    return Example(spoken(caption))


def spoken(caption: str) -> str:
    """A caption as somebody might begin.

    Example:
        >>> spoken("boots, plain, low heel, sky background")
        'boots with low heel'
    """
    first, *others = [part.strip() for part in caption.split(",") if part.strip()] or [caption]
    several = [part for part in others if len(part.split()) > 1]
    if not others:
        return first
    if not several:
        return f"{first}, {others[0]}"
    words = several[0].split()
    joined = ", " if words[0] in _ON or words[0].endswith("ing") else " with "
    return f"{first}{joined}{several[0]}"
