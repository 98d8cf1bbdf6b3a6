"""Bursts are marked, kept, and hidden behind their best one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from files_of_images import photograph
from ingest_child import ENCODER
from PIL import Image

from dar_retriever import Hit, ImageStore, sync
from dar_retriever.stores import without_near_duplicates

SIZE = (160, 120)


def shifted(image: Image.Image, by: int) -> Image.Image:
    """The next picture of a burst."""
    return image.transform(image.size, Image.Transform.AFFINE, (1, 0, by, 0, 1, by))


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    for number in range(4):
        photograph(number, SIZE).save(tmp_path / f"{number}.png")
    photograph(0, SIZE).save(tmp_path / "0b small.jpg", quality=80)
    photograph(0, SIZE).resize((80, 60)).save(tmp_path / "0c.png")
    shifted(photograph(1, SIZE), 2).save(tmp_path / "1b.png")
    opened = ImageStore.in_memory(ENCODER)
    assert sync(tmp_path, opened, ENCODER, near_duplicates=True).near_duplicates == 3
    return opened


def name(hit: Hit) -> str:
    return Path(hit.uri).stem


def test_near_duplicates_are_marked_and_kept(store: ImageStore) -> None:
    hits = store.get(store.vectors()[0])
    names = {hit.id: name(hit) for hit in hits}
    marks = {
        name(hit): names[hit.metadata["near_duplicate_of"]]
        for hit in hits
        if "near_duplicate_of" in hit.metadata
    }
    assert marks == {"0b small": "0", "0c": "0", "1b": "1"}
    assert len(hits) == 7


def test_hits_show_the_best_of_each(store: ImageStore) -> None:
    query = ENCODER.encode_images([photograph(0, SIZE).resize((80, 60))])[0]
    hits = store.search(query, 7)
    shown = without_near_duplicates(hits)
    assert {name(hit)[0] for hit in shown} == {"0", "1", "2", "3"}
    assert len(shown) == 4
    assert shown[0] == hits[0]
    assert [hit for hit in hits if hit in shown] == shown


def test_a_later_picture_joins_an_earlier_burst(store: ImageStore, tmp_path: Path) -> None:
    shifted(photograph(1, SIZE), 3).save(tmp_path / "1c.png")
    assert sync(tmp_path, store, ENCODER, near_duplicates=True).near_duplicates == 1
    [added] = [hit for hit in store.get(store.vectors()[0]) if name(hit) == "1c"]
    [first] = [hit for hit in store.get(store.vectors()[0]) if name(hit) == "1"]
    assert added.metadata["near_duplicate_of"] == first.id
    # What is known of it stays when nothing has changed.
    assert sync(tmp_path, store, ENCODER).known == 8
    assert np.isclose(added.metadata["width"], SIZE[0])
