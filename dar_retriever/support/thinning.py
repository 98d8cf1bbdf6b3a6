"""Thins lines to one pixel."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

# A pixel's neighbours in rows and columns, clockwise from the one above.
_AROUND: Final = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def thinned(mask: Mask) -> Mask:
    """The middle lines of what is set, one pixel wide (Zhang and Suen, 1984).

    Args:
        mask: bool (height, width).
    """
    padded = np.pad(mask, 1).astype(np.uint8)
    width, flat = padded.shape[1], padded.ravel()
    steps = [row * width + column for row, column in _AROUND]
    left = np.flatnonzero(flat)
    while True:
        before = len(left)
        for removable in _REMOVABLE:
            around = np.zeros(len(left), np.uint8)
            for bit, step in enumerate(steps):
                around |= flat[left + step] << bit
            goes = removable[around]
            flat[left[goes]] = 0
            left = left[~goes]
        if len(left) == before:
            lines: Mask = padded[1:-1, 1:-1].astype(bool)
            return lines


def _removable(*, first: bool) -> Mask:
    """For each pattern of neighbours, as bits: whether a pixel among them can go."""
    table = np.zeros(256, bool)
    for pattern in range(256):
        near = [pattern >> bit & 1 for bit in range(8)]
        above, right, below, left = near[::2]
        begun = sum(not near[bit] and near[(bit + 1) % 8] for bit in range(8))
        if first:
            is_side = not (above & right & below or right & below & left)
        else:
            is_side = not (above & right & left or above & below & left)
        table[pattern] = 2 <= sum(near) <= 6 and begun == 1 and is_side
    return table


_REMOVABLE: Final = (_removable(first=True), _removable(first=False))
