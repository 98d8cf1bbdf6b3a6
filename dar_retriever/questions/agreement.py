"""What the samples of what is meant agree on, and what they leave open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.fusion.calibration import FLAT
from dar_retriever.query_encoder import EncodedQuery
from dar_retriever.questions.base import Agreement
from dar_retriever.questions.facet import Facet, entropy
from dar_retriever.questions.trials import Candidates

_FEWEST: Final = 16
# On dialogues of their own, the samples agreed by this much on 86 % of the fields that were told,
# and on 9 % of the others.
_AGREED: Final = 0.6
_LEAST_OPEN: Final = 1.0
# What chance alone may give for a field of two values among 200 images.
_SEEN: Final = 0.15
_RIDGE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Vote:
    """The votes of the samples on one facet.

    Attributes:
        facet: The facet.
        shares: The share of the samples that vote for each of its A choices: (A,).
    """

    facet: Facet
    shares: Vectors

    @property
    def agreed(self) -> bool:
        """Whether most samples vote for the same."""
        return float(self.shares.max()) >= _AGREED

    @property
    def bits(self) -> float:
        """How much the samples differ: the entropy of their votes."""
        return entropy(self.shares)

    @property
    def open(self) -> bool:
        """Whether the samples differ in it by a bit at least."""
        return not self.agreed and self.bits >= _LEAST_OPEN


def samples_of(query: EncodedQuery) -> Vectors:
    """Samples and generated images of what is meant: (M, d), none if they are too few to vote."""
    given = [some for some in (query.sampled_vectors, query.image_vectors) if len(some)]
    if sum(map(len, given)) < _FEWEST:
        return np.empty((0, len(query.vector)), np.float32)
    return np.concatenate(given)


def votes(facets: Sequence[Facet], samples: Vectors, candidates: Candidates) -> list[Vote]:
    """Let the samples vote on facets: each has the value that a linear reader sees in it.

    The reader is a ridge regression on the candidates. Facets that it cannot read off candidates
    that were left out of it are no facets of what the pictures show, and are left out.

    Args:
        facets: Facets of the candidates.
        samples: Samples of what is meant: (M, d).
        candidates: The N candidates, with their vectors.
    """
    if not len(samples) or len(candidates.hits) < 2:
        return []
    reader = _Reader(candidates.vectors, samples)
    read = [(facet, reader.read(facet.holds)) for facet in facets]
    return [Vote(facet, shares) for facet, shares in read if shares is not None]


def agreement(votes: Sequence[Vote], called: Callable[[Facet], str]) -> Agreement:
    """What samples agree on and what they leave open, in words.

    Args:
        votes: Their votes.
        called: What a facet is called.
    """
    times = Counter(choice for vote in votes for choice in vote.facet.choices)
    agreed = []
    for vote in votes:
        if vote.agreed:
            choice = vote.facet.choices[int(vote.shares.argmax())]
            # "blue" may be the colour of the background as well.
            agreed.append(choice if times[choice] == 1 else f"{called(vote.facet)} {choice}")
    widest = sorted((vote for vote in votes if vote.open), key=lambda vote: -vote.bits)
    return Agreement(tuple(agreed), tuple(called(vote.facet) for vote in widest))


class _Reader:
    """Reads values off samples, by a ridge regression on candidates.

    Args:
        vectors: The candidates: (N, d).
        samples: The samples: (M, d).
    """

    def __init__(self, vectors: Vectors, samples: Vectors) -> None:
        away = (vectors - vectors.mean(0)).astype(float)
        alike = away @ away.T
        ridge = _RIDGE * max(float(np.trace(alike)) / len(alike), FLAT)
        inverse = np.linalg.inv(alike + ridge * np.eye(len(alike)))
        self._fit = alike @ inverse
        # The share of itself in what is read off a candidate.
        self._own = np.minimum(np.diag(self._fit) + 1 / len(alike), 1 - FLAT)
        self._apply = (samples - vectors.mean(0)) @ away.T @ inverse

    def read(self, holds: Vectors) -> Vectors | None:
        """The share of the samples that have each value; None if pictures do not show them.

        Args:
            holds: How much each candidate has each of A values: (A, N).

        Returns:
            (A,); the sum is below 1 if some have none of them.
        """
        values = np.vstack([holds, np.maximum(0, 1 - holds.sum(0))]).T.astype(float)
        usual = values.mean(0)
        away = values - usual
        left_out = values - (away - self._fit @ away) / (1 - self._own)[:, None]
        right = values[np.arange(len(values)), left_out.argmax(1)].mean()
        if right - usual.max() < _SEEN * (1 - usual.max()) or usual.max() >= 1:
            return None
        chosen = (usual + self._apply @ away).argmax(1)
        shares = np.bincount(chosen, minlength=len(usual))[:-1] / len(chosen)
        return shares.astype(np.float32)
