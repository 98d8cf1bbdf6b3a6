"""Encoding in several threads, each on its own core."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.ingest.mapper import Encode, Steps

# Larger parts are not faster on a single core, and the last ones would keep the others waiting.
_AT_ONCE: Final = 16


@contextmanager
def encoding(steps: Steps) -> Iterator[Encode]:
    """The encoder's ``encode``, or a version of it that splits a batch among several threads.

    Threads that compute one matrix product together wait for each other after every product. That
    takes long if other threads decode images on the same cores. Independent threads do not wait.
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
    """Keep OpenMP, which PyTorch computes with, from starting more threads in this one."""
    import torch
    from threadpoolctl import threadpool_limits

    # PyTorch resets the number at its first use in a thread.
    torch.get_num_threads()
    threadpool_limits(1, user_api="openmp")
