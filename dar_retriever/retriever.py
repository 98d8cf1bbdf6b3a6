"""The retriever: a query encoder and an image store together."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import AsyncIterator, Callable, Collection, Generator, Iterator, Sequence

import numpy as np

from dar_retriever.conversation.dialogue import Dialogue, DialogueLike
from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.generation.base import StartingPicture
from dar_retriever.query_encoder import DARQueryEncoder, EncodedQuery
from dar_retriever.ranking.base import Explainer
from dar_retriever.ranking.closeness import Closeness
from dar_retriever.ranking.drawn import searched
from dar_retriever.ranking.ending import Ending
from dar_retriever.ranking.findings import Judges
from dar_retriever.ranking.refining import lacking, shown_in_all
from dar_retriever.ranking.result import SearchResult, noted, timed, with_query, without_hits
from dar_retriever.ranking.second_stage import SecondStage
from dar_retriever.ranking.starting import HitStarts
from dar_retriever.stores.arguments import hit_count
from dar_retriever.stores.base import SearchableStore, outlines_of
from dar_retriever.stores.filtering import Heard, WordFilters, filtered_search
from dar_retriever.stores.filters import Filter, both
from dar_retriever.stores.hits import Hit
from dar_retriever.stores.near_duplicates import best_of_each, without_near_duplicates
from dar_retriever.support.spans import span, spanned
from dar_retriever.support.threads import in_thread, in_threads

__all__ = ["DiffusionAugmentedRetriever", "SearchResult"]


class DiffusionAugmentedRetriever:
    """Searches an image store with dialogues.

    Args:
        query_encoder: Turns dialogues into queries.
        store: An ``ImageStore`` or another store, filled by the query encoder's own encoder.
        closeness: Decides whether the hits are close to the request; by default they always are.
        second_stage: Orders the best hits anew; by default the order of the search stands.
        ending: Decides how many hits fit, so that ``SearchResult.cut`` can end the list there.
        explainer: Says which parts of the request each hit shows.
        hide_near_duplicates: Whether of images that are nearly the same, such as a burst, only the
            best hit is shown. They are told apart when the store is filled: see ``sync``.
        reopen: Opens the same models and the same store once more, in another process; a function
            that can be pickled. Without it, the retriever cannot be pickled. A deep copy is the
            retriever itself, as nobody wants its models twice.
        word_filters: Whether words such as "under 50 euros", "size 42", "from 2019" or a brand
            become filters if the store has a field for them. The trace says which did.
        starts: Chooses hits that images are drawn from; by default they are drawn from noise.
        refine: Whether what none of the first hits shows, by the explainer, is drawn and searched
            once more, with that part stressed. The better of both results is kept.

    Example:
        >>> from dar_retriever import from_preset
        >>> retriever = from_preset("demo")  # doctest: +SKIP
        >>> result = retriever.search("a red dress with white dots")  # doctest: +SKIP
        >>> result = retriever.search(result.dialogue.say("make it blue"))  # doctest: +SKIP
    """

    def __init__(
        self,
        query_encoder: DARQueryEncoder,
        store: SearchableStore,
        *,
        closeness: Closeness | None = None,
        second_stage: SecondStage | None = None,
        ending: Ending | None = None,
        explainer: Explainer | None = None,
        hide_near_duplicates: bool = False,
        word_filters: bool = True,
        starts: HitStarts | None = None,
        refine: bool = False,
        reopen: Callable[[], DiffusionAugmentedRetriever] | None = None,
    ) -> None:
        self.query_encoder = query_encoder
        self.store = store
        self.closeness = closeness
        self.second_stage = second_stage
        self.ending = ending
        self.explainer = explainer
        self.hide_near_duplicates = hide_near_duplicates
        self.word_filters = WordFilters() if word_filters else None
        self.starts = starts
        self.refine = refine
        self.reopen = reopen

    def __deepcopy__(self, memo: dict[int, object]) -> DiffusionAugmentedRetriever:
        return self

    def __reduce__(self) -> tuple[Callable[[], DiffusionAugmentedRetriever], tuple[()]]:
        if self.reopen is None:
            raise InvalidInputError(
                "a retriever with models or a store in memory cannot be pickled; make it with "
                "from_preset and the store's folder or address, or pass reopen="
            )
        return self.reopen, ()

    def search(
        self,
        dialogue: DialogueLike,
        k: int = 10,
        where: Filter | None = None,
        exclude: Collection[str] = (),
    ) -> SearchResult:
        """Find the images that a dialogue describes.

        Args:
            dialogue: A dialogue, a text, a PIL image or a list of role/content messages.
            k: See ``SearchableStore.search`` for this and the next two.
            where: A metadata filter.
            exclude: Ids of images to leave out.

        Raises:
            EmptyDialogueError: The user has not said or shown anything.
            InvalidInputError: ``dialogue`` is not a dialogue, or ``k`` is below 1.
            InvalidFilterError: The store refuses the filter.
        """
        *_, result = self.stream(dialogue, k, where, exclude)
        return result

    def stream(
        self,
        dialogue: DialogueLike,
        k: int = 10,
        where: Filter | None = None,
        exclude: Collection[str] = (),
    ) -> Iterator[SearchResult]:
        """Like ``search``, but first yields the hits by text, and then the final result."""
        k = hit_count(k)
        yield from spanned("dar.retrieve", self._stream(dialogue, k, where, exclude))

    def _stream(
        self,
        dialogue: DialogueLike,
        k: int,
        where: Filter | None,
        exclude: Collection[str],
    ) -> Generator[SearchResult, None, None]:
        heard = self._heard(dialogue)
        most = max(k, self.second_stage.reranker.depth) if self.second_stage else k
        found: SearchResult | None = None
        result: SearchResult | None = None
        outlines = outlines_of(self.store) is not None

        def starts() -> Sequence[StartingPicture]:
            return self.starts.of(result, self.store) if self.starts and result else ()

        for query in self.query_encoder.stages(heard.dialogue, starts, outlines=outlines):
            if found is None or not np.array_equal(query.vector, found.query.vector):
                found = self._found(query, heard, most, where, exclude)
            else:
                found = with_query(found, query, heard.said)
            if not found.hits:
                # There is nothing that a drawing could help to find.
                yield without_hits(found, empty=not len(self.store.sample()))
                return
            result = self._judged(self._ordered(found), k)
            noted(result)
            missing = lacking(result.hits) if self.refine and result.final else ()
            if not missing or self.query_encoder.generator is None:
                yield result
                continue
            # What was found may be looked at while it is drawn again.
            yield dataclasses.replace(result, query=dataclasses.replace(result.query, final=False))
            yield self._refined(result, missing, heard, most, k, where, exclude)

    def _refined(
        self,
        result: SearchResult,
        missing: tuple[str, ...],
        heard: Heard,
        most: int,
        k: int,
        where: Filter | None,
        exclude: Collection[str],
    ) -> SearchResult:
        """The better of a result and one with the missing parts drawn once more."""
        query = self.query_encoder.redrawn(result.query, missing)
        if query is result.query:
            return result
        found = self._found(query, heard, most, where, exclude)
        again = self._judged(self._ordered(found), k)
        if shown_in_all(again.hits) > shown_in_all(result.hits):
            return again
        why = f"drawing {', '.join(missing)} once more found nothing better"
        trace = dataclasses.replace(
            result.trace, reasons=(*result.trace.reasons, why), refined=missing
        )
        return dataclasses.replace(result, trace=trace)

    async def asearch(
        self,
        dialogue: DialogueLike,
        k: int = 10,
        where: Filter | None = None,
        exclude: Collection[str] = (),
    ) -> SearchResult:
        """Like ``search``, without blocking the event loop. Cancelling it stops the drawing."""
        return await in_thread(lambda: self.search(dialogue, k, where, exclude))

    def astream(
        self,
        dialogue: DialogueLike,
        k: int = 10,
        where: Filter | None = None,
        exclude: Collection[str] = (),
    ) -> AsyncIterator[SearchResult]:
        """Like ``stream``, without blocking the event loop."""
        return in_threads(self.stream(dialogue, k, where, exclude))

    def _heard(self, dialogue: DialogueLike) -> Heard:
        dialogue = Dialogue.of(dialogue)
        dialogue.require_content()
        if self.word_filters is None:
            return Heard(dialogue, dialogue)
        return self.word_filters.heard(dialogue, self.store)

    def _found(
        self,
        query: EncodedQuery,
        heard: Heard,
        k: int,
        where: Filter | None,
        exclude: Collection[str],
    ) -> SearchResult:
        began, trace = time.perf_counter(), query.trace

        def find(most: int | None, filter_: Filter | None) -> list[Hit]:
            def search(number: int) -> list[Hit]:
                return searched(query, self.store, number, filter_, exclude)

            wanted = min(k, most or k)
            return best_of_each(search, wanted) if self.hide_near_duplicates else search(wanted)

        conditions = heard.conditions(query) if self.word_filters else ()
        with span("dar.search"):
            found = filtered_search(conditions, heard.fields, where, find)
        trace = dataclasses.replace(trace, only=found.only, left_out=found.left_out)
        trace = timed(
            trace,
            "search",
            time.perf_counter() - began,
            reasons=found.reasons,
            fallbacks=(*heard.fallbacks, *found.fallbacks),
        )
        query = dataclasses.replace(query, dialogue=heard.said, conditions=conditions)
        return SearchResult(
            found.hits,
            trace,
            query,
            both(where, found.where),
            frozenset(exclude),
            word_filter=found.where,
        )

    def _ordered(self, found: SearchResult) -> SearchResult:
        """The hits, ordered by the second stage."""
        stage = self.second_stage
        if stage is None or (stage.reranker.reads_pictures and not found.final):
            return found
        depth = stage.reranker.depth

        def search(vector: Vectors) -> list[Hit]:
            hits = self.store.search(vector, depth, found.where, found.exclude)
            if not self.hide_near_duplicates:
                return hits
            return without_near_duplicates((*found.hits, *hits))[len(found.hits) :]

        with span("dar.rank"):
            ordered = stage.ordered(found.query, found.hits, self.store, search)
        told, failed = (ordered.reason,), (ordered.fallback,)
        trace = timed(found.trace, "rank", ordered.seconds, reasons=told, fallbacks=failed)
        return dataclasses.replace(found, hits=ordered.hits, trace=trace)

    def _judged(self, found: SearchResult, k: int) -> SearchResult:
        """The first k hits, and what can be said of them."""
        judges = Judges(self.closeness, self.ending, self.explainer)
        # Only the final result is judged, so that the first hits appear at once.
        if not found.final or judges == Judges():
            return dataclasses.replace(found, hits=found.hits[:k])
        with span("dar.judge"):
            told = judges.findings(found.query, found.hits, k, self.store, found.where)
        why = (told.verdict.reason,)
        trace = timed(found.trace, "judge", told.seconds, reasons=why, fallbacks=told.fallbacks)
        return dataclasses.replace(
            found, hits=told.hits, trace=trace, close=told.verdict.close, fitting=told.fitting
        )
