"""Draws the spreads of two captions' samples, for the guide.

    python examples/benchmarks/spread_picture.py examples/guides/spread.svg

Samples of the demo's prior, on the two directions in which those of the first caption differ most.
The ellipses are two standard deviations wide.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import numpy as np

from dar_retriever import PRESETS, Vectors, open_encoder
from dar_retriever.presets.beside import Beside

CAPTIONS: Final = {"a mug": "#1b6ca8", "a mug, blue, white dots, rose background": "#c2410c"}
SAMPLES, SIDE = 128, 420


def main() -> None:
    """Write the picture."""
    encoder, prior = open_encoder("demo"), Beside(PRESETS["demo"].encoder).prior
    texts = encoder.encode_texts(list(CAPTIONS))
    samples = [prior.sample(c, t, SAMPLES, 0) for c, t in zip(CAPTIONS, texts, strict=True)]
    centre = samples[0].mean(0)
    _, _, directions = np.linalg.svd(samples[0] - centre, full_matrices=False)
    flat = [(each - centre) @ directions[:2].T for each in samples]
    Path(sys.argv[1]).write_text(picture(flat), encoding="utf-8")


def picture(flat: list[Vectors]) -> str:
    """An SVG of points in two dimensions, one colour for each of both captions."""
    scale = 0.42 * SIDE / max(float(np.abs(each).max()) for each in flat)
    parts = []
    for points, (caption, colour) in zip(flat, CAPTIONS.items(), strict=True):
        variances, axes = np.linalg.eigh(np.cov(points.T))
        x, y = SIDE / 2 + scale * points.mean(0) * (1, -1)
        wide, high = 2 * scale * np.sqrt(variances[::-1])
        angle = -np.degrees(np.arctan2(axes[1, 1], axes[0, 1]))
        parts.append(
            f'<ellipse rx="{wide:.1f}" ry="{high:.1f}" fill="{colour}" fill-opacity="0.12" '
            f'stroke="{colour}" transform="translate({x:.1f} {y:.1f}) rotate({angle:.1f})"/>'
        )
        parts += [
            f'<circle cx="{SIDE / 2 + scale * a:.1f}" cy="{SIDE / 2 - scale * b:.1f}" r="2.5" '
            f'fill="{colour}"/>'
            for a, b in points
        ]
        line = SIDE + 20 * (len([p for p in parts if p.startswith("<text")]) + 1)
        parts.append(f'<text x="12" y="{line}" fill="{colour}">{caption}</text>')
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE} {SIDE + 54}" width="{SIDE}" '
        f'font-family="sans-serif" font-size="15">\n<rect width="100%" height="100%" '
        f'fill="white"/>\n{body}\n</svg>\n'
    )


if __name__ == "__main__":
    main()
