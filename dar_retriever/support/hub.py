"""The model hub: whether it can be reached, asked before its libraries try for half a minute."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from http import HTTPStatus
from typing import Final

_HUB: Final = "https://huggingface.co"
_SECONDS: Final = 3.0
_REMEMBERED: Final = 30.0


@contextmanager
def offline_where_needed(model: str) -> Iterator[bool]:
    """Keep the hub's libraries to what was downloaded before, while the hub cannot be reached.

    Args:
        model: A name on the hub; empty for local files, for which the hub is not asked.

    Yields:
        Whether the model can only come from what was downloaded before.
    """
    from huggingface_hub import constants

    if not model or constants.HF_HUB_OFFLINE or is_reachable():
        yield bool(constants.HF_HUB_OFFLINE)
        return
    constants.HF_HUB_OFFLINE = True
    try:
        yield True
    finally:
        constants.HF_HUB_OFFLINE = False


def is_reachable() -> bool:
    """Whether the hub answers; asked again after half a minute at the earliest."""
    from huggingface_hub import constants

    return _answers(constants.ENDPOINT, int(time.monotonic() / _REMEMBERED))


@lru_cache(maxsize=1)
def _answers(address: str, _moment: int) -> bool:
    import httpx

    try:
        answer = httpx.head(address, timeout=_SECONDS)
    except httpx.HTTPError:
        return False
    # A proxy that keeps the hub out also answers; a mirror may have nothing at its root.
    return address != _HUB or answer.status_code < HTTPStatus.BAD_REQUEST
