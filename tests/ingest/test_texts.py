"""Texts in a store, found by a picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from langchain_dar import DARRetriever
from llama_index.core.schema import TextNode
from llama_index_dar import DARRetriever as LlamaIndexRetriever
from PIL import Image

from dar_retriever import (
    DARQueryEncoder,
    Dialogue,
    DiffusionAugmentedRetriever,
    ImageStore,
    InvalidInputError,
    JointEncoder,
    ingest_texts,
    open_encoder,
)
from dar_retriever.demo.captions import description
from dar_retriever.demo.gallery import gallery_products, picture_name

COUNT = 120


@pytest.fixture(scope="module")
def encoder() -> JointEncoder:
    return open_encoder("demo")


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return [description(product) for product in gallery_products(COUNT)]


@pytest.fixture(scope="module")
def retriever(encoder: JointEncoder, texts: list[str]) -> DiffusionAugmentedRetriever:
    store = ImageStore.in_memory(encoder)
    report = ingest_texts({text: {"number": n} for n, text in enumerate(texts)}, store, encoder)
    assert (report.added, report.known, report.left_out) == (len(set(texts)), 0, [])
    return DiffusionAugmentedRetriever(DARQueryEncoder(encoder), store)


def test_a_picture_finds_what_is_said_of_it(
    retriever: DiffusionAugmentedRetriever, texts: list[str], gallery_folder: Path
):
    first = 0
    for number in range(0, COUNT, 4):
        picture = Image.open(gallery_folder / picture_name(number))
        hits = retriever.search(picture, 5).hits
        first += hits[0].caption == texts[number]
        assert texts[number] in {hit.caption for hit in hits}
    assert first >= 27


def test_both_frameworks_give_the_text(
    retriever: DiffusionAugmentedRetriever, texts: list[str], gallery_folder: Path
):
    shown = Dialogue.of(Image.open(gallery_folder / picture_name(8)))
    best = retriever.search(shown, 1).hits[0]
    assert (best.caption, best.uri, best.missing) == (texts[8], "", False)
    [document] = DARRetriever(retriever=retriever, k=1, include_images="thumbnail").invoke(texts[8])
    assert (document.page_content, document.metadata["image"]) == (texts[8], None)
    [node] = LlamaIndexRetriever(retriever, k=1).retrieve(texts[8])
    assert type(node.node) is TextNode
    assert node.node.get_content() == texts[8]


def test_texts_are_stored_once_and_what_is_none_is_left_out(encoder: JointEncoder):
    store = ImageStore.in_memory(encoder)
    steps: list[tuple[int, int]] = []
    report = ingest_texts(
        ["a mug", "a lamp", "a mug", " ", "\ud800"],
        store,
        encoder,
        batch_size=2,
        progress=lambda *step: steps.append(step),
    )
    assert (report.added, len(report.left_out), len(store)) == (2, 2, 2)
    assert "is no text" in report.left_out[0].reason
    assert steps == [(2, 4), (4, 4)]
    again = ingest_texts(["a mug", "a boot"], store, encoder)
    assert (again.added, again.known) == (1, 1)
    with pytest.raises(InvalidInputError, match="batch_size=0"):
        ingest_texts(["a mug"], store, encoder, batch_size=0)
