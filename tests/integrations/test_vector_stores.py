"""Any vector store of LangChain or LlamaIndex serves as the image store."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chromadb
import httpx
import numpy as np
import pytest
from engines import OPENERS, in_memory, langchain_chroma, simple
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_dar import (
    DARRetriever,
    ImageEmbeddings,
    LangChainImageStore,
    create_image_search_tool,
    predicate_filter,
)
from llama_index.core.schema import TextNode
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index.vector_stores.chroma import ChromaVectorStore
from llama_index_dar import LlamaIndexImageStore
from llama_index_dar.vector_store import metadata_filters
from mcp_dar import create_server

from dar_retriever import (
    AdaptiveFusion,
    Calibration,
    DARQueryEncoder,
    Dialogue,
    DiffusionAugmentedRetriever,
    EncoderMismatchError,
    EngineStore,
    FacetQuestions,
    Filter,
    ImageStore,
    InvalidFilterError,
    InvalidInputError,
    JointEncoder,
    OpenClipEncoder,
    SearchableStore,
    StoreCloseness,
    StoredImage,
    StoreError,
    StoreUnavailableError,
    Vectors,
    from_preset,
    ingest,
)
from dar_retriever.presets import PRESETS
from dar_retriever.presets.beside import Beside
from dar_retriever.ranking import MatchingCloseness, SecondStage
from dar_retriever.stores import Record, matches, text_of, vector_of

QUERIES = ["a red mug", "blue boots with white dots", "a handbag, rose background"]
FILTERS: list[dict[str, Any]] = [
    {"kind": "mug"},
    {"kind": "mug", "width": {"$gte": 10}},
    {"kind": {"$ne": "mug"}},
    {"kind": {"$in": ["mug", "sofa"]}},
    {"kind": {"$nin": ["mug", "sofa"]}},
    {"width": {"$gt": 5, "$lte": 96}},
    {"$and": [{"kind": {"$in": ["mug", "boots"]}}, {"colour": {"$ne": "red"}}]},
    {"$or": [{"kind": "mug"}, {"kind": "skirt"}]},
    {"no_such_field": "mug"},
    {"no_such_field": {"$ne": "mug"}},
]


class ListStore(EngineStore):
    """The least that an engine has to give: a dictionary that is searched from end to end."""

    def __init__(self, encoder: JointEncoder) -> None:
        super().__init__(encoder, "a list")
        self.records: dict[str, Record] = {}
        self.queries = 0

    def _query(self, vector: Vectors, k: int, where: Filter | None) -> Sequence[Record]:
        self.queries += 1
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
        records = [r for r in self.records.values() if where is None or matches(where, r.metadata)]
        if not records:
            return []
        scores = np.stack([vector_of(r.vector, self.encoder) for r in records]) @ vector
        # Worst first: the order is not the engine's to decide.
        return [records[place] for place in np.argsort(-scores)[:k][::-1]]

    def _read(self, ids: Sequence[str]) -> Sequence[Record]:
        return [self.records[id_] for id_ in ids if id_ in self.records]

    def _write(self, records: Sequence[Record]) -> None:
        assert not {record.id for record in records} & self.records.keys()
        self.records |= {record.id: record for record in records}

    def _remove(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            del self.records[id_]


@dataclass(frozen=True)
class OtherEncoder:
    """The encoder under the name and fingerprint of another."""

    inner: JointEncoder
    name: str = "another"
    fingerprint: str = "0123456789abcdef"

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self.inner, attribute)


def images(encoder: JointEncoder, count: int, seed: int = 0) -> list[StoredImage]:
    rows = np.random.default_rng(seed).normal(size=(count, encoder.dimension)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return [
        StoredImage(
            f"id{seed}-{number}",
            row,
            f"shop/{number}.jpg",
            f"caption {number}",
            {"colour": ("red", "blue")[number % 2], "price": number},
        )
        for number, row in enumerate(rows)
    ]


@pytest.fixture(scope="module", params=OPENERS, ids=lambda opener: opener.__name__)
def filled(
    request: pytest.FixtureRequest, demo: DiffusionAugmentedRetriever, gallery_folder: Path
) -> EngineStore:
    store: EngineStore = request.param(demo.query_encoder.encoder)
    assert ingest(gallery_folder, store, store.encoder).added == 120
    return store


@pytest.fixture(params=OPENERS, ids=lambda opener: opener.__name__)
def store(request: pytest.FixtureRequest, tiny_encoder: OpenClipEncoder) -> EngineStore:
    return request.param(tiny_encoder)


@pytest.mark.parametrize("length", [1.0, 0.4])
@pytest.mark.parametrize("query", QUERIES)
def test_hits_and_scores_are_those_of_chroma(
    query: str, length: float, filled: EngineStore, demo: DiffusionAugmentedRetriever
) -> None:
    vector = length * demo.query_encoder.encoder.encode_texts([query])[0]

    hits, expected = filled.search(vector, 20), demo.store.search(vector, 20)

    assert [hit.id for hit in hits] == [hit.id for hit in expected]
    np.testing.assert_allclose([h.score for h in hits], [h.score for h in expected], atol=1e-5)
    for hit, other in zip(hits, expected, strict=True):
        assert (hit.uri, hit.caption, hit.metadata) == (other.uri, other.caption, other.metadata)


@pytest.mark.parametrize("where", FILTERS, ids=str)
def test_filters_find_what_they_find_in_chroma(
    where: dict[str, Any], filled: EngineStore, demo: DiffusionAugmentedRetriever
) -> None:
    vector = demo.query_encoder.encoder.encode_texts(["a mug"])[0]
    expected = demo.store.search(vector, 120, where)

    hits = filled.search(vector, 120, where)

    assert {hit.id for hit in hits} == {hit.id for hit in expected}


def test_a_second_ingest_adds_nothing(filled: EngineStore, gallery_folder: Path) -> None:
    report = ingest(gallery_folder, filled, filled.encoder)

    assert (report.added, report.known) == (0, 120)


def test_a_moved_file_is_followed(store: EngineStore, gallery_folder: Path, tmp_path: Path) -> None:
    for name in ("00000.jpg", "00001.jpg"):
        shutil.copy(gallery_folder / name, tmp_path / name)
    said = {"00000.jpg": {"caption": "a mug", "tags": ["red", "dots"]}}
    assert ingest(tmp_path, store, store.encoder, metadata=said).added == 2
    (tmp_path / "00000.jpg").rename(tmp_path / "mug.jpg")

    report = ingest(tmp_path, store, store.encoder)

    assert (report.added, report.moved, report.known) == (0, 1, 1)
    vector = store.vectors_of(ids_in(tmp_path))[0]
    [hit] = store.search(vector, 9, {"tags": "dots"})
    assert (hit.uri, hit.caption) == (str(tmp_path / "mug.jpg"), "a mug")
    assert hit.metadata["tags"] == ["red", "dots"]
    assert not hit.missing
    assert ingest(tmp_path, store, store.encoder).known == 2


def ids_in(folder: Path) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest()[:32] for path in folder.glob("*.jpg")]


def test_all_of_a_small_store_is_its_sample(
    filled: EngineStore, demo: DiffusionAugmentedRetriever
) -> None:
    sample, text = filled.sample(), demo.query_encoder.encoder.encode_texts(["a red mug"])[0]

    assert filled.sample() is sample
    theirs = Calibration(demo.store).around(text)
    ours = Calibration(filled).around(text)
    assert ours is not None
    assert theirs is not None
    assert (ours.mean, ours.spread) == pytest.approx((theirs.mean, theirs.spread), abs=1e-6)
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-5)


def test_fields_and_captions_are_those_of_chroma(
    filled: EngineStore, demo: DiffusionAugmentedRetriever
) -> None:
    assert filled.facets() == demo.store.facets()
    assert filled.captions(30) == demo.store.captions(30)
    told, known = filled.fields(), demo.store.fields()
    assert told.keys() == known.keys()
    for name, field in told.items():
        assert field.complete
        assert (field.type, field.lowest, field.highest) == (
            known[name].type,
            known[name].lowest,
            known[name].highest,
        )
        assert {*field.texts} == {*known[name].texts}


def test_words_filter_over_every_engine(store: EngineStore) -> None:
    stored = images(store.encoder, 6)
    made = [
        dataclasses.replace(image, metadata={"price": 10 * n, "brand": "Nike" if n % 2 else "Puma"})
        for n, image in enumerate(stored)
    ]
    store.add(made)
    retriever = DiffusionAugmentedRetriever(DARQueryEncoder(store.encoder), store)

    result = retriever.search("a red Nike mug for at most 30 euros")

    assert {hit.id for hit in result.hits} == {made[1].id, made[3].id}
    assert result.trace.only == ("brand Nike", "price at most 30")
    store.add([dataclasses.replace(made[5], metadata={"price": 5, "brand": "Kessel"})])
    assert [hit.id for hit in retriever.search("a Kessel mug").hits] == [made[5].id]


def test_the_whole_search_runs_on_it(
    filled: EngineStore, demo: DiffusionAugmentedRetriever
) -> None:
    """Text, drawings, adaptive fusion, the verdict and the question, as over Chroma."""
    encoder, generator = demo.query_encoder.encoder, demo.query_encoder.generator
    calibration, beside = Calibration(filled), Beside(PRESETS["demo"].encoder)
    closeness = StoreCloseness(filled, encoder, calibration)
    retriever = DiffusionAugmentedRetriever(
        DARQueryEncoder(
            encoder,
            # It has the pictures of the other search in its cache.
            generator,
            fusion=AdaptiveFusion(calibration),
            prior=demo.query_encoder.prior,
            images_per_turn=demo.query_encoder.images_per_turn,
        ),
        filled,
        closeness=MatchingCloseness(beside.matching, filled, encoder, closeness),
        second_stage=SecondStage(beside.reranker(filled)),
    )
    dialogue = Dialogue().say("a mug").ask("Which colour?").say("teal")

    result, expected = retriever.search(dialogue), demo.search(dialogue)

    assert result.trace.fallbacks == ()
    assert len(result.trace.generated) == len(expected.trace.generated) > 0
    assert result.trace.image_weight == pytest.approx(expected.trace.image_weight, abs=1e-4) != 0
    assert [hit.id for hit in result.hits] == [hit.id for hit in expected.hits]
    scores = [hit.score for hit in expected.hits]
    np.testing.assert_allclose([hit.score for hit in result.hits], scores, atol=1e-4)
    assert (result.close, result.trace.reasons) == (expected.close, expected.trace.reasons)
    question, theirs = FacetQuestions(retriever), FacetQuestions(demo)
    assert question.next_question(result) == theirs.next_question(expected)


def test_a_preset_opens_over_it(demo: DiffusionAugmentedRetriever) -> None:
    opened = from_preset("demo", in_memory)

    assert isinstance(opened.store, LangChainImageStore)
    assert opened.store.encoder is opened.query_encoder.encoder
    assert DARRetriever.from_preset("demo", in_memory).retriever.store.sample().shape == (0, 192)


def test_an_agents_tool_searches_filters_and_judges_in_it(
    filled: EngineStore, demo: DiffusionAugmentedRetriever
) -> None:
    searching = DiffusionAugmentedRetriever(demo.query_encoder, filled)
    tool = create_image_search_tool(DARRetriever(retriever=searching), images="none")
    assert "kind: " in tool.description
    (liked,) = filled.search(filled.encoder.encode_texts(["a mug"])[0], 1)

    call = {"request": "a mug", "filter": {"kind": "mug"}, "more_like": [liked.id], "k": 3}
    reply = tool.invoke({"type": "tool_call", "id": "1", "name": tool.name, "args": call})

    assert reply.status != "error", reply.content
    assert len(reply.artifact["documents"]) == 3
    assert {found.metadata["kind"] for found in reply.artifact["documents"]} == {"mug"}


async def test_a_server_describes_it_without_a_count(
    filled: EngineStore, demo: DiffusionAugmentedRetriever
) -> None:
    server = create_server(DiffusionAugmentedRetriever(demo.query_encoder, filled))

    (told,) = (await server.call_tool("describe_store", {})).content

    assert told.text.startswith("An unknown number of images.\nbackground: ")


def test_images_come_in_the_order_asked_for_without_the_unknown(store: EngineStore) -> None:
    stored = images(store.encoder, 5)
    store.add(stored)
    ids = ["id0-3", "unknown", "id0-1"]

    hits = store.get(ids)

    assert [(hit.id, hit.score, hit.caption) for hit in hits] == [
        ("id0-3", 0.0, "caption 3"),
        ("id0-1", 0.0, "caption 1"),
    ]
    assert hits[0].uri == "shop/3.jpg"
    assert hits[0].metadata == {"colour": "blue", "price": 3}
    assert store.known(ids) == {"id0-1", "id0-3"}
    rows = [stored[3].vector, stored[1].vector]
    np.testing.assert_allclose(store.vectors_of(["id0-3", "id0-1"]), rows, atol=1e-6)
    with pytest.raises(StoreError, match=r"^unknown: not stored"):
        store.vectors_of(ids)


def test_no_ids_ask_for_nothing(store: EngineStore) -> None:
    store.add([])
    store.delete([])

    assert (store.get([]), store.known([])) == ([], set())
    assert store.vectors_of([]).shape == (0, store.encoder.dimension)


def test_an_empty_store_has_nothing(store: EngineStore) -> None:
    vector = images(store.encoder, 1)[0].vector

    assert store.search(vector, 3) == []
    assert store.nearest(vector, 3).shape == (0, store.encoder.dimension)
    assert store.sample().shape == (0, store.encoder.dimension)
    assert (store.captions(3), store.facets()) == ([], {})


def test_deleted_images_are_gone_and_can_come_back(store: EngineStore) -> None:
    stored = images(store.encoder, 6)
    store.add(stored)

    store.delete(["id0-2", "unknown", "id0-2"])

    assert store.known(["id0-2", "id0-1"]) == {"id0-1"}
    assert len(store.search(stored[2].vector, 10)) == 5
    store.add(stored[2:3])
    assert store.search(stored[2].vector, 1)[0].id == "id0-2"


def test_an_image_stored_again_replaces_the_other(store: EngineStore) -> None:
    old, new = images(store.encoder, 1), images(store.encoder, 2, seed=1)
    changed = StoredImage(old[0].id, new[1].vector, "moved.jpg", "another", {"price": 7})
    store.add(old)

    store.add([changed])

    (hit,) = store.search(new[1].vector, 5)
    assert (hit.uri, hit.caption, hit.metadata) == ("moved.jpg", "another", {"price": 7})
    assert hit.score == pytest.approx(1, abs=1e-5)


def test_what_is_excluded_is_no_hit(store: EngineStore) -> None:
    stored = images(store.encoder, 8)
    store.add(stored)
    query = stored[0].vector
    ids = [hit.id for hit in store.search(query, 8)]

    assert [hit.id for hit in store.search(query, 3, exclude=ids[:3])] == ids[3:6]


def test_the_nearest_are_the_best_first(store: EngineStore) -> None:
    stored = images(store.encoder, 30)
    store.add(stored)
    rows = np.stack([image.vector for image in stored])
    query = images(store.encoder, 1, seed=2)[0].vector

    best = rows[np.argsort(-(rows @ query))[:4]]

    np.testing.assert_allclose(store.nearest(query, 4), best, atol=1e-6)


def test_a_sample_is_drawn_anew_when_a_tenth_has_changed(store: EngineStore) -> None:
    stored = images(store.encoder, 40)
    store.add(stored[:30])
    sample = store.sample()

    store.add(stored[30:33])
    assert store.sample() is sample
    store.delete(["id0-0"])
    assert len(store.sample()) == 32


def test_nested_and_missing_metadata_are_kept_as_by_chroma(store: EngineStore) -> None:
    vector = images(store.encoder, 1)[0].vector
    metadata = {"sizes": [38, 40], "sold": True, "weight": 1.5, "note": None, "title": "Mugs, 2 €"}
    image = StoredImage("a", vector, "data:image/png;base64,iVBORw0KGgo=", "", metadata)
    chroma = ImageStore.in_memory(store.encoder)
    for each in (store, chroma):
        each.add([image])

    assert store.get(["a"]) == chroma.get(["a"])


def test_another_encoders_records_are_refused(tiny_encoder: OpenClipEncoder) -> None:
    vector_store = InMemoryVectorStore(ImageEmbeddings(tiny_encoder))
    LangChainImageStore(vector_store, tiny_encoder).add(images(tiny_encoder, 3))
    other = OtherEncoder(tiny_encoder)
    vector_store.embedding = ImageEmbeddings(other)
    opened = LangChainImageStore(vector_store, other)
    vector = images(tiny_encoder, 1)[0].vector
    names = f"{tiny_encoder.fingerprint}', not by 'another' \\(0123456789abcdef\\)"

    with pytest.raises(EncoderMismatchError, match=names):
        opened.search(vector, 1)
    with pytest.raises(EncoderMismatchError, match=names):
        opened.vectors_of(["id0-1"])
    with pytest.raises(EncoderMismatchError, match=names):
        opened.sample()


def test_vectors_of_another_length_are_refused(
    tiny_encoder: OpenClipEncoder, demo: DiffusionAugmentedRetriever
) -> None:
    encoder = demo.query_encoder.encoder

    with pytest.raises(InvalidInputError, match=r"id0-0: a vector of shape .* makes 192 finite"):
        in_memory(encoder).add(images(tiny_encoder, 1))


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_vectors_that_are_none_are_refused(value: float, tiny_encoder: OpenClipEncoder) -> None:
    vector = np.full(tiny_encoder.dimension, value, np.float32)

    with pytest.raises(InvalidInputError, match="id: a vector"):
        in_memory(tiny_encoder).add([StoredImage("id", vector, "uri")])


def test_vectors_are_kept_at_unit_length(tiny_encoder: OpenClipEncoder) -> None:
    (image,), store = images(tiny_encoder, 1), in_memory(tiny_encoder)

    store.add([StoredImage("long", 3 * image.vector, "uri")])

    assert store.search(image.vector, 1)[0].score == pytest.approx(1, abs=1e-5)


def test_what_others_stored_is_refused(tiny_encoder: OpenClipEncoder) -> None:
    vector_store = InMemoryVectorStore(ImageEmbeddings(tiny_encoder))
    vector_store.add_texts(["a red mug"])
    vector = images(tiny_encoder, 1)[0].vector

    with pytest.raises(StoreError, match="'a red mug' in place of a vector"):
        LangChainImageStore(vector_store, tiny_encoder).search(vector, 1)


def test_nodes_of_others_are_refused(tiny_encoder: OpenClipEncoder) -> None:
    collection = chromadb.EphemeralClient().create_collection(f"theirs-{uuid.uuid4().hex}")
    vector_store = ChromaVectorStore(chroma_collection=collection)
    vector = images(tiny_encoder, 1)[0].vector
    vector_store.add([TextNode(text="a red mug", embedding=vector.tolist())])

    with pytest.raises(StoreError, match="in place of a vector of this package"):
        LlamaIndexImageStore(vector_store, tiny_encoder).search(vector, 1)


def test_a_docstore_that_was_not_kept_is_an_error(tiny_encoder: OpenClipEncoder) -> None:
    vector_store, stored = SimpleVectorStore(), images(tiny_encoder, 2)
    LlamaIndexImageStore(vector_store, tiny_encoder, docstore=SimpleDocumentStore()).add(stored)
    opened = LlamaIndexImageStore(vector_store, tiny_encoder, docstore=SimpleDocumentStore())

    with pytest.raises(StoreError, match="id0-0: in SimpleVectorStore and not in its docstore"):
        opened.search(stored[0].vector, 1)


def test_vector_store_and_docstore_are_found_again(
    tiny_encoder: OpenClipEncoder, tmp_path: Path
) -> None:
    stored = images(tiny_encoder, 4)
    store = LlamaIndexImageStore(SimpleVectorStore(), tiny_encoder, docstore=SimpleDocumentStore())
    store.add(stored)
    places = str(tmp_path / "vectors.json"), str(tmp_path / "nodes.json")
    store.vector_store.persist(places[0])
    store.docstore.persist(places[1])

    again = LlamaIndexImageStore(
        SimpleVectorStore.from_persist_path(places[0]),
        tiny_encoder,
        docstore=SimpleDocumentStore.from_persist_path(places[1]),
    )

    assert again.search(stored[2].vector, 4) == store.search(stored[2].vector, 4)


def test_a_vector_store_without_nodes_asks_for_a_docstore(tiny_encoder: OpenClipEncoder) -> None:
    with pytest.raises(InvalidInputError, match="SimpleVectorStore keeps vectors without"):
        LlamaIndexImageStore(SimpleVectorStore(), tiny_encoder)


def test_a_vector_store_of_other_embeddings_is_refused(tiny_encoder: OpenClipEncoder) -> None:
    others = [DeterministicFakeEmbedding(size=4), ImageEmbeddings(OtherEncoder(tiny_encoder))]
    for embeddings in others:
        with pytest.raises(InvalidInputError, match=r"embeds with .*; make it with Image"):
            LangChainImageStore(InMemoryVectorStore(embeddings), tiny_encoder)


def test_words_find_in_langchains_store_itself(demo: DiffusionAugmentedRetriever) -> None:
    encoder = demo.query_encoder.encoder
    embeddings = ImageEmbeddings(encoder)
    vector_store = InMemoryVectorStore(embeddings)
    store = LangChainImageStore(vector_store, encoder)
    vectors = encoder.encode_texts(["a mug", "boots"])
    store.add([StoredImage(str(n), vector, "uri") for n, vector in enumerate(vectors)])

    (found,) = vector_store.similarity_search("boots", k=1)

    assert found.id == "1"
    assert len(embeddings.embed_query("how long is a vector?")) == encoder.dimension


def test_ids_that_an_engine_writes_in_its_own_way_stay_ours(tiny_encoder: OpenClipEncoder) -> None:
    class WithUuids(InMemoryVectorStore):
        def similarity_search_by_vector(self, *args: Any, **options: Any) -> list[Document]:
            found = super().similarity_search_by_vector(*args, **options)
            return [d.model_copy(update={"id": str(uuid.UUID(d.id))}) for d in found]

    store = LangChainImageStore(WithUuids(ImageEmbeddings(tiny_encoder)), tiny_encoder)
    id_, vector = "c" * 32, images(tiny_encoder, 1)[0].vector
    store.add([StoredImage(id_, vector, "uri")])

    assert [hit.id for hit in store.search(vector, 1)] == [id_]
    assert store.search(vector, 1, exclude=[id_]) == []


def test_without_a_translation_filters_are_refused_and_not_offered(
    tiny_encoder: OpenClipEncoder,
) -> None:
    vector_store = InMemoryVectorStore(ImageEmbeddings(tiny_encoder))
    store = LangChainImageStore(vector_store, tiny_encoder)
    stored = images(tiny_encoder, 10)
    store.add(stored)

    assert store.facets() == {}
    with pytest.raises(InvalidFilterError, match="filter_of that makes the arguments of InMemory"):
        store.search(stored[0].vector, 1, {"colour": "red"})
    assert LangChainImageStore(vector_store, tiny_encoder, filter_of=predicate_filter).facets() == {
        "colour": ["blue", "red"]
    }


@pytest.mark.parametrize(
    "where",
    [
        {"price": {"$near": 3}},
        {"$not": [{"price": 3}]},
        {"$not": {"$eq": 3}},
        {"$and": []},
        {"$or": 5},
        {"$or": ["red"]},
        {"price": {}},
        {"price": {"$in": 3}},
        {"$or": [{"colour": "red"}, {"price": {"$near": 3}}]},
    ],
    ids=str,
)
def test_what_is_no_filter_is_refused(where: dict[str, Any], store: EngineStore) -> None:
    stored = images(store.encoder, 4)
    store.add(stored)

    with pytest.raises(InvalidFilterError):
        store.search(stored[0].vector, 1, where)
    with pytest.raises(InvalidFilterError):
        matches(where, {"price": 3, "colour": "red"})


def test_an_empty_filter_is_none(store: EngineStore) -> None:
    stored = images(store.encoder, 4)
    store.add(stored)

    assert len(store.search(stored[0].vector, 9, {})) == 4


def test_a_filter_compares_like_with_like() -> None:
    assert matches({"sold": True}, {"sold": True})
    assert matches({"price": {"$lt": 3.5}}, {"price": 3})
    with pytest.raises(InvalidFilterError, match="numbers or dates"):
        matches({"price": {"$lt": "3.5"}}, {"price": 3})
    assert not matches({"sold": 1}, {"sold": True})
    assert not matches({"sold": {"$gte": 0}}, {"sold": True})


def test_filters_of_llama_index_are_as_flat_as_they_go() -> None:
    joined = metadata_filters({"$and": [{"a": 1, "b": "x"}, {"$or": [{"c": 2}]}]})
    mixed = metadata_filters({"$or": [{"a": 1}, {"b": {"$gt": 1, "$lt": 5}}]})

    assert [each.key for each in joined.filters] == ["a", "b", "c"]
    assert [getattr(each, "key", "nested") for each in mixed.filters] == ["a", "nested"]


def test_a_value_that_llama_index_cannot_filter_by_is_named(
    tiny_encoder: OpenClipEncoder,
) -> None:
    with pytest.raises(InvalidFilterError, match="True: LlamaIndex can only filter by texts"):
        simple(tiny_encoder).search(images(tiny_encoder, 1)[0].vector, 1, {"sold": True})


@pytest.mark.parametrize("k", [0, -1])
def test_at_least_one_hit_is_asked_for(k: int, store: EngineStore) -> None:
    with pytest.raises(InvalidInputError, match=f"k={k}: ask for at least 1 hit"):
        store.search(images(store.encoder, 1)[0].vector, k)


def refused_by_a_server() -> Exception:
    """What a client raises whose server is gone."""
    try:
        httpx.get("http://127.0.0.1:1")
    except httpx.ConnectError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(
    ("raised", "error", "told"),
    [
        (refused_by_a_server(), StoreUnavailableError, "Failing does not answer"),
        (RuntimeError("disk full"), StoreError, r"Failing failed \(RuntimeError: disk full\)"),
        (NotImplementedError("no"), StoreError, "Failing does not implement"),
        (ConnectionRefusedError("x"), StoreUnavailableError, "Failing does not answer"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_engines_errors_are_ours(
    raised: Exception, error: type[StoreError], told: str, tiny_encoder: OpenClipEncoder
) -> None:
    def fail(*args: Any, **options: Any) -> Any:
        raise raised

    class Failing(InMemoryVectorStore):
        similarity_search_by_vector = get_by_ids = fail

    store = LangChainImageStore(
        Failing(ImageEmbeddings(tiny_encoder)), tiny_encoder, filter_of=predicate_filter
    )
    vector = images(tiny_encoder, 1)[0].vector
    calls = [
        lambda: store.search(vector, 1),
        lambda: store.nearest(vector, 1),
        store.sample,
        lambda: store.known(["a"]),
        lambda: store.add(images(tiny_encoder, 1)),
    ]

    for call in calls:
        with pytest.raises(error, match=told):
            call()


def test_an_engine_that_refuses_a_filter_is_named(tiny_encoder: OpenClipEncoder) -> None:
    store = langchain_chroma(tiny_encoder)
    assert isinstance(store, LangChainImageStore)
    store._filter_of = lambda where: {"filter": {"price": {"$no": 1}}}

    with pytest.raises(InvalidFilterError, match=r"Chroma refuses .*price"):
        store.search(images(tiny_encoder, 1)[0].vector, 1, {"price": 3})


def test_four_operations_make_a_store(tiny_encoder: OpenClipEncoder) -> None:
    stored = images(tiny_encoder, 30)
    store: SearchableStore = ListStore(tiny_encoder)
    store.add(stored)
    rows = np.stack([image.vector for image in stored])
    best = np.argsort(-(rows @ stored[4].vector))[:5]

    hits = store.search(0.3 * stored[4].vector, 5)

    assert [hit.id for hit in hits] == [f"id0-{place}" for place in best]
    assert hits[0].score == pytest.approx(0.3, abs=1e-5)
    assert store.facets() == {"colour": ["blue", "red"]}


def test_a_sample_of_a_large_store_is_near_the_whole(tiny_encoder: OpenClipEncoder) -> None:
    """In clusters of very different sizes, which is hard for it."""
    random = np.random.default_rng(3)
    sizes = [1500, 700, 400, 250, 150, 100, 50, 50]
    centres = random.normal(size=(len(sizes), tiny_encoder.dimension))
    rows = np.repeat(centres, sizes, axis=0)
    rows = (rows + 0.6 * random.normal(size=rows.shape)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    store = ListStore(tiny_encoder)
    store.add([StoredImage(str(number), row, "uri") for number, row in enumerate(rows)])
    texts = centres / np.linalg.norm(centres, axis=1, keepdims=True)

    sample = store.sample()

    assert store.queries == 8
    assert 800 < len(sample) <= 1024
    assert len(np.unique(sample, axis=0)) == len(sample)
    truth, told = rows @ texts.T, sample @ texts.T
    off = np.abs(told.mean(axis=0) - truth.mean(axis=0)) / truth.std(axis=0)
    assert off.mean() < 0.35
    assert 0.75 < (told.std(axis=0) / truth.std(axis=0)).mean() < 1.25
    again = ListStore(tiny_encoder)
    again.records = store.records
    np.testing.assert_array_equal(again.sample(), sample)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_vector_comes_back_to_the_bit(seed: int, tiny_encoder: OpenClipEncoder) -> None:
    (image,) = images(tiny_encoder, 1, seed)

    np.testing.assert_array_equal(
        vector_of(text_of(image.vector, tiny_encoder), tiny_encoder), image.vector
    )


@pytest.mark.parametrize("cut", [1, 4, 6, 100])
def test_a_vector_that_was_cut_is_an_error(cut: int, tiny_encoder: OpenClipEncoder) -> None:
    text = text_of(images(tiny_encoder, 1)[0].vector, tiny_encoder)

    with pytest.raises(StoreError, match=r"incomplete .*make the field longer"):
        vector_of(text[:-cut], tiny_encoder)
