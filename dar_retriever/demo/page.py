"""The page that the show leaves: one HTML file with every picture in it."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from dar_retriever.retriever import SearchResult
from dar_retriever.stores.hits import Hit

_TEMPLATE: Final = "page.html.jinja"
_PICTURE: Final = 256
_CHART_WIDTH: Final = 720
_CHART_HEIGHT: Final = 240
_MARGIN: Final = 44


@dataclass(frozen=True, slots=True)
class ShownTurn:
    """One turn of the show.

    Attributes:
        said: The question, where there was one, and the user's words.
        result: What the turn found.
        text_rank: The target's rank by the text alone, from 1; 0 where there is no target.
        rank: The target's rank by the full query, likewise.
    """

    said: tuple[str, str]
    result: SearchResult
    text_rank: int
    rank: int


@dataclass(frozen=True, slots=True)
class _Line:
    """One method's course in the chart, in picture coordinates."""

    name: str
    style: str
    points: list[tuple[float, float, int]]

    @property
    def path(self) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in self.points)


def write_page(path: Path, turns: Sequence[ShownTurn], target: Hit | None, size: int) -> Path:
    """Write the page of a played conversation.

    Args:
        path: The HTML file.
        turns: What was said and found.
        target: What was looked for, if that is known.
        size: Number of images in the store.

    Returns:
        The path.
    """
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True
    )
    html = environment.get_template(_TEMPLATE).render(
        turns=turns,
        target=target,
        size=size,
        embed=_data_url,
        lines=_lines(turns, size) if target else [],
        ticks=_ticks(size),
        chart=(_CHART_WIDTH, _CHART_HEIGHT, _MARGIN),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html, encoding="utf-8")
    return path


def _lines(turns: Sequence[ShownTurn], size: int) -> list[_Line]:
    step = (_CHART_WIDTH - 2 * _MARGIN) / max(1, len(turns) - 1)

    def line(name: str, style: str, ranks: Sequence[int]) -> _Line:
        points = [(_MARGIN + n * step, _height(rank, size), rank) for n, rank in enumerate(ranks)]
        return _Line(name, style, points)

    return [
        line("text alone", "text", [turn.text_rank for turn in turns]),
        line("DAR", "dar", [turn.rank for turn in turns]),
    ]


def _ticks(size: int) -> list[tuple[int, float]]:
    """Ranks 1, 10, 100, ... and how high they stand."""
    ranks = [10**power for power in range(1 + int(math.log10(max(1, size))))]
    return [(rank, _height(rank, size)) for rank in ranks]


def _height(rank: int, size: int) -> float:
    """Rank 1 on top, the last one at the bottom, on a logarithmic scale."""
    share = math.log(rank) / math.log(max(2, size))
    return _MARGIN / 2 + share * (_CHART_HEIGHT - 1.25 * _MARGIN)


def _data_url(image: Image.Image) -> str:
    resized = image.resize((_PICTURE, _PICTURE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    resized.save(buffer, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
