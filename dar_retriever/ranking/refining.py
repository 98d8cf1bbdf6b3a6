"""What all the first hits lack, and whether a second search made up for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dar_retriever.stores.hits import Hit

_FIRST: Final = 10


def lacking(hits: Sequence[Hit]) -> tuple[str, ...]:
    """The wanted parts that none of the first hits shows: "tassels".

    Args:
        hits: Hits with what they show, best first.

    Returns:
        Phrases; empty if what the hits show was not read.
    """
    wanted = [shown for hit in hits[:_FIRST] for shown in hit.shows if shown.wanted]
    there = {shown.phrase for shown in wanted if shown.fits}
    return tuple(dict.fromkeys(shown.phrase for shown in wanted if shown.phrase not in there))


def shown_in_all(hits: Sequence[Hit]) -> int:
    """How many parts of the request the first hits show, added up."""
    return sum(shown.fits for hit in hits[:_FIRST] for shown in hit.shows)
