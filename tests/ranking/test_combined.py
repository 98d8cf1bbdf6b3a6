"""Several re-rankers as one: weights, undecided parts, and what the whole needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from dar_retriever import Candidates, DARQueryEncoder, Hit, OpenClipEncoder
from dar_retriever.errors import InvalidInputError, UndecidedError
from dar_retriever.ranking import CombinedReranker
from dar_retriever.ranking.base import Scores


@dataclass
class Fixed:
    values: tuple[float, ...]
    name: str = "fixed"
    depth: int = 10
    reads_pictures: bool = False

    def scores(self, candidates: Candidates) -> Scores:
        if not self.values:
            raise UndecidedError(f"{self.name} knows nothing")
        return np.array(self.values[: len(candidates.hits)])


@pytest.fixture
def candidates(tiny_encoder: OpenClipEncoder) -> Candidates:
    query = DARQueryEncoder(tiny_encoder).encode("a mug")
    vectors = np.eye(3, tiny_encoder.dimension, dtype=np.float32)
    return Candidates(query, [Hit(str(number), 0.0, "") for number in range(3)], vectors)


def test_scores_are_added_by_weight(candidates: Candidates) -> None:
    one, other = Fixed((1, 2, 3)), Fixed((30, 20, 10), "other", 50, reads_pictures=True)
    both = CombinedReranker([(one, 1), (other, 0.1)])
    np.testing.assert_allclose(both.scores(candidates), [4, 4, 4])
    assert (both.name, both.depth, both.reads_pictures) == ("fixed and other", 50, True)


def test_an_undecided_part_does_not_count(candidates: Candidates) -> None:
    both = CombinedReranker([(Fixed(()), 1), (Fixed((1, 2, 3)), 2)])
    np.testing.assert_allclose(both.scores(candidates), [2, 4, 6])


def test_if_all_are_undecided_the_whole_is(candidates: Candidates) -> None:
    both = CombinedReranker([(Fixed((), "one"), 1), (Fixed((), "two"), 1)])
    with pytest.raises(UndecidedError, match="one knows nothing; two knows nothing"):
        both.scores(candidates)


def test_there_must_be_parts() -> None:
    with pytest.raises(InvalidInputError, match="at least one re-ranker"):
        CombinedReranker([])
