"""Captions in the score: what they weigh, which are believed, and what a search makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dar_retriever import EntryPart, ImageStore, StoredImage, StoredPart
from dar_retriever.stores.caption_scores import CaptionCalibration
from dar_retriever.stores.engines import AddressStore, open_engine
from dar_retriever.stores.upkeep import copy_store, export_store, import_store
from dar_retriever.stores.upkeep.recorded import RecordedEncoder

WIDTH, COUNT = 32, 400
ENCODER: Any = RecordedEncoder("some model", "some print", WIDTH)
# A direction that all texts share and no picture does: the gap between them.
GAP = np.eye(1, WIDTH, dtype=np.float32)[0]


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def random(seed: int) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(COUNT, WIDTH)) * (1 - GAP))


def noisy(meant: np.ndarray, noise: float, seed: int) -> np.ndarray:
    return meant + noise * random(seed)


MEANT = random(0)
PICTURES = unit(noisy(MEANT, 1.6, 1))
CAPTIONS = unit(noisy(MEANT, 0.6, 2) + 2 * GAP)
QUERIES = unit(noisy(MEANT, 0.6, 3) + 2 * GAP)


def exchanged(share: float) -> np.ndarray:
    rows = CAPTIONS.copy()
    chosen = np.random.default_rng(4).permutation(COUNT)[: int(share * COUNT)]
    rows[chosen] = rows[np.roll(chosen, 1)]
    return rows


def entries(captions: np.ndarray | None) -> list[StoredImage]:
    images = [
        StoredImage(f"id{n}", PICTURES[n], f"/{n}", f"caption {n}", {"odd": n % 2})
        for n in range(COUNT)
    ]
    if captions is None:
        return images
    return [
        replace(image, parts=[StoredPart(EntryPart(0, caption=image.caption), row)])
        for image, row in zip(images, captions, strict=True)
    ]


def filled(captions: np.ndarray | None) -> ImageStore:
    store = ImageStore.in_memory(ENCODER)
    store.add(entries(captions))
    return store


def recall(store: ImageStore, **asked: Any) -> float:
    found = [
        f"id{n}" in {hit.id for hit in store.search(QUERIES[n], 10, **asked)}
        for n in range(0, COUNT, 2)
    ]
    return float(np.mean(found))


@pytest.fixture(scope="module")
def good() -> ImageStore:
    return filled(CAPTIONS)


def test_good_captions_find_more_and_wrong_ones_cost_nothing(good: ImageStore):
    without = recall(filled(None))
    assert recall(good) > without + 0.05
    assert recall(filled(exchanged(0.5))) > without - 0.01
    assert recall(filled(exchanged(1.0))) > without - 0.01


def test_a_search_ranks_by_the_mixed_score_on_the_scale_of_pictures(good: ImageStore):
    calibration = CaptionCalibration(CAPTIONS, PICTURES)
    believed = calibration.own(CAPTIONS, PICTURES)
    for query in QUERIES[:6]:
        scale = calibration.scale(query)
        assert scale is not None
        assert 0 < scale.weight <= 0.5
        mixed = scale.mixed(PICTURES @ query, CAPTIONS @ query)
        scores = np.where(believed, mixed, PICTURES @ query)
        best = np.argsort(-scores)[:10]
        hits = good.search(query, 10)
        assert [hit.id for hit in hits] == [f"id{n}" for n in best]
        assert np.allclose([hit.score for hit in hits], scores[best], atol=1e-5)
        # Words fit words better than pictures; the score does not show it.
        assert (CAPTIONS @ query).mean() > (PICTURES @ query).mean() + 0.5
        assert abs(scores.mean() - (PICTURES @ query).mean()) < 0.05
        assert {hit.part for hit in hits} == {None}


def test_filters_and_exclusions_count_for_captions_too(good: ImageStore):
    hits = good.search(QUERIES[2], 10, {"odd": 1})
    assert {hit.metadata["odd"] for hit in hits} == {1}
    assert "id2" not in {hit.id for hit in good.search(QUERIES[2], 10, exclude=["id2"])}


def test_wrong_captions_are_not_believed():
    half = exchanged(0.5)
    right = (half == CAPTIONS).all(1)
    believed = CaptionCalibration(half, PICTURES).own(half, PICTURES)
    assert believed[right].mean() > 0.6
    assert believed[~right].mean() < 0.05


@pytest.mark.parametrize("captions", [CAPTIONS[:20], np.tile(CAPTIONS[:1], (60, 1))])
def test_captions_that_tell_nothing_weigh_nothing(captions: np.ndarray):
    scale = CaptionCalibration(captions, PICTURES[: len(captions)]).scale(QUERIES[0])
    assert scale is None


def test_captions_that_only_repeat_their_picture_weigh_little():
    repeating = unit(PICTURES + 2 * GAP)
    scale = CaptionCalibration(repeating, PICTURES).scale(QUERIES[0] - GAP)
    assert scale is None or scale.weight < 0.05


def test_captions_are_replaced_taken_away_and_deleted(tmp_path: Path):
    store = ImageStore.on_disk(tmp_path, ENCODER)
    store.add(entries(None)[:3])
    assert not store.has_captions
    part = StoredPart(EntryPart(0, caption="new"), CAPTIONS[0])
    store.keep_captions({"id0": part, "id1": part, "id2": part})
    store.keep_captions(
        {"id0": StoredPart(EntryPart(0, caption="newer"), CAPTIONS[1]), "id1": None}
    )
    again = ImageStore.on_disk(tmp_path, ENCODER)
    assert again.captions_of(["id0", "id1", "id2", "other"]) == {"id0": "newer", "id2": "new"}
    again.delete(["id0"])
    assert again.captions_of(["id0", "id2"]) == {"id2": "new"}
    assert not again.has_parts
    assert again.with_parts(["id2"]) == set()


@pytest.mark.parametrize("suffix", ["", ".jsonl"])
def test_captions_are_copied_exported_and_imported(good: ImageStore, tmp_path: Path, suffix: str):
    other = ImageStore.in_memory(ENCODER)
    if suffix:
        export_store(good, tmp_path / f"all{suffix}")
        import_store(tmp_path / f"all{suffix}", other)
    else:
        copy_store(good, other)
    assert other.captions_of(["id7"]) == {"id7": "caption 7"}
    assert [h.id for h in other.search(QUERIES[3])] == [h.id for h in good.search(QUERIES[3])]


def test_other_engines_keep_captions_as_texts_alone(tmp_path: Path):
    pytest.importorskip("qdrant_client")
    store = AddressStore(open_engine(f"qdrant:{tmp_path}"), ENCODER)
    store.add(entries(CAPTIONS)[:5])
    assert store.get(["id3"])[0].caption == "caption 3"
