"""Line drawings in the conversation: they find by outlines, and words change what is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from dar_retriever import (
    DARQueryEncoder,
    Dialogue,
    DiffusionAugmentedRetriever,
    ImageStore,
    OpenClipEncoder,
    StoredImage,
    ingest,
)
from dar_retriever.ranking.drawn import searched
from dar_retriever.support.images import open_image


def drawn(image: Image.Image) -> Image.Image:
    """Thick dark lines where colours meet, a little beside them."""
    levels = np.asarray(ImageOps.grayscale(image), float)
    lines = Image.fromarray(np.where(np.hypot(*np.gradient(levels)) > 8, 255, 0).astype(np.uint8))
    return ImageOps.invert(lines.filter(ImageFilter.MaxFilter(3)).rotate(2)).convert("RGB")


@pytest.fixture(scope="module")
def encoder(demo: DiffusionAugmentedRetriever) -> OpenClipEncoder:
    found = demo.query_encoder.encoder
    assert isinstance(found, OpenClipEncoder)
    return found


@pytest.fixture(scope="module")
def store(encoder: OpenClipEncoder, gallery_folder: Path) -> ImageStore:
    store = ImageStore.in_memory(encoder)
    ingest(sorted(gallery_folder.glob("*.jpg"))[:60], store, encoder, outlines=True)
    return store


@pytest.fixture(scope="module")
def retriever(encoder: OpenClipEncoder, store: ImageStore) -> DiffusionAugmentedRetriever:
    query_encoder = DARQueryEncoder(encoder, captioner=lambda _image: "a purple lamp")
    return DiffusionAugmentedRetriever(query_encoder, store)


@pytest.fixture(scope="module")
def pictures(gallery_folder: Path) -> list[Image.Image]:
    return [open_image(path) for path in sorted(gallery_folder.glob("*.jpg"))[:6]]


def place(retriever: DiffusionAugmentedRetriever, dialogue: Dialogue, name: str) -> int:
    hits = retriever.search(dialogue, 60).hits
    return [hit.file_name for hit in hits].index(name)


def test_a_drawing_finds_its_picture(
    retriever: DiffusionAugmentedRetriever, pictures: list[Image.Image]
):
    places = [
        place(retriever, Dialogue().say("", drawn(picture)), f"{n:05d}.jpg")
        for n, picture in enumerate(pictures)
    ]

    assert np.median(places) == 0
    assert max(places) < 10


def test_words_change_what_a_drawing_finds_and_the_drawing_stays(
    retriever: DiffusionAugmentedRetriever, pictures: list[Image.Image]
):
    alone = Dialogue().say("", drawn(pictures[0]))
    first = retriever.search(alone)
    blue = retriever.search(alone.say("make it blue"))
    rose = retriever.search(alone.say("make it blue").say("on a rose background"))

    assert len({tuple(h.id for h in result.hits) for result in (first, blue, rose)}) == 3
    for result in (first, blue, rose):
        assert "a line drawing was compared with the outlines of the pictures" in (
            result.trace.reasons
        )
    assert "blue" in blue.trace.caption
    # A captioner for pictures would only mislead.
    assert "lamp" not in blue.trace.caption + rose.trace.caption
    scores = [hit.score for hit in rose.hits]
    assert scores == sorted(scores, reverse=True)


def test_both_scores_count_as_much(
    retriever: DiffusionAugmentedRetriever, store: ImageStore, pictures: list[Image.Image]
):
    dialogue = Dialogue().say("the same, but in blue", drawn(pictures[2]))
    *_, query = retriever.query_encoder.stages(dialogue, outlines=True)
    assert query.meaning is not None
    ids, vectors = store.vectors()
    lines = np.stack(list(store.outlines.vectors(ids).values()))
    words, likeness = vectors @ query.vector, lines @ query.meaning.drawings[0]
    both = sum((each - each.mean()) / each.std() for each in (words, likeness))
    wanted = [ids[n] for n in np.argsort(-both)[:10]]

    assert [hit.id for hit in searched(query, store, 10, None, ())] == wanted
    left = searched(query, store, 9, None, (wanted[0],))
    assert [hit.id for hit in left] == wanted[1:]


def test_other_references_are_composed_as_ever(
    retriever: DiffusionAugmentedRetriever, store: ImageStore, pictures: list[Image.Image]
):
    dialogue = Dialogue().say("the same, but in blue", pictures[0])
    result = retriever.search(dialogue)

    plain = store.search(retriever.query_encoder.encode(dialogue).vector, 10)
    assert [hit.id for hit in result.hits] == [hit.id for hit in plain]
    assert not [reason for reason in result.trace.reasons if "drawing" in reason]


def test_a_picture_beside_a_drawing_is_still_composed_and_captioned(
    retriever: DiffusionAugmentedRetriever, pictures: list[Image.Image]
):
    dialogue = Dialogue().say("in blue", drawn(pictures[0]), pictures[1])
    *_, query = retriever.query_encoder.stages(dialogue, outlines=True)
    *_, picture = retriever.query_encoder.stages(Dialogue().say("in blue", pictures[1]))

    assert np.allclose(query.vector, picture.vector, atol=1e-6)
    assert query.trace.reference_captions == ("a purple lamp",)
    assert query.meaning is not None
    assert len(query.meaning.drawings) == 1
    assert len(query.reference_vectors) == 2


def test_without_outlines_the_trace_says_how_to_add_them(
    encoder: OpenClipEncoder, store: ImageStore, pictures: list[Image.Image]
):
    plain = ImageStore.in_memory(encoder)
    ids, vectors = store.vectors()
    hits = {hit.id: hit for hit in store.get(ids)}
    plain.add([StoredImage(id_, v, hits[id_].uri) for id_, v in zip(ids, vectors, strict=True)])
    retriever = DiffusionAugmentedRetriever(DARQueryEncoder(encoder), plain)
    result = retriever.search(Dialogue().say("in blue", drawn(pictures[0])))

    assert any("dar index FOLDER --outlines" in reason for reason in result.trace.reasons)
    assert len(result.hits) == 10
