"""Two stores of different encoders as one, and the migration from one to the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ingest_child import ENCODER, draw_pictures
from PIL import Image
from typer.testing import CliRunner

from dar_retriever import (
    EncoderMismatchError,
    ImageStore,
    InvalidInputError,
    StoredImage,
    StoreError,
)
from dar_retriever.cli.common import APP
from dar_retriever.ingest import ingest, migrate, sync
from dar_retriever.stores import MovingStore, SpaceMap
from dar_retriever.stores.opening import open_store
from dar_retriever.stores.upkeep import copy_store

PICTURES = 200


class Rotated:
    """The same pixels in another space, with a little noise."""

    name, fingerprint, dimension, max_tokens = "rotated", "rotated", 96, 77

    def __init__(self) -> None:
        self.turn = np.random.default_rng(3).normal(size=(192, 96)).astype(np.float32)
        self.calls = 0

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        self.calls += 1
        rows = ENCODER.encode_images(images) @ self.turn
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("moving") / "pictures"
    draw_pictures(folder, PICTURES)
    return folder


@pytest.fixture
def old(folder: Path) -> ImageStore:
    store = ImageStore.in_memory(ENCODER)
    ingest(folder, store, ENCODER)
    return store


@pytest.fixture
def encoder() -> Any:
    return Rotated()


class Stopped(Exception):  # noqa: N818
    """Stands for a kill."""


def stopping(after: int) -> Any:
    def progress(done: int, _total: int) -> None:
        if done >= after:
            raise Stopped

    return progress


def described(store: ImageStore) -> Iterator[tuple[Any, ...]]:
    for hit in sorted(store.get([r.id for r in store.records()]), key=lambda hit: hit.id):
        yield hit.id, hit.uri, hit.caption, hit.metadata


def test_a_migration_that_was_stopped_goes_on_and_ends_as_a_fresh_ingest(
    old: ImageStore, encoder: Any, folder: Path
) -> None:
    new = ImageStore.in_memory(encoder)
    for after in (16, 60, 130):
        with pytest.raises(Stopped):
            migrate(old, new, encoder, stopping(after))
    before = len(new)
    report = migrate(old, new, encoder)
    assert (report.there, report.encoded, report.left_out) == (before, PICTURES - before, [])
    assert 130 <= before < PICTURES

    fresh = ImageStore.in_memory(encoder)
    sync(folder, fresh, encoder)
    assert list(described(new)) == list(described(fresh))
    ids = [record.id for record in fresh.records()]
    assert np.allclose(new.vectors_of(ids), fresh.vectors_of(ids), atol=1e-6)
    calls = encoder.calls
    assert sync(folder, new, encoder).known == PICTURES
    assert encoder.calls == calls
    assert len(old) == PICTURES


def test_both_stores_are_searched_meanwhile(old: ImageStore, encoder: Any) -> None:
    new = ImageStore.in_memory(encoder)
    with pytest.raises(Stopped):
        migrate(old, new, encoder, stopping(20))
    with pytest.raises(StoreError, match="search the old store until"):
        MovingStore(new, old)
    with pytest.raises(Stopped):
        migrate(old, new, encoder, stopping(100))
    both = MovingStore(new, old)
    ids = [record.id for record in old.records()]
    everything = old.vectors_of(ids) @ encoder.turn
    everything /= np.linalg.norm(everything, axis=1, keepdims=True)
    moved = new.known(ids)
    assert 100 <= len(moved) < PICTURES
    found = {id_: both.search(row, 5) for id_, row in zip(ids, everything, strict=True)}
    assert all(id_ == hits[0].id for id_, hits in found.items() if id_ in moved)
    others = [id_ for id_ in ids if id_ not in moved]
    assert np.mean([id_ in {hit.id for hit in found[id_]} for id_ in others]) > 0.9
    assert both.known([*ids, "nothing"]) == set(ids)
    assert [hit.id for hit in both.get(ids[:9])] == ids[:9]
    assert both.vectors_of(ids).shape == (PICTURES, 96)
    assert both.nearest(everything[0], 4).shape == (4, 96)
    assert ids[0] not in {hit.id for hit in both.search(everything[0], 5, exclude={ids[0]})}
    assert both.sample().shape[1] == 96
    assert both.fields().keys() == old.fields().keys()


def test_the_best_old_images_are_looked_at_once(old: ImageStore, encoder: Any) -> None:
    new = ImageStore.in_memory(encoder)
    with pytest.raises(Stopped):
        migrate(old, new, encoder, stopping(70))
    both = MovingStore(new, old, encoder)
    ids = [record.id for record in old.records()]
    waiting = next(id_ for id_ in ids if id_ not in new.known(ids))
    row = encoder.encode_images([old.get([waiting])[0].open()])[0]
    seen = encoder.calls
    best = both.search(row, 3)[0]
    assert (best.id, best.score) == (waiting, pytest.approx(1, abs=1e-5))
    assert np.allclose(both.vectors_of([waiting]), row, atol=1e-6)
    assert encoder.calls == seen + 1
    assert both.search(row, 3)[0] == best
    assert encoder.calls == seen + 1
    assert waiting not in new.known(ids)
    # An image's own id may end like that of a part.
    new.add([StoredImage("picture#3", row, "")])
    assert np.allclose(both.vectors_of(["picture#3"]), row, atol=1e-6)


def test_an_old_image_without_its_file_is_found_by_the_estimate(
    encoder: Any, tmp_path: Path
) -> None:
    draw_pictures(tmp_path / "pictures", 80)
    old, new = ImageStore.in_memory(ENCODER), ImageStore.in_memory(encoder)
    ingest(tmp_path / "pictures", old, ENCODER)
    with pytest.raises(Stopped):
        migrate(old, new, encoder, stopping(64))
    ids = [record.id for record in old.records()]
    waiting = [hit for hit in old.get(ids) if hit.id not in new.known(ids)]
    row = encoder.encode_images([waiting[0].open()])[0]
    for file in (tmp_path / "pictures").iterdir():
        file.unlink()
    found = MovingStore(new, old, encoder).search(row, 20)
    assert waiting[0].id in [hit.id for hit in found]


def test_the_same_encoder_is_refused(old: ImageStore) -> None:
    with pytest.raises(EncoderMismatchError, match="dar store copy"):
        migrate(old, ImageStore.in_memory(ENCODER), ENCODER)


def test_pictures_that_are_gone_are_named(encoder: Any, tmp_path: Path) -> None:
    draw_pictures(tmp_path / "pictures", 5)
    store = ImageStore.in_memory(ENCODER)
    ingest(tmp_path / "pictures", store, ENCODER)
    gone = min((tmp_path / "pictures").glob("*.png"))
    gone.unlink()
    report = migrate(store, ImageStore.in_memory(encoder), encoder)
    assert (report.encoded, [left.path for left in report.left_out]) == (4, [str(gone)])


def test_two_stores_are_opened_by_their_places(
    old: ImageStore, encoder: Any, tmp_path: Path
) -> None:
    places = str(tmp_path / "old"), str(tmp_path / "new")
    source = ImageStore.on_disk(places[0], ENCODER)
    copy_store(old, source)
    migrate(source, ImageStore.on_disk(places[1], encoder), encoder)
    both = open_store(f"moving:{places[0]},{places[1]}", encoder)
    assert isinstance(both, MovingStore)
    assert len(both.search(encoder.turn[0], 3)) == 3
    with pytest.raises(InvalidInputError, match="moving:OLD,NEW"):
        open_store("moving:one", encoder)


def test_the_command_moves_a_store(gallery_folder: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for picture in sorted(gallery_folder.glob("*.jpg"))[:4]:
        (few / picture.name).write_bytes(picture.read_bytes())
    store = ImageStore.on_disk(tmp_path / "old", ENCODER)
    ingest(few, store, ENCODER)
    command = ["migrate", str(tmp_path / "new"), "--to", "demo", "--store", str(tmp_path / "old")]
    done = CliRunner().invoke(APP, [*command, "--device", "cpu"])
    assert "4 images encoded, 0 were there" in done.stdout, done.output
    again = CliRunner().invoke(APP, [*command, "--device", "cpu"])
    assert "0 images encoded, 4 were there" in again.stdout


def test_queries_may_lie_elsewhere_than_the_fitted_images() -> None:
    random = np.random.default_rng(0)
    images = random.normal(size=(400, 12)).astype(np.float32)
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    others = images @ random.normal(size=(12, 16)).astype(np.float32)
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    map_ = SpaceMap.fitted(others[:200], images[:200])
    query = images[300] + 3 * np.eye(12, dtype=np.float32)[0]
    wanted = set(np.argsort(-images[200:] @ query)[:10])
    assert len(wanted & set(np.argsort(-others[200:] @ map_.ranking(query))[:20])) >= 9
    assert len(wanted & set(np.argsort(-map_(others[200:]) @ query)[:10])) >= 8


def test_a_map_needs_pairs() -> None:
    rows = np.eye(5, dtype=np.float32)
    with pytest.raises(InvalidInputError, match="at least two images"):
        SpaceMap.fitted(rows[:1], rows[:1])
    with pytest.raises(InvalidInputError, match="5 and 4 vectors"):
        SpaceMap.fitted(rows, rows[:4])
