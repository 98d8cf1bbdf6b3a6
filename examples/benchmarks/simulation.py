"""What 1 million to a billion images need on each engine, from what was measured on few.

    python examples/benchmarks/engines.py --folder engines
    python examples/benchmarks/simulation.py engines/engines.json [--images-per-second 1500]

Nothing is run: every figure is a product of what ``engines.py`` measured, or of numbers of bytes.
Disk and filling grow with the number of images. What an index holds in memory is counted: a vector
takes 4 bytes a number, 2 in half precision, 1 as int8, 1/8 as binary codes; a graph (HNSW, M = 16)
32 links of 4 bytes and what the engine adds. Searches are not extrapolated: with a million images
Chroma takes 23.6 ms (95th percentile), and an engine that holds its index in memory grows with the
logarithm.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

SIZES: Final = (1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
DIMENSION: Final = 512
LINKS: Final = 32 * 4
# Bytes of a thumbnail of 256 pixels, and of the metadata of a photograph.
THUMBNAIL: Final = 12_000
NODE: Final = 64 * 2**30
BYTES: Final = {"float": 4.0, "half": 2.0, "int8": 1.0, "binary": 1 / 8}


def memory_of(codes: str, images: int) -> float:
    """Bytes of an index in memory."""
    return images * (DIMENSION * BYTES[codes] + LINKS)


def codes_of(engine: str) -> str:
    """How an engine of ``engines.py`` keeps vectors."""
    last = engine.rsplit(maxsplit=1)[-1]
    return last if last in BYTES else "float"


def readable(size: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} PB"


def hours(seconds: float) -> str:
    """A duration for people."""
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"


def main() -> None:
    """Print a table for each number of images."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("measured", type=Path, help="engines.json of engines.py")
    parser.add_argument("--images-per-second", type=float, default=1500, help="of one GPU")
    options = parser.parse_args()
    measured = json.loads(options.measured.read_text())
    console = Console(width=120)
    for size in SIZES:
        encoding = hours(size / options.images_per_second)
        title = (
            f"{size:,} images: encoding {encoding} on one GPU, thumbnails "
            f"{readable(size * THUMBNAIL)}"
        )
        columns = ("engine", "disk", "index in memory", "machines of 64 GiB", "filling, one writer")
        table = Table(*columns, title=title)
        for engine, each in measured.items():
            memory = memory_of(codes_of(engine), size)
            table.add_row(
                engine,
                readable(size * each["disk_bytes"]),
                readable(memory),
                str(-(-int(memory) // int(NODE * 0.7))),
                hours(size * each["fill_ms"] / 1000),
            )
        console.print(table)


if __name__ == "__main__":
    main()
