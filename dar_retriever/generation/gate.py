"""How many requests a service gets at once and a minute."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Final

from dar_retriever.errors import GenerationError
from dar_retriever.support.threads import stop_requested

_LOOK: Final = 0.05
_MINUTE: Final = 60.0


class Gate:
    """Lets requests of all threads through, as many as a service takes.

    Args:
        parallel: Maximum number of requests at the same time.
        per_minute: Maximum number of requests that begin within a minute; None for any number.
    """

    def __init__(self, parallel: int, per_minute: int | None = None) -> None:
        self._parallel = parallel
        self._per_minute = per_minute
        self._begun: deque[float] = deque(maxlen=per_minute or 0)
        self._inside = 0
        self._closed_until = 0.0
        self._changed = Condition()

    @contextmanager
    def passed(self, until: float) -> Iterator[None]:
        """Wait in front of the gate, then run the block as one request.

        Args:
            until: How long to wait at most, in seconds of ``time.monotonic``.

        Raises:
            GenerationError: The gate does not open in time, or nobody waits any more.
        """
        with self._changed:
            while (opens := self._opens_at()) > (now := time.monotonic()) or self._full():
                if opens >= until or now >= until or stop_requested():
                    raise GenerationError("the limit of requests was reached")
                self._changed.wait(min(_LOOK, until - now))
            self._inside += 1
            self._begun.append(now)
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def close_for(self, seconds: float) -> None:
        """Let no request begin for a while, as a service asks that is used too much."""
        with self._changed:
            self._closed_until = max(self._closed_until, time.monotonic() + seconds)

    def _full(self) -> bool:
        return self._inside >= self._parallel

    def _opens_at(self) -> float:
        if self._per_minute is None or len(self._begun) < self._per_minute:
            return self._closed_until
        return max(self._closed_until, self._begun[0] + _MINUTE)
