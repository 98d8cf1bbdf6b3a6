"""What holds for every store that is opened by its place: Chroma and the other engines."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from addresses import ADDRESSES
from ingest_child import ENCODER, draw_pictures

from dar_retriever import EncoderMismatchError, InvalidInputError, StoredImage, StoreError
from dar_retriever.errors import MissingExtraError, StoreUnavailableError
from dar_retriever.ingest import sync
from dar_retriever.stores import AddressStore, WholeStore
from dar_retriever.stores.copies import Copy, PictureRecord
from dar_retriever.stores.engines import Row, is_engine, is_for_one_process, open_engine
from dar_retriever.stores.kept import stored_image
from dar_retriever.stores.opening import open_image_store, open_store
from dar_retriever.stores.upkeep import copy_store, encoder_recorded_by, state_of

COUNT = 160
CHILD = """
import sys
sys.path.insert(0, {tests!r})
from stores.test_every_store import images
from dar_retriever.stores.opening import open_image_store
from ingest_child import ENCODER
store = open_image_store({place!r}, ENCODER)
for start in range(0, 4000, 8):
    store.add(images(8, start=start))
    print(start + 8, flush=True)
"""


class Another:
    """The encoder under another fingerprint."""

    name, fingerprint = "another", "0123456789abcdef"

    def __getattr__(self, attribute: str) -> Any:
        return getattr(ENCODER, attribute)


def images(count: int = COUNT, start: int = 0) -> list[StoredImage]:
    rows = [
        np.random.default_rng(number).normal(size=ENCODER.dimension).astype(np.float32)
        for number in range(start, start + count)
    ]
    return [
        StoredImage(
            f"id{start + number}",
            row / np.linalg.norm(row),
            f"shop/{start + number}.jpg",
            f"caption {start + number}",
            {"colour": ("red", "blue")[number % 2], "price": start + number, "tags": ["a", "é"]},
        )
        for number, row in enumerate(rows)
    ]


def chroma_folder(folder: Path) -> str:
    return str(folder / "chroma")


Place = Callable[[], str]


@pytest.fixture(scope="module", params=[chroma_folder, "chroma_server", *ADDRESSES])
def new_place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Gives a place for a new store of an engine."""
    numbers = iter(range(100))

    def place() -> str:
        number = next(numbers)
        if request.param == "chroma_server":
            port = request.getfixturevalue("chroma_server")
            return f"http://localhost:{port}/every-store-{number}"
        return str(request.param(tmp_path_factory.mktemp(f"store{number}")))

    return place


@pytest.fixture(scope="module")
def place(new_place: Place) -> str:
    return new_place()


@pytest.fixture(scope="module")
def filled(place: str) -> WholeStore:
    """A store that tests only read."""
    store = open_image_store(place, ENCODER)
    store.add(images())
    return store


def queries() -> np.ndarray:
    rows = np.random.default_rng(99).normal(size=(5, ENCODER.dimension))
    return np.asarray(rows, np.float32)


def test_hits_are_the_best_with_exact_scores(filled: WholeStore) -> None:
    stored = images()
    matrix = np.stack([image.vector for image in stored])
    for query in queries():
        scores = matrix @ query
        best = np.argsort(-scores)[:12]
        hits = filled.search(query, 12)
        assert [hit.id for hit in hits] == [stored[place].id for place in best]
        assert np.allclose([hit.score for hit in hits], scores[best], atol=1e-4)
        left = filled.search(query, 5, exclude={hit.id for hit in hits[:7]})
        assert [hit.id for hit in left] == [hit.id for hit in hits[7:]]
        assert np.allclose(filled.nearest(query, 3), matrix[best[:3]], atol=1e-5)


def test_images_come_back_as_they_were(filled: WholeStore) -> None:
    stored = images()
    hits = filled.get(["id7", "nothing", "id3"])
    assert [(hit.id, hit.uri, hit.caption) for hit in hits] == [
        ("id7", "shop/7.jpg", "caption 7"),
        ("id3", "shop/3.jpg", "caption 3"),
    ]
    assert hits[0].metadata == {"colour": "blue", "price": 7, "tags": ["a", "é"]}
    assert filled.known(["id7", "nothing"]) == {"id7"}
    expected = np.stack([stored[9].vector, stored[2].vector])
    assert np.allclose(filled.vectors_of(["id9", "id2"]), expected, atol=1e-6)
    with pytest.raises(StoreError, match="nothing: not stored"):
        filled.vectors_of(["nothing"])


def test_everything_is_listed_once(filled: WholeStore) -> None:
    assert len(filled) == COUNT
    assert sorted(record.id for record in filled.records()) == sorted(i.id for i in images())
    ids, vectors = filled.vectors()
    by_id = {image.id: image.vector for image in images()}
    assert len(ids) == COUNT
    assert np.allclose(vectors, np.stack([by_id[id_] for id_ in ids]), atol=1e-6)


