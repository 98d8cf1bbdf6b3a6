"""A second ``dar index`` of a folder in which nothing has changed, and one after a rename.

python examples/benchmarks/in_step.py --images 20000

Small JPEG files in nested folders are synced three times with the ``demo`` preset's encoder into
one store on disk: for the first time, with nothing changed, and after the top folder was renamed.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from goals import Goal, report
from PIL import Image
from rich.console import Console
from rich.progress import track

from dar_retriever import ImageStore, IngestReport, open_encoder, sync

_IN_FOLDER: Final = 50
_SIDE: Final = 48


def main() -> None:
    """Sync three times and print how long each took."""
    parser = argparse.ArgumentParser(description="A store that is kept in step with its folder.")
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--out", type=Path, default=Path("in-step"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    encoder = open_encoder("demo", device="cpu")
    with TemporaryDirectory(dir=options.out) as scratch:
        folder = Path(scratch) / "photos"
        _draw(folder, options.images)
        store = ImageStore.on_disk(Path(scratch) / "store", encoder)
        first = sync(folder, store, encoder)
        counting = _Counting(encoder)
        second = sync(folder, store, counting)
        renamed = folder.rename(Path(scratch) / "pictures")
        third = sync(renamed, store, counting)
    _show(first, second, third)
    goals = [
        Goal(
            "nothing changed, beside the first time",
            second.seconds / first.seconds,
            1 / 20,
            "times",
            at_most=True,
        ),
        Goal("images encoded again", counting.encoded, 0, "", at_most=True),
        Goal("moved", third.moved / options.images, 1),
    ]
    report("In step", goals, options.out / "goals.json")


class _Counting:
    """An encoder that counts what it encodes."""

    def __init__(self, encoder: Any) -> None:
        self._encoder, self.encoded = encoder, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_preprocessed(self, images: Sequence[Any]) -> Any:
        self.encoded += len(images)
        return self._encoder.encode_preprocessed(images)


def _draw(folder: Path, count: int) -> None:
    random = np.random.default_rng(0)
    settled = time.time_ns() - 10**11
    for number in track(range(count), "Drawing"):
        path = folder / str(number // _IN_FOLDER // 20) / str(number // _IN_FOLDER)
        path.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        file = path / f"{number}.jpg"
        Image.fromarray(pixels).resize((_SIDE, _SIDE)).save(file)
        os.utime(file, ns=(settled, settled))


def _show(*reports: IngestReport) -> None:
    console = Console()
    for name, done in zip(("first", "nothing changed", "renamed"), reports, strict=True):
        counts = f"{done.added} added, {done.moved} moved, {done.known} known"
        console.print(f"{name}: {done.seconds:.2f} s, {counts}", highlight=False)


if __name__ == "__main__":
    main()
