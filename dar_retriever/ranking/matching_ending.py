"""Where the list of hits ends, and whether anything is close, by a matching head."""

from __future__ import annotations

from typing import Final

import numpy as np

from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.errors import UndecidedError
from dar_retriever.query_encoder import EncodedQuery
from dar_retriever.ranking.base import Candidates
from dar_retriever.ranking.closeness import Closeness, Verdict
from dar_retriever.ranking.ending import Ending
from dar_retriever.ranking.matching import MatchingReranker
from dar_retriever.ranking.propositions import names_a_thing
from dar_retriever.ranking.subjects import SubjectLevel
from dar_retriever.stores.base import SearchableStore
from dar_retriever.stores.filters import Filter

# Logarithms of probabilities, chosen on requests of their own; see
# examples/benchmarks/second_stage.md. From where on a hit fits, how near to it the best hit may be
# for others to fit as well as it does, and from where on something fits at all.
_FITS: Final = -1.6
_NEAR_THE_BEST: Final = 0.8
_NOTHING: Final = -3.5
# People may word things in ways that the head misreads: so "nothing is close" takes more.
_FAR: Final = -8.0


class MatchingEnding:
    """Counts the hits that show all that was told, as far as a matching head can tell.

    A hit fits if the head gives it a probability of a fifth or more that it shows everything told
    and nothing ruled out: one contradiction is enough to fall below. If even the best hit has no
    more than 3 %, nothing fits; between the two, those fit that are about as good as the best one.
    Nothing fits either where the store has captions, and the thing itself ("a banana") is none
    that they name.

    Args:
        head: Reads captions and stored vectors.
        store: The store that is searched.
        encoder: The store's encoder.
        otherwise: Decides where pictures were shown or judged, or where the head understands
            nothing of the request; without it, that cannot be told.
        nothing: The logarithm of the probability that the best hit has to have.
        subjects: Knows what the store's captions are about; opened here by default.
    """

    def __init__(
        self,
        head: MatchingReranker,
        store: SearchableStore,
        encoder: JointEncoder,
        otherwise: Ending | None = None,
        *,
        nothing: float = _NOTHING,
        subjects: SubjectLevel | None = None,
    ) -> None:
        self._head = head
        self._nothing = nothing
        self.subjects = subjects or SubjectLevel(store, encoder)
        self._otherwise = otherwise

    def fitting(self, candidates: Candidates) -> int | None:
        """See ``Ending``."""
        if not len(candidates.vectors):
            return 0
        try:
            chances = self._head.chances(candidates)
        except UndecidedError:
            return self._otherwise.fitting(candidates) if self._otherwise else None
        caption, best = candidates.query.trace.caption, float(chances.max())
        if best < self._nothing or self.subjects.strange(caption, candidates.vectors):
            return 0
        level = min(_FITS, best - _NEAR_THE_BEST)
        return int(np.count_nonzero(chances >= level))


class MatchingCloseness:
    """Nothing is close where a matching head is sure that nothing fits, in a store of any size.

    Words beside a thing may lead the search away from it. So before nothing is said to be close,
    the thing itself ("a banana") is searched for, and the head looks at those images too.

    Args:
        head: Reads captions and stored vectors.
        store: The store that is searched.
        encoder: The store's encoder.
        otherwise: Decides where the head cannot tell; see ``MatchingEnding``.
        subjects: See ``MatchingEnding``.
    """

    def __init__(
        self,
        head: MatchingReranker,
        store: SearchableStore,
        encoder: JointEncoder,
        otherwise: Closeness,
        *,
        subjects: SubjectLevel | None = None,
    ) -> None:
        self._ending = MatchingEnding(head, store, encoder, nothing=_FAR, subjects=subjects)
        self._depth = head.depth
        self._store = store
        self._otherwise = otherwise

    def verdict(self, query: EncodedQuery, where: Filter | None = None) -> Verdict:
        """See ``Closeness``."""
        fitting = self._fitting(query, query.vector, where)
        if fitting is None:
            return self._otherwise.verdict(query, where)
        caption = query.trace.caption
        things = self._ending.subjects.vectors(caption) if names_a_thing(caption) else ()
        if fitting or any(self._fitting(query, vector, where) for vector in things):
            return Verdict()
        return Verdict(False, f"nothing is close: no image shows {query.trace.understood!r}")

    def _fitting(self, query: EncodedQuery, near: Vectors, where: Filter | None) -> int | None:
        """How many of the images near to a vector fit the request."""
        hits = self._store.search(near, self._depth, where)
        found = self._store.vectors_of([hit.vector_id for hit in hits])
        return self._ending.fitting(Candidates(query, hits, found)) if hits else None
