"""What a search gave."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.query_encoder import EncodedQuery
from dar_retriever.stores.filters import Filter
from dar_retriever.stores.hits import Hit
from dar_retriever.support.spans import note
from dar_retriever.trace import Trace


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The result of a search.

    Attributes:
        hits: The hits, best first.
        trace: A record of the search.
        query: The query, with its vectors.
        where: The metadata filter of the search: the caller's and ``word_filter``.
        exclude: Ids of images that were left out.
        close: False if nothing in the store is close to the request. Then better show the generated
            images, and say that they are generated.
        nothing: If there are no hits, the reason in one sentence. Then nothing is drawn.
        fitting: How many of the first hits fit the request; None if that was not, or cannot be
            judged.
    """

    hits: tuple[Hit, ...]
    trace: Trace
    query: EncodedQuery
    where: Filter | None = None
    exclude: frozenset[str] = frozenset()
    close: bool = True
    word_filter: Filter | None = None
    nothing: str = ""
    fitting: int | None = None

    @property
    def final(self) -> bool:
        """False if images are still being generated, and better hits may follow."""
        return self.query.final

    def above(self, min_score: float | None) -> SearchResult:
        """This result without hits below a score; unchanged if the score is None."""
        if min_score is None:
            return self
        return dataclasses.replace(
            self, hits=tuple(hit for hit in self.hits if hit.score >= min_score)
        )

    def cut(self, k_min: int = 0) -> SearchResult:
        """This result with a list that ends where nothing more fits the request.

        Args:
            k_min: The list has so many hits at least.

        Returns:
            The result; without hits and not close if nothing fits; unchanged if that is not known.
        """
        if self.fitting is None:
            return self
        hits = self.hits[: max(self.fitting if self.close else 0, k_min)]
        close = self.close and self.fitting > 0
        nothing = self.nothing if hits else self.nothing or "Nothing in the store fits this."
        return dataclasses.replace(self, hits=hits, close=close, nothing=nothing)

    @property
    def subject(self) -> Dialogue:
        """The part of the dialogue that is about the current subject."""
        return self.dialogue.since(self.query.since)

    @property
    def dialogue(self) -> Dialogue:
        """The dialogue of the search; add turns to it to continue."""
        return self.query.dialogue


def without_hits(result: SearchResult, *, empty: bool) -> SearchResult:
    """A result that found nothing, with the reason: whether the store is empty, or a filter."""
    if empty:
        nothing = "The store is empty; index some images first."
    elif result.where:
        nothing = "No stored image matches the filter."
    else:
        nothing = "The store holds no further image."
    query = dataclasses.replace(result.query, final=True)
    return dataclasses.replace(result, query=query, close=False, nothing=nothing)


def timed(
    trace: Trace,
    step: str,
    seconds: float,
    *,
    reasons: Iterable[str] = (),
    fallbacks: Iterable[str] = (),
) -> Trace:
    """A trace with one more step of the search; empty reasons and fallbacks are left out."""
    return dataclasses.replace(
        trace,
        timings=MappingProxyType({**trace.timings, step: seconds}),
        reasons=(*trace.reasons, *filter(None, reasons)),
        fallbacks=(*trace.fallbacks, *filter(None, fallbacks)),
    )


def noted(result: SearchResult) -> None:
    """Tell of a result where searches are watched."""
    trace = result.trace
    note(
        hits=len(result.hits),
        close=result.close,
        drawn=len(trace.generated),
        cached=trace.cached_count,
        fallbacks=len(trace.fallbacks),
    )


def with_query(found: SearchResult, query: EncodedQuery, said: Dialogue) -> SearchResult:
    """The hits of a search with a later query of the same vector."""
    trace = dataclasses.replace(
        found.trace,
        generated=query.trace.generated,
        reasons=tuple(dict.fromkeys((*query.trace.reasons, *found.trace.reasons))),
        timings=MappingProxyType({**found.trace.timings, **query.trace.timings}),
        fallbacks=tuple(dict.fromkeys((*query.trace.fallbacks, *found.trace.fallbacks))),
    )
    query = dataclasses.replace(query, dialogue=said, conditions=found.query.conditions)
    return dataclasses.replace(found, trace=trace, query=query)
