"""Runs the models of a preset on a data set."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dar_retriever.encoders.base import ImageEncoder, Vectors
from dar_retriever.encoders.image_only import ImageOnlyEncoder
from dar_retriever.evaluation import metrics
from dar_retriever.evaluation.datasets import Dataset
from dar_retriever.evaluation.drawing import generated_for, requests_of
from dar_retriever.evaluation.methods import Method
from dar_retriever.evaluation.pool import pool_vectors
from dar_retriever.evaluation.ranking import PoolNeighbours, target_ranks
from dar_retriever.evaluation.reranking import (
    Reranking,
    ViewedPool,
    encoded,
    opened,
    reranked,
)
from dar_retriever.evaluation.row_cache import RowCache, Rows, digest
from dar_retriever.evaluation.sampling import sampled_beside
from dar_retriever.evaluation.values import Encodings, Models, Outcome, Progress
from dar_retriever.fusion import BoundedExclusion, Calibration
from dar_retriever.reformulation.base import Reformulation
from dar_retriever.reformulation.rules import own_words
from dar_retriever.support.images import is_blank
from dar_retriever.understanding.exclusions import directions, exclusion_texts

_TEXTS: Final = 512
_STATES: Final = 8
# As INQUIRE counts.
DEPTH: Final = 50


class Bench:
    """Runs methods on a data set; everything that they share is computed once.

    Args:
        dataset: Dialogues, targets and pool.
        models: Encoder and generator.
        cache: Keeps the encoded texts and images.
        seed: Seed of the first generated image of each turn.
        progress: Takes the name of a step and returns a progress callback for it.

    Raises:
        InvalidImageError: A picture of the pool cannot be read.
    """

    def __init__(
        self,
        dataset: Dataset,
        models: Models,
        cache: RowCache,
        seed: int,
        progress: Progress | None,
    ) -> None:
        self.models = models
        self._dataset = dataset
        self._cache = cache
        self._seed = seed
        self._progress = progress
        self._states = [
            (case.id, n, state) for case in dataset.cases for n, state in enumerate(case.rounds)
        ]
        self._texts: dict[bool, tuple[list[Reformulation], float]] = {}
        self.pool = self._pool_of(models.encoder)
        self._calibration = Calibration(PoolNeighbours(self.pool))

    def encodings(self) -> Encodings:
        """The vectors to try fusions on."""
        made, _ = self._reformulated(joined=False)
        shape = (len(self._dataset.cases), self._dataset.rounds)
        texts, drawn = self._texts_of(made).values, self._drawn(made, self.models.encoder).values
        return Encodings(
            texts.reshape(*shape, -1),
            drawn.reshape(*shape, -1, self.models.encoder.dimension),
            np.asarray(self.pool),
            np.array([case.target for case in self._dataset.cases]),
            self._new(made).reshape(shape),
        )

    def outcome(self, method: Method) -> Outcome:
        """Run one method."""
        dataset, encoder = self._dataset, self.models.encoder
        made, reformulating = self._reformulated(joined=method.joined)
        captions = [reformulation.caption for reformulation in made]
        texts = self._texts_of(made)
        turns = len(self._states)
        seconds = {"reformulate": reformulating / turns, "encode": texts.seconds / turns}
        drawn = np.empty((turns, 0, encoder.dimension), np.float32)
        images = np.zeros(turns, np.int64)
        if method.draws:
            rows = self._drawn(made, encoder)
            drawn = rows.values.reshape(turns, -1, encoder.dimension)
            images = self._wanted(method, texts.values)
            used = images.mean() / max(1, self.models.images_per_turn)
            seconds["generate"] = rows.seconds / turns * float(used)
        if method.samples:
            drawn, seconds["generate"] = sampled_beside(
                method.preset, made, texts.values, self._seed
            )
            images = np.full(turns, drawn.shape[1], np.int64)
        queries, undrawn = self._fused(method, made, texts.values, drawn, images)
        began = time.perf_counter()
        # One entry for each right answer of each turn.
        counts = np.repeat([len(case.right) for case in dataset.cases], dataset.rounds)
        targets = np.concatenate([case.right * dataset.rounds for case in dataset.cases])
        turn_of = np.repeat(np.arange(turns), counts)
        told = self._told(f"Ranking: {method.name}")
        ranks = target_ranks(queries[turn_of], np.asarray(self.pool), targets, told)
        if method.reranker or method.view:
            if method.view:
                viewer = ImageOnlyEncoder(method.view)
                reranking = Reranking(ViewedPool(self._pool_of(viewer)))
                drawn = self._drawn(made, viewer).values.reshape(turns, -1, viewer.dimension)
            else:
                reranking = opened(
                    method.reranker, method.preset, encoder, PoolNeighbours(self.pool)
                )
            states = [state for *_, state in self._states]
            asked = encoded(
                made, states, texts.values, drawn, queries, prior=reranking.prior, seed=self._seed
            )
            ranks = reranked(
                reranking.reranker,
                [asked[turn] for turn in turn_of],
                ranks,
                np.asarray(self.pool),
                [dataset.path(place) for place in range(len(dataset.pool))],
                targets.tolist(),
                self._told(f"Ordering: {method.name}"),
            )
        if method.name.startswith("ceiling"):
            ranks = np.concatenate([case.ceiling for case in dataset.cases])
        each = np.split(ranks, np.cumsum(counts)[:-1])
        seconds["rank"] = (time.perf_counter() - began) / turns
        shape = (len(dataset.cases), dataset.rounds)
        generator = self.models.generator
        return Outcome(
            method,
            np.array([some.min() for some in each]).reshape(shape),
            tuple(map(tuple, np.reshape(captions, shape).tolist())),
            queries.reshape(*shape, -1),
            seconds,
            encoder.fingerprint,
            generator.fingerprint if method.draws and generator else "",
            undrawn,
            (images * self._new(made) * method.draws).reshape(shape),
            np.array([metrics.average_precision(some, DEPTH) for some in each]).reshape(shape),
            np.array([metrics.ndcg(some, DEPTH) for some in each]).reshape(shape),
        )

    def _wanted(self, method: Method, texts: Vectors) -> NDArray[np.int64]:
        """The number of images for each turn: (N,)."""
        most = self.models.images_per_turn
        if method.spending is None:
            return np.full(len(texts), most, np.int64)
        spending = method.spending(self._calibration)
        return np.array([spending.budget(text, most).images for text in texts], np.int64)

    def _fused(
        self,
        method: Method,
        made: Sequence[Reformulation],
        texts: Vectors,
        drawn: Vectors,
        images: NDArray[np.int64],
    ) -> tuple[Vectors, int]:
        """Query vectors (N, d), and the number of queries whose images are all missing."""
        fusion, exclusion = method.fusion(self._calibration), BoundedExclusion(self._calibration)
        excluded = self._excluded(made, texts) if method.excludes else None
        queries, undrawn = np.empty_like(texts), 0
        for place, (_, round_, _) in enumerate(self._states):
            some = drawn[place][: images[place]]
            usable = np.isfinite(some).all(-1)
            undrawn += bool(images[place]) and not usable.any()
            query = fusion.fuse(texts[place], some[usable], round_).vector
            queries[place] = exclusion.bent(query, excluded[place]).vector if excluded else query
        return queries, undrawn

    def _excluded(self, made: Sequence[Reformulation], texts: Vectors) -> list[Vectors]:
        """Where the exclusions of each state lead from its caption: (E, d) each."""
        encoder = self.models.encoder
        asked = [exclusion_texts(each.caption, each.exclusions) for each in made]
        once = sorted({text for some in asked for text in some})
        rows = self._cache.rows(
            f"exclusions {encoder.fingerprint} {digest(once)}",
            len(once),
            encoder.dimension,
            lambda start, stop: encoder.encode_texts(once[start:stop]),
            batch=_TEXTS,
            progress=self._told("Encoding the exclusions"),
        ).values
        place = {text: number for number, text in enumerate(once)}
        return [
            directions(rows[[place[text] for text in some]], texts[number])
            for number, some in enumerate(asked)
        ]

    def _new(self, made: Sequence[Reformulation]) -> NDArray[np.bool_]:
        """Whether each state needs images that no earlier state of its dialogue had: (N,)."""
        asked: set[tuple[str, tuple[str, ...], str]] = set()
        new = []
        for reformulation, (id_, _, _) in zip(made, self._states, strict=True):
            negative = reformulation.negative_prompt if self.models.negative_prompts else ""
            key = (id_, reformulation.prompts, negative)
            new.append(key not in asked)
            asked.add(key)
        return np.array(new)

    def _texts_of(self, made: Sequence[Reformulation]) -> Rows:
        encoder = self.models.encoder
        captions = [reformulation.caption for reformulation in made]
        return self._cache.rows(
            f"texts {encoder.fingerprint} {digest(captions)}",
            len(captions),
            encoder.dimension,
            lambda start, stop: encoder.encode_texts(captions[start:stop]),
            batch=_TEXTS,
            progress=self._told("Encoding the texts"),
        )

    def _reformulated(self, *, joined: bool) -> tuple[list[Reformulation], float]:
        """Caption and prompts of every state, and the time that they took."""
        if joined not in self._texts:
            began = time.perf_counter()
            if self._dataset.whole_queries:
                said = [state.turns[-1].text for _, _, state in self._states]
                made = [Reformulation(text, (text,)) for text in said]
            else:
                reformulator = self.models.reformulator(joined=joined)
                first = (reformulator.reformulate(state) for _, _, state in self._states)
                made = [
                    one if one.caption else own_words(state)
                    for one, (_, _, state) in zip(first, self._states, strict=True)
                ]
            self._texts[joined] = made, time.perf_counter() - began
        return self._texts[joined]

    def _drawn(self, made: list[Reformulation], encoder: ImageEncoder) -> Rows:
        """Vectors of the generated images of every state; NaN where an image is missing."""
        models = self.models
        generator = models.generator
        assert generator is not None
        wanted = [
            requests_of(reformulation, models, id_, round_, self._seed)
            for reformulation, (id_, round_, _) in zip(made, self._states, strict=True)
        ]

        def draw(start: int, stop: int) -> Vectors:
            vectors = np.full(
                (stop - start, models.images_per_turn, encoder.dimension), np.nan, np.float32
            )
            drawn = generated_for(generator, wanted[start:stop])
            kept = [
                (row, number, image.image)
                for row, images in enumerate(drawn)
                for number, image in enumerate(images)
                if not is_blank(image.image)
            ]
            encoded = encoder.encode_images([image for _, _, image in kept])
            for (row, number, _), vector in zip(kept, encoded, strict=True):
                vectors[row, number] = vector
            return vectors.reshape(stop - start, -1)

        rows = self._cache.rows(
            f"drawn {encoder.fingerprint} {generator.fingerprint} {digest(wanted)}",
            len(wanted),
            models.images_per_turn * encoder.dimension,
            draw,
            batch=_STATES,
            progress=self._told("Generating"),
        )
        # Try again to draw images that failed in an earlier run.
        undrawn = np.isnan(rows.values).all(1) & np.array([bool(turn) for turn in wanted])
        for row in np.flatnonzero(undrawn).tolist():
            rows.values[row] = draw(row, row + 1)[0]
        return rows

    def _pool_of(self, encoder: ImageEncoder) -> Vectors:
        told = self._told("Encoding the pool")
        return pool_vectors(self._dataset, encoder, self._cache, told)

    def _told(self, step: str) -> Callable[[int, int], None] | None:
        return self._progress(step) if self._progress else None
