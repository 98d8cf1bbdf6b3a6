"""Encoding in several threads, each on a core of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.ingest.mapper import Encode, Steps

# More at once are no faster on a core, and the last ones would keep the others waiting.
_AT_ONCE: Final = 16


@contextmanager
def encoding(steps: Steps) -> Iterator[Encode]:
    """The encoder's own step, or one that shares its items out among as many threads as it likes.

    Threads that compute one product together wait for each other at each of its ends, and wait
    long where other threads decode images on the same cores; threads on their own do not.
    """
    if steps.parallel_calls == 1:
        yield steps.encode
        return
    with ThreadPoolExecutor(steps.parallel_calls, "dar-encode", _stay_on_one_core) as threads:

        def shared_out(items: Sequence[Any]) -> Vectors:
            size = min(_AT_ONCE, math.ceil(len(items) / steps.parallel_calls))
            parts = [items[start : start + size] for start in range(0, len(items), size)]
            return np.concatenate(list(threads.map(steps.encode, parts)))

        yield shared_out


def _stay_on_one_core() -> None:
    """Let OpenMP, by which PyTorch computes, open no more threads from this one."""
    import torch
    from threadpoolctl import threadpool_limits

    # At its first use in a thread PyTorch sets the number anew.
    torch.get_num_threads()
    threadpool_limits(1, user_api="openmp")
