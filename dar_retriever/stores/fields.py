"""What a store holds, told from some of its records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import Final

from dar_retriever.stores.hits import Metadata

_VALUES: Final = 50


def filterable_fields(metadatas: Iterable[Metadata]) -> dict[str, list[str]]:
    """Text fields of few values by name, values commonest first."""
    counts: dict[str, Counter[str]] = {}
    for metadata in metadatas:
        for name, value in metadata.items():
            if isinstance(value, str) and value:
                counts.setdefault(name, Counter())[value] += 1
    return {
        name: sorted(count, key=lambda value: (-count[value], value))
        for name, count in sorted(counts.items())
        # Where hardly any value comes twice, they are names, not kinds.
        if len(count) <= min(_VALUES, count.total() / 2)
    }


def some_captions(captions: Iterable[str], most: int) -> list[str]:
    """At most so many of the captions, at random, each once; the same at every call."""
    known = sorted({*captions} - {""})
    return Random(len(known)).sample(known, min(most, len(known)))
