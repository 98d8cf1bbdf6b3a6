"""Re-rankers to compare, and the ranks of targets after them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.encoders.transformers import TransformersEncoder
from dar_retriever.errors import InvalidInputError, UndecidedError
from dar_retriever.evaluation.metrics import Ranks
from dar_retriever.evaluation.ranking import top
from dar_retriever.evaluation.sampling import samples_of
from dar_retriever.fusion import Calibration, Neighbours
from dar_retriever.generation.base import ImagePrior
from dar_retriever.presets.beside import Beside
from dar_retriever.presets.data import preset
from dar_retriever.presets.opening import reader_of_pictures
from dar_retriever.query_encoder import EncodedQuery
from dar_retriever.ranking import (
    BlipMatcher,
    Candidates,
    CrossEncoderReranker,
    PropositionReader,
    PropositionReranker,
    Reranker,
)
from dar_retriever.ranking.base import Scores
from dar_retriever.ranking.second_view import similarity, with_second_view
from dar_retriever.reformulation.base import Reformulation
from dar_retriever.stores.hits import Hit, uri_of
from dar_retriever.trace import Trace


@dataclass(frozen=True, slots=True)
class Reranking:
    """A re-ranker, and the prior whose samples it reads, if it reads any."""

    reranker: Reranker
    prior: ImagePrior | None = None


class ViewedPool:
    """Orders a pool by its second view, as ``SecondViewReranker`` orders hits.

    Args:
        vectors: The pool's vectors by the image-only encoder: float32 (P, e).
    """

    name = "second view"
    depth = 100
    reads_pictures = False

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def scores(self, candidates: Candidates) -> Scores:
        """See ``Reranker``; the query's generated images are encoded by the same encoder.

        Raises:
            UndecidedError: Nothing was generated.
        """
        generated = candidates.query.image_vectors
        if not len(generated):
            raise UndecidedError("nothing was generated")
        vectors = self._vectors[[int(hit.id) for hit in candidates.hits]]
        return with_second_view(candidates.hits, similarity(vectors, generated))


def _propositions(encoder: JointEncoder, pool: Neighbours) -> Reranker:
    return PropositionReranker(PropositionReader(encoder, Calibration(pool)))


def _blip(encoder: JointEncoder, _: Neighbours) -> Reranker:
    if not isinstance(encoder, TransformersEncoder):
        raise InvalidInputError(
            "method 'reranked:blip' needs BLIP as encoder; write 'reranked:blip@paper'"
        )
    return CrossEncoderReranker(BlipMatcher(encoder))


def _matching(_: JointEncoder, __: Neighbours) -> Reranker:
    return Beside(preset("demo").encoder).matching


RERANKERS: Final[MappingProxyType[str, Callable[[JointEncoder, Neighbours], Reranker]]] = (
    MappingProxyType({"propositions": _propositions, "matching": _matching, "blip": _blip})
)
OWN: Final = "own"


def opened(name: str, preset_name: str, encoder: JointEncoder, pool: Neighbours) -> Reranking:
    """Open a re-ranker.

    Args:
        name: One of ``RERANKERS``, or ``OWN`` for the preset's.
        preset_name: The preset of the method.
        encoder: The preset's encoder.
        pool: What is ranked.

    Raises:
        InvalidInputError: The preset has no re-ranker, or the re-ranker needs another encoder.
    """
    if name != OWN:
        return Reranking(RERANKERS[name](encoder, pool))
    chosen = preset(preset_name)
    if chosen.reranker == "beside":
        beside = Beside(chosen.encoder)
        return Reranking(beside.reranker(pool), beside.prior)
    reader = reader_of_pictures(chosen, encoder)
    if reader is None:
        raise InvalidInputError(
            f"method 'reranked': the preset {preset_name!r} orders nothing anew; name a re-ranker, "
            "such as reranked:propositions"
        )
    return Reranking(reader)


def encoded(
    made: Sequence[Reformulation],
    states: Sequence[Dialogue],
    texts: Vectors,
    drawn: Vectors,
    queries: Vectors,
    *,
    prior: ImagePrior | None = None,
    seed: int = 0,
) -> list[EncodedQuery]:
    """The queries of an evaluation as a re-ranker sees those of a search.

    Args:
        made: The reformulations: N.
        states: The dialogues: N.
        texts: The captions' vectors: float32 (N, d).
        drawn: The generated images' vectors; NaN where one is missing: float32 (N, K, d).
        queries: The fused queries: float32 (N, d).
        prior: Samples what is meant.
        seed: Its seed.
    """
    none = texts[:0]
    sampled = {} if prior is None else samples_of(prior, made, texts, seed)
    return [
        EncodedQuery(
            state,
            query,
            text,
            images[np.isfinite(images).all(-1)],
            none,
            none,
            none,
            Trace(reformulation.caption, exclusions=reformulation.exclusions),
            sampled_vectors=sampled.get(reformulation.caption, none),
        )
        for reformulation, state, text, images, query in zip(
            made, states, texts, drawn, queries, strict=True
        )
    ]


def reranked(
    reranker: Reranker,
    queries: Sequence[EncodedQuery],
    ranks: Ranks,
    pool: Vectors,
    paths: Sequence[Path],
    targets: Sequence[int],
    progress: Callable[[int, int], None] | None = None,
) -> Ranks:
    """The ranks of targets after a re-ranker has ordered the best images of each query.

    As in ``target_ranks``, ties count against the method. Where the target is not among the images
    that are ordered, its rank stays; then nothing is asked of the re-ranker.

    Args:
        reranker: Orders images.
        queries: The queries: N.
        ranks: The ranks of their targets in the pool before: int (N,), from 1.
        pool: float32 (P, d).
        paths: The pictures of the pool: P.
        targets: Indices of the targets in the pool: N.
        progress: Called with the number of queries done and of all queries.

    Returns:
        int (N,), from 1.
    """
    after = np.array(ranks)
    asked: EncodedQuery | None = None
    best = np.empty(0, np.int64)
    scores: Scores | None = None
    for place, (query, target) in enumerate(zip(queries, targets, strict=True)):
        # A query with several targets is only ordered once.
        if query is not asked:
            asked, scores = query, None
            best = top(query.vector[None], pool, reranker.depth)[0]
        own = np.flatnonzero(best == target)
        if len(own):
            scores = _scores(reranker, query, best, pool, paths) if scores is None else scores
            if len(scores):
                after[place] = np.count_nonzero(scores >= scores[own[0]])
        if progress is not None:
            progress(place + 1, len(queries))
    return after


def _scores(
    reranker: Reranker,
    query: EncodedQuery,
    best: NDArray[np.int64],
    pool: Vectors,
    paths: Sequence[Path],
) -> Scores:
    """The scores of images; none where the order of the search stands."""
    vectors = pool[best]
    scored = zip(best.tolist(), (vectors @ query.vector).tolist(), strict=True)
    hits = [Hit(str(each), score, uri_of(paths[each])) for each, score in scored]
    try:
        scores = np.asarray(reranker.scores(Candidates(query, hits, vectors)), float)
    except UndecidedError:
        return np.empty(0)
    # Images without a score come last.
    return np.where(np.isnan(scores), -np.inf, scores)
