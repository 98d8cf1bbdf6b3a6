from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dar_retriever.encoders import OpenClipEncoder
from dar_retriever.encoders.base import Vectors
from dar_retriever.evaluation.ranking import PoolNeighbours
from dar_retriever.fusion import Calibration, Surroundings
from dar_retriever.stores.hits import StoredImage
from dar_retriever.stores.image_store import ImageStore

DIMENSION = 32
LARGE = 3000


class RecordingNeighbours:
    """A pool that remembers which vectors it was asked about, and for how many hits."""

    def __init__(self, pool: Vectors) -> None:
        self.asked: list[tuple[bytes, int]] = []
        self._pool = PoolNeighbours(pool)

    def sample(self) -> Vectors:
        return self._pool.sample()

    def nearest(self, vector: Vectors, k: int) -> Vectors:
        self.asked.append((vector.tobytes(), k))
        return self._pool.nearest(vector, k)


def unit_vectors(count: int, seed: int) -> Vectors:
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSION))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def stored_images(vectors: Vectors, first: int = 0) -> list[StoredImage]:
    return [
        StoredImage(f"id{number}", vector, f"/pictures/{number}.jpg")
        for number, vector in enumerate(vectors, first)
    ]


def store_of(vectors: Vectors, encoder: OpenClipEncoder) -> ImageStore:
    store = ImageStore.in_memory(encoder)
    store.add(stored_images(vectors))
    return store


def surroundings_in(neighbours: Any, text: Vectors) -> Surroundings:
    found = Calibration(neighbours).around(text)
    assert found is not None
    return found


def places_of(rows: Vectors, stored: Vectors) -> list[int]:
    """Which stored vector each row is; fails where a row is none of them."""
    closeness = rows @ stored.T
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(closeness.max(axis=1), 1, atol=1e-5)
    return closeness.argmax(axis=1).tolist()


# Calibration.


def test_a_text_is_looked_up_once_however_often_it_is_asked_about():
    neighbours = RecordingNeighbours(unit_vectors(300, 0))
    calibration = Calibration(neighbours)
    texts = unit_vectors(3, 1)

    found = [calibration.around(text.copy()) for _ in range(4) for text in texts]

    assert [asked for asked, _ in neighbours.asked] == [text.tobytes() for text in texts]
    assert all(one is again for one, again in zip(found, found[3:], strict=False))
    assert len({id(one) for one in found}) == 3


def test_32_texts_are_remembered():
    neighbours = RecordingNeighbours(unit_vectors(300, 0))
    calibration = Calibration(neighbours)

    for text in [*unit_vectors(32, 1), *unit_vectors(32, 1)]:
        calibration.around(text)

    assert len(neighbours.asked) == 32


def test_beyond_32_texts_the_one_not_asked_about_for_longest_is_forgotten():
    neighbours = RecordingNeighbours(unit_vectors(300, 0))
    calibration = Calibration(neighbours)
    texts = unit_vectors(33, 1)
    for text in [*texts[:32], texts[0], texts[32]]:
        calibration.around(text)
    neighbours.asked.clear()

    for text in [texts[0], *texts[2:]]:
        calibration.around(text)
    assert neighbours.asked == []
    calibration.around(texts[1])
    assert [asked for asked, _ in neighbours.asked] == [texts[1].tobytes()]


def test_several_threads_get_the_same_answers():
    pool, texts = unit_vectors(300, 0), unit_vectors(48, 1)
    calibration = Calibration(PoolNeighbours(pool))
    order = np.random.default_rng(2).integers(len(texts), size=600).tolist()

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda place: calibration.around(texts[place]), order))

    for place, one in zip(order, found, strict=True):
        alone = surroundings_in(PoolNeighbours(pool), texts[place])
        assert one is not None
        assert (one.mean, one.spread) == (alone.mean, alone.spread)
        np.testing.assert_array_equal(one.hits, alone.hits)
        np.testing.assert_array_equal(one.scores, alone.scores)


