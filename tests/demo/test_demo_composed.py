"""Pointing at a product of the drawn catalogue: what it shows, and what is to change about it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dar_retriever import (
    DARQueryEncoder,
    Dialogue,
    DiffusionAugmentedRetriever,
    open_encoder,
)
from dar_retriever.demo.captioner import CatalogueCaptioner
from dar_retriever.demo.captions import FIELDS
from dar_retriever.demo.changes import ComposedQuery, composed_queries
from dar_retriever.demo.gallery import gallery_products, picture_name
from dar_retriever.demo.products import BACKGROUNDS, COLOURS, KINDS, PATTERNS, Product
from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.support.images import open_image

PRODUCTS = gallery_products(120)
CAPTIONED = 40
COUNT = 30
DRESS = Product("dress", "red", "striped", "blue", "long sleeves", "sky")

Captions = dict[int, str]
SEEDS = st.integers(0, 2**32 - 1)


class CountingEncoder:
    """The encoder given, which counts how often each text is encoded."""

    def __init__(self, encoder: JointEncoder) -> None:
        self._encoder = encoder
        self.texts: Counter[str] = Counter()

    def __getattr__(self, name: str) -> object:
        return getattr(self._encoder, name)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        self.texts.update(texts)
        return self._encoder.encode_texts(texts)


@pytest.fixture(scope="module")
def encoder() -> JointEncoder:
    return open_encoder("demo")


@pytest.fixture(scope="module")
def counted(encoder: JointEncoder) -> CountingEncoder:
    return CountingEncoder(encoder)


@pytest.fixture(scope="module")
def captioner(counted: CountingEncoder) -> CatalogueCaptioner:
    return CatalogueCaptioner(counted)


@pytest.fixture(scope="module")
def captions(captioner: CatalogueCaptioner, gallery_folder: Path) -> Captions:
    """Of the first pictures of the gallery, by their numbers."""
    return {number: captioner(picture(gallery_folder, number)) for number in range(CAPTIONED)}


def picture(folder: Path, number: int) -> Image.Image:
    return open_image(folder / picture_name(number))


def product_of(caption: str) -> Product:
    """The product that a caption names, read word by word."""
    first, look, detail, background = caption.split(", ")
    found = re.fullmatch(rf"a ({'|'.join(COLOURS)}) ({'|'.join(KINDS)})", first)
    assert found, caption
    second, _, noun = look.partition(" ")
    patterns = {pattern.noun or name: name for name, pattern in PATTERNS.items()}
    pattern, second = (patterns[noun], second) if noun else (patterns[look], "")
    colour, kind = found.groups()
    return Product(kind, colour, pattern, second, detail, background.removesuffix(" background"))


def changed_in(reference: Product, target: Product) -> set[str]:
    """Which attributes tell two products apart; a pattern takes its colour along."""
    names = [
        name for name in ("kind", *FIELDS) if getattr(reference, name) != getattr(target, name)
    ]
    return set(names) - ({"second_colour"} if "pattern" in names else set())


def named(product: Product, attribute: str) -> str:
    """What has to be said of a product for an attribute to be known."""
    pattern = PATTERNS[product.pattern]
    return {
        "colour": product.colour,
        "pattern": f"{product.second_colour} {pattern.noun}" if pattern.noun else product.pattern,
        "second_colour": f"{product.second_colour} {pattern.noun}",
        "detail": product.detail,
        "background": f"{product.background} background",
    }[attribute]


def test_every_caption_tells_each_attribute_once_in_its_place(captions: Captions):
    for caption in captions.values():
        said = product_of(caption)
        assert said.background in BACKGROUNDS
        assert said.detail in KINDS[said.kind].details
        assert said.second_colour != said.colour
        assert (said.second_colour in COLOURS) == bool(PATTERNS[said.pattern].noun)


@pytest.mark.parametrize(
    ("attribute", "share"),
    [("kind", 0.85), ("background", 0.9), ("colour", 0.7), ("detail", 0.7)],
)
def test_captions_mostly_tell_what_is_shown(captions: Captions, attribute: str, share: float):
    right = [
        getattr(product_of(caption), attribute) == getattr(PRODUCTS[number], attribute)
        for number, caption in captions.items()
    ]

    assert np.mean(right) >= share


def test_the_same_picture_has_the_same_caption(
    captioner: CatalogueCaptioner, captions: Captions, gallery_folder: Path
):
    again = {number: captioner(picture(gallery_folder, number)) for number in range(10)}

    assert again == {number: captions[number] for number in range(10)}


def test_what_was_captioned_before_makes_no_difference(
    encoder: JointEncoder, captions: Captions, gallery_folder: Path
):
    fresh = CatalogueCaptioner(encoder)

    assert fresh(picture(gallery_folder, CAPTIONED - 1)) == captions[CAPTIONED - 1]


def test_no_text_is_encoded_twice(
    captioner: CatalogueCaptioner,
    counted: CountingEncoder,
    captions: Captions,
    gallery_folder: Path,
):
    before = counted.texts.copy()

    captioner(picture(gallery_folder, 0))

    assert len(captions) == CAPTIONED
    assert set(counted.texts.values()) == {1}
    assert counted.texts == before


@given(SEEDS)
def test_the_same_seed_gives_the_same_queries(seed: int):
    assert composed_queries(PRODUCTS, COUNT, seed) == composed_queries(PRODUCTS, COUNT, seed)


def test_other_seeds_give_other_queries():
    made = [composed_queries(PRODUCTS, COUNT, seed) for seed in range(5)]

    assert len({tuple(queries) for queries in made}) == 5
    assert len({query.words for queries in made for query in queries}) > 3 * COUNT


@given(SEEDS)
def test_reference_and_target_differ_in_what_is_to_change_and_nothing_else(seed: int):
    for query in composed_queries(PRODUCTS, COUNT, seed):
        reference, target = PRODUCTS[query.reference], PRODUCTS[query.target]
        assert reference.kind == target.kind
        assert query.changed == changed_in(reference, target)
        assert 1 <= len(query.changed) <= 2


@given(SEEDS)
def test_each_query_wants_a_product_of_its_own(seed: int):
    queries = composed_queries(PRODUCTS, COUNT, seed)

    assert len({query.target for query in queries}) == len(queries) == COUNT


@given(SEEDS)
def test_the_words_name_all_that_is_to_change(seed: int):
    for query in composed_queries(PRODUCTS, COUNT, seed):
        target = PRODUCTS[query.target]
        for attribute in query.changed:
            assert re.search(rf"\b{named(target, attribute)}\b", query.words), query


@given(SEEDS)
def test_the_words_say_nothing_of_what_stays(seed: int):
    for query in composed_queries(PRODUCTS, COUNT, seed):
        target = PRODUCTS[query.target]
        kept = {"detail", "background"} - query.changed
        assert not [name for name in kept if named(target, name) in query.words], query
        assert target.kind not in query.words


@pytest.mark.parametrize(
    ("target", "changed", "said"),
    [
        (replace(DRESS, colour="green"), {"colour"}, "green"),
        (replace(DRESS, second_colour="pink"), {"second_colour"}, "pink stripes"),
        (replace(DRESS, pattern="dotted"), {"pattern"}, "blue dots"),
        (replace(DRESS, pattern="dotted", second_colour="pink"), {"pattern"}, "pink dots"),
        (replace(DRESS, pattern="plain", second_colour=""), {"pattern"}, "plain"),
        (replace(DRESS, detail="thin straps"), {"detail"}, "thin straps"),
        (replace(DRESS, background="mint"), {"background"}, "mint background"),
    ],
)
@given(SEEDS)
def test_one_change_is_said_in_one_of_few_forms(
    target: Product, changed: set[str], said: str, seed: int
):
    queries = composed_queries([DRESS, target], 2, seed)

    (query,) = (query for query in queries if query.target == 1)
    assert (query.reference, query.changed) == (0, changed)
    (old,) = (named(DRESS, attribute) for attribute in changed)
    opening = r"((like this|the same|similar), but )?"
    lead = r"(with |on a |in |make it )?"
    assert re.fullmatch(rf"{opening}{lead}{said}(( instead of|, not) {old})?", query.words), query


def test_products_that_differ_in_kind_or_too_much_are_no_pair():
    others = [
        replace(DRESS, kind="skirt", detail="pleated hem"),
        replace(DRESS, colour="green", detail="thin straps", background="mint"),
        DRESS,
    ]

    with pytest.raises(ValueError, match=r"count=1: only 0 products"):
        composed_queries([DRESS, *others], 1, 0)


@pytest.mark.parametrize("count", [3, 7])
def test_more_queries_than_there_are_counterparts_are_refused(count: int):
    pair = [DRESS, replace(DRESS, colour="green")]

    with pytest.raises(ValueError, match=rf"count={count}: only 2 products"):
        composed_queries(pair, count, 0)


@pytest.fixture(scope="module")
def queries() -> list[ComposedQuery]:
    return composed_queries(PRODUCTS, COUNT, seed=1)


@pytest.mark.parametrize("k", [1, 5])
def test_a_reference_with_words_finds_more_than_either_alone(
    demo: DiffusionAugmentedRetriever,
    encoder: JointEncoder,
    captioner: CatalogueCaptioner,
    gallery_folder: Path,
    queries: list[ComposedQuery],
    k: int,
):
    stored = demo.store.search(encoder.encode_texts(["a dress"])[0], len(PRODUCTS))
    ids = {Path(hit.uri).name: hit.id for hit in stored}

    def found(query_encoder: DARQueryEncoder, *, shown: bool = True, told: bool = True) -> int:
        retriever = DiffusionAugmentedRetriever(query_encoder, demo.store)
        count = 0
        for query in queries:
            images = [picture(gallery_folder, query.reference)] if shown else []
            dialogue = Dialogue().say(query.words if told else "", *images)
            reference = ids[picture_name(query.reference)]
            hits = retriever.search(dialogue, k, exclude=[reference]).hits
            assert reference not in [hit.id for hit in hits]
            count += ids[picture_name(query.target)] in [hit.id for hit in hits]
        return count

    composed = found(DARQueryEncoder(encoder, captioner=captioner))

    assert composed > found(DARQueryEncoder(encoder), told=False)
    assert composed > found(DARQueryEncoder(encoder), shown=False)
    assert composed >= 0.8 * COUNT
