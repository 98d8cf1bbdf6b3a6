"""Whether samples of what is meant pay in a store, seen from its own captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError, UndecidedError
from dar_retriever.evaluation.statistics import bootstrap
from dar_retriever.evaluation.trust import described
from dar_retriever.query_encoder import DARQueryEncoder, EncodedQuery
from dar_retriever.ranking import Candidates, Reranker
from dar_retriever.ranking.propositions import propositions
from dar_retriever.stores.base import SearchableStore

_TOP: Final = 10
_FEWEST: Final = 20


@dataclass(frozen=True, slots=True)
class Payoff:
    """How often halves of stored captions find their own images among the first ten.

    Attributes:
        captions: How many captions were tried.
        without: The share that found them without samples.
        with_samples: The share that found them with samples.
        low: Lower end of the 95 % interval of the difference.
        high: Upper end.
    """

    captions: int
    without: float
    with_samples: float
    low: float
    high: float

    @property
    def pays(self) -> bool:
        """Whether samples find more, beyond chance."""
        return self.low > 0

    @property
    def costs(self) -> bool:
        """Whether samples find less, beyond chance."""
        return self.high < 0


def payoff(
    query_encoder: DARQueryEncoder,
    reranker: Reranker,
    store: SearchableStore,
    *,
    captions: int = 100,
    seed: int = 0,
) -> Payoff:
    """Search with halves of stored captions, with the prior's samples and without.

    A whole caption leaves nothing open, so a random half of what it says beside its subject is
    left out.

    Args:
        query_encoder: With a prior. Its generator is not asked.
        reranker: Orders the hits, by the samples too where there are any.
        store: Images with captions.
        captions: How many captions are tried.
        seed: Chooses the captions, and what is left out of them.

    Raises:
        InvalidInputError: There is no prior, or fewer than 20 stored images have captions of their
            own.
    """
    if query_encoder.prior is None:
        raise InvalidInputError("prior=None: whether samples pay needs a prior")
    sample = store.sample()
    owners = described(store, sample, captions, seed)
    if len(owners) < _FEWEST:
        raise InvalidInputError(
            f"{len(owners)} captions were found; whether samples pay needs {_FEWEST}: index the "
            "images with captions in metadata.jsonl"
        )
    words = DARQueryEncoder(
        query_encoder.encoder, prior=query_encoder.prior, samples=query_encoder.samples
    )
    chance, found = Random(seed), list[tuple[bool, bool]]()
    for caption, place in owners.items():
        query = words.encode(_half(caption, chance))
        nothing = np.empty((0, sample.shape[1]), np.float32)
        bare = replace(query, sampled_vectors=nothing)
        own = sample[place]
        found.append((_first(bare, reranker, store, own), _first(query, reranker, store, own)))
    each = np.array(found, float)
    interval = bootstrap(each[:, 1] - each[:, 0])
    without, with_samples = each.mean(0)
    low, high = float(interval.low), float(interval.high)
    return Payoff(len(found), float(without), float(with_samples), low, high)


def _half(caption: str, chance: Random) -> str:
    """The subject of a caption and a random half of what else it says."""
    parts = propositions(caption)
    if len(parts) < 2:
        return caption
    kept = set(chance.sample(range(1, len(parts)), len(parts) // 2))
    return ", ".join(part.phrase for n, part in enumerate(parts) if n == 0 or n in kept)


def _first(query: EncodedQuery, reranker: Reranker, store: SearchableStore, own: Vectors) -> bool:
    """Whether an image is among the first ten, as the re-ranker orders them."""
    hits = store.search(query.vector, reranker.depth)
    vectors = store.vectors_of([hit.vector_id for hit in hits])
    try:
        order: Sequence[int] = np.argsort(
            -np.nan_to_num(reranker.scores(Candidates(query, hits, vectors)), nan=-np.inf),
            kind="stable",
        ).tolist()
    except UndecidedError:
        order = range(len(hits))
    best = vectors[list(order[:_TOP])]
    # The image itself is the one that is as like it as it can be.
    return bool(len(best)) and float((best @ own).max()) > 1 - 1e-4
