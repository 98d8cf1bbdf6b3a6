"""What does an encoder read off drawn pictures of products that it has never seen?

For captions that tell one to five attributes, how often the product is among the first hits of
2,000; and how often a linear reader, fitted on 3,000 products of seen combinations, reads each
attribute off the vector.

    python examples/benchmarks/encoder_reading.py [FOLDER]

The folder is one that open_clip opens; by default the demo's encoder is asked.
"""

from __future__ import annotations

import sys
from random import Random

import numpy as np
from numpy.typing import NDArray

from dar_retriever import JointEncoder, OpenClipEncoder, open_encoder
from dar_retriever.demo.captions import FIELDS, caption
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import Product, sample_products

POOL, DIALOGUES, FITTED = 2_000, 300, 3_000
TOLD = (FIELDS[:1], FIELDS[:2], FIELDS[:3], FIELDS[:4], FIELDS)
READ = ("kind", "colour", "background", "pattern", "second_colour")
RIDGE = 1e-5


def main() -> None:
    """Print both tables."""
    folder = sys.argv[1] if len(sys.argv) > 1 else ""
    encoder = OpenClipEncoder(f"local-dir:{folder}") if folder else open_encoder("demo")
    pool = sample_products(POOL, unseen=True, seed=7)
    seen = vectors(encoder, pool, seed=10**6)
    targets = Random(3).sample(range(POOL), DIALOGUES)
    for told in TOLD:
        words = [caption(pool[target], told, Random(target)) for target in targets]
        scores = encoder.encode_texts(words) @ seen.T
        own = scores[np.arange(DIALOGUES), targets]
        rank = (scores > own[:, None]).sum(1)
        print(f"{len(told)} told: R@10 {share(rank < 10)} %, R@1 {share(rank < 1)} %")
    examples = sample_products(FITTED, unseen=False, seed=5)
    learned = vectors(encoder, examples, seed=2 * 10**6)
    for name in READ:
        read = linear_reading(learned, [getattr(p, name) for p in examples], seen)
        right = np.array([r == getattr(p, name) for r, p in zip(read, pool, strict=True)])
        print(f"{name}: {share(right)} % read by a linear reader")


def vectors(encoder: JointEncoder, products: list[Product], seed: int) -> NDArray[np.float32]:
    """The vectors of one picture of each product: (N, d)."""
    pictures = [draw(p, 128, Random(seed + n)) for n, p in enumerate(products)]
    return np.concatenate(
        [encoder.encode_images(pictures[i : i + 64]) for i in range(0, len(pictures), 64)]
    )


def linear_reading(
    learned: NDArray[np.float32], values: list[str], seen: NDArray[np.float32]
) -> list[str]:
    """The value that ridge regression against one-hot values gives each vector."""
    names = sorted(set(values))
    wanted = np.array([[value == name for name in names] for value in values], float)
    inputs = np.c_[learned, np.ones(len(learned))].astype(float)
    damping = RIDGE * len(inputs) * np.eye(inputs.shape[1])
    weights = np.linalg.solve(inputs.T @ inputs + damping, inputs.T @ wanted)
    best = (np.c_[seen, np.ones(len(seen))] @ weights).argmax(1)
    return [names[number] for number in best]


def share(hits: NDArray[np.bool_]) -> str:
    """A percentage."""
    return f"{100 * hits.mean():.1f}"


if __name__ == "__main__":
    main()
