"""The image store when its server stops, its files are torn, or what it is given cannot be kept."""

from __future__ import annotations

import datetime as dt
import json
import math
import shutil
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ingest_child import ENCODER, PERSISTED_EVERY, contents, create_collection
from restartable import restartable_server

from dar_retriever.errors import InvalidInputError, StoreError, StoreUnavailableError
from dar_retriever.stores.chroma import folder as folder_module
from dar_retriever.stores.hits import StoredImage
from dar_retriever.stores.image_store import ImageStore

DIMENSION = ENCODER.dimension


def unit_vectors(count: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


VECTOR = unit_vectors(1)[0]


def images(numbers: range) -> list[StoredImage]:
    vectors = unit_vectors(numbers.stop)
    return [StoredImage(f"id{n}", vectors[n], f"/{n}.png", f"picture {n}") for n in numbers]


# --- a server that stops and starts ---


def test_a_server_started_anew_between_two_calls_fails_none(tmp_path: Path) -> None:
    calls: list[Callable[[ImageStore], Any]] = [
        lambda store: store.add(images(range(5, 8))),
        lambda store: store.search(VECTOR, 3),
        lambda store: store.delete(["id7"]),
        len,
    ]
    with restartable_server(tmp_path) as server:
        store = ImageStore.on_server(ENCODER, "localhost", server.port)
        store.add(images(range(5)))
        for call in calls:
            server.stop(signal.SIGKILL)
            server.start()
            call(store)
        assert store.known(f"id{n}" for n in range(9)) == {f"id{n}" for n in range(7)}


def test_a_call_waits_for_a_server_that_comes_back_soon(tmp_path: Path) -> None:
    with restartable_server(tmp_path) as server, ThreadPoolExecutor(1) as other:
        store = ImageStore.on_server(ENCODER, "localhost", server.port)
        store.add(images(range(3)))
        server.stop()
        asked = other.submit(store.search, VECTOR, 1)
        server.start()
        assert [hit.id for hit in asked.result()] == ["id0"]


def test_a_server_that_stays_away_is_an_error_and_no_wait_without_end(tmp_path: Path) -> None:
    with restartable_server(tmp_path) as server:
        store = ImageStore.on_server(ENCODER, "localhost", server.port)
        store.add(images(range(3)))
        server.stop()
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError, match=f"localhost:{server.port}.*chroma run"):
            store.add(images(range(3, 5)))
        assert time.monotonic() - began < 60
        server.start()
        assert len(store) == 3


# --- a folder that others write to ---


def test_a_folder_that_another_process_does_not_let_go_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ImageStore.on_disk(tmp_path, ENCODER)
    store.add(images(range(2)))
    monkeypatch.setattr(folder_module, "_PATIENCE", 0.05)
    with FileLock(tmp_path / "dar.lock"):
        with pytest.raises(StoreError) as error:
            store.add(images(range(2, 4)))
        assert str(tmp_path) in str(error.value)
        assert "chroma run" in str(error.value)
        # Who only searches waits for nobody.
        assert [hit.id for hit in store.search(VECTOR, 1)] == ["id0"]
    store.add(images(range(2, 4)))
    assert len(store) == 4


def test_spellings_of_one_folder_are_one_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "store")
    names = ["store", "../" + tmp_path.name + "/store", "link"]
    stores = [ImageStore.on_disk(tmp_path / name, ENCODER) for name in names]
    for number, store in enumerate(stores):
        store.add(images(range(40 * number, 40 * number + 40)))
    for store in stores:
        assert (len(store), contents(store)["lost"]) == (120, [])


def test_one_name_in_two_working_directories_is_two_stores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = {}
    for number, name in enumerate(("here", "there")):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        stores[name] = ImageStore.on_disk("store", ENCODER)
        stores[name].add(images(range(number, number + 1)))
    assert [hit.id for hit in stores["here"].search(VECTOR, 9)] == ["id0"]
    assert [hit.id for hit in stores["there"].search(VECTOR, 9)] == ["id1"]
    # Written by another process meanwhile, so Chroma's files are opened anew from elsewhere.
    (tmp_path / "here" / "store" / "dar.mark").write_text("written elsewhere")
    stores["here"].add(images(range(5, 6)))
    assert [len(store) for store in stores.values()] == [2, 1]
    assert stores["here"].folder == tmp_path / "here" / "store"


