"""Entries with several vectors: the store ranks entries, and a hit names the part that matched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dar_retriever import ImageStore, InvalidInputError, StoreError
from dar_retriever.stores.engines import AddressStore, open_engine
from dar_retriever.stores.entry_parts import EntryPart, StoredPart
from dar_retriever.stores.hits import StoredImage
from dar_retriever.stores.upkeep import copy_store, export_store, import_store
from dar_retriever.stores.upkeep.recorded import RecordedEncoder

WIDTH, COUNT, PARTS = 16, 30, 5
ENCODER: Any = RecordedEncoder("some model", "some print", WIDTH)
BOX = (0.25, 0.0, 0.75, 0.5)


def unit(*shape: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(*shape, WIDTH)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


WHOLES, PIECES = unit(COUNT), unit(COUNT, PARTS, seed=1)
EVERY = np.concatenate([WHOLES[:, None], PIECES], 1)
QUERIES = 0.8 * unit(8, seed=2)


def entry(number: int, parts: int = PARTS) -> StoredImage:
    stored = [
        StoredPart(EntryPart(place, BOX, page=place + 1), PIECES[number, place])
        for place in range(parts)
    ]
    metadata = {"number": number, "colour": ["red", "blue"][number % 2]}
    return StoredImage(f"id{number}", WHOLES[number], f"/{number}", "", metadata, parts=stored)


@pytest.fixture(scope="module")
def filled() -> ImageStore:
    store = ImageStore.in_memory(ENCODER)
    store.add(list(map(entry, range(COUNT))))
    return store


def best_of(query: np.ndarray, among: list[int]) -> list[tuple[str, float]]:
    scores = (EVERY @ query).max(1)
    return [(f"id{n}", scores[n]) for n in sorted(among, key=lambda n: -scores[n])]


def assert_ranked(store: ImageStore, among: list[int], k: int = 7, **asked: Any) -> None:
    for query in QUERIES:
        hits, wanted = store.search(query, k, **asked), best_of(query, among)[:k]
        assert [hit.id for hit in hits] == [id_ for id_, _ in wanted]
        assert np.allclose([hit.score for hit in hits], [score for _, score in wanted], atol=1e-5)
        # The vector that matched is what re-rankers read.
        vectors = store.vectors_of([hit.vector_id for hit in hits])
        assert np.allclose(vectors @ query, [hit.score for hit in hits], atol=1e-5)


@pytest.mark.parametrize("k", [1, 7, COUNT + 5])
def test_entries_are_ranked_by_their_best_vector_and_each_is_one_hit(filled: ImageStore, k: int):
    assert_ranked(filled, list(range(COUNT)), k)


def test_filters_and_exclusions_count_for_parts_too(filled: ImageStore, monkeypatch: Any):
    red = [n for n in range(0, COUNT, 2) if n != 4]
    asked = {"where": {"colour": "red"}, "exclude": ["id4"]}
    assert_ranked(filled, red, **asked)
    assert filled.search(QUERIES[0], 5, {"number": 99}) == []
    monkeypatch.setattr("dar_retriever.stores.chroma.parts._FEW", 1)
    assert_ranked(filled, red, **asked)


def test_a_hit_says_which_part_matched(filled: ImageStore):
    [hit] = filled.search(PIECES[3, 2], 1)
    assert (hit.id, hit.part) == ("id3", EntryPart(2, BOX, page=3))
    assert hit.as_metadata()["part"] == {"number": 2, "box": list(BOX), "page": 3}
    assert str(hit.part) == "page 3, upper"
    [hit] = filled.search(WHOLES[3], 1)
    assert (hit.id, hit.part) == ("id3", None)
    assert "part" not in hit.as_metadata()


def test_only_entries_are_counted_listed_and_sampled(filled: ImageStore):
    assert len(filled) == COUNT
    assert filled.lost() == []
    assert len(filled.vectors()[0]) == len(list(filled.records())) == len(filled.sample()) == COUNT
    assert filled.with_parts(["id1", "other"]) == {"id1"}


def test_parts_are_replaced_and_deleted_with_their_entry(tmp_path: Path):
    store = ImageStore.on_disk(tmp_path, ENCODER)
    assert not store.has_parts
    store.add([entry(n) for n in range(4)])
    store.add([entry(1, parts=2), entry(2, parts=0)])
    assert {id_: len(parts) for id_, parts in store.parts_of(["id0", "id1", "id2"]).items()} == {
        "id0": PARTS,
        "id1": 2,
    }
    store.delete(["id0", "id3"])
    again = ImageStore.on_disk(tmp_path, ENCODER)
    assert again.has_parts
    assert {hit.id for hit in again.search(PIECES[0, 0], 9)} == {"id1", "id2"}
    with pytest.raises(StoreError, match="id0#1: not stored"):
        again.vectors_of(["id0#1"])


def test_an_old_store_gets_no_second_collection(tmp_path: Path):
    store = ImageStore.on_disk(tmp_path, ENCODER)
    store.add([entry(n, parts=0) for n in range(3)])
    store.search(QUERIES[0])
    import chromadb

    assert [each.name for each in chromadb.PersistentClient(str(tmp_path)).list_collections()] == [
        "images"
    ]


@pytest.mark.parametrize("suffix", ["", ".jsonl", ".parquet"])
def test_parts_are_copied_exported_and_imported(filled: ImageStore, tmp_path: Path, suffix: str):
    other = ImageStore.in_memory(ENCODER)
    if suffix:
        export_store(filled, tmp_path / f"all{suffix}")
        import_store(tmp_path / f"all{suffix}", other)
    else:
        copy_store(filled, other)
    assert_ranked(other, list(range(COUNT)))


def test_a_bad_part_is_refused_before_anything_is_stored(filled: ImageStore):
    broken = StoredPart(EntryPart(0), np.ones(3, np.float32))
    with pytest.raises(InvalidInputError, match="id99#0"):
        filled.add([StoredImage("id99", WHOLES[0], "/99", parts=[broken])])
    assert len(filled) == COUNT


def test_other_engines_refuse_parts(tmp_path: Path):
    pytest.importorskip("qdrant_client")
    store = AddressStore(open_engine(f"qdrant:{tmp_path}"), ENCODER)
    with pytest.raises(InvalidInputError, match="one vector an image"):
        store.add([entry(0)])
