"""The page that the show leaves: one HTML file with every picture in it."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image

from dar_retriever.retriever import SearchResult
from dar_retriever.stores.hits import Hit

_TEMPLATE: Final = "page.html.jinja"
# Written by examples/benchmarks/second_stage.py.
_FIGURES: Final = "figures.json"
_PICTURE: Final = 256
_CHART_WIDTH: Final = 640
_CHART_HEIGHT: Final = 320
_MARGIN: Final = 72


@dataclass(frozen=True, slots=True)
class ShownTurn:
    """One turn of the show.

    Attributes:
        said: The question, where there was one, and the user's words.
        result: What the turn found.
        text_rank: The target's rank by the text alone, from 1; 0 where there is no target.
        rank: The target's rank by all of DAR: drawings and second stage.
    """

    said: tuple[str, str]
    result: SearchResult
    text_rank: int
    rank: int


@dataclass(frozen=True, slots=True)
class _Line:
    """One method's course in a chart: its name, and places with what they say."""

    name: str
    style: str
    points: list[tuple[float, float, str]]

    @property
    def path(self) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in self.points)


@dataclass(frozen=True, slots=True)
class _Chart:
    """Lines over turns, with marks of the scale."""

    label: str
    lines: list[_Line]
    marks: list[tuple[str, float]]
    width: int = _CHART_WIDTH
    height: int = _CHART_HEIGHT
    margin: int = _MARGIN


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
    figures: dict[str, Any] = json.loads((Path(__file__).parent / _FIGURES).read_text())
    html = environment.get_template(_TEMPLATE).render(
        turns=turns,
        target=target,
        size=size,
        embed=_data_url,
        ranks=_rank_chart(turns, size) if target else None,
        benchmark=_benchmark_chart(figures),
        figures=figures,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html, encoding="utf-8")
    return path


def _rank_chart(turns: Sequence[ShownTurn], size: int) -> _Chart:
    """The target's rank by turn: 1 on top, the last one at the bottom, logarithmic."""

    def height(rank: int) -> float:
        return _height(math.log(rank) / math.log(max(2, size)))

    def line(name: str, style: str, ranks: Sequence[int]) -> _Line:
        places = zip(_across(len(ranks)), ranks, strict=True)
        return _Line(name, style, [(x, height(rank), f"rank {rank}") for x, rank in places])

    lines = [
        line("text alone", "text", [turn.text_rank for turn in turns]),
        line("DAR: drawings and second stage too", "dar", [turn.rank for turn in turns]),
    ]
    marks = [(str(rank), height(rank)) for rank in _powers_of_ten(size)]
    return _Chart("Rank of the wanted picture by turn", lines, marks)


def _benchmark_chart(figures: dict[str, Any]) -> _Chart:
    """How many targets are among the first ten, by turn."""
    lines = [
        _Line(
            line["name"],
            line["style"],
            [
                (x, _height(1 - share / 100), f"{share:.0f} %")
                for x, share in zip(_across(len(line["shares"])), line["shares"], strict=True)
            ],
        )
        for line in figures["lines"]
    ]
    marks = [(f"{share} %", _height(1 - share / 100)) for share in (0, 50, 100)]
    return _Chart("Pictures found among the first ten hits by turn", lines, marks)


def _across(turns: int) -> list[float]:
    step = (_CHART_WIDTH - 2 * _MARGIN) / max(1, turns - 1)
    return [_MARGIN + number * step for number in range(turns)]


def _height(share: float) -> float:
    """Where a share of the way down stands."""
    return _MARGIN / 2 + share * (_CHART_HEIGHT - 1.25 * _MARGIN)


def _powers_of_ten(most: int) -> list[int]:
    return [10**power for power in range(1 + int(math.log10(max(1, most))))]


def _data_url(image: Image.Image) -> str:
    resized = image.resize((_PICTURE, _PICTURE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    resized.save(buffer, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
