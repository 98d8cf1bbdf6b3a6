"""How long does a turn take without models and store, and how many users can a process serve?

python examples/benchmarks/search_speed.py

Uses the demo preset over drawn products, with simulated users. Every call of the encoder, of the
diffusion pipeline and of the store is timed. The rest of a turn is this package's own work.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from threading import local
from typing import Any, Final

from goals import Goal, report
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dar_retriever import DiffusionAugmentedRetriever, from_preset, ingest
from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.demo.captions import FIELDS, caption
from dar_retriever.demo.gallery import draw_gallery, gallery_products

USERS: Final = 32
_STORE: Final = ("search", "nearest", "sample", "captions", "get", "vectors_of", "known", "facets")


class Clock:
    """Adds up the time that a thread spends in some calls, one within another counted once."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}
        self._state = local()

    def watch(self, owner: Any, *names: str) -> None:
        """Time methods of an object."""
        for name in names:
            setattr(
                owner, name, self._timed(f"{type(owner).__name__}.{name}", getattr(owner, name))
            )

    @contextmanager
    def turn(self) -> Iterator[list[float]]:
        """Fills in the seconds of the whole and those of the watched calls."""
        self._state.spent, self._state.depth = 0.0, 0
        seconds: list[float] = []
        began = time.perf_counter()
        yield seconds
        seconds += [time.perf_counter() - began, self._state.spent]

    def _timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **options: Any) -> Any:
            self.calls[name] = self.calls.get(name, 0) + 1
            state = self._state
            state.depth = getattr(state, "depth", 0) + 1
            began = time.perf_counter()
            try:
                return call(*args, **options)
            finally:
                state.depth -= 1
                if not state.depth:
                    state.spent = getattr(state, "spent", 0.0) + time.perf_counter() - began

        return timed


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    clock = Clock()
    with TemporaryDirectory() as folder:
        retriever, pipeline = _opened(Path(folder), options.products)
        clock.watch(retriever.query_encoder.encoder, "encode_texts", "encode_images")
        clock.watch(retriever.store, *_STORE)
        clock.watch(pipeline, "generate")
        dialogues = _dialogues(options.turns)
        retriever.search("ready")
        goals = [
            *_overhead(retriever, dialogues, clock),
            _first_hits(retriever, dialogues),
            *_users(retriever, clock),
        ]
    report("A turn", goals, options.out)


def _opened(folder: Path, gallery: int) -> tuple[DiffusionAugmentedRetriever, Any]:
    with Console().status("Drawing and indexing the gallery"):
        draw_gallery(folder / "gallery", gallery)
        retriever = from_preset("demo", folder / "store")
        ingest(folder / "gallery", retriever.store, retriever.query_encoder.encoder)
    pipeline: Any = retriever.query_encoder.generator
    while hasattr(pipeline, "_generator"):
        pipeline = pipeline._generator  # noqa: SLF001 (the innermost is what draws)
    return retriever, pipeline


def _dialogues(count: int) -> list[Dialogue]:
    """Descriptions of products in all lengths, told over one to four turns."""
    random, dialogues = Random(0), []
    for product in gallery_products(count):
        dialogue = Dialogue.from_text(caption(product, FIELDS[:2], random))
        for number in range(random.randrange(4)):
            dialogue = dialogue.say(caption(product, FIELDS[: 3 + number], random))
        dialogues.append(dialogue)
    return dialogues


def _overhead(
    retriever: DiffusionAugmentedRetriever, dialogues: list[Dialogue], clock: Clock
) -> list[Goal]:
    table = Table("", "p50", "p95", title=f"Seconds of {len(dialogues)} turns")
    rest: dict[str, list[float]] = {}
    drawn = 0
    for kind in ("new", "from the cache"):
        wholes, rests = [], []
        before = clock.calls.get("DiffusersGenerator.generate", 0)
        for dialogue in track(dialogues, f"Turns, drawings {kind}"):
            with clock.turn() as seconds:
                retriever.search(dialogue)
            wholes.append(seconds[0])
            rests.append(seconds[0] - seconds[1])
        drawn = clock.calls["DiffusersGenerator.generate"] - before
        table.add_row(f"a turn, drawings {kind}", f"{median(wholes):.4f}", f"{_p95(wholes):.4f}")
        table.add_row("of it neither model nor store", f"{median(rests):.4f}", f"{_p95(rests):.4f}")
        rest[kind] = rests
    Console(width=120).print(table)
    return [
        *(
            Goal(f"own work, p50, drawings {kind}", 1000 * median(rests), 5, "ms", at_most=True)
            for kind, rests in rest.items()
        ),
        Goal("diffusion calls in cached turns", drawn, 0, at_most=True),
    ]


def _first_hits(retriever: DiffusionAugmentedRetriever, dialogues: list[Dialogue]) -> Goal:
    """The first hits of a stream beside encoding the caption and asking the store, in turn."""
    encoder, ratios = retriever.query_encoder.encoder, []
    for dialogue in track(dialogues, "First hits"):
        began = time.perf_counter()
        first = next(retriever.stream(dialogue))
        between = time.perf_counter()
        vector = encoder.encode_texts([first.trace.caption])[0]
        retriever.store.search(vector, 10)
        ratios.append((between - began) / (time.perf_counter() - between))
    return Goal(
        "first hits beside encoding and store, p50", median(ratios), 1.2, "times", at_most=True
    )


def _users(retriever: DiffusionAugmentedRetriever, clock: Clock) -> list[Goal]:
    """Users who come one by one, and all at once; each gets the same both times."""
    products = gallery_products(6 * USERS)[4 * USERS :]
    texts = [caption(product, FIELDS, Random(0)) for product in products]
    calls: list[int] = []

    def counted() -> int:
        return clock.calls["DiffusersGenerator.generate"]

    before, began = counted(), time.perf_counter()
    one_by_one = [retriever.search(text) for text in texts[:USERS]]
    alone = USERS / (time.perf_counter() - began)
    calls.append(counted() - before)

    async def together(some: list[str]) -> list[Any]:
        return await asyncio.gather(*(retriever.asearch(text) for text in some))

    before, began = counted(), time.perf_counter()
    asyncio.run(together(texts[USERS:]))
    at_once = USERS / (time.perf_counter() - began)
    calls.append(counted() - before)
    # The same users again, drawn anew under other seeds' worth of company.
    retriever.query_encoder.generator = _without_cache(retriever)
    again = asyncio.run(together(texts[:USERS]))
    same = sum(
        [hit.id for hit in one.hits[:5]] == [hit.id for hit in other.hits[:5]]
        and [image.seed for image in one.trace.generated]
        == [image.seed for image in other.trace.generated]
        for one, other in zip(one_by_one, again, strict=True)
    )
    table = Table("", "turns/s", "calls of the pipeline", title=f"{USERS} users, all drawings new")
    table.add_row("one at a time", f"{alone:.2f}", str(calls[0]))
    table.add_row("at once", f"{at_once:.2f}", str(calls[1]))
    Console(width=120).print(table)
    return [
        Goal(f"turns/s of {USERS} at once beside one at a time", at_once / alone, 1, "times"),
        Goal("users at once who find what they find alone", same, USERS),
    ]


def _without_cache(retriever: DiffusionAugmentedRetriever) -> Any:
    return retriever.query_encoder.generator._generator  # type: ignore[union-attr]  # noqa: SLF001


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]


if __name__ == "__main__":
    main()
