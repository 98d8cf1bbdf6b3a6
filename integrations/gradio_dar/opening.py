"""What is seen before anything was said: how much there is, some of it, and what to ask for."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import dataclass
from typing import Final

import numpy as np

from dar_retriever import DARError, Hit, SearchableStore
from dar_retriever.stores.filtering.names import is_seen, words_of
from gradio_dar.examples import Example
from gradio_dar.playing import Scene

_SAMPLES: Final = 24
_FACETS: Final = 3
_VALUES: Final = 8


@dataclass(frozen=True, slots=True)
class Opening:
    """What the page shows first.

    Attributes:
        examples: What may be said first.
        count: The number of pictures in the store; None if the store cannot tell.
        samples: Some of them.
        facets: Some of their fields in words, with values that may be asked for.
        scenes: A conversation that plays itself.
    """

    examples: tuple[Example, ...] = ()
    count: int | None = None
    samples: tuple[Hit, ...] = ()
    facets: tuple[tuple[str, tuple[str, ...]], ...] = ()
    scenes: tuple[Scene, ...] = ()

    def sample(self, id: str) -> Hit | None:
        """The sample with an id."""
        return next((hit for hit in self.samples if hit.id == id), None)


def opening_of(
    store: SearchableStore, examples: Sequence[Example], scenes: Sequence[Scene] = ()
) -> Opening:
    """What to show of a store first; the examples alone if it cannot be read."""
    try:
        count = len(store) if isinstance(store, Sized) else None
        return Opening(tuple(examples), count, _samples(store), _facets(store), tuple(scenes))
    # The page opens; searching tells what is wrong with the store.
    except DARError:
        return Opening(tuple(examples))


def _samples(store: SearchableStore) -> tuple[Hit, ...]:
    vectors = store.sample()
    places = np.linspace(0, len(vectors) - 1, min(_SAMPLES, len(vectors))).astype(int)
    found = (hit for place in places for hit in store.search(vectors[place], 1))
    return tuple({hit.id: hit for hit in found}.values())


def _facets(store: SearchableStore) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Some fields with several values; first those that pictures show."""
    facets = {name: values for name, values in store.facets().items() if len(values) > 1}
    names = sorted(facets, key=lambda name: (not is_seen(name), len(facets[name])))[:_FACETS]
    return tuple((" ".join(words_of(name)), tuple(facets[name][:_VALUES])) for name in names)
