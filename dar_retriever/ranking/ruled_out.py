"""How likely a candidate is to show nothing of what was ruled out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

# How often a picture that fits the caption shows what was ruled out, before looking at it.
_USUAL: Final = 0.15
_MOST: Final = 0.95


def kept(
    told: NDArray[np.floating[Any]], excluded: Sequence[NDArray[np.floating[Any]]]
) -> NDArray[np.floating[Any]]:
    """The logarithm of the probability that nothing excluded is shown, at least log 0.05 for each.

    By Bayes' rule the probability that a picture of the caption shows something more is its usual
    share, times how much likelier the picture is with both than with the caption alone.

    Args:
        told: Log-likelihoods of the candidates with the caption: (N,).
        excluded: The same with the caption and each exclusion: E times (N,).

    Returns:
        (N,), at most 0.
    """
    result = np.zeros(len(told))
    for each in excluded:
        shown = _USUAL * np.exp(np.minimum(each - told, 20))
        result += np.log1p(-np.minimum(shown, _MOST))
    return result
