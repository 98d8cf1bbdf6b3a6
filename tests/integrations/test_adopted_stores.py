"""Collections that LangChain or LlamaIndex filled are searched as they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
import pytest
from langchain_chroma import Chroma
from llama_index.core import StorageContext
from llama_index.core.schema import ImageNode
from llama_index.vector_stores.chroma import ChromaVectorStore

from dar_retriever import (
    DiffusionAugmentedRetriever,
    EncoderMismatchError,
    ImageStore,
    JointEncoder,
    OpenClipEncoder,
    StoreError,
)
from dar_retriever.support.images import open_image

COUNT = 40

Fill = Callable[[Any, str, list[Path], JointEncoder], None]


class Embeddings:
    """The encoder as LangChain's image embeddings."""

    def __init__(self, encoder: JointEncoder) -> None:
        self._encoder = encoder

    def embed_image(self, uris: list[str]) -> list[list[float]]:
        return self._encoder.encode_images([open_image(uri) for uri in uris]).tolist()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self._encoder.encode_texts(texts).tolist()

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def metadata_of(path: Path) -> dict[str, Any]:
    lines = (path.parent / "metadata.jsonl").read_text().splitlines()
    entries = {entry["file_name"]: entry for entry in map(json.loads, lines)}
    return {name: entries[path.name][name] for name in ("kind", "colour")}


def by_langchain(client: Any, name: str, paths: list[Path], encoder: JointEncoder) -> None:
    store = Chroma(name, Embeddings(encoder), client=client)
    store.add_images([str(path) for path in paths], [metadata_of(path) for path in paths])


def by_llama_index(client: Any, name: str, paths: list[Path], encoder: JointEncoder) -> None:
    store = ChromaVectorStore(chroma_collection=client.get_or_create_collection(name))
    vectors = encoder.encode_images([open_image(path) for path in paths])
    store.add(
        [
            ImageNode(
                image_path=str(path),
                text=f"picture {path.stem}",
                metadata=metadata_of(path),
                embedding=vector.tolist(),
            )
            for path, vector in zip(paths, vectors, strict=True)
        ]
    )
    assert StorageContext.from_defaults(image_store=store)


@pytest.fixture(scope="module")
def client() -> Any:
    return chromadb.EphemeralClient()


@pytest.fixture(scope="module")
def paths(gallery_folder: Path) -> list[Path]:
    return sorted(gallery_folder.glob("*.jpg"))[:COUNT]


@pytest.fixture(scope="module", params=[by_langchain, by_llama_index])
def adopted(
    request: pytest.FixtureRequest,
    client: Any,
    paths: list[Path],
    demo: DiffusionAugmentedRetriever,
) -> ImageStore:
    name, encoder = request.param.__name__, demo.query_encoder.encoder
    request.param(client, name, paths, encoder)
    return ImageStore(client, encoder, name)


def test_it_ranks_and_scores_as_a_store_of_ones_own(
    adopted: ImageStore, demo: DiffusionAugmentedRetriever, paths: list[Path]
) -> None:
    encoder = demo.query_encoder.encoder
    query = 0.5 * encoder.encode_texts(["a red mug"])[0]
    scores = encoder.encode_images([open_image(path) for path in paths]) @ query

    hits = adopted.search(query, COUNT)

    assert len(adopted) == COUNT
    np.testing.assert_allclose([hit.score for hit in hits], np.sort(scores)[::-1], atol=1e-5)


def test_its_hits_can_be_opened_and_named(adopted: ImageStore, paths: list[Path]) -> None:
    _, vectors = adopted.vectors()

    for hit in adopted.search(vectors[0], 3):
        assert hit.open().size == open_image(paths[0]).size
        assert hit.metadata.keys() == {"kind", "colour"}
        assert len(hit.title) < 50
        json.dumps(hit.as_metadata())


def test_a_dialogue_finds_in_it(adopted: ImageStore, demo: DiffusionAugmentedRetriever) -> None:
    retriever = DiffusionAugmentedRetriever(demo.query_encoder, adopted)

    result = retriever.search("a mug", 3, where={"kind": "mug"})

    assert [hit.metadata["kind"] for hit in result.hits] == ["mug"] * len(result.hits)
    assert result.hits
    assert adopted.facets().keys() == {"kind", "colour"}


def test_opening_it_changes_nothing(
    adopted: ImageStore, client: Any, demo: DiffusionAugmentedRetriever
) -> None:
    name = adopted._chroma.read(lambda collection: collection.name)

    ImageStore(client, demo.query_encoder.encoder, name)

    collection = client.get_collection(name)
    assert collection.metadata is None
    assert collection.configuration["hnsw"]["space"] == "l2"


@pytest.mark.parametrize("space", ["cosine", "l2", "ip"])
def test_scores_are_the_same_in_every_space(
    space: str, client: Any, tiny_encoder: OpenClipEncoder
) -> None:
    vectors = tiny_encoder.encode_texts(["a mug", "a sofa", "two boots"])
    configuration = {"hnsw": {"space": space}}
    collection = client.create_collection(f"space-{space}", configuration=configuration)
    collection.add(ids=["0", "1", "2"], embeddings=vectors)
    query = 1.7 * tiny_encoder.encode_texts(["a red mug"])[0]

    hits = ImageStore(client, tiny_encoder, f"space-{space}").search(query, 3)

    scores = {hit.id: hit.score for hit in hits}
    np.testing.assert_allclose([scores[id_] for id_ in "012"], vectors @ query, atol=1e-5)


def test_vectors_of_another_length_are_refused(client: Any, tiny_encoder: OpenClipEncoder) -> None:
    client.create_collection("other-length").add(ids=["0"], embeddings=np.ones((1, 7)))

    with pytest.raises(EncoderMismatchError, match="holds vectors of 7 numbers"):
        ImageStore(client, tiny_encoder, "other-length")


def test_vectors_that_cannot_be_ranked_by_cosine_are_refused(
    client: Any, tiny_encoder: OpenClipEncoder
) -> None:
    vectors = 3 * tiny_encoder.encode_texts(["a mug", "a sofa"])
    client.create_collection("not-unit").add(ids=["0", "1"], embeddings=vectors)

    with pytest.raises(StoreError, match=r"ranks by 'l2' and holds vectors of lengths 3\.00"):
        ImageStore(client, tiny_encoder, "not-unit")


def test_a_folder_may_be_open_already(tmp_path: Path, tiny_encoder: OpenClipEncoder) -> None:
    chromadb.PersistentClient(str(tmp_path)).create_collection("theirs")

    assert len(ImageStore.on_disk(tmp_path, tiny_encoder, "theirs")) == 0


def test_a_client_with_settings_of_its_own_is_to_be_given(
    tmp_path: Path, tiny_encoder: OpenClipEncoder
) -> None:
    client = chromadb.PersistentClient(str(tmp_path), chromadb.Settings(allow_reset=True))

    with pytest.raises(StoreError, match=r"ImageStore\(client, encoder, collection\)"):
        ImageStore.on_disk(tmp_path, tiny_encoder)
    assert len(ImageStore(client, tiny_encoder, "images")) == 0