@pytest.mark.parametrize(
    ("count", "hits"), [(20, 5), (23, 5), (100, 25), (199, 49), (200, 50), (3000, 50)]
)
def test_a_quarter_of_a_small_store_are_hits_and_at_most_50(count: int, hits: int):
    neighbours = RecordingNeighbours(unit_vectors(count, 0))

    found = surroundings_in(neighbours, unit_vectors(1, 1)[0])

    assert [k for _, k in neighbours.asked] == [hits]
    assert found.hits.shape == (hits, DIMENSION)
    assert found.scores.shape == (hits,)


@given(st.integers(20, 300), st.integers(0, 2**32 - 1))
def test_a_texts_surroundings_are_what_numpy_finds(count: int, seed: int):
    pool, text = unit_vectors(count, seed), unit_vectors(1, seed + 1)[0]
    scores = pool.astype(float) @ text.astype(float)

    found = surroundings_in(PoolNeighbours(pool), text)

    assert found.mean == pytest.approx(np.mean(scores), abs=1e-6)
    assert found.spread == pytest.approx(np.std(scores), abs=1e-6)
    best_first = np.sort(scores)[::-1]
    np.testing.assert_allclose(found.scores, best_first[: len(found.scores)], atol=1e-6)
    np.testing.assert_allclose(found.hits @ text, found.scores, atol=1e-6)
    assert (np.diff(found.scores) <= 1e-6).all()


def test_mean_and_spread_are_of_the_sample_and_hits_of_the_whole_store():
    pool, text = unit_vectors(500, 0), unit_vectors(1, 1)[0]
    neighbours = PoolNeighbours(pool, sample=100)

    found = surroundings_in(neighbours, text)

    assert found.mean == pytest.approx(float((neighbours.sample() @ text).mean()))
    assert found.spread == pytest.approx(float((neighbours.sample() @ text).std()))
    np.testing.assert_allclose(found.scores, np.sort(pool @ text)[::-1][:25], atol=1e-6)


@given(st.integers(1, 300), st.integers(0, 2**32 - 1), st.floats(0.1, 3))
def test_the_spread_of_any_vector_is_that_of_its_scores(count: int, seed: int, length: float):
    pool, vector = unit_vectors(count, seed), np.float32(length) * unit_vectors(1, seed + 1)[0]

    spread = Calibration(PoolNeighbours(pool)).spread(vector)

    assert spread == pytest.approx(float(np.std(pool @ vector)), abs=1e-6)


@pytest.mark.parametrize("count", [0, 1, 19])
def test_fewer_than_20_vectors_say_nothing_about_what_is_normal(count: int):
    neighbours = RecordingNeighbours(unit_vectors(count, 0))

    assert Calibration(neighbours).around(unit_vectors(1, 1)[0]) is None
    assert neighbours.asked == []


def test_a_store_without_spread_says_nothing_about_what_is_normal():
    text = np.eye(DIMENSION, dtype=np.float32)[0]
    alike = np.repeat(unit_vectors(1, 0), 100, axis=0)
    unrelated = unit_vectors(100, 0)
    unrelated[:, 0] = 0

    assert Calibration(PoolNeighbours(alike)).around(text) is None
    assert Calibration(PoolNeighbours(unrelated)).around(text) is None


# A pool in memory.


def test_the_sample_of_a_small_pool_is_all_of_it():
    pool = unit_vectors(50, 0)

    np.testing.assert_array_equal(PoolNeighbours(pool).sample(), pool)
    np.testing.assert_array_equal(PoolNeighbours(pool, sample=50).sample(), pool)


def test_the_sample_of_a_large_pool_is_of_different_vectors_and_stays():
    pool = unit_vectors(LARGE, 0)
    neighbours = PoolNeighbours(pool)

    sample = neighbours.sample()

    assert sample.shape == (1024, DIMENSION)
    assert len(set(places_of(sample, pool))) == 1024
    np.testing.assert_array_equal(neighbours.sample(), sample)
    np.testing.assert_array_equal(PoolNeighbours(pool).sample(), sample)
    assert (PoolNeighbours(pool, seed=1).sample() != sample).any()


