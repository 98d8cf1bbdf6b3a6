"""Simulated dialogues over unseen products that nothing was tuned on, and how well they end."""

from __future__ import annotations

import io
import pickle
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from dar_retriever import (
    Candidates,
    DARQueryEncoder,
    EncodedQuery,
    JointEncoder,
    Reranker,
    Vectors,
)
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import Product, sample_products
from dar_retriever.demo.simulated_user import ROUNDS, simulate
from dar_retriever.errors import UndecidedError
from dar_retriever.evaluation import bootstrap, target_ranks
from dar_retriever.evaluation.demo_dataset import fields_of, perfect_ranks
from dar_retriever.evaluation.reranking import reranked
from dar_retriever.ranking.base import Scores

SEED: Final = 78
ALL: Final = tuple(range(ROUNDS + 1))
_SIDE: Final = 128
_BATCH: Final = 64

Ranks = NDArray[np.int64]


class Simulation:
    """Dialogues and the gallery that they are about.

    Args:
        encoder: Encodes the gallery.
        dialogues: How many, each with a target of its own.
        gallery: Number of products.
        among: The targets are among so many first products; all by default.
        seed: Other products and other dialogues.
        folder: Keeps the gallery's vectors, queries and ranks, so that a run goes on where it was
            stopped. By default nothing is kept.

    Attributes:
        products: The gallery's products.
        pool: Their pictures' vectors: float32 (gallery, d).
        targets: The dialogues' targets, as places in the gallery.
        said: The dialogues, and what they tell.
    """

    def __init__(
        self,
        encoder: JointEncoder,
        dialogues: int,
        gallery: int,
        *,
        among: int | None = None,
        seed: int = SEED,
        folder: Path | None = None,
    ) -> None:
        self.products: list[Product] = sample_products(gallery, unseen=True, seed=seed)
        self._folder = folder

        def drawn() -> dict[str, Vectors]:
            numbered = enumerate(track(self.products, "Drawing and encoding the gallery"))
            pictures = (draw(p, _SIDE, Random(seed * 10**6 + n)) for n, p in numbered)
            return {"vectors": encoded(encoder, pictures)}

        self.pool = self._kept(f"gallery/{gallery}", drawn)["vectors"]
        self.targets = Random(seed + 1).sample(range(among or gallery), dialogues)
        self.said = [
            simulate(self.products[target], 500_000 + seed * 1_000 + number)
            for number, target in enumerate(self.targets)
        ]

    def queries(
        self,
        encoder: DARQueryEncoder,
        rounds: Sequence[int] = ALL,
        dialogues: int | None = None,
        *,
        name: str = "queries",
    ) -> list[EncodedQuery]:
        """The queries of the first dialogues at some rounds, dialogue by dialogue.

        The name tells kept queries of one encoder from those of another.
        """
        queries = list[EncodedQuery]()
        for number, each in enumerate(track(self.said[:dialogues], "Encoding the dialogues")):
            file = self._folder and self._folder / name / f"{number}.pkl"
            if file and file.exists():
                some = pickle.loads(file.read_bytes())  # noqa: S301 (written below)
            else:
                some = [_small(encoder.encode(each.dialogue.at_round(n))) for n in rounds]
                if file:
                    _write(file, pickle.dumps(some))
            queries += [
                replace(query, sampled_vectors=query.sampled_vectors.astype(np.float32))
                for query in some
            ]
        return queries

    def ranks(
        self,
        queries: Sequence[EncodedQuery],
        reranker: Reranker | None,
        rounds: Sequence[int] = ALL,
        vectors: Callable[[EncodedQuery], Vectors] = lambda query: query.vector,
    ) -> Ranks:
        """The targets' ranks from 1, ties against the method: (dialogues, rounds)."""
        count = len(queries) // len(rounds)
        targets = np.repeat(self.targets[:count], len(rounds))
        found = target_ranks(np.array([vectors(q) for q in queries]), self.pool, targets)
        if reranker is not None:
            paths = [Path(str(n)) for n in range(len(self.pool))]
            found = reranked(reranker, queries, found, self.pool, paths, targets.tolist())
        return np.asarray(found, np.int64).reshape(count, len(rounds))

    def timed_ranks(
        self,
        name: str,
        queries: Sequence[EncodedQuery],
        reranker: Reranker | None,
        rounds: Sequence[int] = ALL,
    ) -> tuple[Ranks, float]:
        """Ranks as above, and the CPU time in ms a turn; kept under the name."""

        def found() -> dict[str, NDArray[Any]]:
            began = time.process_time()
            ranks = self.ranks(queries, reranker, rounds)
            spent = 1000 * (time.process_time() - began) / len(queries)
            return {"ranks": ranks, "spent": np.array(spent)}

        kept = self._kept(f"ranks/{name}, {len(queries)} of {len(self.pool)}", found)
        return kept["ranks"], float(kept["spent"])

    def ceiling(self) -> Ranks:
        """Ranks from 1 for a perfect reader of what was told rightly: (dialogues, 11)."""
        fields = fields_of(self.products)
        pairs = enumerate(zip(self.targets, self.said, strict=True))
        return np.array([perfect_ranks(fields, t, each.told, n) for n, (t, each) in pairs])

    def _kept(self, name: str, make: Callable[[], dict[str, NDArray[Any]]]) -> dict[str, Any]:
        if self._folder is None:
            return make()
        file = self._folder / f"{name}.npz"
        if not file.exists():
            content = io.BytesIO()
            np.savez(content, **make())
            _write(file, content.getvalue())
        with np.load(file) as kept:
            return dict(kept)


