"""A facet: something to ask for, and which candidates have which of its values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.stores.filtering.names import words_of

_CHOICES: Final = 8
# Rarer choices are not worth offering.
_LEAST_SHARE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Facet:
    """Something to ask for.

    Attributes:
        name: The metadata field, or another name.
        choices: The values to offer.
        holds: How much each candidate has each of them, from 0 to 1: float32 (A, N) for A choices
            and N candidates. Several values of one candidate share the 1.
        exact: Whether the answer becomes a filter, so that it needs no look at the pictures.
    """

    name: str
    choices: tuple[str, ...]
    holds: Vectors
    exact: bool = False

    def entropy(self, shares: Vectors) -> float:
        """The entropy of the answer in bits; an answer beyond the choices counts as none.

        Args:
            shares: The probabilities of the candidates: (N,).
        """
        return entropy(self.holds @ shares)


def entropy(shares: Sequence[float] | Vectors) -> float:
    """The entropy of probabilities in bits."""
    some = np.asarray([share for share in shares if share > 0])
    return float(-(some * np.log2(some)).sum())


def in_words(called: str) -> str:
    """The name of a field or a label as words: "second colour" for "secondColour"."""
    return " ".join(words_of(called)) or called


def question_about(called: str) -> str:
    """The question for a facet, by the name of its field or its label."""
    return f"Which {in_words(called)}?"


def facet_of(name: str, rows: Sequence[Mapping[str, str]], shares: Vectors) -> Facet | None:
    """The facet of texts that candidates have; None if they are no choices.

    There are no choices if only one text occurs, or if hardly any occurs twice: those are names and
    descriptions.

    Args:
        name: Name of the facet.
        rows: The texts of each of the N candidates, by their form for comparison.
        shares: The probabilities of the candidates: (N,).
    """
    counts = Counter(value for row in rows for value in row)
    if not 1 < len(counts) <= counts.total() / 2:
        return None
    likely: dict[str, float] = {}
    for row, share in zip(rows, shares, strict=True):
        for value in row:
            likely[value] = likely.get(value, 0.0) + float(share) / len(row)
    order = sorted(likely, key=lambda value: (-likely[value], value))
    offered = [value for value in order if likely[value] >= _LEAST_SHARE][:_CHOICES]
    holds = np.zeros((len(offered), len(rows)), np.float32)
    for choice, value in enumerate(offered):
        holds[choice] = [1 / len(row) if value in row else 0 for row in rows]
    spellings = Counter((value, text) for row in rows for value, text in row.items())
    written = {value: text for (value, text), _ in reversed(spellings.most_common())}
    return Facet(name, tuple(written[value] for value in offered), holds)
