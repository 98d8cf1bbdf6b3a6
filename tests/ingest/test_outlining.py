"""Outlines at ingest: added where they are missing, without encoding the pictures again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files_of_images import save_photographs
from PIL import Image

from dar_retriever import ImageStore, StoreError, ingest, sync
from dar_retriever.ingest.migration import migrate
from dar_retriever.ingest.outlining import add_outlines
from dar_retriever.stores.engines import AddressStore, open_engine


class Pixels:
    """An encoder that sees small grey pictures, and counts what it sees."""

    name, dimension = "pixels", 64

    def __init__(self, fingerprint: str = "64 pixels") -> None:
        self.fingerprint = fingerprint
        self.pictures = self.outlines = 0

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        drawn = [set(np.unique(np.asarray(image))) <= {0, 255} for image in images]
        self.outlines += sum(drawn)
        self.pictures += len(drawn) - sum(drawn)
        rows = [np.asarray(image.convert("L").resize((8, 8)), np.float32) for image in images]
        return np.stack([(row.ravel() + 1) / np.linalg.norm(row + 1) for row in rows])


def filled(folder: Path, count: int = 5, **options: Any) -> tuple[ImageStore, Any, list[Path]]:
    encoder: Any = Pixels()
    store, paths = ImageStore.in_memory(encoder), save_photographs(folder, count)
    ingest(folder, store, encoder, **options)
    return store, encoder, paths


def ids(store: ImageStore) -> set[str]:
    return {record.id for record in store.records()}


def test_an_old_store_stays_as_it_is_and_gets_what_is_missing_when_asked(tmp_path: Path):
    store, encoder, _ = filled(tmp_path)
    assert ingest(tmp_path, store, encoder).outlined == 0
    assert not store.outlines

    steps: list[tuple[int, int]] = []
    report = ingest(
        tmp_path, store, encoder, outlines=True, outline_progress=lambda *at: steps.append(at)
    )

    assert (report.added, report.known, report.outlined) == (0, 5, 5)
    assert steps == [(5, 5)]
    assert (encoder.pictures, encoder.outlines) == (5, 5)
    assert store.outlines.known(ids(store)) == ids(store)


def test_a_store_with_outlines_keeps_getting_them_and_each_once(tmp_path: Path):
    store, encoder, _ = filled(tmp_path, outlines=True)
    save_photographs(tmp_path, 7)
    report = sync(tmp_path, store, encoder)

    assert (report.added, report.outlined) == (2, 2)
    assert encoder.outlines == 7
    assert store.outlines.known(ids(store)) == ids(store)


def test_pruned_pictures_lose_their_outlines(tmp_path: Path):
    store, encoder, paths = filled(tmp_path, outlines=True)
    before = ids(store)
    paths[0].unlink()
    sync(tmp_path, store, encoder, prune=True)

    assert store.outlines.known(before) == ids(store)
    assert len(ids(store)) == 4


def test_pictures_that_cannot_be_opened_any_more_are_told_and_the_others_go_on(tmp_path: Path):
    encoder: Any = Pixels()
    store = ImageStore.in_memory(encoder)
    (tmp_path / "there").mkdir()
    paths = save_photographs(tmp_path / "there", 4)
    ingest(paths, store, encoder)
    paths[1].write_bytes(b"no picture any more")
    report = add_outlines(store, encoder, ids(store))

    assert report.outlined == 3
    [remark] = report.remarks
    assert remark.startswith(f"no outline of {paths[1]}")


def test_other_engines_refuse_before_anything_is_stored_and_say_what_to_do(tmp_path: Path):
    encoder: Any = Pixels()
    store = AddressStore(open_engine(f"qdrant:{tmp_path / 'store'}"), encoder)
    save_photographs(tmp_path, 2)

    with pytest.raises(StoreError, match="keeps no outlines; use an ImageStore on Chroma"):
        ingest(tmp_path, store, encoder, outlines=True)
    assert len(store) == 0


def test_a_migrated_store_has_outlines_if_the_old_one_has(tmp_path: Path):
    old, _, _ = filled(tmp_path, outlines=True)
    encoder: Any = Pixels("other pixels")
    new = ImageStore.in_memory(encoder)
    migrate(old, new, encoder)

    assert new.outlines.known(ids(old)) == ids(old)
