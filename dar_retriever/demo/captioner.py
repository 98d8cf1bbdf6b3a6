"""Puts pictures of the drawn catalogue into words, by nothing but the joint encoder."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image

from dar_retriever.demo.products import BACKGROUNDS, COLOURS, KINDS, PATTERNS
from dar_retriever.encoders.base import JointEncoder, Vectors


class CatalogueCaptioner:
    """Chooses each attribute's words by zero-shot classification (CLIP, arXiv 2103.00020).

    Args:
        encoder: Of the demo preset; the others know these words too, but not these pictures.

    Example:
        >>> CatalogueCaptioner(open_encoder("demo"))(picture)  # doctest: +SKIP
        'a red dress, white dots, long sleeves, sky background'
    """

    def __init__(self, encoder: JointEncoder) -> None:
        self._encoder = encoder
        self._known: dict[str, Vectors] = {}

    def __call__(self, image: Image.Image) -> str:
        """A caption of one picture, attribute by attribute."""
        seen = self._encoder.encode_images([image])[0]
        kind = self._best(seen, KINDS, "a {}")
        colour = self._best(seen, COLOURS, "{} " + kind)
        look = self._best(seen, _looks(colour), f"{colour} {kind}, " + "{}")
        detail = self._best(seen, KINDS[kind].details, f"{kind}, " + "{}")
        background = self._best(seen, BACKGROUNDS, f"{kind}, " + "{} background")
        return f"a {colour} {kind}, {look}, {detail}, {background} background"

    def _best(self, seen: Vectors, options: Iterable[str], template: str) -> str:
        """The option whose text, put into the template, is nearest to the picture."""
        named = {template.format(option): option for option in options}
        new = [text for text in named if text not in self._known]
        if new:
            self._known |= zip(new, self._encoder.encode_texts(new), strict=True)
        vectors = np.stack([self._known[text] for text in named])
        return list(named.values())[int((vectors @ seen).argmax())]


def _looks(colour: str) -> list[str]:
    """What a product of a colour can look like: plain, or each pattern in each other colour."""
    others = [other for other in COLOURS if other != colour]
    return [
        look
        for name, pattern in PATTERNS.items()
        for look in ([f"{other} {pattern.noun}" for other in others] if pattern.noun else [name])
    ]
