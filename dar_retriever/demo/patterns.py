"""The two-colour patterns of the drawn products, as masks over product coordinates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


def _phase(values: Floats, period: float) -> Floats:
    """Where each value lies in its period, 0 to 1."""
    turns = values * np.float32(1 / period)
    fraction: Floats = turns - np.floor(turns)
    return fraction


def _triangle(values: Floats, period: float) -> Floats:
    """A triangle wave between 0 and 1."""
    wave: Floats = np.abs(_phase(values, period) * np.float32(2) - np.float32(1))
    return wave


def _striped(_: Floats, y: Floats) -> Mask:
    return _phase(y, 0.155) < 0.48


def _pinstriped(x: Floats, _: Floats) -> Mask:
    return _phase(x, 0.11) < 0.44


def _dotted(x: Floats, y: Floats) -> Mask:
    # Dots at the corners and the middle of a square cell: the nearer of the two decides.
    across = _phase(x, 0.185) - np.float32(0.5)
    down = _phase(y, 0.185) - np.float32(0.5)
    middle = across * across + down * down
    across, down = np.float32(0.5) - np.abs(across), np.float32(0.5) - np.abs(down)
    corner = across * across + down * down
    dots: Mask = np.minimum(middle, corner) < 0.26**2
    return dots


def _checked(x: Floats, y: Floats) -> Mask:
    return (_phase(x, 0.16) < 0.5) ^ (_phase(y, 0.16) < 0.5)


def _zigzag(x: Floats, y: Floats) -> Mask:
    return _phase(y + _triangle(x, 0.19) * np.float32(0.095), 0.155) < 0.48


_MASKS: Final[dict[str, Callable[[Floats, Floats], Mask]]] = {
    "striped": _striped,
    "pinstriped": _pinstriped,
    "dotted": _dotted,
    "checked": _checked,
    "zigzag": _zigzag,
}


def pattern_mask(pattern: str, x: Floats, y: Floats) -> Mask | None:
    """Where a pattern shows its second colour.

    Args:
        pattern: A key of ``products.PATTERNS``.
        x: Product coordinates of every pixel, the picture's width being 1.
        y: The same, downwards.

    Returns:
        A mask of the same shape, or None for the plain pattern.
    """
    mask = _MASKS.get(pattern)
    return mask(x, y) if mask else None
