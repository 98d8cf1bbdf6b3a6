"""Results for people and for programs: table, contact sheet, JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from PIL import Image
from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from dar_retriever.errors import InvalidImageError
from dar_retriever.retriever import SearchResult
from dar_retriever.stores.hits import Hit
from dar_retriever.support.contact_sheet import TILE, tiled

_MUTED: Final = (200, 200, 198)
_GONE: Final = "(file is gone) "


def as_json(result: SearchResult) -> dict[str, Any]:
    """A result as plain data: round, final, hits and the trace without pictures."""
    return {
        "round": result.dialogue.round,
        "final": result.final,
        "close": result.close,
        **({"nothing": result.nothing} if result.nothing else {}),
        **({} if result.fitting is None else {"fitting": result.fitting}),
        "hits": [
            {
                "rank": rank,
                "id": hit.id,
                "score": round(hit.score, 6),
                "uri": hit.uri,
                "caption": hit.caption,
                "metadata": dict(hit.metadata),
                **({"part": hit.part.as_json()} if hit.part else {}),
                **({"shows": list(map(str, hit.shows))} if hit.shows else {}),
                **({"missing": True} if hit.missing else {}),
            }
            for rank, hit in enumerate(result.hits, 1)
        ],
        "trace": result.trace.as_json(),
    }


def hits_table(hits: Sequence[Hit], marked: str = "") -> Table:
    """Hits as a table for the terminal, one of them marked by its id.

    Captions are cut to the terminal's width, places are shown whole.
    """
    score = Column("score", no_wrap=True, min_width=5)
    place = Column("#", no_wrap=True, min_width=2)
    table = Table(place, score, Column("image"), box=None, header_style="dim")
    for rank, hit in enumerate(hits, 1):
        style = "bold green" if hit.id == marked else ""
        said = f"{_GONE * hit.missing}{one_line(hit.caption)}"
        lines = [Text(said, no_wrap=True, overflow="ellipsis")] if said else []
        if hit.shows:
            lines.append(Text(one_line(", ".join(map(str, hit.shows))), style="cyan"))
        if hit.part:
            lines.append(Text(f"matched: {hit.part}", style="magenta"))
        lines.append(Text(one_line(hit.uri or hit.id), style="dim", overflow="fold"))
        table.add_row(str(rank), f"{hit.score:.3f}", Group(*lines), style=style)
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


def one_line(text: str) -> str:
    """A text that moves no cursor and ends no line, whatever a file was named."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _picture(hit: Hit) -> Image.Image:
    try:
        return hit.open()
    except InvalidImageError:
        # The file was moved since: an empty tile keeps the others in their places.
        return Image.new("RGB", (TILE, TILE), _MUTED)