@given(st.integers(1, 80), st.integers(0, 2**32 - 1), st.integers(1, 120))
def test_the_nearest_of_a_pool_are_those_that_sorting_finds(count: int, seed: int, k: int):
    pool, vector = unit_vectors(count, seed), unit_vectors(1, seed + 1)[0]

    nearest = PoolNeighbours(pool).nearest(vector, k)

    np.testing.assert_array_equal(nearest, pool[np.argsort(-(pool @ vector))[:k]])


def test_more_than_a_pool_holds_cannot_be_near():
    pool = unit_vectors(7, 0)

    assert len(PoolNeighbours(pool).nearest(pool[0], 7)) == 7
    assert len(PoolNeighbours(pool).nearest(pool[0], 8)) == 7
    assert PoolNeighbours(unit_vectors(0, 0)).sample().shape == (0, DIMENSION)


# An image store.


@pytest.fixture(scope="module")
def small(tiny_encoder: OpenClipEncoder) -> ImageStore:
    """200 images that no test changes."""
    return store_of(unit_vectors(200, 0), tiny_encoder)


@pytest.fixture(scope="module")
def large(tiny_encoder: OpenClipEncoder) -> ImageStore:
    """3,000 images that no test changes."""
    return store_of(unit_vectors(LARGE, 0), tiny_encoder)


@pytest.fixture(scope="module")
def uneven(tiny_encoder: OpenClipEncoder) -> ImageStore:
    """The images of ``small``, stored by another writer at lengths of its own."""
    client = chromadb.EphemeralClient()
    collection = client.create_collection(
        "uneven", configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
    )
    lengths = np.random.default_rng(1).uniform(0.1, 20, (200, 1)).astype(np.float32)
    collection.add(
        ids=[str(number) for number in range(200)], embeddings=lengths * unit_vectors(200, 0)
    )
    return ImageStore(client, tiny_encoder, "uneven")


@pytest.mark.parametrize("name", ["small", "uneven"])
def test_the_sample_of_a_small_store_is_all_of_it_at_unit_length(
    name: str, request: pytest.FixtureRequest
):
    store = request.getfixturevalue(name)

    sample = store.sample()

    assert sample.dtype == np.float32
    assert sorted(places_of(sample, unit_vectors(200, 0))) == list(range(200))


def test_the_sample_of_a_large_store_is_of_1024_different_images(large: ImageStore):
    sample = large.sample()

    assert sample.shape == (1024, DIMENSION)
    assert sample.dtype == np.float32
    assert len(set(places_of(sample, unit_vectors(LARGE, 0)))) == 1024