def encoded(encoder: JointEncoder, pictures: Iterable[Image.Image]) -> Vectors:
    """Vectors of pictures, in batches."""
    parts, waiting = [], list[Image.Image]()
    for picture in pictures:
        waiting.append(picture)
        if len(waiting) == _BATCH:
            parts.append(encoder.encode_images(waiting))
            waiting = []
    if waiting:
        parts.append(encoder.encode_images(waiting))
    return np.concatenate(parts)


class Remembered:
    """A re-ranker that scores each query once, whatever samples it is given later.

    Only for one that reads no samples, and for one gallery. Its time is that of the first asking.

    Args:
        reranker: Scores the candidates.
    """

    reads_pictures = False

    def __init__(self, reranker: Reranker) -> None:
        self.name, self.depth = reranker.name, reranker.depth
        self._reranker = reranker
        self._known: dict[tuple[str, tuple[str, ...], bytes], Scores | UndecidedError] = {}

    def scores(self, candidates: Candidates) -> Scores:
        """See ``Reranker``."""
        trace, vector = candidates.query.trace, candidates.query.vector
        key = (trace.caption, trace.exclusions, vector.tobytes())
        if key not in self._known:
            try:
                self._known[key] = self._reranker.scores(candidates)
            except UndecidedError as error:
                self._known[key] = error
        found = self._known[key]
        if isinstance(found, UndecidedError):
            raise found
        return found


def recall(name: str, ranks: Ranks, most: int, rounds: Sequence[int] = ALL) -> None:
    """Print the recall of all rounds, and its means over rounds 2 to 8 and 4 to 8."""
    share = 100 * (ranks <= most).mean(0)
    means = [
        share[[place for place, n in enumerate(rounds) if least <= n <= 8]].mean()
        for least in (2, 4)
    ]
    print(
        f"R@{most} {name}".ljust(44),
        *(f"{x:5.1f}" for x in share),
        *(f"{x:6.1f}" for x in means),
        flush=True,
    )


def gain(ranks: Ranks, before: Ranks, most: int) -> str:
    """The difference in recall in points, with its 95 % interval over the dialogues."""
    each = 100.0 * ((ranks <= most).astype(float) - (before <= most)).mean(1)
    found = bootstrap(each)
    return f"{float(found.value):+.1f} [{float(found.low):+.1f}, {float(found.high):+.1f}]"


def _small(query: EncodedQuery) -> EncodedQuery:
    """A query without what takes room and is not measured."""
    return replace(
        query,
        sampled_vectors=query.sampled_vectors.astype(np.float16),
        trace=replace(query.trace, timings={}, generated=()),
        meaning=None,
    )


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_bytes(content)
    part.replace(file)
