"""Re-ranked methods and the ceiling of ``dar eval``."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import DrawingGenerator

from dar_retriever import Candidates, Dialogue, OpenClipEncoder, Reformulation, open_encoder
from dar_retriever.demo.gallery import gallery_products
from dar_retriever.demo.simulated_user import simulate
from dar_retriever.errors import InvalidInputError, UndecidedError
from dar_retriever.evaluation import PoolNeighbours, evaluate, figures_of, load_dataset
from dar_retriever.evaluation.demo_dataset import demo_dataset
from dar_retriever.evaluation.methods import method
from dar_retriever.evaluation.metrics import average_precision
from dar_retriever.evaluation.reranking import OWN, RERANKERS, encoded, opened, reranked
from dar_retriever.evaluation.values import Models

POOL = np.eye(6, dtype=np.float32)


class ByNumber:
    """Prefers images with high numbers, and keeps what it was asked."""

    name, reads_pictures = "by number", False

    def __init__(self, depth: int = 4, scores: Any = None) -> None:
        self.depth, self.seen, self._scores = depth, list[Candidates](), scores

    def scores(self, candidates: Candidates) -> Any:
        self.seen.append(candidates)
        if isinstance(self._scores, Exception):
            raise self._scores
        return self._scores or [float(hit.id) for hit in candidates.hits]


def after(reranker: ByNumber, ranks: list[int], targets: list[int]) -> list[int]:
    query = np.array([6, 5, 4, 3, 2, 1], np.float32)
    count = len(targets)
    queries = encoded(
        [Reformulation("a mug", exclusions=("red",))] * count,
        [Dialogue.from_text("a mug")] * count,
        np.tile(query, (count, 1)),
        np.full((count, 2, 6), np.nan, np.float32),
        np.tile(query, (count, 1)),
    )
    paths = [Path(f"/pool/{n}.png") for n in range(6)]
    return reranked(reranker, queries, np.array(ranks), POOL, paths, targets).tolist()


def test_the_best_images_are_ordered_anew() -> None:
    reranker = ByNumber()
    assert after(reranker, [1, 4, 5], [0, 3, 4]) == [4, 1, 5]
    seen = reranker.seen[0]
    assert [hit.id for hit in seen.hits] == ["0", "1", "2", "3"]
    assert (seen.hits[1].uri, seen.hits[1].score) == ("/pool/1.png", 5)
    assert (seen.query.trace.caption, seen.query.trace.exclusions) == ("a mug", ("red",))
    assert len(seen.query.image_vectors) == 0


def test_nothing_is_asked_where_the_target_is_not_among_them() -> None:
    reranker = ByNumber()
    assert after(reranker, [5, 6], [4, 5]) == [5, 6]
    assert not reranker.seen


@pytest.mark.parametrize(
    ("scores", "rank"),
    [([1, 1, 1, 1], 4), ([1, np.nan, 2, 3], 4), (UndecidedError("no words"), 2)],
)
def test_ties_count_against_the_method_and_what_is_undecided_stays(scores: Any, rank: int) -> None:
    assert after(ByNumber(scores=scores), [2], [1]) == [rank]


@pytest.mark.parametrize("name", RERANKERS)
def test_a_reranked_method_is_adaptive_and_something_after_it(name: str) -> None:
    plain, made = method("adaptive", "demo"), method(f"reranked:{name}", "demo")
    assert made == dataclasses.replace(plain, name=f"reranked:{name}", reranker=name)
    assert method(f"reranked:{name}@paper", "demo").preset == "paper"


@pytest.mark.parametrize("spec", ["reranked:", "reranked:own", "reranked:nothing"])
def test_an_unknown_reranker_is_refused_with_the_known_ones(spec: str) -> None:
    with pytest.raises(InvalidInputError, match="reranked: with one of propositions"):
        method(spec, "demo")


def test_the_prior_takes_the_place_of_drawings() -> None:
    made = method("prior", "demo")
    assert (made.draws, made.samples, made.excludes) == (False, True, True)
    with pytest.raises(InvalidInputError, match="'fast' has no prior; write 'prior@demo'"):
        method("prior@fast", "demo")


def test_the_presets_own_reranker() -> None:
    made = method("reranked", "demo")
    assert (made.draws, made.reranker) == (True, OWN)
    encoder, pool = open_encoder("demo"), PoolNeighbours(np.eye(60, 192, dtype=np.float32))
    reranking = opened(OWN, "demo", encoder, pool)
    assert reranking.reranker.name == "matching head and density ratio"
    text = encoder.encode_texts(["a mug"])
    (query,) = encoded(
        [Reformulation("a mug")],
        [Dialogue.from_text("a mug")],
        text,
        np.empty((1, 0, encoder.dimension), np.float32),
        text,
        prior=reranking.prior,
    )
    assert query.sampled_vectors.shape == (64, encoder.dimension)
    with pytest.raises(InvalidInputError, match="'fast' orders nothing anew"):
        opened(OWN, "fast", encoder, pool)


def test_the_ceiling_is_the_place_among_all_that_match(tmp_path: Path) -> None:
    data = demo_dataset(tmp_path, 20, 120)
    products = gallery_products(120)
    for number, case in enumerate(data.cases):
        told = simulate(products[case.target], number).told
        for fields, rank in zip(told, case.ceiling, strict=True):
            same = [
                all(getattr(p, f) == getattr(products[case.target], f) for f in ("kind", *fields))
                for p in products
            ]
            assert 1 <= rank <= sum(same)
    first = [case.ceiling[0] for case in data.cases]
    assert len(set(first)) > 2, "places are shared at random"


def test_ceiling_and_reranked_in_one_run(tmp_path: Path, tiny_encoder: OpenClipEncoder) -> None:
    data = demo_dataset(tmp_path, 3, 40)

    def models_of(preset_name: str, *, draws: bool) -> Models:
        return Models(tiny_encoder, DrawingGenerator(), 1)

    methods = [method(name, "demo") for name in ("adaptive", "reranked:propositions", "ceiling")]
    adaptive, propositions, ceiling = evaluate(data, methods, models_of, tmp_path / "e").outcomes
    np.testing.assert_array_equal(ceiling.ranks, [case.ceiling for case in data.cases])
    assert propositions.ranks.shape == adaptive.ranks.shape
    assert (propositions.ranks != adaptive.ranks).any()


def test_other_data_sets_have_no_ceiling(tmp_path: Path, tiny_encoder: OpenClipEncoder) -> None:
    data = demo_dataset(tmp_path, 2, 30)
    cases = tuple(dataclasses.replace(case, ceiling=()) for case in data.cases)
    unknown = dataclasses.replace(data, cases=cases)
    with pytest.raises(InvalidInputError, match="leave the method 'ceiling' out"):
        evaluate(
            unknown,
            [method("ceiling", "demo")],
            lambda _, *, draws: Models(tiny_encoder, None, 0),
            tmp_path / "e",
        )


def test_several_right_answers(tmp_path: Path, tiny_encoder: OpenClipEncoder) -> None:
    pictures = demo_dataset(tmp_path, 2, 30)
    said = [{"img": list(pictures.pool[n : n + 3]), "dialog": ["a red mug"]} for n in (0, 9)]
    (tmp_path / "said.json").write_text(json.dumps(said))
    data = load_dataset(tmp_path / "said.json", tmp_path / "pictures", whole_queries=True)
    assert data.several
    assert [case.right for case in data.cases] == [(0, 1, 2), (9, 10, 11)]
    methods = [method(name, "demo") for name in ("text", "reranked:propositions")]
    evaluation = evaluate(
        data,
        methods,
        lambda _, *, draws: Models(tiny_encoder, DrawingGenerator(), 1),
        tmp_path / "e",
    )
    text, _ = evaluation.outcomes
    scores = evaluation.pools["demo"] @ text.queries[0, 0]
    ranks = [int((scores >= scores[n]).sum()) for n in range(3)]
    assert text.ranks[0, 0] == min(ranks)
    assert text.precision[0, 0] == pytest.approx(average_precision(np.array(ranks), 50))
    figures = figures_of(evaluation)
    assert {"map@50", "ndcg@50"} <= figures["methods"][1].keys()
    assert "map@50_difference" in figures["pairs"][0]