def test_samples_captions_and_fields_describe_it(filled: WholeStore) -> None:
    assert filled.sample().shape == (COUNT, ENCODER.dimension)
    assert filled.sample() is filled.sample()
    assert len(filled.captions(9)) == 9
    assert filled.captions(9) == filled.captions(9)
    assert set(filled.facets()["colour"]) == {"red", "blue"}
    fields: Any = filled
    price = fields.fields()["price"]
    assert (price.type, price.lowest, price.highest, price.complete) == ("number", 0, 159, True)
    assert fields.fields()["tags"].lists


def test_another_encoder_is_refused(place: str, filled: WholeStore) -> None:
    del filled
    with pytest.raises(EncoderMismatchError, match=r"thumbnails.*another"):
        open_image_store(place, Another())  # type: ignore[arg-type]
    again = open_image_store(place, None)
    assert (len(again), again.encoder_name, again.width) == (COUNT, "thumbnails", 192)


def test_images_are_replaced_and_deleted(new_place: Place) -> None:
    store = open_image_store(new_place(), ENCODER)
    store.add(images(4))
    new = replace(images(1)[0], caption="new", metadata={"only": 1})
    store.add([new])
    [hit] = store.get(["id0"])
    assert (hit.caption, hit.metadata) == ("new", {"only": 1})
    assert len(store) == 4
    store.delete(["id1", "nothing"])
    assert store.known([f"id{number}" for number in range(4)]) == {"id0", "id2", "id3"}
    assert "id1" not in {hit.id for hit in store.search(images(2)[1].vector, 9)}
    with pytest.raises(InvalidInputError, match="id9"):
        store.add([*images(1, start=5), StoredImage("id9", np.zeros(3, np.float32), "x")])
    assert len(store) == 3


def test_a_folder_is_followed(new_place: Place, tmp_path: Path) -> None:
    store = open_image_store(new_place(), ENCODER)
    folder = tmp_path / "pictures"
    draw_pictures(folder, 12)
    assert sync(folder, store, ENCODER).added == 12
    pictures = sorted(folder.glob("*.png"))
    pictures[0].unlink()
    (folder / "sub").mkdir()
    shutil.move(pictures[1], folder / "sub")
    report = sync(folder, store, ENCODER)
    assert (report.moved, report.gone, len(store)) == (1, 1, 11)
    shutil.move(folder, tmp_path / "elsewhere")
    assert sync(tmp_path / "elsewhere", store, ENCODER).added == 0
    assert not any(hit.missing for hit in store.search(queries()[0], 99))
    assert state_of(store).images == 11


def test_threads_write_and_read_at_the_same_time(new_place: Place) -> None:
    store = open_image_store(new_place(), ENCODER)
    store.add(images(2))

    def work(number: int) -> None:
        for start in range(100 * number, 100 * number + 24, 8):
            store.add(images(8, start=start))
            assert store.search(queries()[0], 2)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(1, 5)))
    wanted = {f"id{100 * number + step}" for number in range(1, 5) for step in range(24)}
    assert len(store) == 98
    assert store.known(wanted) == wanted
    found = {hit.id for hit in store.search(images(1, start=205)[0].vector, 1)}
    assert found == {"id205"}


