"""The image store in memory, on disk and on a real server."""

from __future__ import annotations

import dataclasses
import gc
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import free_port, running_server
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dar_retriever.encoders import JointEncoder, OpenClipEncoder
from dar_retriever.errors import (
    EncoderMismatchError,
    InvalidFilterError,
    InvalidImageError,
    InvalidInputError,
    StoreError,
    StoreUnavailableError,
)
from dar_retriever.stores.filters import both
from dar_retriever.stores.hits import Hit, StoredImage
from dar_retriever.stores.image_store import ImageStore

DIMENSION = 32
COLOURS = ["red", "green", "blue"]
Opener = Callable[[], ImageStore]


@dataclass(frozen=True)
class OtherEncoder:
    """What a store asks of an encoder: who it is."""

    name: str = "another model"
    fingerprint: str = "0123456789abcdef"
    dimension: int = 8


OTHER: Any = OtherEncoder()


def unit_vectors(count: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def stored_images(count: int, seed: int = 0) -> list[StoredImage]:
    return [
        StoredImage(
            f"id{number}",
            vector,
            f"/pictures/{number}.jpg",
            f"picture {number}",
            {"colour": COLOURS[number % 3], "price": number},
        )
        for number, vector in enumerate(unit_vectors(count, seed))
    ]


@pytest.fixture(params=["memory", "disk", "server"])
def store(
    request: pytest.FixtureRequest, tiny_encoder: OpenClipEncoder, tmp_path: Path
) -> ImageStore:
    if request.param == "memory":
        return ImageStore.in_memory(tiny_encoder)
    if request.param == "disk":
        return ImageStore.on_disk(tmp_path / "store", tiny_encoder)
    port = request.getfixturevalue("chroma_server")
    name = f"images-{next(_NUMBERS)}"
    return ImageStore.on_server(tiny_encoder, "localhost", port, name)


@pytest.fixture(scope="module")
def filled(tiny_encoder: OpenClipEncoder) -> ImageStore:
    """300 images that no test changes."""
    store = ImageStore.in_memory(tiny_encoder)
    store.add(stored_images(300))
    return store


_NUMBERS = itertools.count()


def ids(hits: list[Hit]) -> list[str]:
    return [hit.id for hit in hits]


def test_hits_carry_what_was_stored(store: ImageStore) -> None:
    images = stored_images(20)
    store.add(images)
    assert len(store) == 20
    [hit] = store.search(images[7].vector, k=1)
    assert (hit.id, hit.uri, hit.caption) == ("id7", "/pictures/7.jpg", "picture 7")
    assert hit.metadata == {"colour": "green", "price": 7}
    assert hit.score == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("length", [1.0, 0.37, 12.5])
def test_scores_and_ranking_are_those_of_the_dot_product(store: ImageStore, length: float) -> None:
    images = stored_images(60)
    store.add(images)
    query = unit_vectors(1, seed=5)[0] * np.float32(length)
    hits = store.search(query, k=60)
    exact = np.stack([image.vector for image in images]) @ query
    assert ids(hits) == [f"id{number}" for number in np.argsort(-exact)]
    np.testing.assert_allclose([h.score for h in hits], np.sort(exact)[::-1], atol=1e-4 * length)


@given(seed=st.integers(0, 2**32 - 1), length=st.floats(0.05, 20), k=st.integers(1, 30))
def test_the_top_of_a_larger_store_is_exact(
    filled: ImageStore, seed: int, length: float, k: int
) -> None:
    query = unit_vectors(1, seed)[0] * np.float32(length)
    exact = unit_vectors(300) @ query
    hits = filled.search(query, k)
    np.testing.assert_allclose(
        [hit.score for hit in hits], np.sort(exact)[::-1][:k], atol=1e-4 * max(1, length)
    )
    assert all(
        hit.score == pytest.approx(exact[int(hit.id[2:])], abs=1e-4 * max(1, length))
        for hit in hits
    )


def test_filters_narrow_the_search(filled: ImageStore) -> None:
    query = unit_vectors(1, seed=3)[0]
    red = filled.search(query, k=300, where={"colour": "red"})
    assert len(red) == 100
    assert {hit.metadata["colour"] for hit in red} == {"red"}
    cheap = filled.search(query, 50, {"$and": [{"price": {"$lt": 10}}, {"colour": "blue"}]})
    assert sorted(hit.metadata["price"] for hit in cheap) == [2, 5, 8]
    assert filled.search(query, k=5, where={"colour": "violet"}) == []
    assert len(filled.search(query, k=5, where={})) == 5


@pytest.mark.parametrize(
    ("where", "prices"),
    [
        ({"colour": "red", "price": {"$lt": 9}}, [0, 3, 6]),
        ({"price": {"$gte": 3, "$lt": 6}}, [3, 4, 5]),
        ({"colour": "blue", "price": {"$gte": 3, "$lt": 9, "$ne": 5}}, [8]),
        ({"$and": [{"colour": "red", "price": {"$lt": 9}}, {"price": {"$gt": 0}}]}, [3, 6]),
        ({"$or": [{"price": 7}, {"colour": "red", "price": {"$lt": 4}}]}, [0, 3, 7]),
        (
            {
                "price": {"$lt": 7},
                "$or": [{"$and": [{"colour": "red"}, {"price": {"$gt": 1}}]}, {"colour": "blue"}],
            },
            [2, 3, 5, 6],
        ),
        ({"$and": [{"$or": [{"price": 1}, {"price": 2}]}, {"colour": {"$in": ["blue"]}}]}, [2]),
        ({"$or": [{"price": 1}, {"price": 2}], "$and": [{"price": 1}, {"colour": "green"}]}, [1]),
    ],
)
def test_filters_of_several_conditions_hold_together(
    filled: ImageStore, where: dict[str, Any], prices: list[int]
) -> None:
    before = repr(where)
    hits = filled.search(unit_vectors(1)[0], 300, where)
    assert sorted(hit.metadata["price"] for hit in hits) == prices
    assert repr(where) == before


@given(st.data())
def test_two_filters_hold_together(filled: ImageStore, data: st.DataObject) -> None:
    colour = st.sampled_from([*COLOURS, "violet"])
    price = st.integers(0, 12)
    fields = st.fixed_dictionaries({"colour": colour}) | st.fixed_dictionaries({"price": price})
    fields |= st.fixed_dictionaries({"colour": colour, "price": price})
    filters = fields | st.fixed_dictionaries({"$or": st.lists(fields, min_size=2, max_size=3)})
    one, other = data.draw(filters), data.draw(filters)
    query = unit_vectors(1)[0]
    found = [set(ids(filled.search(query, 300, where))) for where in (one, other)]
    assert set(ids(filled.search(query, 300, both(one, other)))) == found[0] & found[1]


def test_a_filter_with_no_other_stays_as_it_is() -> None:
    where = {"colour": "red", "price": 3}
    assert both(where, None) == both(None, where) == both({}, where) == where
    assert both(None, None) is None
    assert both({}, None) is None


def test_what_is_excluded_is_no_hit(store: ImageStore) -> None:
    images = stored_images(30)
    store.add(images)
    query = unit_vectors(1, seed=5)[0]
    ranked = ids(store.search(query, k=30))
    out = {ranked[0], ranked[2], ranked[3], "unknown"}
    left = [id_ for id_ in ranked if id_ not in out]
    assert ids(store.search(query, 10, exclude=out)) == left[:10]
    assert ids(store.search(query, 100, exclude=list(out))) == left
    assert store.search(query, 5, exclude=ranked) == []
    assert (
        ids(store.search(query, 3, {"colour": "red"}, tuple(out)))
        == [id_ for id_ in left if int(id_[2:]) % 3 == 0][:3]
    )


@given(st.sets(st.integers(0, 299)), st.integers(1, 20))
def test_however_many_are_excluded_the_best_others_are_found(
    filled: ImageStore, out: set[int], k: int
) -> None:
    query = unit_vectors(1, seed=8)[0]
    hits = filled.search(query, k, exclude={f"id{number}" for number in out})
    exact = unit_vectors(300) @ query
    best = [number for number in np.argsort(-exact) if number not in out][:k]
    assert {hit.id for hit in hits}.isdisjoint(f"id{number}" for number in out)
    np.testing.assert_allclose([hit.score for hit in hits], exact[best], atol=1e-4)


@pytest.mark.parametrize(
    "where",
    [
        {"price": {"$near": 3}},
        {"price": {"$connect": 3}},
        {"$xor": [{"colour": "red"}, {"colour": "blue"}]},
        {"colour": object()},
        {"colour": None},
        {"price": {}},
        {"colour": "red", "price": {}},
        {"$and": "red"},
        {"$or": [{"colour": "red"}, "blue"]},
        {3: "red"},
    ],
)
def test_refused_filters_are_named(filled: ImageStore, where: dict[Any, Any]) -> None:
    with pytest.raises(InvalidFilterError) as error:
        filled.search(unit_vectors(1)[0], where=where)
    assert str(dict(where))[:20] in str(error.value)
    assert "{'field': value}" in str(error.value)


def test_refused_filters_are_named_by_a_server_too(store: ImageStore) -> None:
    store.add(stored_images(3))
    with pytest.raises(InvalidFilterError, match="near"):
        store.search(unit_vectors(1)[0], where={"price": {"$near": 3}})


@pytest.mark.parametrize("k", [2.5, "3", None, True])
def test_a_number_of_hits_is_a_whole_number(filled: ImageStore, k: Any) -> None:
    with pytest.raises(InvalidInputError, match=f"k={k!r}: .*whole number"):
        filled.search(unit_vectors(1)[0], k=k)


@pytest.mark.parametrize("k", [0, -1])
def test_at_least_one_hit_is_asked_for(filled: ImageStore, k: int) -> None:
    with pytest.raises(InvalidInputError, match=f"k={k}"):
        filled.search(unit_vectors(1)[0], k=k)


def test_a_small_store_gives_what_it_has(store: ImageStore) -> None:
    assert store.search(unit_vectors(1)[0], k=5) == []
    store.add(stored_images(3))
    assert len(store.search(unit_vectors(1)[0], k=50)) == 3


def test_images_come_in_the_order_asked_for(store: ImageStore) -> None:
    store.add(stored_images(9))
    hits = store.get(["id5", "unknown", "id0", "id8", "id5"])
    assert ids(hits) == ["id5", "id0", "id8", "id5"]
    assert [hit.score for hit in hits] == [0, 0, 0, 0]
    assert hits[0].caption == "picture 5"
    assert store.get([]) == []


def test_deleted_images_are_gone(store: ImageStore) -> None:
    images = stored_images(5)
    store.add(images)
    store.delete(["id1", "id3", "unknown", "id1"])
    store.delete([])
    assert len(store) == 3
    assert set(ids(store.search(images[1].vector, k=5))) == {"id0", "id2", "id4"}
    assert store.get(["id1"]) == []


def described(number: int, **metadata: Any) -> StoredImage:
    return StoredImage(f"id{number}", unit_vectors(1, number)[0], f"{number}.jpg", "", metadata)


def test_facets_are_fields_with_their_values_commonest_first(store: ImageStore) -> None:
    colours = ["blue", "red", "red", "green", "red", "blue"]
    store.add([described(n, colour=colour, new=n > 0) for n, colour in enumerate(colours)])
    assert store.facets() == {"colour": ["red", "blue", "green"]}


def test_facets_leave_out_what_is_no_use_to_a_filter(tiny_encoder: OpenClipEncoder) -> None:
    store = ImageStore.in_memory(tiny_encoder)
    store.add(
        [
            # Free text, numbers and a field that is always empty.
            described(n, title=f"No. {n}", price=n % 2, weight=0.5, note="", size="S", maker=maker)
            for n, maker in enumerate(["", "Ada"] * 30)
        ]
    )
    assert store.facets() == {"size": ["S"], "maker": ["Ada"]}


def test_a_facet_has_up_to_fifty_values(tiny_encoder: OpenClipEncoder) -> None:
    store = ImageStore.in_memory(tiny_encoder)
    store.add([described(n, kind=f"kind {n % 50}", name=f"name {n % 51}") for n in range(102)])
    facets = store.facets()
    assert set(facets) == {"kind"}
    assert len(facets["kind"]) == 50


def test_facets_are_of_a_sample(tiny_encoder: OpenClipEncoder) -> None:
    store = ImageStore.in_memory(tiny_encoder)
    store.add([described(n, kind=f"kind {n // 2}") for n in range(9)])
    assert len(store.facets(sample=4)["kind"]) == 2


def test_an_empty_store_has_no_facets(store: ImageStore) -> None:
    assert store.facets() == {}
    store.add([StoredImage("a", unit_vectors(1)[0], "a.jpg", "said of it")])
    assert store.facets() == {}


@pytest.mark.parametrize(
    ("hit", "title"),
    [
        (Hit("7f", 1.0, "a.jpg", "a red dress", {"title": "Dress"}), "a red dress"),
        (Hit("7f", 1.0, "a.jpg", "", {"title": "Dress", "description": "long"}), "long"),
        (Hit("7f", 1.0, "a.jpg", "", {"title": "Dress", "description": ""}), "Dress"),
        (Hit("7f", 1.0, "a.jpg", "", {"title": 1984}), "1984"),
        (Hit("7f", 1.0, "/photos/red_summer-dress.final.jpg"), "red summer dress.final"),
        (Hit("7f", 1.0, "/photos/___.jpg"), "7f"),
        (Hit("7f", 1.0, ""), "7f"),
    ],
)
def test_a_hit_has_a_title(hit: Hit, title: str) -> None:
    assert hit.title == title


def test_known_ids_are_those_stored(store: ImageStore) -> None:
    store.add(stored_images(4))
    assert store.known(["id0", "id3", "id9", "id0"]) == {"id0", "id3"}
    assert store.known(iter(["id1"])) == {"id1"}
    assert store.known([]) == set()


def test_a_repeated_id_replaces_the_image(store: ImageStore) -> None:
    first, other = stored_images(2)
    store.add([first])
    store.add([StoredImage("id0", other.vector, "/new.jpg", "new", {"size": 4})])
    assert len(store) == 1
    [hit] = store.search(other.vector, k=2)
    assert hit.score == pytest.approx(1, abs=1e-4)
    assert (hit.uri, hit.caption, hit.metadata["size"]) == ("/new.jpg", "new", 4)


def test_more_images_than_chroma_takes_at_once(tiny_encoder: OpenClipEncoder) -> None:
    store = ImageStore.in_memory(tiny_encoder)
    images = stored_images(6000)
    store.add(images)
    assert store.known(image.id for image in images) == {image.id for image in images}
    found, vectors = store.vectors()
    assert vectors.dtype == np.float32
    assert sorted(found) == sorted(image.id for image in images)
    by_id = dict(zip(found, vectors, strict=True))
    expected = np.stack([image.vector for image in images])
    np.testing.assert_allclose([by_id[image.id] for image in images], expected, atol=1e-6)
    store.delete([image.id for image in images])
    assert len(store) == 0


def test_an_empty_store_has_no_vectors(store: ImageStore) -> None:
    found, vectors = store.vectors()
    assert found == []
    assert len(vectors) == 0
    assert len(store) == 0


def test_metadata_may_be_nested_missing_or_absent(store: ImageStore) -> None:
    vectors = unit_vectors(2)
    metadata = {"tags": ["a", "b"], "maker": {"name": "é"}, "sold": True, "none": None, "x": 1.5}
    store.add([StoredImage("a", vectors[0], "a.jpg", "", metadata)])
    store.add([StoredImage("b", vectors[1], "b.jpg")])
    [first] = store.get(["a"])
    assert first.metadata["sold"] is True
    assert first.metadata["x"] == 1.5
    assert "none" not in first.metadata
    assert first.metadata["tags"] == ["a", "b"]
    assert '"name"' in first.metadata["maker"]
    [second] = store.get(["b"])
    assert (second.caption, dict(second.metadata), second.uri) == ("", {}, "b.jpg")


def test_nothing_to_add_is_no_error(store: ImageStore) -> None:
    store.add([])
    assert len(store) == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vectors_that_are_not_finite_are_refused(store: ImageStore, value: float) -> None:
    images = stored_images(2)
    images[1].vector[3] = value
    with pytest.raises(InvalidInputError, match="not finite"):
        store.add(images)
    assert len(store) == 0


def test_an_image_that_is_replaced_keeps_nothing_of_before(store: ImageStore) -> None:
    [first] = stored_images(1)
    store.add([dataclasses.replace(first, metadata={"colour": "red", "price": 3})])
    store.add([dataclasses.replace(first, metadata={"colour": "blue"})])
    [hit] = store.get([first.id])
    assert hit.metadata == {"colour": "blue"}
    assert store.search(first.vector, where={"price": 3}) == []


def test_vectors_of_another_length_are_refused(store: ImageStore) -> None:
    store.add(stored_images(2))
    with pytest.raises(InvalidInputError, match="long"):
        store.add([StoredImage("long", np.ones(DIMENSION + 1, np.float32), "x.jpg")])
    assert len(store) == 2


def test_a_store_on_disk_is_opened_again(tiny_encoder: OpenClipEncoder, tmp_path: Path) -> None:
    folder = tmp_path / "not there yet" / "store"
    first = ImageStore.on_disk(folder, tiny_encoder)
    images = stored_images(30)
    first.add(images)
    again = ImageStore.on_disk(folder, tiny_encoder)
    assert again.folder == folder
    assert len(again) == 30
    assert ids(again.search(images[11].vector, k=1)) == ["id11"]


def search_width(store: ImageStore) -> int:
    return store._chroma.read(lambda collection: collection.configuration["hnsw"]["ef_search"])


def test_a_store_that_has_grown_is_searched_further(
    tiny_encoder: OpenClipEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = unit_vectors(900)
    store = ImageStore.on_disk(tmp_path, tiny_encoder)
    store.add([StoredImage(f"n{n}", vector, "x") for n, vector in enumerate(many)])
    assert search_width(ImageStore.on_disk(tmp_path, tiny_encoder)) == 600
    monkeypatch.setattr("dar_retriever.stores.chroma.index._WIDTH", 30.0)
    again = ImageStore.on_disk(tmp_path, tiny_encoder)
    assert search_width(again) == 900
    for opened in (again, store):
        assert opened.search(many[7], k=1)[0].id == "n7"
    store.add([StoredImage("more", many[8], "x")])
    assert len(again) == 901


def test_collections_of_one_folder_are_apart(tiny_encoder: OpenClipEncoder, tmp_path: Path) -> None:
    dresses = ImageStore.on_disk(tmp_path, tiny_encoder, "dresses")
    chairs = ImageStore.on_disk(tmp_path, tiny_encoder, "chairs")
    dresses.add(stored_images(3))
    assert (len(dresses), len(chairs)) == (3, 0)


def assert_names_both(error: EncoderMismatchError, encoder: JointEncoder) -> None:
    message = str(error)
    assert encoder.name in message
    assert encoder.fingerprint in message
    assert OTHER.name in message
    assert OTHER.fingerprint in message


def test_another_encoder_is_refused_on_disk(tiny_encoder: OpenClipEncoder, tmp_path: Path) -> None:
    ImageStore.on_disk(tmp_path, tiny_encoder).add(stored_images(2))
    with pytest.raises(EncoderMismatchError) as error:
        ImageStore.on_disk(tmp_path, OTHER)
    assert_names_both(error.value, tiny_encoder)
    # The refusal changed nothing.
    assert len(ImageStore.on_disk(tmp_path, tiny_encoder)) == 2


def test_another_encoder_is_refused_by_a_server(
    tiny_encoder: OpenClipEncoder, chroma_server: int
) -> None:
    ImageStore.on_server(tiny_encoder, port=chroma_server, collection="mismatch")
    with pytest.raises(EncoderMismatchError) as error:
        ImageStore.on_server(OTHER, port=chroma_server, collection="mismatch")
    assert_names_both(error.value, tiny_encoder)
    assert len(ImageStore.on_server(tiny_encoder, port=chroma_server, collection="mismatch")) == 0


def test_a_server_keeps_images_between_clients(
    tiny_encoder: OpenClipEncoder, chroma_server: int
) -> None:
    first = ImageStore.on_server(tiny_encoder, "localhost", chroma_server, "shared")
    first.add(stored_images(3))
    again = ImageStore.on_server(tiny_encoder, "localhost", chroma_server, "shared")
    assert again.known(["id0", "id2"]) == {"id0", "id2"}
    assert again.folder is None


def test_a_server_that_is_not_running_is_named(tiny_encoder: OpenClipEncoder) -> None:
    port = free_port()
    with pytest.raises(StoreUnavailableError) as error:
        ImageStore.on_server(tiny_encoder, "localhost", port)
    assert f"localhost:{port}" in str(error.value)
    assert "chroma run" in str(error.value)


def test_a_server_that_stops_is_unavailable(tiny_encoder: OpenClipEncoder, tmp_path: Path) -> None:
    with running_server(tmp_path) as (port, server):
        store = ImageStore.on_server(tiny_encoder, "localhost", port)
        store.add(stored_images(3))
        server.terminate()
        server.wait(30)
        vector = unit_vectors(1)[0]
        with pytest.raises(StoreUnavailableError, match=f"localhost:{port}"):
            store.search(vector, where={"colour": "red"})


def test_a_folder_that_cannot_be_used_is_an_error(
    tiny_encoder: OpenClipEncoder, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError, match="Chroma"):
        ImageStore.on_disk(tmp_path / "file", tiny_encoder)


@pytest.mark.parametrize("name", ["x", "spaces are refused", ""])
def test_refused_collection_names_are_named(
    name: str, tiny_encoder: OpenClipEncoder, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInputError, match=f"collection={name!r}: use 3 to 512"):
        ImageStore.on_disk(tmp_path, tiny_encoder, name)


def test_two_stores_in_memory_do_not_see_each_other(tiny_encoder: OpenClipEncoder) -> None:
    first, second = ImageStore.in_memory(tiny_encoder), ImageStore.in_memory(OTHER)
    first.add(stored_images(4))
    assert (len(first), len(second)) == (4, 0)


def test_a_store_in_memory_starts_empty_after_others_are_gone(
    tiny_encoder: OpenClipEncoder,
) -> None:
    for _ in range(4):
        store = ImageStore.in_memory(tiny_encoder)
        assert len(store) == 0
        store.add(stored_images(1))
        del store
        gc.collect()


def test_a_hit_opens_its_file(store: ImageStore, tmp_path: Path) -> None:
    Image.new("RGB", (5, 4), "red").save(tmp_path / "red.png")
    store.add([StoredImage("red", unit_vectors(1)[0], str(tmp_path / "red.png"))])
    [hit] = store.get(["red"])
    assert hit.open().size == (5, 4)
    (tmp_path / "red.png").unlink()
    with pytest.raises(InvalidImageError, match=r"red\.png"):
        hit.open()
