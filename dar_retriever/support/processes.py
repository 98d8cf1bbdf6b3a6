"""Notices that a process was forked, after which models and databases that were open hang."""

from __future__ import annotations

import os
from typing import Final


class Birthplace:
    """Remembers the process in which something was opened.

    Threads do not survive a fork, so the first computation with a model that was open before waits
    for ever for a thread that is not there.

    Args:
        what: What was opened, for the error.
        error: The type of the error.
    """

    def __init__(self, what: str, error: type[Exception]) -> None:
        self._what, self._error = what, error
        self._process: Final = os.getpid()

    def require(self) -> None:
        """Refuse to go on in another process.

        Raises:
            Exception: The type that was given.
        """
        if os.getpid() != self._process:
            raise self._error(
                f"{self._what} was opened before this process was forked, and does not work here; "
                "open models and stores after the fork, such as with gunicorn without --preload"
            )