def test_threads_share_a_store(tmp_path: Path) -> None:
    create_collection(tmp_path)
    store = ImageStore.on_disk(tmp_path, ENCODER)
    with ThreadPoolExecutor(4) as threads:
        writing = [threads.submit(store.add, images(range(n, n + 10))) for n in range(0, 120, 10)]
        searching = [threads.submit(store.search, VECTOR, 3) for _ in range(40)]
        for done in [*writing, *searching]:
            done.result()
    assert (len(store), contents(store)["lost"]) == (120, [])


INDEX_FILES = ["header.bin", "data_level0.bin", "length.bin", "link_lists.bin"]


@pytest.mark.parametrize("written", range(len(INDEX_FILES) + 1))
@pytest.mark.parametrize("begun", [2 * PERSISTED_EVERY, 0])
def test_an_index_that_was_not_written_to_its_end_is_put_back(
    tmp_path: Path, written: int, begun: int
) -> None:
    """What a kill leaves: the database of before, with some files of the index of after."""
    folder, torn = tmp_path / "store", tmp_path / "torn"
    create_collection(folder)
    store = ImageStore.on_disk(folder, ENCODER)
    last = begun + PERSISTED_EVERY
    for start in range(0, last, 10):
        store.add(images(range(start, start + 10)))
    # The copy is made before the next write.
    store.add(images(range(last - 10, last - 5)))
    shutil.copytree(folder, torn)
    for start in range(last, last + 2 * PERSISTED_EVERY, 10):
        store.add(images(range(start, start + 10)))
    [after] = [path.parent for path in folder.glob("*/header.bin") if "dar." not in str(path)]
    [before] = [path.parent for path in torn.glob("*/header.bin") if "dar." not in str(path)]
    for name in INDEX_FILES[:written]:
        shutil.copy(after / name, before / name)
    if written == len(INDEX_FILES):
        (before / "index_metadata.pickle").write_bytes(b"")
    else:
        content = (after / INDEX_FILES[written]).read_bytes()
        (before / INDEX_FILES[written]).write_bytes(content[: len(content) // 2])
    (torn / "dar.mark").write_text("writing 0123456789abcdef0123456789abcdef")
    mended = ImageStore.on_disk(torn, ENCODER)
    assert mended.known(f"id{n}" for n in range(last)) == {f"id{n}" for n in range(last)}
    assert contents(mended)["lost"] == []
    mended.add(images(range(last, last + 50)))
    assert contents(ImageStore.on_disk(torn, ENCODER))["lost"] == []


def test_a_writer_that_died_after_its_writing_costs_nothing(tmp_path: Path) -> None:
    folder, left = tmp_path / "store", tmp_path / "left"
    create_collection(folder)
    store = ImageStore.on_disk(folder, ENCODER)
    store.add(images(range(15)))
    store.add(images(range(15, 3 * PERSISTED_EVERY)))
    shutil.copytree(folder, left)
    (left / "dar.mark").write_text("writing 0123456789abcdef0123456789abcdef")
    again = contents(ImageStore.on_disk(left, ENCODER))
    assert (again["count"], again["lost"]) == (3 * PERSISTED_EVERY, [])


# --- what is given to the store ---


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> ImageStore:
    return ImageStore.on_disk(tmp_path_factory.mktemp("kept"), ENCODER)


def deep(levels: int) -> list[Any]:
    nested: list[Any] = []
    for _ in range(levels):
        nested = [nested]
    return nested


def circular() -> list[Any]:
    ring: list[Any] = []
    ring.append(ring)
    return ring


class Unspeakable:
    """Something that fails to describe itself."""

    def __repr__(self) -> str:
        raise RuntimeError


REFUSED: dict[str, tuple[Any, str]] = {
    "object": (object(), "not JSON"),
    "unspeakable": (Unspeakable(), "a value of type Unspeakable"),
    "bytes": (b"\xff\x00", "not JSON"),
    "complex": (1j, "not JSON"),
    "nan": (math.nan, "not finite"),
    "infinity": (-math.inf, "not finite"),
    "numpy nan": (np.float32("nan"), "not finite"),
    "nested nan": ({"a": [1.0, math.nan]}, "not JSON"),
    "nested object": ({"a": [object()]}, "not JSON"),
    "tuple keys": ({(1, 2): 3}, "not JSON"),
    "long integer": (2**63, "64 bits"),
    "longer integer": (-(10**5000), "64 bits"),
    "listed longer integer": ([10**5000], "64 bits"),
    "nested longer integer": ({"a": 10**5000}, "not JSON"),
    "surrogate": ("caf\udce9", "Unicode"),
    "giant": ("x" * 70_000, "64 KiB"),
    "giant in bytes": ("é" * 40_000, "64 KiB"),
    "giant nested": (["x" * 10] * 10_000, "64 KiB"),
    "deep": (deep(100_000), "not JSON"),
    "circular": (circular(), "not JSON"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_values_that_cannot_be_kept_are_named(kept: ImageStore, what: str) -> None:
    value, reason = REFUSED[what]
    before = len(kept)
    good, bad = StoredImage("good", VECTOR, "g.png"), StoredImage("7f", VECTOR, "a.png")
    bad = StoredImage("7f", VECTOR, "a.png", "", {"colour": "red", "the field": value})
    with pytest.raises(InvalidInputError, match=reason) as error:
        kept.add([good, bad])
    assert "'7f'" in str(error.value)
    assert "'the field'" in str(error.value)
    assert len(str(error.value)) < 500
    assert len(kept) == before


@pytest.mark.parametrize(
    "name", ["", 3, None, b"x", "uri", "chroma:document", "_node_content", "$and", "#id", "\ud800"]
)
def test_names_of_fields_that_cannot_be_kept_are_named(kept: ImageStore, name: Any) -> None:
    with pytest.raises(InvalidInputError, match="metadata field") as error:
        kept.add([StoredImage("7f", VECTOR, "a.png", "", {name: "x"})])
    assert ascii(name) in ascii(str(error.value)) or repr(name) in str(error.value)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (StoredImage("7f", VECTOR, "a.png", "x" * 70_000), "caption.*64 KiB"),
        (StoredImage("7f", VECTOR, "a.png", "caf\udce9"), "caption.*Unicode"),
        (StoredImage("7f", VECTOR, "a.png", {"no": "text"}), "caption.*text"),  # type: ignore[arg-type]
        (StoredImage("7f", VECTOR, "caf\udce9.png"), "uri.*Unicode"),
        (StoredImage("7f", VECTOR, "data:image/png;base64," + "A" * 5_000_000), "4 MiB"),
        (
            StoredImage("7f", VECTOR, "a.png", "", {f"f{n}": "x" * 60_000 for n in range(90)}),
            "4 MiB",
        ),
        (StoredImage("", VECTOR, "a.png"), "id ''"),
        (StoredImage("caf\udce9", VECTOR, "a.png"), "id .*Unicode"),
        (StoredImage("7f", VECTOR[:-1], "a.png"), rf"7f.*{DIMENSION - 1}.*{DIMENSION}"),
        (StoredImage("7f", VECTOR[None], "a.png"), "7f.*shape"),
        (StoredImage("7f", VECTOR * np.float32(np.nan), "a.png"), "7f.*not finite"),
        (StoredImage("7f", VECTOR * np.float32(np.inf), "a.png"), "7f.*not finite"),
    ],
)
def test_images_that_cannot_be_kept_are_named(
    kept: ImageStore, image: StoredImage, reason: str
) -> None:
    before = len(kept)
    with pytest.raises(InvalidInputError, match=reason) as error:
        kept.add([StoredImage("good", VECTOR, "g.png"), image])
    assert len(str(error.value)) < 500
    assert len(kept) == before


texts = st.text(max_size=20)
numbers = st.integers() | st.floats(allow_nan=True) | st.booleans()
values = st.recursive(
    st.none() | numbers | texts | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(texts, values, max_size=5), texts, st.text(min_size=1, max_size=20))
@example({"a\x00b": "c\x00d"}, "e\x00f", "line\nbreak\x00")
@example({"$and": "x"}, "", "a")
@example({"#id": "x"}, "", "a")
@example({"é" * 200: 2**63 - 1, "m": -(2**63), "z": -0.0}, "", "a b")
@example({"0": 1.9878088836049429e-10}, "", "0")
def test_metadata_come_back_as_they_were_or_are_refused(
    kept: ImageStore, metadata: dict[str, Any], caption: str, id_: str
) -> None:
    image = StoredImage(id_, VECTOR, "/pictures/a.png", caption, metadata)
    try:
        kept.add([image])
    except InvalidInputError:
        return
    [hit] = kept.get([id_])
    assert (hit.uri, hit.caption) == (image.uri, caption)
    expected = {name: value for name, value in metadata.items() if value not in (None, [])}
    assert hit.metadata.keys() == expected.keys()
    for name, value in expected.items():
        assert_kept(hit.metadata[name], value)


def assert_kept(found: Any, value: Any) -> None:
    """What was read back is what was given, in the types that stores have."""
    if isinstance(value, list) and not any(
        item is None or isinstance(item, list | dict) for item in value
    ):
        kinds = {type(item) for item in value}
        if kinds == {int, float}:
            value = [float(item) for item in value]
        elif len(kinds) > 1:
            value = [item if isinstance(item, str) else json.dumps(item) for item in value]
        assert isinstance(found, list)
        for item, given in zip(found, value, strict=True):
            assert_kept(item, given)
    elif isinstance(value, list | dict):
        assert json.loads(found) == value
    elif isinstance(value, float):
        # Chroma changes the last bits: 2 of 53 at most.
        assert found == pytest.approx(value, rel=1e-15, abs=1e-320)
    else:
        assert (type(found), found) == (type(value), value)


KEPT: dict[str, tuple[Any, Any]] = {
    "a moment": (dt.datetime(2025, 7, 1, tzinfo=dt.UTC), 1751328000),
    "a moment of no zone": (dt.datetime(2025, 7, 1, 0, 0, 0, 500_000), 1751328000.5),  # noqa: DTZ001
    "a day": (dt.date(2019, 7, 4), 20190704),
    "a path": (Path("a/b.png"), "a/b.png"),
    "an array": (np.array([1, 2]), [1, 2]),
    "a table": (np.array([[1.5, 2.5]]), "[[1.5, 2.5]]"),
    "a set": ({"b", "a"}, ["a", "b"]),
    "a tuple": (("x", "y"), ["x", "y"]),
    "a number of numpy": (np.float32(0.5), 0.5),
    "flags": ([True, False], [True, False]),
    "numbers": ([1, 2.5], [1.0, 2.5]),
    "a mixture": (["a", 1, True], ["a", "1", "true"]),
    "days": ([dt.date(2019, 7, 4)], [20190704]),
}


@pytest.mark.parametrize("what", KEPT)
def test_values_of_other_types_are_kept_as_plain_ones(kept: ImageStore, what: str) -> None:
    given, expected = KEPT[what]
    kept.add([StoredImage("7f", VECTOR, "a.png", "", {"field": given})])
    [hit] = kept.get(["7f"])
    assert (type(hit.metadata["field"]), hit.metadata["field"]) == (type(expected), expected)


def test_much_said_of_many_images_is_sent_in_parts(tmp_path: Path) -> None:
    """More than the 40 MiB that a server takes in one request."""
    text = "\x01" * 60_000
    with restartable_server(tmp_path) as server:
        store = ImageStore.on_server(ENCODER, "localhost", server.port)
        rows = unit_vectors(160)
        store.add(
            [StoredImage(str(n), row, "a.png", "", {"a": text}) for n, row in enumerate(rows)]
        )
        assert len(store) == 160


# --- a sample ---


def test_threads_that_ask_for_a_sample_wait_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ImageStore.in_memory(ENCODER)
    store.add(images(range(50)))
    chosen: list[int] = []
    all_there = threading.Barrier(8)
    choose = store._survey._chosen_vectors

    def slowly(count: int) -> np.ndarray:
        chosen.append(count)
        time.sleep(0.1)
        return choose(count)

    monkeypatch.setattr(store._survey, "_chosen_vectors", slowly)

    def ask() -> np.ndarray:
        all_there.wait(30)
        return store.sample()

    with ThreadPoolExecutor(8) as threads:
        samples = [asked.result() for asked in [threads.submit(ask) for _ in range(8)]]
    assert chosen == [50]
    assert all(sample is samples[0] for sample in samples)
