"""Following a folder while it changes."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from threading import Event

from files_of_images import save_photographs
from ingest_child import ENCODER

from dar_retriever import ImageStore, sync
from dar_retriever.ingest import watch


def test_changes_are_followed_until_it_is_stopped(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    save_photographs(folder, 2)
    store, stop = ImageStore.in_memory(ENCODER), Event()
    keep = partial(sync, folder, store, ENCODER)
    keep()
    reports = watch(folder, keep, stop=stop, quiet_ms=50, at_least_ms=200)

    shutil.copy(folder / "000.png", folder / "copy.png")
    save_photographs(folder / "new", 3)
    assert next(reports).added == 1
    (folder / "new" / "002.png").rename(folder / "moved.png")
    assert next(reports).moved == 1
    # A folder that is away for a while ends nothing.
    away = folder.rename(tmp_path / "away")
    folder.mkdir()
    assert len(store) == 3
    shutil.copy(away / "000.png", folder / "001.png")
    assert next(reports).pruned
    assert len(store) == 1
    stop.set()
    assert list(reports) == []
