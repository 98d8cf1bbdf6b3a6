"""Outlines of stored pictures: kept apart, so that ordinary searches stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dar_retriever import ImageStore
from dar_retriever.stores.base import outlines_of
from dar_retriever.stores.engines import AddressStore, open_engine
from dar_retriever.stores.hits import StoredImage
from dar_retriever.stores.upkeep import copy_store, export_store, import_store
from dar_retriever.stores.upkeep.recorded import RecordedEncoder

WIDTH, COUNT = 16, 30
ENCODER: Any = RecordedEncoder("some model", "some print", WIDTH)


def unit(count: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


WHOLES, LINES = unit(COUNT, 0), unit(COUNT, 1)
QUERY = unit(1, 2)[0]
IDS = [f"id{n}" for n in range(COUNT)]


def entry(number: int) -> StoredImage:
    metadata = {"colour": ["red", "blue"][number % 2]}
    return StoredImage(IDS[number], WHOLES[number], f"/{number}", "", metadata)


def fill(store: ImageStore) -> ImageStore:
    store.add(list(map(entry, range(COUNT))))
    store.outlines.keep(dict(zip(IDS, LINES, strict=True)))
    return store


@pytest.fixture(scope="module")
def filled() -> ImageStore:
    return fill(ImageStore.in_memory(ENCODER))


def best(among: list[int]) -> list[str]:
    return [IDS[n] for n in sorted(among, key=lambda n: -float(LINES[n] @ QUERY))]


def test_outlines_are_searched_by_themselves(filled: ImageStore):
    hits = filled.outlines.search(QUERY, 7)

    assert [hit.id for hit in hits] == best(list(range(COUNT)))[:7]
    assert np.allclose([hit.score for hit in hits], [LINES[int(h.id[2:])] @ QUERY for h in hits])
    assert [hit.uri for hit in hits] == [f"/{hit.id[2:]}" for hit in hits]


def test_filters_and_exclusions_count_for_outlines(filled: ImageStore):
    red = [n for n in range(0, COUNT, 2) if n != 4]
    hits = filled.outlines.search(QUERY, 5, {"colour": "red"}, ["id4"])

    assert [hit.id for hit in hits] == best(red)[:5]


def test_ordinary_searches_are_as_without_outlines(filled: ImageStore):
    plain = ImageStore.in_memory(ENCODER)
    plain.add(list(map(entry, range(COUNT))))

    assert filled.search(QUERY, 9) == plain.search(QUERY, 9)
    assert len(filled) == COUNT
    assert outlines_of(filled) is not None
    assert outlines_of(plain) is None
    assert plain.outlines.search(QUERY, 3) == []


def test_vectors_and_sample_are_what_was_kept(filled: ImageStore):
    vectors = filled.outlines.vectors(["id3", "unknown", "id1"])

    assert list(vectors) == ["id3", "id1"]
    assert np.allclose(vectors["id3"], LINES[3], atol=1e-6)
    assert filled.outlines.sample().shape == (COUNT, WIDTH)
    assert filled.outlines.known(["id3", "unknown"]) == {"id3"}


def test_deleted_images_lose_their_outlines(tmp_path: Path):
    store = fill(ImageStore.on_disk(tmp_path, ENCODER))
    store.delete(IDS[:20])

    assert ImageStore.on_disk(tmp_path, ENCODER).outlines.known(IDS) == set(IDS[20:])
    assert {hit.id for hit in store.outlines.search(QUERY, COUNT)} == set(IDS[20:])
    assert store.outlines.sample().shape == (10, WIDTH)


def test_copies_and_exports_hold_the_outlines(filled: ImageStore, tmp_path: Path):
    copied, imported = (ImageStore.in_memory(ENCODER) for _ in range(2))
    copy_store(filled, copied)
    export_store(filled, tmp_path / "store.jsonl")
    import_store(tmp_path / "store.jsonl", imported)

    for store in (copied, imported):
        wanted = filled.outlines.search(QUERY, 5)
        assert [hit.id for hit in store.outlines.search(QUERY, 5)] == [hit.id for hit in wanted]
        assert not store.has_parts


def test_another_engine_takes_a_copy_without_them(filled: ImageStore, tmp_path: Path):
    store = AddressStore(open_engine(f"qdrant:{tmp_path / 'there'}"), ENCODER)
    copy_store(filled, store)

    assert len(store) == COUNT
    assert outlines_of(store) is None
