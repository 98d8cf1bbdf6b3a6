"""Names for result sets: what the hits have in common and what divides them, without metadata."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import huggingface_hub
import numpy as np
import pytest

from dar_retriever import (
    DARQueryEncoder,
    DiffusionAugmentedRetriever,
    ImageStore,
    JointEncoder,
    ResultNamer,
    ResultNames,
    SearchResult,
    StoredImage,
)
from dar_retriever.demo.captions import description
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import Product
from dar_retriever.questions import with_names
from dar_retriever.questions.looks import phrases_in
from dar_retriever.questions.vocabulary import SAY_NOTHING, common_words, vocabulary_of

KNOWN = ("red", "blue", "striped", "plain", "mint", "charcoal", "green", "white", "black")
UNKNOWN = ("yacht", "electricity", "professor", "kitchen", "giraffe", "handbag", "violin")
BAG = Product("handbag", "red", "striped", "white", "long strap", "mint")
BAGS = [
    dataclasses.replace(BAG, colour=colour, pattern=pattern, second_colour=second)
    for colour, (pattern, second) in itertools.product(
        ("red", "blue", "green"), (("striped", "white"), ("plain", ""))
    )
    for _ in range(4)
]


@pytest.fixture(scope="module", autouse=True)
def assets(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A cache of its own."""
    folder = tmp_path_factory.mktemp("assets")
    keep = huggingface_hub.cached_assets_path
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            huggingface_hub,
            "cached_assets_path",
            lambda *names: keep(*names, assets_dir=folder),
        )
        yield folder


@pytest.fixture(scope="module")
def encoder(demo: DiffusionAugmentedRetriever) -> JointEncoder:
    return demo.query_encoder.encoder


@pytest.fixture(scope="module")
def bags(encoder: JointEncoder) -> np.ndarray:
    return encoder.encode_images([draw(bag, 128, Random(n)) for n, bag in enumerate(BAGS)])


Shop = Callable[..., DiffusionAugmentedRetriever]


@pytest.fixture
def shop(
    demo: DiffusionAugmentedRetriever, bags: np.ndarray, encoder: JointEncoder, tmp_path: Path
) -> Shop:
    """Makes a store on disk of 24 bags among the gallery, without metadata."""

    def of(caption: Callable[[Product], str] = lambda _: "") -> DiffusionAugmentedRetriever:
        ids, others = demo.store.vectors()
        store = ImageStore.on_disk(tmp_path / "store", encoder)
        uris = [""] * len(ids)
        told = [hit.caption if caption(BAG) else "" for hit in demo.store.get(ids)]
        store.add([StoredImage(*each) for each in zip(ids, others, uris, told, strict=True)])
        store.add(
            [
                StoredImage(f"bag{n}", vector, "", caption(bag))
                for n, (bag, vector) in enumerate(zip(BAGS, bags, strict=True))
            ]
        )
        return DiffusionAugmentedRetriever(DARQueryEncoder(encoder), store)

    return of


def of_bags(retriever: DiffusionAugmentedRetriever, text: str = "a handbag") -> SearchResult:
    """A search among the bags alone."""
    others = [id_ for id_ in retriever.store.vectors()[0] if not id_.startswith("bag")]
    return retriever.search(text, 24, exclude=others)


def test_the_words_of_an_encoder_are_those_that_say_the_same_of_all_things(encoder: JointEncoder):
    found = vocabulary_of(encoder, (*UNKNOWN, *KNOWN))

    assert found.words == KNOWN
    assert found.vectors.shape == (len(KNOWN), encoder.dimension)


def test_what_an_encoder_knows_is_learned_once(
    encoder: JointEncoder, assets: Path, monkeypatch: pytest.MonkeyPatch
):
    words = (*KNOWN, "circus")
    first = vocabulary_of(encoder, words)
    encode, encoded = encoder.encode_texts, []
    monkeypatch.setattr(
        encoder, "encode_texts", lambda texts: encoded.extend(texts) or encode(texts)
    )

    again = vocabulary_of(encoder, words)

    assert again.words == first.words
    assert np.allclose(again.vectors, first.vectors)
    assert encoded == []
    # A file that was damaged is made anew.
    for file in assets.rglob("*.npz"):
        file.write_bytes(file.read_bytes()[:100])
    assert vocabulary_of(encoder, words).words == first.words
    assert encoded


def test_the_word_list_says_something():
    words = common_words()

    assert len(set(words)) == len(words) > 500
    assert {"red", "striped", "wooden", "round", "flowers"} <= set(words)
    assert not SAY_NOTHING & set(words)


def test_hits_without_captions_are_named_by_the_word_list(shop: Shop):
    retriever = shop()
    result = of_bags(retriever)

    names = ResultNamer(retriever, words=(*UNKNOWN, *KNOWN)).names(result)

    assert names.source == "words"
    assert [name.word for name in names.common] == ["handbag", "mint"]
    assert min(name.share for name in names.common) > 0.9
    assert max(name.usual for name in names.common) < 0.5
    divides = {name.word: name for name in names.divides}
    assert len(divides) <= 5
    colours = {"red", "blue", "green"} & set(divides)
    # The third colour is what is left.
    assert len(colours) >= 2
    assert {"plain", "striped"} & set(divides)
    assert set(divides) <= {*KNOWN} - {"mint", "charcoal"}
    for colour in colours:
        counted = [BAGS[int(id_.removeprefix("bag"))].colour for id_ in divides[colour].ids]
        assert counted.count(colour) >= 0.8 * len(counted)
        assert divides[colour].share == pytest.approx(len(counted) / 24)
        assert divides[colour].sure > 0.5


def test_what_was_said_does_not_divide(shop: Shop):
    retriever = shop()

    names = ResultNamer(retriever, words=KNOWN).names(of_bags(retriever, "a blue handbag"))

    assert names.divides
    assert "blue" not in [name.word for name in names.divides]


def test_captions_give_the_words_where_there_are_any(shop: Shop):
    retriever = shop(description)

    names = ResultNamer(retriever).names(of_bags(retriever))

    assert names.source == "captions"
    assert "mint background" in [name.word for name in names.common]
    divides = [name.word for name in names.divides]
    assert len({"red handbag", "blue handbag", "green handbag"} & {*divides}) >= 2
    assert {"white stripes", "plain"} & {*divides}
    assert not {"white", "stripes", "mint"} & {*divides}


def test_phrases_do_not_cross_commas():
    assert phrases_in("A red mug, white dots on the side") == {
        *("red", "mug", "red mug", "white", "dots", "white dots")
    }


def test_a_handful_of_hits_or_pictures_has_no_names(shop: Shop, encoder: JointEncoder):
    retriever = shop()
    store = ImageStore.in_memory(encoder)
    vectors = retriever.store.vectors_of([f"bag{n}" for n in range(10)])
    store.add([StoredImage(f"{n}", vector, "") for n, vector in enumerate(vectors)])
    small = DiffusionAugmentedRetriever(DARQueryEncoder(encoder), store)

    assert ResultNamer(retriever).names(retriever.search("a handbag", 3)) == ResultNames()
    assert ResultNamer(small).names(small.search("a handbag")) == ResultNames()


def test_names_that_cannot_be_found_are_reported(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    retriever = shop()
    result = of_bags(retriever)
    retriever.store.delete([f"bag{n}" for n in range(24)])

    told, names = with_names(ResultNamer(retriever), result)

    assert names == ResultNames()
    assert told.hits == result.hits
    assert "the hits were not named" in told.trace.fallbacks[-1]
