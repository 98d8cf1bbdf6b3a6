"""Is Chroma's index, with this project's settings, as good as exact search, and how fast is it?

Fills a store for each size. Then it sends the same queries in turn to the store and to an exact
search in NumPy over the same vectors. It prints how much of the exact top 10 the store finds, how
long both take, and how much time, memory and disk the store needs. The vectors are synthetic
(vectors.py). Queries are images that are not stored, and texts about images that are.

    python examples/benchmarks/index_scale.py --folder FOLDER --sizes 50000 1000000

An existing store is used as it is, and an incomplete one is completed.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table
from vectors import BLOCK, SyntheticVectors

from dar_retriever import ImageStore, StoredImage, Vectors
from dar_retriever.stores.image_store import DEFAULT_COLLECTION
from dar_retriever.support.progress import progress_bar

T = TypeVar("T")

GOAL: Final = 0.98
K: Final = 10
DIMENSION: Final = 512
PAGE: Final = 2000
# No store reaches these blocks.
UNSEEN_BLOCK: Final = 1_000_000
WARM_UP: Final = 10
MANY, FEW, LARGE = 1000, 300, 500_000


class NoModel:
    """Stands where a store wants an encoder; its vectors are drawn elsewhere."""

    name = "synthetic vectors"
    fingerprint = "synthetic-1"
    dimension = DIMENSION
    max_tokens = 77

    def count_tokens(self, text: str) -> int:
        """Not asked for."""
        raise NotImplementedError

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Not asked for."""
        raise NotImplementedError

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        """Not asked for."""
        raise NotImplementedError


@dataclass(frozen=True)
class Filling:
    """What filling a store took: vectors, seconds, GiB of memory at most."""

    vectors: int = 0
    seconds: float = 0.0
    memory: float = 0.0


class Times(NamedTuple):
    """Milliseconds of searches."""

    p50: float
    p95: float

    def __str__(self) -> str:
        return f"{self.p50:.1f} / {self.p95:.1f}"


@dataclass(frozen=True)
class Opening:
    """What an opened store is: seconds to the first hits, GiB of memory and disk, settings."""

    seconds: float
    memory: float
    disk: float
    settings: dict[str, Any]


@dataclass(frozen=True)
class Answers:
    """How questions of one kind were answered: recall@10, and milliseconds of the searches."""

    questions: str
    count: int
    recall: float
    store: Times
    collection: Times
    exact: Times


@dataclass(frozen=True)
class Result:
    """All that is known of one size."""

    size: int
    filling: Filling
    opening: Opening
    answers: list[Answers]


def main() -> None:
    """Fill, ask, print and write ``results.json``."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[50_000, 1_000_000])
    options = parser.parse_args()
    if any(size < BLOCK or size % BLOCK for size in options.sizes):
        parser.error(f"--sizes: multiples of {BLOCK:,}, which is how many are drawn at a time")
    results = []
    for size in options.sizes:
        folder = options.folder / str(size)
        filling = alone(fill, folder, size)
        results.append(Result(size, filling, *alone(ask, folder, size)))
        written = json.dumps([asdict(result) for result in results], indent=1)
        (options.folder / "results.json").write_text(written)
    console = Console(width=110)
    console.print(answers_table(results), costs_table(results), sep="\n")
    for result in results:
        console.print(
            f"{result.size:,}: {result.opening.settings}", highlight=False, soft_wrap=True
        )


def alone(work: Callable[[Path, int], T], folder: Path, size: int) -> T:
    """Do it in a process of its own, whose memory is this work's alone."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, folder, size).result()


