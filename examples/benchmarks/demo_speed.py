"""How long the demo preset takes: opening it, and a turn with four new images.

python examples/benchmarks/demo_speed.py
"""

from __future__ import annotations

import statistics
import time
from random import Random
from tempfile import TemporaryDirectory

from dar_retriever import from_preset, ingest
from dar_retriever.demo.captions import FIELDS, caption
from dar_retriever.demo.gallery import draw_gallery, gallery_products

GALLERY = 300
TURNS = 9


def main() -> None:
    """Print the medians."""
    began = time.perf_counter()
    retriever = from_preset("demo")
    retriever.query_encoder.encoder.encode_texts(["ready"])
    print(f"opening the preset, libraries included: {time.perf_counter() - began:.1f} s")
    products = gallery_products(GALLERY)
    with TemporaryDirectory() as folder:
        draw_gallery(folder, GALLERY)
        ingest(folder, retriever.store, retriever.query_encoder.encoder)
    turns = [
        retriever.search(caption(product, FIELDS, Random(number))).trace.timings
        for number, product in enumerate(products[:TURNS])
    ]
    for step in turns[0]:
        print(f"{step:>12}: {1000 * statistics.median(turn[step] for turn in turns):7.1f} ms")
    whole = statistics.median(sum(turn.values()) for turn in turns)
    print(f"a turn with {retriever.query_encoder.images_per_turn} new images: {whole:.2f} s")


if __name__ == "__main__":
    main()
