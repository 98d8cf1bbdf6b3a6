"""The second stage: order, depth, time limit, failures, and when it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from fakes import DrawingGenerator
from numpy.typing import NDArray

from dar_retriever import (
    DARQueryEncoder,
    DiffusionAugmentedRetriever,
    ImageStore,
    OpenClipEncoder,
    StoredImage,
)
from dar_retriever.errors import InvalidInputError
from dar_retriever.ranking import Candidates, SecondStage

IMAGES = 12


@dataclass
class Backwards:
    """The last of the candidates is the best."""

    depth: int = 5
    reads_pictures: bool = False
    name: str = "backwards"
    seen: list[Candidates] = field(default_factory=list)

    def scores(self, candidates: Candidates) -> NDArray[np.floating[Any]]:
        self.seen.append(candidates)
        return np.arange(len(candidates.hits), dtype=float)


class Broken(Backwards):
    def __init__(self, answer: Callable[[int], object]) -> None:
        super().__init__()
        self.answer = answer

    def scores(self, candidates: Candidates) -> Any:
        return self.answer(len(candidates.hits))


@pytest.fixture(scope="module")
def store(tiny_encoder: OpenClipEncoder) -> ImageStore:
    vectors = np.random.default_rng(0).normal(size=(IMAGES, tiny_encoder.dimension))
    store = ImageStore.in_memory(tiny_encoder)
    store.add(
        [
            StoredImage(f"{n}", (v / np.linalg.norm(v)).astype(np.float32), f"{n}.png")
            for n, v in enumerate(vectors)
        ]
    )
    return store


def retriever_with(
    reranker: Backwards | None, store: ImageStore, encoder: OpenClipEncoder, **limits: float
) -> DiffusionAugmentedRetriever:
    query_encoder = DARQueryEncoder(encoder, DrawingGenerator(), images_per_turn=2)
    stage = SecondStage(reranker, **limits) if reranker else None
    return DiffusionAugmentedRetriever(query_encoder, store, second_stage=stage)


def test_the_first_hits_are_ordered_anew(store: ImageStore, tiny_encoder: OpenClipEncoder) -> None:
    plain = retriever_with(None, store, tiny_encoder).search("a mug", k=8)
    reranker = Backwards()
    result = retriever_with(reranker, store, tiny_encoder).search("a mug", k=8)
    ids = [hit.id for hit in plain.hits]
    assert [hit.id for hit in result.hits] == [*ids[4::-1], *ids[5:]]
    assert [hit.relevance for hit in result.hits] == [4, 3, 2, 1, 0, None, None, None]
    assert {hit.id: hit.score for hit in result.hits} == {hit.id: hit.score for hit in plain.hits}
    assert result.trace.timings["rank"] > 0
    assert result.hits[0].as_metadata()["relevance"] == 4
    seen = reranker.seen[-1]
    assert seen.query.trace.caption == "a mug"
    np.testing.assert_array_equal(seen.vectors, store.vectors_of(ids[:5]))


def test_candidates_beyond_k_can_come_first(
    store: ImageStore, tiny_encoder: OpenClipEncoder
) -> None:
    ids = [hit.id for hit in retriever_with(None, store, tiny_encoder).search("a mug").hits]
    few = retriever_with(Backwards(), store, tiny_encoder).search("a mug", k=2)
    assert [hit.id for hit in few.hits] == [ids[4], ids[3]]


@pytest.mark.parametrize(("reads_pictures", "calls"), [(False, 2), (True, 1)])
def test_a_reranker_that_reads_pictures_waits_for_the_final_hits(
    store: ImageStore, tiny_encoder: OpenClipEncoder, *, reads_pictures: bool, calls: int
) -> None:
    reranker = Backwards(reads_pictures=reads_pictures)
    first, last = retriever_with(reranker, store, tiny_encoder).stream("a mug", k=3)
    assert (first.final, last.final) == (False, True)
    assert len(first.hits) == len(last.hits) == 3
    assert len(reranker.seen) == calls
    assert last.hits[0].relevance is not None


def _late(count: int) -> object:
    time.sleep(5)
    return np.zeros(count)


def _failing(count: int) -> object:
    raise RuntimeError(f"{count} is a bad number")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (_failing, "RuntimeError: 5 is a bad number"),
        (lambda n: np.full(n, np.nan), "5 finite scores were expected"),
        (lambda n: np.zeros(n - 1), "5 finite scores were expected"),
        (lambda _: "best first", "could not convert string to float"),
        (_late, "TimeoutError: no answer within 0.2 s"),
    ],
)
def test_a_reranker_that_fails_leaves_the_order_of_the_search(
    store: ImageStore, tiny_encoder: OpenClipEncoder, answer: Callable[[int], object], why: str
) -> None:
    plain = retriever_with(None, store, tiny_encoder).search("a mug", k=8)
    result = retriever_with(Broken(answer), store, tiny_encoder, limit=0.2).search("a mug", k=8)
    assert [hit.id for hit in result.hits] == [hit.id for hit in plain.hits]
    assert all(hit.relevance is None for hit in result.hits)
    (fallback,) = [each for each in result.trace.fallbacks if "re-ranked" in each]
    assert fallback.startswith("the hits were not re-ranked by backwards: ")
    assert why in fallback


def test_hits_without_a_score_come_last(store: ImageStore, tiny_encoder: OpenClipEncoder) -> None:
    plain = retriever_with(None, store, tiny_encoder).search("a mug", k=8)
    reranker = Broken(lambda _: np.array([np.nan, 1, np.nan, 3, 2]))
    result = retriever_with(reranker, store, tiny_encoder).search("a mug", k=8)
    ids = [hit.id for hit in plain.hits]
    assert [hit.id for hit in result.hits] == [*(ids[n] for n in (3, 4, 1, 0, 2)), *ids[5:]]
    assert [hit.relevance for hit in result.hits[:5]] == [3, 2, 1, None, None]
    expected = "2 of 5 hits could not be read by backwards: they come last"
    assert expected in result.trace.fallbacks


def test_an_image_deleted_meanwhile_leaves_the_order_of_the_search(
    tiny_encoder: OpenClipEncoder, store: ImageStore
) -> None:
    hits = retriever_with(None, store, tiny_encoder).search("a mug", k=3).hits
    query = tiny_encoder.encode_texts(["a mug"])[0]
    found = DARQueryEncoder(tiny_encoder).encode("a mug")
    gone = ImageStore.in_memory(tiny_encoder)
    gone.add([StoredImage(hits[0].id, query, "0.png")])
    ordered = SecondStage(Backwards()).ordered(found, hits, gone)
    assert ordered.hits == hits
    assert "deleted meanwhile" in ordered.fallback


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf")])
def test_a_limit_that_is_none_is_refused(limit: float) -> None:
    with pytest.raises(InvalidInputError, match="a number of seconds above 0"):
        SecondStage(Backwards(), limit)
