"""The model hub: whether it can be reached, asked before its libraries try for half a minute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SECONDS: Final = 3.0


@contextmanager
def offline_where_needed(model: str) -> Iterator[bool]:
    """Keep the hub's libraries to what was downloaded before, while the hub cannot be reached.

    Args:
        model: A name on the hub; empty for local files, for which the hub is not asked.

    Yields:
        Whether the model can only come from what was downloaded before.
    """
    from huggingface_hub import constants

    if not model or constants.HF_HUB_OFFLINE or _is_reachable(constants.ENDPOINT):
        yield bool(constants.HF_HUB_OFFLINE)
        return
    constants.HF_HUB_OFFLINE = True
    try:
        yield True
    finally:
        constants.HF_HUB_OFFLINE = False


def _is_reachable(address: str) -> bool:
    import httpx

    try:
        httpx.head(address, timeout=_SECONDS)
    except httpx.HTTPError:
        return False
    return True
