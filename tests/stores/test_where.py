"""The filter language means the same in every store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from addresses import ADDRESSES, opener
from engines import OPENERS
from hypothesis import given
from hypothesis import strategies as st
from ingest_child import ENCODER

from dar_retriever.errors import InvalidFilterError
from dar_retriever.stores.filters import matches
from dar_retriever.stores.hits import StoredImage
from dar_retriever.stores.image_store import ImageStore

ROWS: dict[str, dict[str, Any]] = {
    "dog": {"tags": ["dog", "beach"], "price": 3, "sizes": [38, 40], "day": dt.date(2019, 7, 4)},
    "cat": {"tags": ["cat"], "price": 4.5, "sizes": [40.0, 41.5], "day": dt.date(2020, 1, 1)},
    "one": {"tags": "dog", "price": 3.0, "place": "Rome, Italy"},
    "odd": {"tags": ["a:b", '"quoted"', "é", "dogs"], "price": 7},
    "bare": {},
}
FILTERS: list[tuple[dict[str, Any], str]] = [
    ({"tags": "dog"}, "dog one"),
    ({"tags": {"$contains": "dog"}}, "dog one"),
    ({"tags": {"$not_contains": "dog"}}, "cat odd bare"),
    ({"tags": {"$ne": "dog"}}, "cat odd bare"),
    ({"tags": {"$in": ["cat", "beach"]}}, "dog cat"),
    ({"tags": {"$nin": ["cat", "beach"]}}, "one odd bare"),
    ({"tags": "a:b"}, "odd"),
    ({"tags": '"quoted"'}, "odd"),
    ({"tags": "é"}, "odd"),
    ({"tags": "nothing"}, ""),
    ({"sizes": 40}, "dog cat"),
    ({"sizes": 40.0}, "dog cat"),
    ({"sizes": 41.5}, "cat"),
    ({"sizes": {"$gt": 0}}, ""),
    ({"price": 3}, "dog one"),
    ({"price": np.float64(3)}, "dog one"),
    ({"price": {"$gte": np.int64(4)}}, "cat odd"),
    ({"price": {"$in": [3, 4.5]}}, "dog cat one"),
    ({"price": {"$in": np.array([7, 9])}}, "odd"),
    ({"price": 3.5}, ""),
    ({"price": {"$lt": 1e300}}, "dog cat one odd"),
    ({"price": 1e19}, ""),
    ({"price": {"$ne": 3.5}}, "dog cat one odd bare"),
    ({"price": {"$gt": 3.5}}, "cat odd"),
    ({"price": {"$lt": 7.5}}, "dog cat one odd"),
    ({"price": {"$gte": 3.5, "$lt": 7.5}}, "cat odd"),
    ({"day": {"$gte": dt.date(2019, 1, 1), "$lt": dt.date(2020, 1, 1)}}, "dog"),
    ({"day": dt.date(2020, 1, 1)}, "cat"),
    ({"$and": [{"tags": "dog"}]}, "dog one"),
    ({"$or": [{"tags": "cat"}]}, "cat"),
    ({"$and": [{}, {"tags": "cat"}]}, "cat"),
    ({"$and": [{"tags": "dog"}, {"sizes": 38}]}, "dog"),
    ({"$or": [{"tags": "cat"}, {"$and": [{"tags": "dog"}, {"place": "Rome, Italy"}]}]}, "cat one"),
    ({"tags": {"$ne": "dog"}, "price": {"$lt": 7}}, "cat"),
    ({"price": {"$nin": [3, 7]}}, "cat bare"),
    ({"price": {"$lte": 3}}, "dog one"),
    ({"$not": {"tags": "dog"}}, "cat odd bare"),
    ({"$not": {"price": {"$gt": 4}}}, "dog one"),
    ({"$not": {"$or": [{"place": "Rome, Italy"}, {"$not": {"price": {"$lt": 5}}}]}}, "dog cat"),
]
TOO_MUCH = {str(FILTERS[place][0]) for place in (13, 31, 32)}
FRACTIONS = {str(where) for where, _ in FILTERS if ".5" in str(where)}
REFUSED: list[dict[Any, Any]] = [
    {"tags": ["dog"]},
    {"tags": None},
    {"tags": {"$in": []}},
    {"tags": {"$in": "dog"}},
    {"tags": {"$in": ["dog", 1]}},
    {"price": {"$gt": "3"}},
    {"price": {"$gt": True}},
    {"price": float("nan")},
    {"price": 2**70},
    {"$and": []},
    {"$and": [{}]},
    {"$or": {"tags": "dog"}},
    {"$not": {}},
    {"$not": [{"tags": "dog"}]},
    {"tags": {"$like": "dog"}},
    {"tags": b"dog"},
    {"": "dog"},
]


def vector_of(number: int) -> np.ndarray:
    vector = np.ones(ENCODER.dimension, np.float32)
    vector[number] = 9
    return vector / np.linalg.norm(vector)


STORES = [ImageStore.in_memory, *OPENERS, *map(opener, ADDRESSES)]


@pytest.fixture(scope="module", params=STORES, ids=lambda o: o.__name__)
def search(request: pytest.FixtureRequest) -> Callable[[Any], str]:
    """Gives the ids of what a filter finds in a store, in the order of the rows."""
    store = request.param(ENCODER)
    images = [
        StoredImage(id_, vector_of(number), f"{id_}.png", "", row)
        for number, (id_, row) in enumerate(ROWS.items())
    ]
    store.add(images)

    def searched(where: Any) -> str:
        found = {hit.id for hit in store.search(vector_of(0), 99, where)}
        return " ".join(id_ for id_ in ROWS if id_ in found)

    return searched


@pytest.mark.parametrize(("where", "expected"), FILTERS, ids=str)
def test_a_filter_finds_the_same_in_every_store(
    where: dict[str, Any],
    expected: str,
    search: Callable[[Any], str],
    request: pytest.FixtureRequest,
) -> None:
    # LlamaIndex's own store takes no nested filter, and compares no text with a number.
    if "[simple-" in request.node.name and str(where) in TOO_MUCH:
        with pytest.raises(InvalidFilterError, match="SimpleVectorStore refuses"):
            search(where)
        return
    found = search(where)
    if "_chroma-" in request.node.name and str(where) in FRACTIONS:
        # Through another framework Chroma gets the filter as it is, and cuts fractions off.
        assert set(found.split()) <= set(expected.split())
        return
    assert found == expected


@pytest.mark.parametrize("where", REFUSED, ids=str)
def test_what_is_no_filter_is_refused_in_every_store(
    where: dict[str, Any], search: Callable[[Any], str]
) -> None:
    with pytest.raises(InvalidFilterError, match="is not a filter"):
        search(where)


def test_lists_come_back_as_lists_from_every_store(search: Callable[[Any], str]) -> None:
    store = search.__closure__[0].cell_contents  # type: ignore[index]
    [dog] = store.get(["dog"])
    assert dog.metadata == {
        "tags": ["dog", "beach"],
        "price": 3,
        "sizes": [38, 40],
        "day": 20190704,
    }
    assert store.fields()["tags"].texts[0] == "dog"


scalars = st.sampled_from(["a", "b", "ab", 1, 2, 2.0, 2.5, -1, -1.5, 0, True])
ordered = st.builds(
    lambda name, asked, value: {name: {asked: value}},
    st.sampled_from(["x", "y"]),
    st.sampled_from(["$gt", "$gte", "$lt", "$lte"]),
    st.sampled_from([1, 2, 2.0, 1.5, 2.5, -1.5, 0.5]),
)
leaves = ordered | st.builds(
    lambda name, asked, value: {name: {asked: [value] if asked in ("$in", "$nin") else value}},
    st.sampled_from(["x", "y"]),
    st.sampled_from(["$eq", "$ne", "$in", "$nin", "$contains", "$not_contains"]),
    scalars,
)
leaves |= st.builds(lambda leaf: {"$not": leaf}, leaves)
filters = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda junction, parts: {junction: parts},
        st.sampled_from(["$and", "$or"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=5,
)
kept = scalars | st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=3)
kept |= st.lists(st.sampled_from([1, 2, 2.5]), min_size=1, max_size=3)


@pytest.fixture(scope="module")
def chroma() -> ImageStore:
    return ImageStore.in_memory(ENCODER)


@given(
    rows=st.lists(st.dictionaries(st.sampled_from(["x", "y"]), kept), min_size=4, max_size=4),
    where=filters,
)
def test_chroma_finds_what_a_function_of_the_metadata_finds(
    rows: list[dict[str, Any]], where: dict[str, Any], chroma: ImageStore
) -> None:
    chroma.add([StoredImage(str(n), vector_of(n), "a.png", "", row) for n, row in enumerate(rows)])
    found = {hit.id for hit in chroma.search(vector_of(0), 9, where)}
    assert found == {str(n) for n, row in enumerate(rows) if matches(where, row)}
