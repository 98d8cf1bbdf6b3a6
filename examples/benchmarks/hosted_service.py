"""What does a hosted generator that fails at random cost a search?

    python examples/benchmarks/hosted_service.py [--turns 1000]

Needs no network and no key: the tests' local server answers as the services do. Half of its answers
are faults: 429, 500 and 503, half answers, wrong bytes, refusals, no credit, lost connections, and
one in 90 hangs. The encoder and the store are the demo's.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import statistics
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from dar_retriever import (
    DARQueryEncoder,
    DiffusionAugmentedRetriever,
    HostedGenerator,
    ImageGenerator,
    ImageStore,
    OpenAIImageGenerator,
    SearchResult,
    ServiceLimits,
    StoredImage,
    open_encoder,
)

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "tests"))
from image_service import FAULTS, KEY, running_service

IMAGES = 2


def searching(generator: ImageGenerator | None) -> DiffusionAugmentedRetriever:
    """The demo's encoder over 1,000 texts' vectors, with a generator."""
    encoder = open_encoder("demo")
    store = ImageStore.in_memory(encoder)
    vectors = encoder.encode_texts([f"product number {number}" for number in range(1000)])
    store.add([StoredImage(str(n), vector, f"{n}.jpg") for n, vector in enumerate(vectors)])
    return DiffusionAugmentedRetriever(
        DARQueryEncoder(encoder, generator, images_per_turn=IMAGES), store
    )


def missing(result: SearchResult) -> int:
    """How many images the trace says were not made."""
    kinds = [what.split(":", maxsplit=1)[0] for what in result.trace.fallbacks]
    if any(kind.startswith("generation failed") for kind in kinds):
        return IMAGES
    return sum("image was not generated" in kind or "unusable" in kind for kind in kinds)


def first_hits(retriever: DiffusionAugmentedRetriever, turns: int) -> float:
    """Median milliseconds until a stream has its first hits."""
    times = []
    for number in range(turns):
        began = time.perf_counter()
        stream = retriever.stream(f"a red dress, number {number}")
        next(stream)
        times.append(1000 * (time.perf_counter() - began))
        stream.close()
    return statistics.median(times)


def main() -> None:
    """Play the turns against both kinds of service and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=1000)
    turns = parser.parse_args().turns
    log = io.StringIO()
    logging.basicConfig(stream=log, level=logging.DEBUG, force=True)
    limits = ServiceLimits(parallel=8, attempts=2, back_off=0.01, seconds=2)
    with running_service() as service:
        hosted = HostedGenerator(service.endpoint, limits=limits)
        openai = OpenAIImageGenerator("draws", base_url=service.openai, limits=limits)
        service.seconds = 0.5
        plain, drawn = searching(None), searching(hosted)
        rounds = [(first_hits(plain, 20), first_hits(drawn, 20)) for _ in range(5)]
        print(
            "first hits of a stream, ms: "
            f"without a generator {statistics.median(each for each, _ in rounds):.1f}, "
            f"with a hosted one {statistics.median(each for _, each in rounds):.1f}, ratio "
            f"{statistics.median(each / first for first, each in rounds):.2f}"
        )
        service.seconds = 0.0
        for generator in (hosted, openai):
            random = Random(0)
            usual = [fault for fault in FAULTS if fault != "hang"]
            faults = [random.choice([*[""] * len(usual), *usual]) for _ in range(10 * turns)]
            faults[20::90] = ["hang"] * len(faults[20::90])
            service.asked.clear()
            service.fault = faults.__getitem__
            retriever = searching(generator)
            began = time.perf_counter()
            with ThreadPoolExecutor(4) as threads:
                results = list(
                    threads.map(retriever.search, (f"dress number {n}" for n in range(turns)))
                )
            took = time.perf_counter() - began
            answered = sum(len(result.hits) == 10 for result in results)
            told = sum(map(missing, results))
            made = sum(len(result.trace.generated) for result in results)
            met = Counter(asked.fault or "none" for asked in service.asked)
            written = json.dumps([result.trace.as_json() for result in results]) + log.getvalue()
            print(
                f"{type(generator).__name__}: {turns} turns in {took:.0f} s, {answered} answered; "
                f"{made} images made, {told} told missing, of {IMAGES * turns} wanted; "
                f"key found {written.count(KEY)} times in {len(written)} letters of logs and traces"
            )
            print(f"  {sum(met.values())} requests met: {dict(met.most_common())}")


if __name__ == "__main__":
    main()
