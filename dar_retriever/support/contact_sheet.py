"""Several pictures with their labels as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageDraw, ImageFont, ImageOps

TILE: Final = 192
_GAP: Final = 12
_LABEL: Final = 20
_COLUMNS: Final = 5
_PAPER: Final = (250, 250, 248)
_INK: Final = (40, 40, 44)


def tiled(*groups: Sequence[tuple[Image.Image, str]]) -> Image.Image:
    """Lay out labelled pictures on one picture; every group starts a new row."""
    rows = [row for group in groups for row in _rows(group)]
    width = _GAP + _COLUMNS * (TILE + _GAP)
    height = _GAP + max(1, len(rows)) * (TILE + _LABEL + _GAP)
    sheet = Image.new("RGB", (width, height), _PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for row, tiles in enumerate(rows):
        for column, (picture, label) in enumerate(tiles):
            x = _GAP + column * (TILE + _GAP)
            y = _GAP + row * (TILE + _LABEL + _GAP)
            fitted = ImageOps.contain(picture, (TILE, TILE), Image.Resampling.LANCZOS)
            sheet.paste(fitted, (x + (TILE - fitted.width) // 2, y + (TILE - fitted.height) // 2))
            pen.text((x, y + TILE + 2), label, _INK, font)
    return sheet


def _rows(
    tiles: Sequence[tuple[Image.Image, str]],
) -> list[Sequence[tuple[Image.Image, str]]]:
    return [tiles[start : start + _COLUMNS] for start in range(0, len(tiles), _COLUMNS)]
