"""Progress bars on the terminal, and quiet model libraries."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _RateColumn(ProgressColumn):
    """Steps a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f}/s" if task.speed else "")


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with rate and remaining time on standard error."""
    with progress_bars(title) as (move,):
        yield move


@contextmanager
def progress_bars(*titles: str) -> Iterator[list[Callable[[int, int], None]]]:
    """Bars below each other; each appears at its first step."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeRemainingColumn(),
    )
    # Plain text in notebooks too, because their widgets need another package.
    bar = Progress(*columns, console=Console(stderr=True, force_jupyter=False))

    def mover(title: str) -> Callable[[int, int], None]:
        task = bar.add_task(title, total=None, visible=False)

        def move(done: int, total: int) -> None:
            # Started at the first step, so that an earlier error appears without a bar.
            bar.start()
            bar.update(task, completed=done, total=total, visible=True)

        return move

    try:
        yield [mover(title) for title in titles]
    finally:
        if bar.live.is_started:
            bar.stop()


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hide the messages and loading bars of the model libraries inside the block."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    libraries = (diffusers_logging, transformers_logging)
    verbosities = [library.get_verbosity() for library in libraries]
    bars = [library.is_progress_bar_enabled() for library in libraries]
    for library in libraries:
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning, module="torch")
            # diffusers passes it to the hub's client, which no longer reads it.
            warnings.filterwarnings("ignore", message=".*local_dir_use_symlinks")
            yield
    finally:
        for library, verbosity, bar in zip(libraries, verbosities, bars, strict=True):
            library.set_verbosity(verbosity)
            if bar:
                library.enable_progress_bar()
