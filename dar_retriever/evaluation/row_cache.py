"""Arrays on disk that are filled row by row; a stopped run continues where it stopped."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dar_retriever.encoders.base import Vectors

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a key.

    Attributes:
        values: float32 (count, width), read from disk when needed.
        seconds: Time that it took to make them, over all runs.
    """

    values: Vectors
    seconds: float


class RowCache:
    """A folder of arrays by key.

    Args:
        folder: The folder; created if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def rows(
        self,
        key: str,
        count: int,
        width: int,
        make: Callable[[int, int], Vectors],
        *,
        batch: int,
        progress: Progress | None = None,
    ) -> Rows:
        """The rows of a key; missing rows are made in batches.

        Args:
            key: A text that includes everything that the rows depend on.
            count: Number of rows.
            width: Length of a row.
            make: Makes the rows from start to stop: float32 (stop - start, width).
            batch: Number of rows per batch; a stopped run continues after its last whole batch.
            progress: Called with the number of rows done and of all rows.
        """
        name = hashlib.sha256(f"{key} {count} {width}".encode()).hexdigest()[:24]
        array, state = self._folder / f"{name}.npy", self._folder / f"{name}.json"
        done, seconds = 0, 0.0
        if array.exists() and state.exists():
            kept = json.loads(state.read_text())
            done, seconds = int(kept["done"]), float(kept["seconds"])
            values = np.lib.format.open_memmap(array, mode="r+")
        else:
            values = np.lib.format.open_memmap(array, "w+", np.float32, (count, width))
        while done < count:
            began, stop = time.perf_counter(), min(done + batch, count)
            values[done:stop] = make(done, stop)
            values.flush()
            done, seconds = stop, seconds + time.perf_counter() - began
            _write(state, json.dumps({"key": key, "done": done, "seconds": seconds}))
            if progress is not None:
                progress(done, count)
        return Rows(values, seconds)


def _write(path: Path, text: str) -> None:
    """Write atomically, so that a stopped run leaves either the old state or the new one."""
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def digest(parts: object) -> str:
    """A short hash of what rows depend on, for their key."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
