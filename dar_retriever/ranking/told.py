"""What captions tell, in the attributes that a matching head knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dar_retriever.ranking.propositions import names_a_thing, propositions
from dar_retriever.support.caption_reader import CaptionReader

# For each attribute, the probability that a text tells each of its values: (T, values).
Shares: TypeAlias = list[NDArray[np.floating[Any]]]
# From here on a value is taken for told.
SURE: Final = 0.8


class ToldReader:
    """Reads attributes off captions, as a whole and proposition by proposition.

    A reader that is trained on short captions misreads whole ones in words of their own: "mugs,
    something with dots maybe" may become a lamp. Read apart, "mugs" is a mug. Where both readings
    agree, nothing changes.

    Args:
        captions: Reads the texts; for each attribute one score for each value and one for not
            being told.
        sizes: How many values each attribute has.
        things: The attribute that is the kind of thing.
    """

    def __init__(self, captions: CaptionReader, sizes: Sequence[int], things: int = 0) -> None:
        self._captions = captions
        self._ends = np.cumsum([size + 1 for size in sizes])[:-1]
        self._things = things

    def read(self, texts: Sequence[str]) -> Shares:
        """What each text tells, read as it is."""
        parts = np.split(self._captions.read(texts), self._ends, axis=1)
        exponents = [np.exp(part - part.max(1, keepdims=True)) for part in parts]
        return [(part / part.sum(1, keepdims=True))[:, :-1] for part in exponents]

    def told(self, caption: str) -> Shares:
        """What a caption tells, as the mean of both readings: T is 1."""
        parts = propositions(caption)
        if not parts:
            return self.read([caption])
        read = self.read([caption, *(part.text for part in parts)])
        return [
            row[1:2]
            if attribute == self._things and names_a_thing(caption) and row[1].max() > SURE
            else (row[:1] + _once(row[1:])) / 2
            for attribute, row in enumerate(read)
        ]


def _once(parts: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """What any of the parts tells: (1, values), at most 1 in all."""
    any_: NDArray[np.floating[Any]] = parts.max(0, keepdims=True)
    return any_ / max(1.0, float(any_.sum()))
