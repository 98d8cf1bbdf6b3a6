"""A talk as HTML: the chat, what was understood, the hits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

import numpy as np
from jinja2 import Environment, PackageLoader
from PIL import Image

from dar_retriever import DARError, Hit, IngestReport, SearchableStore, SearchResult, Turn
from dar_retriever.support.images import data_url
from gradio_dar.examples import Example
from gradio_dar.talk import Talk

_TILE: Final = 256
_SMALL: Final = 96
_FULL: Final = 1600
# Thumbnails of hits that come again from turn to turn.
_REMEMBERED: Final = 2048


@dataclass(frozen=True, slots=True)
class _Picture:
    """A picture and what a person who does not see it is told."""

    url: str
    alt: str


@dataclass(frozen=True, slots=True)
class _Line:
    """One turn of the chat."""

    role: str
    text: str
    shown: list[_Picture]
    liked: list[_Picture]
    rejected: list[_Picture]


@dataclass(frozen=True, slots=True)
class _Tile:
    """One hit."""

    hit: Hit
    rank: int
    url: str
    direction: str
    places: str


def chat(turns: Sequence[Turn], examples: Sequence[Example]) -> str:
    """What was said, shown and judged; while nothing was, examples to begin with."""
    return _render("chat", lines=list(map(_line, turns)), examples=examples)


def understanding(talk: Talk, images: int) -> str:
    """The caption and the generated images with their weights.

    Args:
        talk: What is shown.
        images: How many are being generated while better hits are still to come.
    """
    result = talk.result
    if result is None or talk.stage == "searching":
        return _render("understanding", trace=None, stage=talk.stage)
    trace = result.trace
    shares = trace.shares or (1 / max(1, len(trace.generated)),) * len(trace.generated)
    pictures = [
        (_Picture(data_url(image.image, _TILE), f"generated: {image.prompt}"), weight)
        for image, weight in zip(
            trace.generated, (trace.image_weight * share for share in shares), strict=True
        )
    ]
    return _render(
        "understanding",
        trace=trace,
        pictures=pictures,
        stage=talk.stage,
        images=images,
        close=result.close,
        seconds=sum(trace.timings.values()),
    )


def hits(talk: Talk) -> str:
    """The hits with rank, score and movement."""
    tiles = [_tile(talk, hit, rank) for rank, hit in enumerate(talk.hits, 1)]
    result = talk.result
    return _render(
        "hits",
        tiles=tiles,
        stage=talk.stage,
        turn=len(talk.dialogue.user_turns),
        close=result is None or result.close,
        nothing=result.nothing if result else "",
    )


def question(talk: Talk) -> str:
    """The next question with its answers as buttons."""
    return _render("question", question=talk.question) if talk.question else ""


def details(talk: Talk, hit: Hit, store: SearchableStore) -> str:
    """Why a hit ranks where it does, and what is stored with it."""
    assert talk.result is not None
    return _render(
        "details",
        tile=_tile(talk, hit, talk.rank(hit)),
        parts=_parts(talk.result, hit, store),
        metadata=sorted(hit.metadata.items()),
    )


def full_size(hit: Hit) -> str:
    """A hit as large as a screen.

    Raises:
        InvalidImageError: Its file is gone or not readable.
    """
    return _render("full", title=hit.title, url=data_url(hit.open(), _FULL))


def trouble(problem: str) -> str:
    """Why there is nothing to look at."""
    return _render("trouble", problem=problem)


def indexed(report: IngestReport) -> str:
    """What an ingest did."""
    return _render("indexed", report=report)


def status(text: str, *, problem: bool = False) -> str:
    """One line that is read out."""
    return _render("status", text=text, problem=problem)


def _line(turn: Turn) -> _Line:
    groups = {
        "shown": (turn.images, "a picture that you showed"),
        "liked": (turn.like, "a hit that you liked"),
        "rejected": (turn.unlike, "a hit that you turned down"),
    }
    pictures = {
        name: [_Picture(data_url(image, _SMALL), alt) for image in images]
        for name, (images, alt) in groups.items()
    }
    return _Line(turn.role, turn.text, **pictures)


def _tile(talk: Talk, hit: Hit, rank: int) -> _Tile:
    moved, places, direction = talk.moved(hit), "", ""
    if talk.found_before and talk.stage != "searching":
        direction = "new" if moved is None else "up" if moved > 0 else "down" if moved else "same"
        places = str(abs(moved)) if moved else ""
    return _Tile(hit, rank, _thumbnail(hit), direction, places)


def _parts(result: SearchResult, hit: Hit, store: SearchableStore) -> list[tuple[str, float]]:
    """What each part of the query adds to a hit's score; together they are the score."""
    query, trace = result.query, result.trace
    vector = store.vectors_of([hit.id])[0]
    drawn = 0.0
    if len(query.image_vectors):
        count = len(query.image_vectors)
        shares = np.asarray(trace.shares or (1 / count,) * count)
        drawn = float(trace.image_weight * (shares @ (query.image_vectors @ vector)))
    alone = not any(
        map(len, (query.reference_vectors, query.liked_vectors, query.rejected_vectors))
    )
    rest = "your words" if alone else "your words, the pictures you showed, your judgements"
    return [(rest, hit.score - drawn), ("the generated images", drawn), ("the score", hit.score)]


def _thumbnail(hit: Hit) -> str:
    return _thumbnail_of(hit.id, hit.uri)


@lru_cache(maxsize=_REMEMBERED)
def _thumbnail_of(id: str, uri: str) -> str:
    """A hit's picture; empty where its file is gone."""
    try:
        image: Image.Image = Hit(id, 0.0, uri).open()
    except DARError:
        return ""
    return data_url(image, _TILE)


def _render(name: str, **values: Any) -> str:
    return _templates().get_template(f"{name}.html.jinja").render(values)


@cache
def _templates() -> Environment:
    loader = PackageLoader("gradio_dar")
    return Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