def fill(folder: Path, size: int) -> Filling:
    """Fill the store in a folder up to a size; what it took, earlier runs included."""
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / "filling.json"
    filled = Filling(**json.loads(record.read_text())) if record.exists() else Filling()
    store = ImageStore.on_disk(folder / "store", NoModel())
    drawn, block, images = SyntheticVectors(DIMENSION), -1, np.empty(0, np.float32)
    with progress_bar(f"filling {size:,}") as move:
        for start in range(len(store) // PAGE * PAGE, size, PAGE):
            if block != start // BLOCK:
                block = start // BLOCK
                images = drawn.images(block)
            page = [
                StoredImage(f"{n:08d}", images[n % BLOCK], f"pictures/{n:08d}.jpg")
                for n in range(start, start + PAGE)
            ]
            began = time.perf_counter()
            store.add(page)
            seconds = filled.seconds + time.perf_counter() - began
            memory = max(filled.memory, peak_memory())
            filled = Filling(filled.vectors + PAGE, seconds, memory)
            record.write_text(json.dumps(asdict(filled)))
            move(start + PAGE, size)
    return filled


def ask(folder: Path, size: int) -> tuple[Opening, list[Answers]]:
    """Open the store of a folder and ask it both kinds of questions."""
    import chromadb

    before, began = peak_memory(), time.perf_counter()
    store = ImageStore.on_disk(folder / "store", NoModel())
    store.search(np.full(DIMENSION, DIMENSION**-0.5, np.float32), K)
    seconds, memory = time.perf_counter() - began, peak_memory() - before
    # Chroma's clients of one folder share what is opened.
    client = chromadb.PersistentClient(str(folder / "store"))
    collection = client.get_collection(DEFAULT_COLLECTION, embedding_function=None)
    files = [path for path in (folder / "store").rglob("*") if path.is_file()]
    disk = sum(path.stat().st_size for path in files) / 2**30
    opening = Opening(seconds, memory, disk, dict(collection.configuration["hnsw"]))

    drawn = SyntheticVectors(DIMENSION)
    matrix = np.empty((size, DIMENSION), np.float32)
    for block in range(size // BLOCK):
        matrix[block * BLOCK : (block + 1) * BLOCK] = drawn.images(block)
    count = MANY if size < LARGE else FEW
    questions = {
        "images": drawn.images(UNSEEN_BLOCK)[:count],
        "texts": drawn.texts(matrix[:: size // count][:count]),
    }
    return opening, [answers(*kind, store, collection, matrix) for kind in questions.items()]


def answers(
    kind: str, questions: Vectors, store: ImageStore, collection: Any, matrix: Vectors
) -> Answers:
    """Ask the store, its bare collection and the matrix by turns."""

    def in_store(question: Vectors) -> set[int]:
        return {int(hit.id) for hit in store.search(question, K)}

    def in_collection(question: Vectors) -> set[int]:
        found = collection.query(query_embeddings=question[None], n_results=K, include=[])
        return {int(id_) for id_ in found["ids"][0]}

    def in_matrix(question: Vectors) -> set[int]:
        return set(np.argpartition(matrix @ question, -K)[-K:].tolist())

    for question in questions[:WARM_UP]:
        in_store(question)
    found, seconds = 0, []
    with progress_bar(f"asking for {kind}") as move:
        for number, question in enumerate(questions):
            hits, of_store = timed(in_store, question)
            true, of_matrix = timed(in_matrix, question)
            # Another question, or it would find the store's way still in the processor's cache.
            _, of_collection = timed(in_collection, questions[number - len(questions) // 2])
            found += len(hits & true)
            seconds.append((of_store, of_collection, of_matrix))
            move(number + 1, len(questions))
    p50s, p95s = 1000 * np.percentile(seconds, (50, 95), axis=0)
    times = [Times(float(p50), float(p95)) for p50, p95 in zip(p50s, p95s, strict=True)]
    return Answers(kind, len(questions), found / K / len(questions), *times)


def timed(search: Callable[[Vectors], set[int]], question: Vectors) -> tuple[set[int], float]:
    """What a search finds, and its seconds."""
    began = time.perf_counter()
    found = search(question)
    return found, time.perf_counter() - began


def peak_memory() -> float:
    """GiB of memory that this process had at most; Linux counts in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def answers_table(results: Sequence[Result]) -> Table:
    """Recall and latencies; p50 and p95 are milliseconds."""
    table = Table(box=None, header_style="dim", title=f"recall@{K} (goal {GOAL}), p50 / p95 in ms")
    names = "vectors,ef,questions,recall,of goal,store,bare,NumPy,p95 of NumPy's"
    for name in names.split(","):
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        for given in result.answers:
            table.add_row(
                f"{result.size:,}",
                str(result.opening.settings["ef_search"]),
                f"{given.count:,} {given.questions}",
                f"{given.recall:.4f}",
                f"{given.recall / GOAL:.3f}",
                str(given.store),
                str(given.collection),
                str(given.exact),
                f"{given.store.p95 / given.exact.p95:.2f}",
            )
    return table


def costs_table(results: Sequence[Result]) -> Table:
    """What the stores cost: time in, memory while filling, opened and for NumPy, time to open."""
    table = Table(
        box=None, header_style="dim", title="filling; GiB of memory; opening; GiB on disk"
    )
    names = "vectors,vectors/s in,minutes,filling,opened,seconds,NumPy,disk"
    for name in names.split(","):
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        filling, opening = result.filling, result.opening
        table.add_row(
            f"{result.size:,}",
            f"{filling.vectors / filling.seconds:,.0f}",
            f"{filling.seconds / 60:.1f}",
            f"{filling.memory:.2f}",
            f"{opening.memory:.2f}",
            f"{opening.seconds:.2f}",
            f"{result.size * DIMENSION * 4 / 2**30:.2f}",
            f"{opening.disk:.2f}",
        )
    return table


if __name__ == "__main__":
    main()
