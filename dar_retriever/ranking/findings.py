"""What is said of the final hits: whether any is close, how many fit, what each shows."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from dar_retriever.query_encoder import EncodedQuery
from dar_retriever.ranking.base import Candidates, Explainer
from dar_retriever.ranking.closeness import Closeness, Verdict
from dar_retriever.ranking.ending import Ending
from dar_retriever.stores.base import SearchableStore
from dar_retriever.stores.filters import Filter
from dar_retriever.stores.hits import Hit, Shown
from dar_retriever.trace import of_error

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found out about hits.

    Attributes:
        hits: The hits, with what each shows and whether it fits.
        verdict: Whether any is close.
        fitting: How many of the first hits fit the request; None if it cannot be told.
        seconds: How long it took.
        fallbacks: What could not be found out.
    """

    hits: tuple[Hit, ...]
    verdict: Verdict = field(default_factory=Verdict)
    fitting: int | None = None
    seconds: float = 0.0
    fallbacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judges:
    """Those who look at the final hits; each of them may be missing, and none is needed for hits.

    Attributes:
        closeness: Decides whether any hit is close.
        ending: Decides how many fit.
        explainer: Says what each shows.
    """

    closeness: Closeness | None = None
    ending: Ending | None = None
    explainer: Explainer | None = None

    def findings(
        self,
        query: EncodedQuery,
        hits: Sequence[Hit],
        k: int,
        store: SearchableStore,
        where: Filter | None,
    ) -> Findings:
        """Look at hits.

        Args:
            query: What was searched for.
            hits: The hits, best first; more than are wanted, where more were found.
            k: How many are wanted.
            store: The store that they come from.
            where: The metadata filter of the search.

        Returns:
            The findings, with ``k`` hits at most. Whatever fails is left out and named in them.
        """
        began, failures = time.perf_counter(), list[str]()

        def told(what: str, tell: Callable[[], T], otherwise: T) -> T:
            try:
                return tell()
            # Each may be third-party code, and the hits do not need it.
            except Exception as error:
                failures.append(f"{what}: {of_error(error)}")
                return otherwise

        def candidates(some: Sequence[Hit]) -> Candidates:
            return Candidates(query, some, store.vectors_of([hit.vector_id for hit in some]))

        closeness, ending, explainer = self.closeness, self.ending, self.explainer
        verdict, fitting, first = Verdict(), None, tuple(hits[:k])
        if closeness is not None:
            verdict = told(
                "whether anything is close was not judged",
                lambda: closeness.verdict(query, where),
                verdict,
            )
        if ending is not None:
            fitting = told(
                "how many hits fit was not judged", lambda: ending.fitting(candidates(hits)), None
            )
            fitting = None if fitting is None else min(fitting, k)
        if explainer is not None:
            unknown: Sequence[tuple[Shown, ...]] = [() for _ in first]
            shown = told(
                "what the hits show was not read",
                lambda: explainer.shown(candidates(first)),
                unknown,
            )
            first = tuple(
                dataclasses.replace(hit, shows=tuple(shows))
                for hit, shows in zip(first, shown, strict=True)
            )
        first = _marked(first, fitting if verdict.close else 0)
        seconds = time.perf_counter() - began
        return Findings(first, verdict, fitting, seconds, tuple(failures))


def _marked(hits: Sequence[Hit], fitting: int | None) -> tuple[Hit, ...]:
    """Hits that know whether they fit, if it is known how many of the first do."""
    if fitting is None:
        return tuple(hits)
    return tuple(dataclasses.replace(hit, fits=place < fitting) for place, hit in enumerate(hits))
