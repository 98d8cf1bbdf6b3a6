"""Vectors that Chroma loses when it replays a log in which a batch stands twice.

python examples/benchmarks/lost_vectors.py --replays 500 --threads 16

A folder is written by Chroma alone and not closed, with one batch written twice. It is copied and
opened again and again, and every vector is looked up: first as Chroma opens it, then after the
search for lost vectors that ``ImageStore`` does after a crash. The first half needs nothing of this
package but the look-up, so it shows Chroma's makers what happens.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.progress import track

_BATCHES: Final = 12
_BATCH: Final = 64
_WIDTH: Final = 64


def main() -> None:
    """Replay as often as asked for and print what was lost."""
    parser = argparse.ArgumentParser(description="Chroma's lost vectors.")
    parser.add_argument("--replays", type=int, default=500)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        _write(options.write)
    # Rayon reads it when it starts its threads.
    os.environ["RAYON_NUM_THREADS"] = str(options.threads)
    with TemporaryDirectory() as scratch:
        template = Path(scratch) / "template"
        command = [sys.executable, __file__, "--write", str(template)]
        subprocess.run(command, check=False)  # noqa: S603
        before = after = 0
        for number in track(range(options.replays), "Replaying"):
            folder = Path(scratch) / str(number)
            shutil.copytree(template, folder)
            lost, left = _replay(folder)
            before, after = before + bool(lost), after + bool(left)
            shutil.rmtree(folder)
    Console().print(
        f"{options.replays} replays on {options.threads} threads: {before} lost a vector, "
        f"{after} after they were looked through",
        highlight=False,
    )


def _write(folder: Path) -> None:
    """Fill a collection, one batch of it twice, and die."""
    import chromadb

    random = np.random.default_rng(0)
    vectors = random.normal(size=(_BATCHES * _BATCH, _WIDTH)).astype(np.float32)
    collection = chromadb.PersistentClient(str(folder)).create_collection(
        "images", configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
    )
    for batch in (*range(_BATCHES), _BATCHES // 2):
        rows = range(batch * _BATCH, (batch + 1) * _BATCH)
        collection.upsert(ids=[f"id{n}" for n in rows], embeddings=vectors[list(rows)])
    os.kill(os.getpid(), signal.SIGKILL)


def _replay(folder: Path) -> tuple[list[str], list[str]]:
    """The ids that are not found after Chroma has opened a folder, and after they were mended."""
    import chromadb

    from dar_retriever.stores.chroma.check import lost_in, mend

    collection: Any = chromadb.PersistentClient(str(folder)).get_collection(
        "images", embedding_function=None
    )
    lost = [id_ for page in lost_in(collection) for id_ in page]
    mend(collection)
    return lost, [id_ for page in lost_in(collection) for id_ in page]


if __name__ == "__main__":
    main()
