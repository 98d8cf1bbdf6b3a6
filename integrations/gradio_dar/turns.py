"""How the page's turns went: in the log, and as Prometheus metrics. Nobody's words are in it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from dar_retriever import DARError
from dar_retriever.support.extras import needs_extra
from gradio_dar.talk import Talk

_LOGGER: Final = logging.getLogger(__name__)


class Metrics:
    """Prometheus metrics of the turns, served at a port of their own on this machine.

    Attributes:
        registry: A ``prometheus_client.CollectorRegistry`` of these metrics alone.
    """

    def __init__(self) -> None:
        with needs_extra("metrics"):
            from prometheus_client import CollectorRegistry, Counter, Histogram
        self.registry = CollectorRegistry()
        self._turns = Counter("dar_turns", "Turns", ["outcome"], registry=self.registry)
        self._fallbacks = Counter("dar_fallbacks", "Helpers that failed", registry=self.registry)
        self._first = Histogram("dar_first_hits_seconds", "First hits", registry=self.registry)
        self._whole = Histogram("dar_turn_seconds", "Whole turns", registry=self.registry)

    def serve(self, port: int) -> None:
        """Answer at ``http://127.0.0.1:PORT/metrics`` until the program ends."""
        from prometheus_client import start_http_server

        start_http_server(port, addr="127.0.0.1", registry=self.registry)

    def add(self, turn: Turn) -> None:
        """Count a turn that has ended."""
        self._turns.labels(turn.outcome).inc()
        self._fallbacks.inc(turn.fallbacks)
        self._whole.observe(turn.seconds)
        if turn.first is not None:
            self._first.observe(turn.first)


class Turn:
    """A turn in progress; see ``watched``.

    Attributes:
        outcome: "done", "refused" for bad input, or "failed".
        seconds: How long it took.
        first: Seconds until the first hits; None if there were none.
        hits: How many were found.
        fallbacks: How many helpers failed.
    """

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self.outcome = "done"
        self.seconds = 0.0
        self.first: float | None = None
        self.hits = self.fallbacks = 0

    def shows(self, talk: Talk) -> None:
        """Note what the turn shows now."""
        if talk.stage in ("pending", "final") and talk.result is not None:
            self.first = self.first or time.perf_counter() - self._began
            self.hits, self.fallbacks = len(talk.hits), len(talk.result.trace.fallbacks)

    def fails(self, error: Exception) -> None:
        """Note that it failed."""
        self.outcome = "refused" if isinstance(error, DARError) else "failed"

    def ends(self) -> None:
        """Note that it is over."""
        self.seconds = time.perf_counter() - self._began


@contextmanager
def watched(metrics: Metrics | None) -> Iterator[Turn]:
    """A turn that is logged and counted when the block ends."""
    turn = Turn()
    try:
        yield turn
    finally:
        turn.ends()
        told = {name: getattr(turn, name) for name in _TOLD}
        _LOGGER.info("turn", extra={"turn": told})
        if metrics is not None:
            metrics.add(turn)


_TOLD: Final = ("outcome", "seconds", "first", "hits", "fallbacks")


class JsonLines(logging.Formatter):
    """Log records as JSON, one a line."""

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter``."""
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        turn = getattr(record, "turn", None)
        return json.dumps(line | {"turn": turn} if turn else line, ensure_ascii=False)


def log_as_json() -> None:
    """Write the program's warnings, and how each turn went, to stderr as lines of JSON."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("gradio_dar").setLevel(logging.INFO)
