"""Many people on one page: do they meet, how long do they wait, and does the memory grow?

    python examples/benchmarks/page_visitors.py [--people 32] [--turns 1000] [--hits 24]

Visitors speak to the page's server as its own scripts do, without a browser. First all of them talk
at once and each has to find just their own words; then they take turns, in conversations of ten
messages. The demo's encoder and gallery, words alone.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from gradio_dar import create_app, serving

from dar_retriever import DARQueryEncoder, DiffusionAugmentedRetriever
from dar_retriever.demo.retriever import demo_retriever

PER_CONVERSATION = 10
SAID = ("a blue mug", "with dots", "no stripes", "in red", "something else: a lamp", "not green")


class Visitor:
    """Somebody on the page.

    Args:
        address: The page's address.
        calls: The number of each of the page's functions.
        number: Which visitor it is.
    """

    def __init__(self, address: str, calls: dict[str, int], number: int) -> None:
        self.name = f"visitor{number}"
        self._calls = calls
        self._client = httpx.Client(base_url=address, timeout=600)
        self._client.get("/")

    def say(self, text: str) -> tuple[float, str]:
        """Say something; the seconds until its hits are there, and the chat as it is shown."""
        began = time.perf_counter()
        self._call("send", [None, {"text": text, "files": []}])
        shown = self._call("reply", [None])
        return time.perf_counter() - began, json.dumps(shown)

    def start_over(self) -> None:
        """Begin a new conversation."""
        self._call("start_over", [None])

    def _call(self, name: str, data: list[Any]) -> Any:
        asked = {"data": data, "fn_index": self._calls[name], "session_hash": self.name}
        self._client.post("/gradio_api/queue/join", json=asked).raise_for_status()
        place = f"/gradio_api/queue/data?session_hash={self.name}"
        shown: list[Any] = []
        with self._client.stream("GET", place) as stream:
            for line in stream.iter_lines():
                told = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                if told.get("msg") in ("process_generating", "process_completed"):
                    if not told["success"]:
                        raise RuntimeError(f"{name} failed: {told}")
                    shown.append(told["output"]["data"])
                if told.get("msg") == "process_completed":
                    return shown
        raise RuntimeError(f"{name} was not answered")


def at_once(visitors: list[Visitor]) -> tuple[list[float], int]:
    """Everybody says six things at once: the seconds of each turn, and how many met others."""

    def talk(visitor: Visitor) -> tuple[list[float], int]:
        told = [visitor.say(f"{text} {visitor.name}x") for text in SAID]
        others = [other.name for other in visitors if other is not visitor]
        met = sum(f"{name}x" in shown for _, shown in told for name in others)
        own = sum(f"{visitor.name}x" in shown for _, shown in told)
        return [seconds for seconds, _ in told], met + (own == 0)

    with ThreadPoolExecutor(len(visitors)) as threads:
        talks = list(threads.map(talk, visitors))
    return [seconds for times, _ in talks for seconds in times], sum(met for _, met in talks)


def memory(visitors: list[Visitor], turns: int) -> Iterator[tuple[int, float]]:
    """Take turns; after every hundredth the number of turns and the process's memory in MB."""
    process = psutil.Process()
    for turn in range(turns):
        visitor = visitors[turn % len(visitors)]
        if turn // len(visitors) % PER_CONVERSATION == 0:
            visitor.start_over()
        visitor.say(f"{SAID[turn % len(SAID)]} {turn}")
        if (turn + 1) % 100 == 0:
            gc.collect()
            yield turn + 1, process.memory_info().rss / 2**20


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=32)
    parser.add_argument("--turns", type=int, default=1000)
    parser.add_argument("--hits", type=int, default=24)
    parser.add_argument("--folder", type=Path, default=Path("page-visitors"))
    options = parser.parse_args()
    demo = demo_retriever(options.folder, 120)
    words = DARQueryEncoder(demo.query_encoder.encoder)
    page: Any = create_app(DiffusionAugmentedRetriever(words, demo.store), k=options.hits)
    calls = {getattr(each.fn, "__name__", ""): number for number, each in page.fns.items()}
    out = sys.stdout
    with serving(page, port=0) as address:
        visitors = [Visitor(address, calls, number) for number in range(options.people)]
        times, met = at_once(visitors)
        low, high = np.percentile(times, [50, 95])
        out.write(f"{options.people} people at once: {len(times)} turns, {met} met others' words; ")
        out.write(f"median {low:.2f} s, 95 % within {high:.2f} s\n")
        for turn, megabytes in memory(visitors[:8], options.turns):
            out.write(f"after {turn} turns: {megabytes:.0f} MB\n")
            out.flush()


if __name__ == "__main__":
    main()
