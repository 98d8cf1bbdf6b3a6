"""Ingests that are killed, that fill the disk, that run side by side, that lose their server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ingest_child import BATCH, ENCODER, PICTURES, alike, contents, draw_pictures
from restartable import restartable_server

from dar_retriever.errors import StoreUnavailableError
from dar_retriever.ingest import ingest
from dar_retriever.stores.image_store import ImageStore

TRIALS = 6


def told_by(*task: str | Path, before: tuple[str | Path, ...] = ()) -> list[dict[str, Any]]:
    """What ingest_child says of a task."""
    script = Path(__file__).parents[1] / "ingest_child.py"
    done = subprocess.run(
        [*before, sys.executable, script, *task],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_an_ingest_that_is_killed_loses_nothing_and_goes_on(tmp_path: Path) -> None:
    undisturbed, *trials = told_by("kills", tmp_path, str(TRIALS))
    assert undisturbed == {"stored": PICTURES, "lost": []}
    assert len(trials) == TRIALS
    for trial in trials:
        assert trial["missing"] == [], trial
        assert trial["lost"] == [], trial
        assert trial["found"] + trial["added"] == PICTURES, trial
        assert trial["completed"], trial
    # The kills came before the end, and at different points.
    assert len({trial["reported"] for trial in trials if trial["reported"] < PICTURES}) > 2


def test_a_power_cut_loses_nothing_that_was_synced_and_gives_no_wrong_answer(
    tmp_path: Path,
) -> None:
    """As SECURITY.md says: the database is whole; a torn index is an error, or answers rightly."""
    moments = told_by("cuts", tmp_path, "8")
    assert len(moments) == 8
    for moment in moments:
        assert moment["missing"] == moment["lost"] == moment["wrong"] == [], moment
        whole, torn = moment["errors"]
        assert (whole, torn in ("", "StoreError")) == ("", True), moment
    assert {moment["errors"][1] for moment in moments} == {"", "StoreError"}


def may_mount() -> bool:
    command = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=1m tmpfs "$(mktemp -d)"']
    return (
        shutil.which("unshare") is not None
        and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


@pytest.mark.parametrize("room", [60_000, 150_000, 300_000])
def test_an_ingest_on_a_full_disk_says_so_and_goes_on_when_there_is_room(
    tmp_path: Path, room: int
) -> None:
    if not may_mount():
        pytest.skip("a small disk needs the right to mount one: unshare -m, mount -t tmpfs")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = ("unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=8m tmpfs "$0" && exec "$@"')
    [told] = told_by("full", disk, tmp_path / "pictures", str(room), before=(*mounted, disk))
    assert told["error"] == "StoreError", told
    assert f"the disk of '{disk / 'store'}' is full" in told["message"]
    assert told["reported"] < PICTURES
    assert told["missing"] == told["lost"] == told["lost_after"] == [], told
    assert told["found"] + told["added"] == told["count"] == PICTURES, told


def test_two_processes_fill_one_folder_at_the_same_time(tmp_path: Path) -> None:
    *processes, after = told_by("writers", tmp_path, "2")
    for process in processes:
        assert process == {"result": {"added": PICTURES, "own": PICTURES, "lost": []}}
    assert after == {"count": 2 * PICTURES, "lost": []}


def test_stores_of_two_processes_see_what_the_other_writes(tmp_path: Path) -> None:
    assert told_by("views", tmp_path) == [
        {"result": []},
        {"result": []},
        {"count": 90, "lost": []},
    ]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    draw_pictures(tmp_path / "pictures")
    return tmp_path / "pictures"


def into(store: ImageStore, pictures: Path, progress: Callable[[int, int], None]) -> Any:
    return ingest(pictures, store, ENCODER, batch_size=BATCH, progress=progress)


def test_an_ingest_outlives_a_restart_of_its_server(tmp_path: Path, pictures: Path) -> None:
    with restartable_server(tmp_path) as server:
        store = ImageStore.on_server(ENCODER, "localhost", server.port)
        reported: list[int] = []

        def progress(done: int, _: int) -> None:
            reported.append(done)
            if len(reported) in (3, 9):
                server.stop(signal.SIGKILL)
                server.start()

        report = into(store, pictures, progress)
        assert (report.added, report.known, report.left_out) == (PICTURES, 0, [])
        assert reported == list(range(BATCH, PICTURES + 1, BATCH))
        found = contents(store)
    alone = ImageStore.in_memory(ENCODER)
    into(alone, pictures, lambda done, total: None)
    undisturbed = contents(alone)
    assert (found["count"], found["lost"]) == (PICTURES, [])
    assert alike(found, undisturbed)


def test_an_ingest_whose_server_stays_away_ends_and_is_completed_later(
    tmp_path: Path, pictures: Path
) -> None:
    with restartable_server(tmp_path) as server:
        store = ImageStore.on_server(ENCODER, "localhost", server.port)
        reported: list[int] = []

        def progress(done: int, _: int) -> None:
            reported.append(done)
            if len(reported) == 5:
                server.stop(signal.SIGKILL)

        with pytest.raises(StoreUnavailableError, match=f"localhost:{server.port}"):
            into(store, pictures, progress)
        server.start()
        assert len(store) >= reported[-1] == 5 * BATCH
        left = PICTURES - len(store)
        assert into(store, pictures, lambda *_: None).added == left
        assert contents(store)["lost"] == []


def fill_by_process(pictures: Path, port: int) -> subprocess.Popen[str]:
    script = Path(__file__).parents[1] / "ingest_child.py"
    command = [sys.executable, script, "served", pictures, str(port)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_fill_one_collection_of_a_server(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for seed, folder in enumerate(folders):
        draw_pictures(folder, seed=seed)
    with restartable_server(tmp_path) as server:
        processes: list[subprocess.Popen[str]] = []
        try:
            processes += [fill_by_process(folder, server.port) for folder in folders]
            said = [p.communicate(timeout=100) for p in processes]
        finally:
            for process in processes:
                process.kill()
        assert [json.loads(out)["added"] for out, _ in said] == [PICTURES] * 2, said
        found = contents(ImageStore.on_server(ENCODER, "localhost", server.port))
        assert (found["count"], found["lost"]) == (2 * PICTURES, [])
