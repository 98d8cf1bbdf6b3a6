"""An ingest on a local Ray cluster of two workers, writing to a Chroma server."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from files_of_images import save_photographs, write_lines
from typer.testing import CliRunner

from dar_retriever.cli.common import APP
from dar_retriever.encoders import OpenClipEncoder
from dar_retriever.errors import IngestError, InvalidInputError
from dar_retriever.ingest import ingest, ingest_on_ray
from dar_retriever.presets import open_encoder
from dar_retriever.stores.image_store import ImageStore
from dar_retriever.stores.opening import open_store

ray = pytest.importorskip("ray", reason="the extra 'ray' is not installed")

FILES = 24
PER_TASK = 4


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Two workers' worth of a cluster on this machine."""
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=100 * 2**20,
        runtime_env={
            "env_vars": {
                "HF_HUB_OFFLINE": "1",
                "OMP_NUM_THREADS": "1",
                # Workers import this file, and what it imports.
                "PYTHONPATH": os.pathsep.join(sys.path),
            }
        },
    )
    yield
    ray.shutdown()


def note_the_process(folder: str, model: str) -> OpenClipEncoder:
    """Opens the encoder, and leaves word which process did."""
    (Path(folder) / str(os.getpid())).touch()
    return OpenClipEncoder(model, device="cpu")


def on_server(encoder: OpenClipEncoder, port: int, collection: str) -> ImageStore:
    return ImageStore.on_server(encoder, "localhost", port, collection)


Openers = tuple[Callable[..., ImageStore], Callable[[], OpenClipEncoder]]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Photographs, one of them twice, one that is none, and metadata of unlike fields."""
    folder = tmp_path / "pictures"
    paths = save_photographs(folder, FILES)
    (folder / "copy.png").write_bytes(paths[0].read_bytes())
    (folder / "broken.jpg").write_bytes(b"no image")
    write_lines(
        folder,
        {"file_name": "001.png", "caption": "größe", "tags": ["a", "b"]},
        {"file_name": "002.png", "price": 3},
    )
    return folder


@pytest.fixture
def openers(
    cluster: None, checkpoint: Callable[[str], str], chroma_server: int, tmp_path: Path
) -> Openers:
    (tmp_path / "processes").mkdir()
    model = f"local-dir:{checkpoint('open_clip_vit')}"
    return (
        partial(on_server, port=chroma_server, collection=f"ray-{tmp_path.name}"),
        partial(note_the_process, str(tmp_path / "processes"), model),
    )


def test_two_workers_store_what_one_machine_stores(
    pictures: Path, openers: Openers, tiny_encoder: OpenClipEncoder, tmp_path: Path
):
    open_store, open_encoder = openers
    told: list[tuple[int, int]] = []
    report = ingest_on_ray(
        pictures,
        open_store,
        open_encoder,
        files_per_task=PER_TASK,
        progress=lambda done, total: told.append((done, total)),
    )
    workers = {path.name for path in (tmp_path / "processes").iterdir()}
    assert len(workers) == 2
    assert str(os.getpid()) not in workers

    store = open_store(tiny_encoder)
    alone = ImageStore.in_memory(tiny_encoder)
    expected = ingest(pictures, alone, tiny_encoder)
    assert len(store) == expected.added == FILES
    assert [left.path for left in report.left_out] == [left.path for left in expected.left_out]
    assert report.added + report.known == FILES + 1
    assert told[-1] == (FILES + 2, FILES + 2)
    ids, vectors = alone.vectors()
    np.testing.assert_allclose(store.vectors_of(ids), vectors, atol=1e-5)
    for got, wanted in zip(store.get(ids), alone.get(ids), strict=True):
        # The copy may have been the first.
        assert (got.caption, got.metadata) == (wanted.caption, wanted.metadata)

    again = ingest_on_ray(pictures, open_store, open_encoder, workers=1)
    assert (again.added, again.known, len(again.left_out)) == (0, FILES + 1, 1)


def test_a_worker_that_cannot_open_its_store_is_named(pictures: Path, openers: Openers):
    _, open_encoder = openers
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        closed = probe.getsockname()[1]
    open_store = partial(on_server, port=closed, collection="none")
    with pytest.raises(IngestError, match="no Chroma server answers"):
        ingest_on_ray(pictures, open_store, open_encoder, workers=1)


@pytest.mark.parametrize("option", ["workers", "files_per_task", "batch_size"])
def test_meaningless_options_are_refused(option: str, tmp_path: Path):
    with pytest.raises(InvalidInputError, match=f"{option}=0"):
        ingest_on_ray(tmp_path, None, None, **{option: 0})  # type: ignore[arg-type]


def test_a_missing_folder_is_refused_before_anything_starts(tmp_path: Path):
    with pytest.raises(IngestError, match="is not a folder"):
        ingest_on_ray(tmp_path / "none", None, None)  # type: ignore[arg-type]


def test_the_command_indexes_on_ray(cluster: None, chroma_server: int, gallery_folder: Path):
    store = f"http://localhost:{chroma_server}/ray-by-command"
    arguments = ["--store", store, "--engine", "ray", "--workers", "1", "--json"]
    done = CliRunner().invoke(APP, ["index", str(gallery_folder), *arguments])

    assert done.exit_code == 0, done.output
    count = len(list(gallery_folder.glob("*.jpg")))
    assert json.loads(done.stdout.splitlines()[-1])["added"] == count
    assert len(open_store(store, open_encoder("demo"))) == count  # type: ignore[arg-type]


def test_the_command_refuses_to_let_workers_share_a_folder(tmp_path: Path):
    arguments = ["index", str(tmp_path), "--store", str(tmp_path / "store"), "--engine", "ray"]
    done = CliRunner().invoke(APP, arguments)

    assert isinstance(done.exception, InvalidInputError)
    assert "chroma run" in str(done.exception)
