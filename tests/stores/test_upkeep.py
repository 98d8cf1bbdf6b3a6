"""Looking after stores: status, prune, check, export and import, copies, read-only, forks."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files_of_images import save_photographs, write_lines
from ingest_child import ENCODER
from restartable import restartable_server
from typer.testing import CliRunner

from dar_retriever import (
    EncoderMismatchError,
    ImageStore,
    InvalidInputError,
    StoredImage,
    StoreError,
    StoreUnavailableError,
    sync,
)
from dar_retriever.cli.common import APP
from dar_retriever.stores.chroma import check
from dar_retriever.stores.upkeep import (
    copy_store,
    encoder_recorded_by,
    export_store,
    exported_encoder,
    import_store,
    prune,
    state_of,
)
from dar_retriever.support.threads import in_thread

VECTOR = np.ones(ENCODER.dimension, np.float32) / ENCODER.dimension**0.5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_photographs(tmp_path / "photos", 5)
    entry = {"file_name": "000.png", "caption": "a dog", "tags": ["dog", "beach"], "price": 1.5}
    write_lines(tmp_path / "photos", entry)
    return tmp_path / "photos"


@pytest.fixture
def store(folder: Path, tmp_path: Path) -> ImageStore:
    opened = ImageStore.on_disk(tmp_path / "store", ENCODER)
    sync(folder, opened, ENCODER)
    opened.add([StoredImage("added", VECTOR, "https://example.org/a.png", "far", {"x": 1})])
    return opened


def everything(store: ImageStore) -> dict[str, Any]:
    ids, vectors = store.vectors()
    return {
        hit.id: (hit.uri, hit.caption, dict(hit.metadata), vector.round(5).tolist())
        for hit, vector in zip(store.get(ids), vectors, strict=True)
    }


def test_the_state_of_a_store_tells_its_roots_and_what_is_gone(
    store: ImageStore, folder: Path
) -> None:
    (folder / "001.png").unlink()
    state = state_of(store)
    assert (state.images, state.encoder) == (6, ENCODER.name)
    [none, photos] = state.roots
    assert (none.name, none.files, none.gone) == ("", 1, 0)
    assert (photos.folder, photos.is_there, photos.files, photos.gone) == (str(folder), True, 5, 1)


def test_prune_removes_what_is_gone_but_nothing_of_a_folder_that_is_away(
    store: ImageStore, folder: Path
) -> None:
    away = folder.rename(folder.parent / "away")
    assert prune(store) == 0
    away.rename(folder)
    (folder / "001.png").unlink()
    assert prune(store) == 1
    assert len(store) == 5


@pytest.mark.parametrize("name", ["store.jsonl", "store.parquet"])
def test_an_export_holds_everything(name: str, store: ImageStore, tmp_path: Path) -> None:
    assert export_store(store, tmp_path / name) == 6
    encoder = exported_encoder(tmp_path / name)
    assert (encoder.fingerprint, encoder.dimension) == (ENCODER.fingerprint, ENCODER.dimension)
    other = ImageStore.on_disk(tmp_path / "other", encoder)
    assert import_store(tmp_path / name, other) == 6
    assert everything(other) == everything(store)
    assert other.roots == store.roots
    # The file can be followed in the new store.
    report = sync(tmp_path / "photos", ImageStore.on_disk(tmp_path / "other", ENCODER), ENCODER)
    assert (report.known, report.added) == (5, 0)


def test_what_is_no_export_is_refused(store: ImageStore, tmp_path: Path) -> None:
    for name in ("a.csv", "none.jsonl", "none.parquet"):
        with pytest.raises(InvalidInputError, match=name):
            import_store(tmp_path / name, store)
    with pytest.raises(InvalidInputError, match=r"\.jsonl or \.parquet"):
        export_store(store, tmp_path / "a.csv")
    (tmp_path / "list.jsonl").write_text("[1]\n")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    for name, reason in (("list.jsonl", "no export"), ("broken.parquet", "cannot be read")):
        with pytest.raises(InvalidInputError, match=reason):
            import_store(tmp_path / name, store)
    export_store(store, tmp_path / "e.jsonl")
    lines = (tmp_path / "e.jsonl").read_text().splitlines()
    (tmp_path / "cut.jsonl").write_text("\n".join([*lines[:-1], lines[-1][:50]]))
    with pytest.raises(InvalidInputError, match="cannot be read"):
        import_store(tmp_path / "cut.jsonl", store)
    header = json.loads(lines[0]) | {"fingerprint": "another"}
    (tmp_path / "other.jsonl").write_text(json.dumps(header))
    with pytest.raises(EncoderMismatchError, match="holds vectors of"):
        import_store(tmp_path / "other.jsonl", store)
    with pytest.raises(StoreError, match="cannot be written"):
        export_store(store, tmp_path / "no folder" / "a.jsonl")


def test_a_store_is_copied_without_its_encoder(store: ImageStore, tmp_path: Path) -> None:
    source = ImageStore.on_disk(tmp_path / "store", None)
    target = ImageStore.on_disk(tmp_path / "copy", encoder_recorded_by(source))
    told: list[int] = []
    assert copy_store(source, target, lambda done, _: told.append(done)) == 6
    assert told[-1] == 6
    assert everything(target) == everything(store)
    with pytest.raises(StoreError, match="opened without its encoder"):
        encoder_recorded_by(source).encode_texts(["a dog"])


def test_a_store_that_is_not_there_is_not_made_to_look_after_it(tmp_path: Path) -> None:
    for arguments in (["status"], ["prune"], ["check"], ["export", "a.jsonl"]):
        done = CliRunner().invoke(APP, ["store", *arguments, "--store", str(tmp_path / "none")])
        assert isinstance(done.exception, InvalidInputError)
    assert list(tmp_path.iterdir()) == []


def test_a_collection_that_is_not_there_is_named(tmp_path: Path) -> None:
    ImageStore.on_disk(tmp_path, ENCODER)
    with pytest.raises(StoreError, match=r"collection='other'.*none of that name.*check the name"):
        ImageStore.on_disk(tmp_path, None, "other")


def test_the_commands_look_after_a_store(store: ImageStore, folder: Path, tmp_path: Path) -> None:
    def dar(*arguments: str) -> str:
        done = CliRunner().invoke(APP, ["store", *arguments])
        assert done.exit_code == 0, done.output
        return done.stdout

    place, file = str(tmp_path / "store"), str(tmp_path / "e.parquet")
    (folder / "001.png").unlink()
    status = json.loads(dar("status", "--store", place, "--json"))
    assert status["roots"][1]["gone"] == 1
    assert f"photos: {folder}: 5 files, 1 gone" in dar("status", "--store", place)
    assert dar("check", "--store", place) == "6 images, 0 not found by their vector\n"
    assert dar("export", file, "--store", place) == f"6 images written to {file}\n"
    assert dar("import", file, "--store", str(tmp_path / "in")).startswith("6 images stored")
    assert dar("copy", str(tmp_path / "copy"), "--store", place).startswith("6 images copied")
    assert dar("prune", "--store", str(tmp_path / "copy")) == "1 images removed\n"


# --- vectors that the index has lost ---


def test_what_the_index_has_lost_is_found_and_written_again(
    store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = store.vectors()[0][2]
    missed = check._missed
    written: list[list[str]] = []

    def hiding(collection: Any, ids: Any, vectors: Any, k: int) -> set[str]:
        return missed(collection, ids, vectors, k) | ({lost} & set(ids) if not written else set())

    write = check.write_again
    monkeypatch.setattr(check, "_missed", hiding)
    monkeypatch.setattr(
        "dar_retriever.stores.image_store.write_again",
        lambda collection, ids: (written.append(list(ids)), write(collection, ids)),
    )
    before = everything(store)
    assert store.lost() == [lost]
    assert store.lost(repair=True) == [lost]
    assert written == [[lost]]
    assert store.lost() == []
    assert everything(store) == before


def test_images_of_one_vector_are_not_taken_for_lost() -> None:
    store = ImageStore.in_memory(ENCODER)
    store.add([StoredImage(str(n), VECTOR, f"{n}.png") for n in range(130)])
    assert store.lost() == []


def test_a_store_whose_writer_died_is_looked_through_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ImageStore.on_disk(tmp_path / "store", ENCODER)
    store.add([StoredImage("a", VECTOR, "a.png")])
    looked: list[int] = []
    monkeypatch.setattr(
        "dar_retriever.stores.chroma.connection.mend", lambda c: looked.append(c.count())
    )
    store.search(VECTOR, 1)
    ImageStore.on_disk(tmp_path / "store", ENCODER)
    assert looked == []
    (tmp_path / "store" / "dar.mark").write_text("writing 0123456789abcdef0123456789abcdef")
    store.search(VECTOR, 1)
    assert looked == [1]
    store.search(VECTOR, 1)
    assert looked == [1]


def test_a_write_that_is_tried_again_writes_no_record_twice(tmp_path: Path) -> None:
    """The server takes a batch and dies before it answers."""
    with restartable_server(tmp_path) as server:
        store = ImageStore.on_server(ENCODER, "localhost", server.port)
        store.add([StoredImage("old", VECTOR, "old.png", "", {"price": 1.1})])
        connection = store._chroma
        asked = type(connection).__mro__[1].read
        tries: list[int] = []
        upserts: list[list[str]] = []

        def breaking(self: Any, call: Any, where: Any = None) -> Any:
            def watched(collection: Any) -> Any:
                upsert = collection.upsert
                collection.upsert = lambda **rows: (upserts.append(rows["ids"]), upsert(**rows))
                try:
                    return call(collection)
                finally:
                    collection.upsert = upsert

            result = asked(self, watched, where)
            tries.append(1)
            if len(tries) == 1:
                raise StoreUnavailableError("the answer was lost")
            return result

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(connection).__mro__[1], "read", breaking)
            store.add([StoredImage("new", VECTOR, "new.png", "", {"price": 2.2, "n": 1})])
        assert upserts == [["new"]]
        assert len(store) == 2


# --- servers that hang, folders that cannot be written, processes that fork ---


async def ticks_while(store: ImageStore) -> int:
    """How often the event loop comes round while a search waits for a server that hangs."""
    search = asyncio.ensure_future(in_thread(lambda: store.search(VECTOR, 1)))
    ticks = 0
    while not search.done():
        await asyncio.sleep(0.02)
        ticks += 1
    assert isinstance(search.exception(), StoreUnavailableError)
    return ticks


def test_a_server_that_hangs_is_an_error_in_time(tmp_path: Path) -> None:
    with restartable_server(tmp_path) as server:
        store = ImageStore.on_server(ENCODER, "localhost", server.port, timeout=1.5)
        store.add([StoredImage("a", VECTOR, "a.png")])
        process = server._process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        calls: list[Callable[[], Any]] = [
            lambda: store.search(VECTOR, 1),
            lambda: store.add([StoredImage("b", VECTOR, "b.png")]),
            lambda: ImageStore.on_server(ENCODER, "localhost", server.port, timeout=1.5),
        ]
        try:
            for call in calls:
                began = time.monotonic()
                with pytest.raises(StoreUnavailableError, match="takes too long to answer"):
                    call()
                assert time.monotonic() - began < 10
            assert asyncio.run(ticks_while(store)) > 20
        finally:
            process.send_signal(signal.SIGCONT)
        assert [hit.id for hit in store.search(VECTOR, 1)]


READER = """
import os, sys
sys.path[:0] = sys.argv[2:]
from ingest_child import ENCODER
from dar_retriever import ImageStore, StoredImage, StoreError
import chromadb
if os.getuid() == 0:
    os.setgid(65534); os.setuid(65534)
