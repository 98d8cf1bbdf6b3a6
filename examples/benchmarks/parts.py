"""What do parts of pictures find that one vector a picture does not, and what do they cost?

Finding: pictures that show several drawn products are indexed with and without parts, and each
product is asked for by its description. On a sheet four products fill a quarter each; on a strewn
picture two products lie anywhere, at 35 to 55 % of the sides. It prints how often the picture is
first and among the first ten (Recall@1 and @10), and how often the box of the part covers the
product (intersection over union of at least 0.5). Single products show what parts spoil.

Price: the same pictures with 1, 5 and 21 vectors each: size on disk, pictures a second on one core,
milliseconds a search.

    python examples/benchmarks/parts.py --pictures 150 --entries 600
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from PIL import Image

from dar_retriever import ImageStore, JointEncoder, StoredImage, open_encoder
from dar_retriever.demo.captions import description
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import Product, sample_products
from dar_retriever.ingest.parts import taken_apart
from dar_retriever.stores.entry_parts import Box, StoredPart

# The grid was chosen on pictures of another seed.
SEED: Final = 303
SIDE: Final = 256
PALE: Final = (235, 235, 230)
QUERIES: Final = 200


@dataclass(frozen=True)
class Shown:
    """A picture, and where in it each product is."""

    image: Image.Image
    products: Sequence[Product]
    boxes: Sequence[Box]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=150, help="of each kind")
    parser.add_argument("--entries", type=int, default=600, help="whose price is measured")
    args = parser.parse_args()
    encoder, random = open_encoder("demo"), Random(SEED)
    products = iter(sample_products(7 * args.pictures, unseen=True, seed=SEED))
    for name, number in (("sheets", 4), ("strewn", 2), ("single", 1)):
        shown = []
        for _ in range(args.pictures):
            chosen = [next(products) for _ in range(number)]
            shown.append(pasted(chosen, places(number, random), random))
        finding(name, shown, encoder)
    for most in (1, 5, 21):
        price(most, args.entries, encoder)


def places(number: int, random: Random) -> list[Box]:
    """The boxes of four, two or one products in a picture."""
    if number == 1:
        return [(0, 0, 1, 1)]
    if number == 4:
        return [(x / 2, y / 2, x / 2 + 0.5, y / 2 + 0.5) for y in range(2) for x in range(2)]
    while True:
        boxes: list[Box] = []
        for _ in range(number):
            share = random.uniform(0.35, 0.55)
            left, top = random.uniform(0, 1 - share), random.uniform(0, 1 - share)
            boxes.append((left, top, left + share, top + share))
        if overlap(*boxes) == 0:
            return boxes


def pasted(products: Sequence[Product], boxes: Sequence[Box], random: Random) -> Shown:
    """A picture with a product in each box."""
    image = Image.new("RGB", (SIDE, SIDE), PALE)
    for product, (left, top, right, _) in zip(products, boxes, strict=True):
        drawn = draw(product, round((right - left) * SIDE), random)
        image.paste(drawn, (round(left * SIDE), round(top * SIDE)))
    return Shown(image, products, boxes)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    common = max(0.0, wide) * max(0.0, high)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return common / (areas - common)


def entries(images: Iterator[Image.Image], encoder: JointEncoder, most: int) -> list[StoredImage]:
    """Encoded pictures with at most so many vectors each."""
    found = []
    for number, image in enumerate(images):
        file = BytesIO()
        image.save(file, "PNG")
        decoded, apart = taken_apart(file.getvalue(), "a drawing", None)
        parts = [each for _, each in zip(range(most - 1), apart, strict=False)]
        whole, *rows = encoder.encode_images([decoded.image, *(piece for _, piece in parts)])
        stored = [StoredPart(part, row) for (part, _), row in zip(parts, rows, strict=True)]
        found.append(StoredImage(str(number), whole, "", parts=stored))
    return found


def finding(name: str, shown: Sequence[Shown], encoder: JointEncoder) -> None:
    """Print one line for one vector a picture, and one for parts."""
    wanted = [
        (str(number), text, box)
        for number, each in enumerate(shown)
        for text, box in zip(map(description, each.products), each.boxes, strict=True)
    ]
    queries = encoder.encode_texts([text for _, text, _ in wanted])
    for most in (1, 21):
        store = ImageStore.in_memory(encoder)
        store.add(entries((each.image for each in shown), encoder, most))
        first, ten, boxed = 0, 0, 0
        for query, (id_, _, box) in zip(queries, wanted, strict=True):
            hits = {hit.id: hit for hit in store.search(query, 10)}
            first, ten = first + (next(iter(hits)) == id_), ten + (id_ in hits)
            part = hits[id_].part if id_ in hits else None
            matched = (part.box if part else None) or (0, 0, 1, 1)
            boxed += id_ in hits and overlap(matched, box) >= 0.5
        shares = " ".join(f"{100 * count / len(wanted):5.1f}" for count in (first, ten, boxed))
        print(f"{name}: {most:2} vectors, {len(wanted)} queries: R@1, R@10, box {shares} %")


def price(most: int, count: int, encoder: JointEncoder) -> None:
    """Print what so many vectors a picture cost."""
    random = Random(SEED)
    products = sample_products(count, unseen=True, seed=SEED + 1)
    images = [draw(product, SIDE, random) for product in products]
    queries = encoder.encode_texts([description(product) for product in products[:QUERIES]])
    with tempfile.TemporaryDirectory() as folder:
        store, began = ImageStore.on_disk(folder, encoder), time.process_time()
        for start in range(0, count, 50):
            stored = entries(iter(images[start : start + 50]), encoder, most)
            store.add([StoredImage(f"{start}-{e.id}", e.vector, "", parts=e.parts) for e in stored])
        spent = time.process_time() - began
        seconds = []
        for query in queries:
            began = time.process_time()
            store.search(query, 10)
            seconds.append(time.process_time() - began)
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / count / 1000
    print(
        f"{most:2} vectors a picture, {count} pictures: {size:.1f} KB on disk each, "
        f"{count / spent:.1f} pictures/s of one core, {1000 * np.median(seconds):.1f} ms a search"
    )


if __name__ == "__main__":
    main()
