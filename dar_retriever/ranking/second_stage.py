"""The second stage of a search: the best hits are ordered anew, within a time limit."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError, UndecidedError
from dar_retriever.query_encoder import EncodedQuery
from dar_retriever.ranking.base import Candidates, Reranker, Scores
from dar_retriever.ranking.subjects import SubjectLevel
from dar_retriever.stores.base import SearchableStore
from dar_retriever.stores.hits import Hit
from dar_retriever.support.deadline import call_within
from dar_retriever.trace import WarnOnce, of_error

_LOGGER: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ordered:
    """Hits after the second stage.

    Attributes:
        hits: The hits, best first.
        seconds: How long it took.
        reason: Why the re-ranker left the order of the search as it is, or why further hits were
            looked for; empty if neither.
        fallback: What failed, so that the order of the search stands, or how many hits could not be
            scored; empty if nothing did.
    """

    hits: tuple[Hit, ...]
    seconds: float = 0.0
    reason: str = ""
    fallback: str = ""


class SecondStage:
    """Orders hits by a re-ranker. If it fails or is late, the order of the search stands.

    Words beside a thing may lead the search away from it: "a skirt for my flat" finds chairs. Where
    none of the hits looks like the thing itself, the hits near "skirt" are ordered with them.

    Args:
        reranker: Scores the hits.
        limit: Seconds to wait for it; no limit by default.
        subjects: Tells whether the hits look like the thing; without it, they are taken as they
            are.

    Raises:
        InvalidInputError: ``limit`` is not a positive number.
    """

    def __init__(
        self,
        reranker: Reranker,
        limit: float | None = None,
        *,
        subjects: SubjectLevel | None = None,
    ) -> None:
        if limit is not None and not 0 < limit < np.inf:
            raise InvalidInputError(f"limit={limit}: a number of seconds above 0, or None")
        self.reranker = reranker
        self.limit = limit
        self._subjects = subjects
        self._warn = WarnOnce(_LOGGER)

    def ordered(
        self,
        query: EncodedQuery,
        hits: Sequence[Hit],
        store: SearchableStore,
        search: Callable[[Vectors], Sequence[Hit]] | None = None,
    ) -> Ordered:
        """Order the first hits anew; those beyond the re-ranker's depth keep their places.

        Args:
            query: What is searched for.
            hits: The hits of the search, best first.
            store: The store that they come from.
            search: Finds further hits near a vector; without it, none are looked for.
        """
        some, rest = tuple(hits[: self.reranker.depth]), tuple(hits[self.reranker.depth :])
        began, name, strayed = time.perf_counter(), self.reranker.name, ""
        try:
            vectors = store.vectors_of([hit.vector_id for hit in some])
            thing = self._missed(query, vectors) if search else None
            if search and thing is not None:
                strayed = "no hit looks like the thing itself, so hits near it were looked for"
                known = {hit.id for hit in hits}
                further = [hit for hit in search(thing) if hit.id not in known]
                theirs = store.vectors_of([hit.vector_id for hit in further])
                vectors = np.concatenate([vectors, theirs])
                fits = theirs @ query.vector
                some += tuple(
                    dataclasses.replace(hit, score=float(score))
                    for hit, score in zip(further, fits, strict=True)
                )
            candidates = Candidates(query, some, vectors)
            scores = call_within(self.limit, lambda: self.reranker.scores(candidates))
            scores = _checked(scores, len(some))
        except UndecidedError as error:
            why = f"the order of the search stands: {error}"
            return Ordered((*some, *rest), time.perf_counter() - began, reason=why)
        # The re-ranker may be third-party code, and the hits are there without it.
        except Exception as error:
            why = f"the hits were not re-ranked by {name}: {of_error(error)}"
            self._warn(why)
            return Ordered((*some, *rest), time.perf_counter() - began, fallback=why)
        # Those without a score come last, in the order of the search.
        order = np.argsort(-scores, kind="stable")
        best = [_scored(some[n], float(scores[n])) for n in order]
        unscored = int(np.isnan(scores).sum())
        why = f"{unscored} of {len(some)} hits could not be read by {name}: they come last"
        if unscored:
            self._warn(why)
        seconds = time.perf_counter() - began
        return Ordered((*best, *rest), seconds, strayed, fallback=why if unscored else "")

    def _missed(self, query: EncodedQuery, vectors: Vectors) -> Vectors | None:
        """The vector of the thing that is asked for, if no hit looks like it."""
        caption = query.trace.caption
        if self._subjects is None or query.text_vector is None or len(query.reference_vectors):
            return None
        if not len(vectors) or not self._subjects.strange(caption, vectors):
            return None
        thing: Vectors = self._subjects.vectors(caption)[0]
        return thing


def _scored(hit: Hit, score: float) -> Hit:
    return dataclasses.replace(hit, relevance=None if np.isnan(score) else score)


def _checked(scores: object, count: int) -> Scores:
    found = np.asarray(scores, float)
    if found.shape != (count,) or np.isinf(found).any() or (count and np.isnan(found).all()):
        raise ValueError(f"{count} finite scores were expected, not {str(scores)[:80]}")
    return found
