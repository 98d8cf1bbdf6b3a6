"""The words that divide pictures best."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from dar_retriever.questions.facet import Facet
from dar_retriever.questions.looks import Seen, Shows

LOOK: Final = "look"
_CHOICES: Final = 6
_FEWEST: Final = 4
# A word that divides is shown by this share of the pictures at least, and at most by the rest.
_SOME: Final = 0.1
_WORD: Final = re.compile(r"[^\W\d_]+")


def dividing(seen: Seen, told: Shows, most: int) -> list[int]:
    """The places of the words that divide pictures best, at most so many.

    Each is the one with the largest variance between those that show it and the others (Otsu 1979),
    over the pairs of pictures that no word before it tells apart; once all are, over all again.

    Args:
        seen: The words and what N pictures show.
        told: The words to leave out: (W,).
        most: The most words.
    """
    share = seen.shows.mean(0)
    few = max(_SOME, 2 / len(seen.shows))
    able = (share >= few) & (share <= 1 - few) & ~told & (seen.apart > 0)
    pairs = ~np.eye(len(seen.shows), dtype=bool)
    left = pairs
    chosen: list[int] = []
    places = [int(place) for place in np.flatnonzero(able)]
    apart = {place: seen.shows[:, [place]] != seen.shows[:, place] for place in places}
    while places and len(chosen) < most:
        parted = np.array([(left & apart[place]).sum() for place in places])
        if not parted.any():
            left = pairs
            continue
        best = int(np.argmax(parted * seen.apart[places] ** 2))
        chosen.append(places.pop(best))
        left = left & ~apart[chosen[-1]]
    return chosen


def look_facet(seen: Seen | None, others: Sequence[Facet], said: Sequence[str]) -> list[Facet]:
    """A facet of the words that divide pictures best; none if fewer than two do.

    Args:
        seen: The words and what the pictures show.
        others: Facets whose choices it leaves out.
        said: Texts whose words it leaves out.
    """
    if seen is None or len(seen.shows) < _FEWEST:
        return []
    choices = [choice for each in others for choice in each.choices]
    places = dividing(seen, named_in([*choices, *said], seen.words), _CHOICES)
    if len(places) < 2:
        return []
    # A picture has the one that it stands out in most.
    best = np.where(seen.shows, seen.scores, -np.inf)[:, places]
    holds = (best.argmax(1) == np.arange(len(places))[:, None]) & np.isfinite(best.max(1))
    words = tuple(seen.words[place] for place in places)
    return [Facet(LOOK, words, holds.astype(np.float32))]


def named_in(texts: Sequence[str], words: Sequence[str]) -> Shows:
    """Which words some texts name: (W,)."""
    spoken = {word for text in texts for word in _WORD.findall(text.lower())}
    return np.array([bool(spoken.issuperset(_WORD.findall(word))) for word in words], bool)
