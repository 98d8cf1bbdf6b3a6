"""Bursts are marked, kept, and hidden behind their best one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files_of_images import photograph
from ingest_child import ENCODER, Thumbnails
from PIL import Image

from dar_retriever import (
    DARQueryEncoder,
    DiffusionAugmentedRetriever,
    Hit,
    ImageStore,
    StoreError,
    ingest,
    sync,
)
from dar_retriever.stores import without_near_duplicates

SIZE = (160, 120)


class Reading(Thumbnails):
    """Whatever is asked for, it means the first picture."""

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        query = self.encode_images([photograph(0, SIZE).resize((80, 60))])
        return np.repeat(query, len(texts), axis=0)

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        return super().encode_images(images) if images else np.zeros((0, self.dimension))


READING: Any = Reading()


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


def test_a_retriever_hides_them_and_still_gives_as_many_hits(store: ImageStore) -> None:
    query = "the first picture"
    plain = DiffusionAugmentedRetriever(DARQueryEncoder(READING), store)
    hiding = DiffusionAugmentedRetriever(DARQueryEncoder(READING), store, hide_near_duplicates=True)

    everything = plain.search(query, k=7).hits
    assert sorted(name(hit)[0] for hit in plain.search(query, k=3).hits) == ["0", "0", "0"]
    for k in (1, 2, 3, 4):
        shown = hiding.search(query, k=k).hits
        assert len({name(hit)[0] for hit in shown}) == len(shown) == k
        assert shown[0] == everything[0]
    assert len(hiding.search(query, k=7).hits) == 4


def test_both_frameworks_hide_them(store: ImageStore) -> None:
    from langchain_dar import DARRetriever
    from llama_index.core.schema import ImageNode
    from llama_index_dar import DARRetriever as LlamaRetriever

    hiding = DiffusionAugmentedRetriever(DARQueryEncoder(READING), store, hide_near_duplicates=True)
    documents = DARRetriever(retriever=hiding, k=4).invoke("a photograph")
    nodes = LlamaRetriever(hiding, k=4).retrieve("a photograph")

    assert {Path(d.metadata["uri"]).stem[0] for d in documents} == {"0", "1", "2", "3"}
    assert all(isinstance(node.node, ImageNode) for node in nodes)
    assert len(nodes) == 4


def test_another_store_than_an_image_store_cannot_mark_them(tmp_path: Path) -> None:
    class Plain:
        def known(self, ids: Any) -> set[str]:
            return set()

        def add(self, images: Any) -> None: ...

    photograph(0, SIZE).save(tmp_path / "0.png")
    with pytest.raises(StoreError, match=r"near_duplicates=True: Plain cannot .*ImageStore"):
        ingest(tmp_path, Plain(), ENCODER, near_duplicates=True)