def test_a_sample_is_drawn_from_all_parts_of_a_large_store(large: ImageStore):
    ids, vectors = large.vectors()
    places = places_of(large.sample(), vectors)

    tenths = np.bincount(np.array(places) * 10 // len(ids), minlength=10)
    assert (tenths > 0).all()


@pytest.mark.parametrize("count", [1023, 1024, 1025, 1056])
def test_about_as_many_as_a_sample_holds_are_sampled_once_each(
    count: int, tiny_encoder: OpenClipEncoder
):
    vectors = unit_vectors(count, 3)

    sample = store_of(vectors, tiny_encoder).sample()

    assert len(sample) == min(count, 1024)
    assert len(set(places_of(sample, vectors))) == len(sample)


@pytest.mark.parametrize("name", ["small", "large", "uneven"])
def test_a_store_gives_the_same_sample_at_each_call(name: str, request: pytest.FixtureRequest):
    store = request.getfixturevalue(name)

    np.testing.assert_array_equal(store.sample(), store.sample())


def test_a_store_that_is_opened_again_gives_the_same_sample(
    tiny_encoder: OpenClipEncoder, tmp_path: Path
):
    first = ImageStore.on_disk(tmp_path, tiny_encoder)
    first.add(stored_images(unit_vectors(1500, 0)))

    again = ImageStore.on_disk(tmp_path, tiny_encoder)

    np.testing.assert_array_equal(again.sample(), first.sample())


def test_a_sample_is_drawn_anew_once_the_store_grew_by_more_than_a_tenth(
    tiny_encoder: OpenClipEncoder,
):
    vectors = unit_vectors(111, 0)
    store = store_of(vectors[:100], tiny_encoder)
    before = store.sample()

    store.add(stored_images(vectors[100:110], first=100))
    np.testing.assert_array_equal(store.sample(), before)
    store.add(stored_images(vectors[110:], first=110))
    assert sorted(places_of(store.sample(), vectors)) == list(range(111))


def test_a_sample_is_drawn_anew_once_the_store_shrank_by_more_than_a_tenth(
    tiny_encoder: OpenClipEncoder,
):
    vectors = unit_vectors(100, 0)
    store = store_of(vectors, tiny_encoder)
    before = store.sample()

    store.delete([f"id{number}" for number in range(10)])
    np.testing.assert_array_equal(store.sample(), before)
    store.delete(["id10"])
    assert sorted(places_of(store.sample(), vectors)) == list(range(11, 100))


def test_an_empty_store_has_neither_sample_nor_neighbours_until_it_is_filled(
    tiny_encoder: OpenClipEncoder,
):
    store = ImageStore.in_memory(tiny_encoder)
    [vector] = unit_vectors(1, 0)

    assert store.sample().shape == store.nearest(vector, 5).shape == (0, DIMENSION)
    store.add(stored_images(vector[None]))
    assert store.sample().shape == store.nearest(vector, 5).shape == (1, DIMENSION)


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_the_nearest_of_a_small_store_are_exact(small: ImageStore, seed: int, k: int):
    stored, vector = unit_vectors(200, 0), unit_vectors(1, seed)[0]

    nearest = small.nearest(vector, k)

    assert nearest.dtype == np.float32
    assert len(set(places_of(nearest, stored))) == k
    np.testing.assert_allclose(
        nearest @ vector, np.sort(stored @ vector)[::-1][:k], rtol=0, atol=1e-5
    )


def test_the_nearest_are_ranked_by_direction_however_long_they_are_stored(uneven: ImageStore):
    stored, vector = unit_vectors(200, 0), unit_vectors(1, 5)[0]

    nearest = uneven.nearest(vector, 20)

    assert places_of(nearest, stored) == np.argsort(-(stored @ vector))[:20].tolist()


def test_a_store_gives_fewer_neighbours_where_it_holds_fewer(tiny_encoder: OpenClipEncoder):
    vectors = unit_vectors(3, 0)

    nearest = store_of(vectors, tiny_encoder).nearest(vectors[1], 50)

    assert places_of(nearest, vectors) == np.argsort(-(vectors @ vectors[1])).tolist()


def test_a_calibration_of_a_store_is_that_of_its_vectors_in_memory(small: ImageStore):
    text = unit_vectors(1, 7)[0]

    found = surroundings_in(small, text)

    alone = surroundings_in(PoolNeighbours(unit_vectors(200, 0)), text)
    assert found.mean == pytest.approx(alone.mean, abs=1e-6)
    assert found.spread == pytest.approx(alone.spread, abs=1e-6)
    np.testing.assert_allclose(found.hits, alone.hits, atol=1e-5)
    np.testing.assert_allclose(found.scores, alone.scores, atol=1e-5)


def test_a_store_that_has_grown_is_looked_at_anew(tiny_encoder: OpenClipEncoder) -> None:
    vectors = unit_vectors(40, 1)
    store = store_of(vectors[:5], tiny_encoder)
    calibration = Calibration(store)
    assert calibration.around(vectors[0]) is None

    store.add(stored_images(vectors[5:], 5))

    around = calibration.around(vectors[0])
    assert around is not None
    np.testing.assert_allclose(around.hits[0], vectors[0], atol=1e-5)
