"""Following a folder: a sync after every change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Final

from dar_retriever.errors import IngestError, StoreUnavailableError
from dar_retriever.ingest.report import IngestReport
from dar_retriever.support.extras import needs_extra

# Cameras and browsers write a file in many steps.
_QUIET_MS: Final = 1600
# File systems of other machines tell of no changes, so the folder is looked at now and then too.
_AT_LEAST_MS: Final = 60_000


def watch(
    folder: str | Path,
    keep: Callable[[], IngestReport],
    *,
    stop: Event | None = None,
    quiet_ms: int = _QUIET_MS,
    at_least_ms: int = _AT_LEAST_MS,
) -> Iterator[IngestReport]:
    """Sync whenever a folder has changed, until it is stopped; it ends with Ctrl-C, too.

    Args:
        folder: The folder.
        keep: Syncs the folder.
        stop: Ends it once it is set.
        quiet_ms: Changes are collected until there was none for so many milliseconds.
        at_least_ms: The folder is synced this often even if no change was told of.

    Yields:
        The report of every sync that did something. While the folder is empty or away, or the
        store's server is, nothing happens; the next change tries again.

    Raises:
        MissingExtraError: ``watchfiles`` is not installed.
    """
    with needs_extra("watch"):
        from watchfiles import watch as changes

    told = changes(
        folder,
        stop_event=stop,
        debounce=quiet_ms,
        rust_timeout=at_least_ms,
        yield_on_timeout=True,
        raise_interrupt=False,
        watch_filter=None,
    )
    for _ in told:
        try:
            report = keep()
        except (IngestError, StoreUnavailableError):
            continue
        if report.added or report.moved or report.updated or report.pruned:
            yield report