def test_nothing_is_lost_when_a_writer_is_killed(new_place: Place) -> None:
    place, tests = new_place(), str(Path(__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(tests=tests, place=place)],
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert child.stdout is not None
    said = 0
    while said < 40:
        said = int(child.stdout.readline())
    child.send_signal(signal.SIGKILL)
    child.wait(30)
    child.stdout.close()
    store = open_image_store(place, ENCODER)
    stored = images(said)
    assert store.known(image.id for image in stored) == {image.id for image in stored}
    store.add(stored)
    assert [store.search(each.vector, 1)[0].id for each in stored[::9]] == [
        each.id for each in stored[::9]
    ]


def test_stores_are_copied_to_every_other(new_place: Place, tmp_path: Path) -> None:
    source = open_image_store(tmp_path / "source", ENCODER)
    source.keep_root("photos", "/photos")
    record = PictureRecord("x", (Copy("photos", "a/b.jpg", 1, 2, {"caption": "c", "n": 3}),))
    source.add([*images(5), stored_image(record, images(9)[8].vector)])
    place = new_place()
    target = open_image_store(place, encoder_recorded_by(source))
    assert copy_store(source, target) == 6
    again = open_image_store(place, ENCODER)
    [hit] = again.get(["x"])
    assert (hit.uri, hit.caption, hit.metadata) == ("/photos/a/b.jpg", "c", {"n": 3})
    assert list(again.records(["x"])) == [record]


@pytest.mark.parametrize("codes", ["half", "binary"])
def test_codes_find_what_the_vectors_find(codes: str, tmp_path: Path) -> None:
    from addresses import postgres

    store = open_image_store(f"{postgres(tmp_path)}&codes={codes}", ENCODER)
    stored = images(400)
    store.add(stored)
    matrix = np.stack([image.vector for image in stored])
    found = 0
    for query in queries():
        best = {stored[place].id for place in np.argsort(-(matrix @ query))[:10]}
        hits = store.search(query, 10)
        assert np.allclose(
            [matrix[int(hit.id[2:])] @ query for hit in hits], [h.score for h in hits]
        )
        found += len(best & {hit.id for hit in hits})
    assert found >= 48


def test_addresses_that_mean_nothing_are_named() -> None:
    assert is_engine("qdrant:folder")
    assert not is_engine("folder")
    assert not is_engine("http://localhost:8000")
    assert is_for_one_process("milvus:file.db")
    assert not is_for_one_process("milvus://host")
    assert not is_for_one_process("lancedb:folder")
    for address, why in {
        "qdrant:": "names no place",
        "qdrant://:6333": "names no host",
        "milvus://host:port": "the port is no number; write for example",
        "milvus:folder": "ends in .db",
        "lancedb:folder?codes=tiny": "codes='tiny' is not one of",
        "qdrant:folder?codes=binary": "searches exactly",
        "postgresql://host/db?codes=int8": "pgvector's indices keep float, half, binary",
        "lancedb:folder#a-b": "letters, digits or underscores",
    }.items():
        with pytest.raises(InvalidInputError, match=why):
            open_engine(address)


@pytest.mark.parametrize(
    ("address", "module", "extra"),
    [
        ("postgresql://host/db", "psycopg_pool", "postgres"),
        ("qdrant://host", "qdrant_client", "qdrant"),
        ("milvus://host", "pymilvus", "milvus"),
        ("milvus:file.db", "milvus_lite", "milvus-lite"),
        ("lancedb:folder", "lancedb", "lancedb"),
    ],
)
def test_a_missing_client_names_its_extra(
    address: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if extra == "milvus-lite":
        pytest.importorskip("pymilvus")
    if extra == "postgres":
        pytest.importorskip("pgvector")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"dar-retriever\[{extra}\]"):
        open_engine(address)


@pytest.mark.parametrize(
    "address", ["postgresql://me:secret@127.0.0.1:9/x", "qdrant://me:secret@127.0.0.1:9"]
)
def test_an_engine_that_is_not_there_is_named_without_its_password(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("pgvector" if address.startswith("post") else "qdrant_client")
    caplog.set_level("DEBUG")
    with pytest.raises(StoreUnavailableError, match="does not answer") as raised:
        open_store(address, ENCODER)
    assert "secret" not in "".join(map(str, errors_of(raised.value))) + caplog.text
    assert "secret" not in repr(open_engine(address))


@pytest.mark.parametrize(
    ("address", "module"),
    [
        ("postgresql://me:sec%ret@host/db", "pgvector"),
        ("qdrant://me:secret@host:port", "qdrant_client"),
        ("milvus://me:sec@ret@:19530", "pymilvus"),
        ("http://me:secret@", ""),
        ("http://me:sec/ret@host", ""),
        ("moving:lancedb://me:secret@host", ""),
        ("postgrsql://me:secret@host/db", ""),
    ],
)
def test_passwords_in_wrong_addresses_are_not_shown(address: str, module: str) -> None:
    if module:
        pytest.importorskip(module)
    with pytest.raises(InvalidInputError, match=r"me:\*\*\*@") as raised:
        open_store(address, ENCODER)
    assert "sec" not in "".join(map(str, errors_of(raised.value)))


def errors_of(error: BaseException | None) -> list[BaseException]:
    """An error and what a traceback shows before it."""
    found = []
    while error is not None:
        found.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found


def test_a_collection_of_another_program_is_left_alone(tmp_path: Path) -> None:
    pytest.importorskip("qdrant_client")
    from qdrant_client import QdrantClient, models

    client = QdrantClient(path=str(tmp_path / "qdrant"))
    vectors = models.VectorParams(size=4, distance=models.Distance.DOT)
    client.create_collection("images", vectors_config=vectors)
    client.close()
    with pytest.raises(StoreError, match="another program made"):
        AddressStore(open_engine(f"qdrant:{tmp_path / 'qdrant'}"), ENCODER)
    with pytest.raises(StoreError, match="no such collection"):
        AddressStore(open_engine(f"qdrant:{tmp_path / 'qdrant'}#other"), None)


def test_equal_numbers_are_one_term_and_long_texts_a_short_one() -> None:
    row = Row.of("a", images(1)[0].vector, "", {"n": 2.0, "flag": True, "text": "x" * 9000})
    assert row.terms[:2] == ['["n", 2]', '["flag", true]']
    assert len(row.terms[2]) == 64
    assert row.numbers == {"n": 2.0}
    assert 0 <= row.spot < 1