store = ImageStore.on_disk(sys.argv[1], ENCODER)
vector = store.vectors()[1][0]
print(len(store), len(store.search(vector, 9)))
try:
    store.add([StoredImage("x", vector, "x.png")])
except StoreError as error:
    print(error)
sys.stdout.flush()
sys.stdin.readline()
print(len(store))
"""


def test_a_store_that_cannot_be_written_is_read(tmp_path: Path) -> None:
    place = tmp_path / "store"
    ImageStore.on_disk(place, ENCODER).add([StoredImage("a", VECTOR, "a.png")])
    for path in (place, *place.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    # Another user reads through every folder that pytest made.
    made = [each for each in tmp_path.parents if Path(tempfile.gettempdir()) in each.parents]
    for parent in made if os.getuid() == 0 else []:
        parent.chmod(parent.stat().st_mode | 0o055)
    tmp_path.chmod(0o755)
    paths = [str(Path(__file__).parent.parent), *sys.path]
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(place), *paths],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdin is not None
        assert reader.stdout.readline() == "1 1\n"
        assert (
            "can only be read from here: the folder is write-protected" in reader.stdout.readline()
        )
        for path in (place, *place.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        ImageStore.on_disk(place, ENCODER).add([StoredImage("b", -VECTOR, "b.png")])
        reader.stdin.write("\n")
        reader.stdin.flush()
        # What others write is seen.
        assert reader.stdout.readline() == "2\n"


FORKS = """
import os, sys
sys.path[:0] = sys.argv[2:]
from dar_retriever import DARError, ImageStore, from_preset
retriever = from_preset("demo", sys.argv[1])
retriever.query_encoder.encoder.encode_texts(["a mug"] * 64)
reading, writing = os.pipe()
child = os.fork()
if not child:
    said = []
    calls = [lambda: retriever.search("a mug"), lambda: retriever.store.get(["a"])]
    for call in calls:
        try:
            call()
        except DARError as error:
            said.append(str(error))
    os.write(writing, "; ".join(said).encode())
    os._exit(0)
print(os.read(reading, 10_000).decode())
"""


def test_a_process_that_forks_with_open_models_gets_an_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKS, str(tmp_path / "store"), *sys.path],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    assert done.stdout.count("opened before this process was forked") == 2
    assert "gunicorn without --preload" in done.stdout
