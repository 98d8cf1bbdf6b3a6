"""Results and progress for people and for programs: table, contact sheet, JSON, bar."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont, ImageOps
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
from rich.table import Column, Table
from rich.text import Text

from dar_retriever.errors import InvalidImageError
from dar_retriever.hits import Hit
from dar_retriever.retriever import SearchResult

_TILE: Final = 192
_GAP: Final = 12
_LABEL: Final = 20
_COLUMNS: Final = 5
_PAPER: Final = (250, 250, 248)
_INK: Final = (40, 40, 44)
_MUTED: Final = (200, 200, 198)
_GONE: Final = "(file is gone) "


def as_json(result: SearchResult) -> dict[str, Any]:
    """A result as plain data: round, final, hits and the trace without pictures."""
    return {
        "round": result.dialogue.round,
        "final": result.final,
        "close": result.close,
        "hits": [
            {
                "rank": rank,
                "id": hit.id,
                "score": round(hit.score, 6),
                "uri": hit.uri,
                "caption": hit.caption,
                "metadata": dict(hit.metadata),
                **({"missing": True} if hit.missing else {}),
            }
            for rank, hit in enumerate(result.hits, 1)
        ],
        "trace": result.trace.as_json(),
    }


def hits_table(hits: Sequence[Hit], marked: str = "") -> Table:
    """Hits as a table for the terminal, one of them marked by its id."""
    name = Column("image", no_wrap=True, min_width=9)
    caption = Column("caption", no_wrap=True, overflow="ellipsis")
    score = Column("score", no_wrap=True, min_width=5)
    place = Column("#", no_wrap=True, min_width=2)
    table = Table(place, score, name, caption, box=None, header_style="dim")
    for rank, hit in enumerate(hits, 1):
        style = "bold green" if hit.id == marked else ""
        file_name = hit.file_name or hit.id
        said = f"{_GONE * hit.missing}{hit.caption}"
        table.add_row(str(rank), f"{hit.score:.3f}", file_name, said, style=style)
    return table


def contact_sheet(result: SearchResult) -> Image.Image:
    """One picture with the generated images above and the hits below, numbered."""
    drawn = [
        (image.image, f"generated {number}")
        for number, image in enumerate(result.trace.generated, 1)
    ]
    found = [
        (_picture(hit), f"{rank}   {hit.score:.3f}{' gone' * hit.missing}")
        for rank, hit in enumerate(result.hits, 1)
    ]
    return tiled(drawn, found)


def tiled(*groups: Sequence[tuple[Image.Image, str]]) -> Image.Image:
    """One picture of groups of pictures with their labels, each group on rows of its own."""
    rows = [row for group in groups for row in _rows(group)]
    width = _GAP + _COLUMNS * (_TILE + _GAP)
    height = _GAP + max(1, len(rows)) * (_TILE + _LABEL + _GAP)
    sheet = Image.new("RGB", (width, height), _PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for row, tiles in enumerate(rows):
        for column, (picture, label) in enumerate(tiles):
            x = _GAP + column * (_TILE + _GAP)
            y = _GAP + row * (_TILE + _LABEL + _GAP)
            fitted = ImageOps.contain(picture, (_TILE, _TILE), Image.Resampling.LANCZOS)
            sheet.paste(fitted, (x + (_TILE - fitted.width) // 2, y + (_TILE - fitted.height) // 2))
            pen.text((x, y + _TILE + 2), label, _INK, font)
    return sheet


class _RateColumn(ProgressColumn):
    """Steps a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f}/s" if task.speed else "")


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with rate and remaining time on standard error, moved by calls with done and total."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeRemainingColumn(),
    )
    # In notebooks too: their widgets are one more package.
    bar = Progress(*columns, console=Console(stderr=True, force_jupyter=False))
    task = bar.add_task(title, total=None)

    def move(done: int, total: int) -> None:
        # Started late, so that an error before the first step stands alone.
        bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield move
    finally:
        if bar.live.is_started:
            bar.stop()


def one_line(text: str) -> str:
    """A text that moves no cursor and ends no line, whatever a file was named."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep the model libraries' notes and file-reading bars off the screen for a while."""
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
            yield
    finally:
        for library, verbosity, bar in zip(libraries, verbosities, bars, strict=True):
            library.set_verbosity(verbosity)
            if bar:
                library.enable_progress_bar()


def _rows(
    tiles: Sequence[tuple[Image.Image, str]],
) -> list[Sequence[tuple[Image.Image, str]]]:
    return [tiles[start : start + _COLUMNS] for start in range(0, len(tiles), _COLUMNS)]


def _picture(hit: Hit) -> Image.Image:
    try:
        return hit.open()
    except InvalidImageError:
        # The file was moved since: an empty tile keeps the others in their places.
        return Image.new("RGB", (_TILE, _TILE), _MUTED)
