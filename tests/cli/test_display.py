from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from dar_retriever.cli.display import (
    as_json,
    contact_sheet,
    hits_table,
)
from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.generation import GeneratedImage
from dar_retriever.query_encoder import EncodedQuery
from dar_retriever.retriever import SearchResult
from dar_retriever.stores.hits import Hit
from dar_retriever.support.contact_sheet import tiled
from dar_retriever.trace import Trace

RED, GREEN, BLUE = (220, 20, 30), (20, 200, 40), (10, 30, 210)
# Tile, label and gaps of a sheet of five columns.
TILE, LABEL, GAP = 192, 20, 12
WIDTH = GAP + 5 * (TILE + GAP)


def picture(colour: tuple[int, int, int], size: tuple[int, int] = (300, 300)) -> Image.Image:
    return Image.new("RGB", size, colour)


def height_of(rows: int) -> int:
    return GAP + rows * (TILE + LABEL + GAP)


def middle(row: int, column: int) -> tuple[int, int]:
    return (
        GAP + column * (TILE + GAP) + TILE // 2,
        GAP + row * (TILE + LABEL + GAP) + TILE // 2,
    )


def result_of(hits: list[Hit], generated: int = 0) -> SearchResult:
    nothing = np.empty((0, 4), np.float32)
    drawn = tuple(GeneratedImage(picture(BLUE), "a dress", n) for n in range(generated))
    trace = Trace(
        "a dress",
        ("a dress",),
        generated=drawn,
        shares=(2 / 3, 1 / 3),
        reasons=("because",),
        reference_captions=("a hat",),
        timings={"search": 0.123456},
    )
    vector = np.ones(4, np.float32)
    dialogue = Dialogue.from_text("a dress")
    query = EncodedQuery(dialogue, vector, None, nothing, nothing, nothing, nothing, trace)
    return SearchResult(tuple(hits), trace, query)


@pytest.fixture
def hits(tmp_path: Path) -> list[Hit]:
    """Two that can be opened, and one whose file is gone."""
    for name, colour in (("red", RED), ("green", GREEN)):
        picture(colour).save(tmp_path / f"{name}.png")
    return [
        Hit("1a", 0.91234567, str(tmp_path / "red.png"), "a red one", {"size": 4}),
        Hit("2b", 0.5, str(tmp_path / "gone.png")),
        Hit("3c", 0.25, str(tmp_path / "green.png"), "a green one"),
    ]


def test_each_group_of_pictures_has_rows_of_its_own():
    sheet = tiled([(picture(RED), "r")] * 2, [(picture(GREEN), "g")] * 6, [(picture(BLUE), "b")])

    assert sheet.size == (WIDTH, height_of(4))
    colours = {(0, 0): RED, (0, 1): RED, (1, 0): GREEN, (1, 4): GREEN, (2, 0): GREEN, (3, 0): BLUE}
    for place, colour in colours.items():
        assert sheet.getpixel(middle(*place)) == colour
    for place in ((0, 2), (2, 1), (3, 1)):
        assert min(sheet.getpixel(middle(*place))) > 240


@pytest.mark.parametrize("groups", [[], [[]], [[], []]])
def test_a_sheet_of_nothing_is_one_empty_row(groups: list[list[Any]]):
    sheet = tiled(*groups)

    assert sheet.size == (WIDTH, height_of(1))
    assert len(sheet.getcolors()) == 1


def test_an_empty_group_takes_no_room():
    assert tiled([], [(picture(RED), "r")]).getpixel(middle(0, 0)) == RED


@pytest.mark.parametrize("size", [(600, 300), (300, 600), (20, 10), (10, 20)])
def test_pictures_keep_their_aspect_in_their_tiles(size: tuple[int, int]):
    original = picture(RED, size)

    sheet = np.asarray(tiled([(original, "")]))

    red = np.argwhere((sheet == RED).all(axis=-1))
    assert red.min(axis=0).min() >= GAP
    height, width = np.ptp(red, axis=0) + 1
    assert max(height, width) == TILE
    assert width / height == size[0] / size[1]
    assert original.size == size


def test_labels_stand_below_their_tiles():
    sheet = np.asarray(tiled([(picture(RED), "seven"), (picture(RED), "")]))

    below = sheet[GAP + TILE : GAP + TILE + LABEL]
    assert (below[:, GAP : GAP + TILE] < 100).all(axis=-1).any()
    assert not (below[:, GAP + TILE + GAP :] < 100).any()


def test_a_contact_sheet_has_the_generated_images_above_the_hits(hits: list[Hit]):
    sheet = contact_sheet(result_of(hits, generated=2))

    assert sheet.size == (WIDTH, height_of(2))
    assert sheet.getpixel(middle(0, 1)) == BLUE
    assert sheet.getpixel(middle(1, 0)) == RED
    # A file that is gone leaves the others in their places.
    assert len(set(sheet.getpixel(middle(1, 1)))) <= 2
    assert sheet.getpixel(middle(1, 2)) == GREEN


def test_a_result_is_plain_data(hits: list[Hit]):
    data = json.loads(json.dumps(as_json(result_of(hits, generated=2))))

    assert (data["round"], data["final"]) == (0, True)
    assert [(hit["rank"], hit["id"], hit["score"]) for hit in data["hits"]] == [
        (1, "1a", 0.912346),
        (2, "2b", 0.5),
        (3, "3c", 0.25),
    ]
    assert data["hits"][0]["uri"] == hits[0].uri
    assert (data["hits"][0]["caption"], data["hits"][0]["metadata"]) == ("a red one", {"size": 4})
    assert data["trace"]["caption"] == "a dress"
    assert data["trace"]["prompts"] == ["a dress"]
    assert (data["trace"]["generated"], data["trace"]["cached"]) == (2, 0)
    assert data["trace"]["shares"] == [0.6667, 0.3333]
    assert data["trace"]["reasons"] == ["because"]
    assert data["trace"]["reference_captions"] == ["a hat"]
    assert data["trace"]["timings"] == {"search": 0.1235}


def test_the_table_names_hits_by_file_or_id(hits: list[Hit]):
    console = Console(record=True, width=100, file=io.StringIO())

    console.print(hits_table([*hits, Hit("4d", 0.1, "")], marked="2b"))

    lines = [line.strip() for line in console.export_text().splitlines()[1:]]
    assert lines[0].startswith("1   0.912  a red one")
    for name in ("red.png", "gone.png", "green.png"):
        assert any(line.endswith(name) for line in lines)
    assert lines[-1].split() == ["4", "0.100", "4d"]


@pytest.mark.parametrize("width", [30, 60])
def test_a_narrow_table_cuts_captions_and_keeps_places_whole(width: int):
    place = "/photos/a long name of a folder/and one of a file.jpg"
    console = Console(record=True, width=width, file=io.StringIO())

    console.print(hits_table([Hit("1a", 0.9, place, "a red mug with white dots " * 4)]))

    lines = console.export_text().splitlines()
    assert all(len(line) <= width for line in lines)
    assert lines[1].rstrip().endswith("…")
    assert "".join(line[12:].rstrip() for line in lines[2:]).replace(" ", "") == place.replace(
        " ", ""
    )
