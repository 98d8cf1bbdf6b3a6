"""Line drawings, and the outlines of pictures in the same form.

An encoder that has seen photographs or coloured drawings only cannot compare a line drawing with
them. It can compare lines with lines, if they are as thick in both.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter, ImageOps

from dar_retriever.support.thinning import Mask, thinned

# Pixels per side of what is compared, and its lines' thickness.
_SIDE: Final = 128
_THICKNESS: Final = 3
# Gaps between lines up to this width are closed: an edge detector draws both sides of a stroke.
_CLOSED: Final = 3
# A frame around the picture is no part of what is drawn.
_RIM: Final = 3
# Of Otsu's threshold, which by itself keeps only the strongest edges and lines.
_SHARE: Final = 0.5

# What a line drawing is told by; see ``is_line_drawing``. Levels are of 255.
_SEEN_AT: Final = 256
_SMALLEST: Final = 64
_LIGHT: Final = 150
_CONTRAST: Final = 30
_FLAT: Final = 16
_INK: Final = (0.003, 0.4)
_SOLID: Final = 0.04

Levels = NDArray[np.floating[Any]]


def is_line_drawing(image: Image.Image) -> bool:
    """Whether an image is thin lines on light paper.

    The paper is light. Of what differs from it at all, hardly anything is left once two hundredths
    of the side are taken off all around. Below 64 pixels a side, no image counts as one.

    Args:
        image: Mode RGB.
    """
    if min(image.size) < _SMALLEST:
        return False
    image = ImageOps.contain(image, (_SEEN_AT, _SEEN_AT), Image.Resampling.BOX)
    if min(_paper(image)) < _LIGHT:
        return False
    away = _away_from_paper(image)
    ink = away > _FLAT
    few, many = _INK
    reach = max(1, round(0.02 * min(image.size)))
    return bool(
        few < ink.mean() < many
        and np.percentile(away, 99.5) >= _CONTRAST
        and _eroded(ink, reach).mean() < _SOLID
    )


def outline(picture: Image.Image) -> Image.Image:
    """The edges of a picture as black lines of one thickness on white.

    Args:
        picture: Mode RGB. Edges between colours of the same brightness count too.

    Returns:
        Mode RGB, 128 x 128.
    """
    small = picture.resize((_SIDE, _SIDE), Image.Resampling.BOX)
    levels = np.asarray(small.filter(ImageFilter.GaussianBlur(0.6)), np.float32)
    down, across = np.gradient(levels, axis=(0, 1))
    return _lines(np.hypot(down, across).max(2))


def strokes(drawing: Image.Image) -> Image.Image:
    """The lines of a line drawing in the form of ``outline``.

    Args:
        drawing: Mode RGB.
    """
    ink = Image.fromarray(_fewer(_away_from_paper(drawing)))
    # A thin line would fade as it is made smaller.
    spread = round(max(ink.size) / _SIDE / 2)
    if spread:
        ink = ink.filter(ImageFilter.MaxFilter(2 * spread + 1))
    levels = np.asarray(ink.resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float32)
    # The grain of the paper is no ink.
    return _lines(np.maximum(levels - 2 * np.median(levels), 0))


def _paper(image: Image.Image) -> tuple[int, ...]:
    """The commonest colour, as far as one is."""
    some = image.resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
    return tuple(int(level) for level in np.median(np.asarray(some).reshape(-1, 3), 0))


def _away_from_paper(image: Image.Image) -> NDArray[np.uint8]:
    """How far each pixel is from the paper in the channel that shows it most."""
    paper = Image.new("RGB", image.size, _paper(image))
    red, green, blue = ImageChops.difference(image, paper).split()
    return np.asarray(ImageChops.lighter(ImageChops.lighter(red, green), blue))


def _fewer(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A large drawing of a quarter of a thousand pixels a side or more, with no line lost."""
    height, width = (max(1, side // (2 * _SIDE)) for side in ink.shape)
    padded = np.pad(ink, [(0, -ink.shape[0] % height), (0, -ink.shape[1] % width)])
    blocks = padded.reshape(len(padded) // height, height, -1, width)
    fewer: NDArray[np.uint8] = blocks.max((1, 3))
    return fewer


def _lines(levels: Levels) -> Image.Image:
    top = max(float(np.percentile(levels, 99)), 1e-6)
    levels = 255 * np.clip(levels / top, 0, 1)
    mask = levels > _SHARE * _otsu(levels)
    inner = np.zeros_like(mask)
    inner[_RIM:-_RIM, _RIM:-_RIM] = mask[_RIM:-_RIM, _RIM:-_RIM]
    lines = thinned(_dilated(inner, _CLOSED // 2))
    return ImageOps.invert(_image(_dilated(lines, _THICKNESS // 2))).convert("RGB")


def _otsu(levels: Levels) -> int:
    """The level that parts dark from light with the least spread within both (Otsu, 1979)."""
    shares = np.bincount(levels.astype(np.uint8).ravel(), minlength=256) / levels.size
    below, mass = shares.cumsum(), (shares * np.arange(256)).cumsum()
    both = np.maximum(below * (1 - below), np.finfo(float).tiny)
    return int(np.argmax((mass[-1] * below - mass) ** 2 / both))


def _dilated(mask: Mask, reach: int) -> Mask:
    return np.asarray(_image(mask).filter(ImageFilter.MaxFilter(2 * reach + 1))) > 0


def _eroded(mask: Mask, reach: int) -> Mask:
    return np.asarray(_image(mask).filter(ImageFilter.MinFilter(2 * reach + 1))) > 0


def _image(mask: Mask) -> Image.Image:
    return Image.fromarray(np.where(mask, 255, 0).astype(np.uint8))
