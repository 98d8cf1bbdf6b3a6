from __future__ import annotations

import itertools
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dar_retriever.demo.captions import FIELDS, caption
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import (
    BACKGROUNDS,
    COLOUR_SYNONYMS,
    COLOURS,
    KINDS,
    PATTERNS,
    Product,
    all_products,
    sample_products,
)
from dar_retriever.demo.scenes import plural
from dar_retriever.demo.training.words import encoder_caption, generator_caption, talked

PRODUCTS = list(all_products())
SAMPLE = sample_products(200, unseen=False, seed=1) + sample_products(100, unseen=True, seed=1)
DRESS = Product("dress", "red", "striped", "blue", "long sleeves", "sky")


def pixels(product: Product, size: int = 64, seed: int = 0) -> np.ndarray:
    return np.asarray(draw(product, size, Random(seed)), np.int16)


def test_the_catalogue_is_large_enough():
    assert len(KINDS) >= 16
    assert len(COLOURS) >= 12
    assert len([pattern for pattern in PATTERNS.values() if pattern.noun]) >= 5
    assert len(BACKGROUNDS) >= 4
    for kind in KINDS.values():
        assert len(set(kind.details)) == 3


def test_every_product_is_there_once():
    assert len(set(PRODUCTS)) == len(PRODUCTS)
    two_coloured = len(COLOURS) * (len(COLOURS) - 1) * (len(PATTERNS) - 1)
    shared = len(KINDS) * 3 * len(BACKGROUNDS)
    assert len(PRODUCTS) == (len(COLOURS) + two_coloured) * shared


def test_a_pattern_has_a_second_colour_of_its_own():
    for product in PRODUCTS[::7]:
        assert (product.pattern == "plain") == (product.second_colour == "")
        assert product.second_colour != product.colour
        assert product.detail in KINDS[product.kind].details


def test_a_word_names_one_thing():
    kinds = [name for kind in KINDS.values() for name in kind.names]
    colours = [name for colour in COLOURS for name in COLOUR_SYNONYMS.get(colour, (colour,))]
    patterns = [name for pattern in PATTERNS.values() for name in pattern.names]

    for names in (kinds, colours, patterns):
        assert len(set(names)) == len(names)


def test_attributes_are_the_fields():
    assert DRESS.attributes() == {
        "kind": "dress",
        "colour": "red",
        "pattern": "striped",
        "second_colour": "blue",
        "detail": "long sleeves",
        "background": "sky",
    }


def test_about_a_fifth_of_the_combinations_is_unseen():
    unseen = {product.combination: product.unseen for product in PRODUCTS}

    assert len(unseen) == len(KINDS) * len(COLOURS) * len(PATTERNS)
    assert 0.15 < sum(unseen.values()) / len(unseen) < 0.25
    # Every kind and every colour is still to be learned from.
    seen = [combination for combination, is_unseen in unseen.items() if not is_unseen]
    assert {kind for kind, _, _ in seen} == set(KINDS)
    assert {colour for _, colour, _ in seen} == set(COLOURS)


def test_a_combination_is_unseen_as_a_whole():
    by_combination: dict[tuple[str, str, str], set[bool]] = {}
    for product in PRODUCTS:
        by_combination.setdefault(product.combination, set()).add(product.unseen)

    assert {len(answers) for answers in by_combination.values()} == {1}


@pytest.mark.parametrize("unseen", [False, True])
def test_samples_are_distinct_and_of_their_sort(unseen: bool):  # noqa: FBT001
    products = sample_products(300, unseen=unseen, seed=4)

    assert len(set(products)) == 300
    assert {product.unseen for product in products} == {unseen}


def test_samples_are_seeded():
    products = sample_products(50, unseen=True, seed=4)

    assert products == sample_products(50, unseen=True, seed=4)
    assert products != sample_products(50, unseen=True, seed=5)


def test_a_sample_takes_every_combination_equally_often():
    combinations = {product.combination for product in PRODUCTS if not product.unseen}

    sample = sample_products(len(combinations), unseen=False, seed=0)

    assert {product.combination for product in sample} == combinations


def test_no_more_products_are_sampled_than_there_are():
    unseen = sum(product.unseen for product in PRODUCTS)

    with pytest.raises(ValueError, match=f"count={unseen + 1}"):
        sample_products(unseen + 1, unseen=True, seed=0)
    assert len(sample_products(unseen, unseen=True, seed=0)) == unseen


@pytest.mark.parametrize("size", [64, 256])
def test_a_drawing_has_its_size_and_is_rgb(size: int):
    image = draw(DRESS, size, Random(0))

    assert isinstance(image, Image.Image)
    assert (image.size, image.mode) == ((size, size), "RGB")


def test_a_drawing_is_decided_by_product_and_random_state():
    assert (pixels(DRESS, seed=3) == pixels(DRESS, seed=3)).all()
    assert (pixels(DRESS, seed=3) != pixels(DRESS, seed=4)).any()


@pytest.mark.parametrize("kind", KINDS)
def test_every_detail_of_every_kind_draws_and_shows(kind: str):
    drawings = [
        pixels(Product(kind, "red", "plain", "", detail, "sky")) for detail in KINDS[kind].details
    ]

    for drawing in drawings:
        product = (np.abs(drawing - np.array(COLOURS["red"])).max(axis=2) < 40).mean()
        assert 0.03 < product < 0.8
    for one, other in itertools.combinations(drawings, 2):
        assert (np.abs(one - other).max(axis=2) > 40).mean() > 0.01


def test_every_product_of_a_sample_draws():
    for product in SAMPLE[::3]:
        drawing = pixels(product)
        assert drawing.shape == (64, 64, 3)
        assert np.ptp(drawing) > 40, product


@pytest.mark.parametrize("other", [c for c in COLOURS if c != "red"])
def test_colours_differ_in_the_picture(other: str):
    plain = replace(DRESS, pattern="plain", second_colour="")
    changed = replace(plain, colour=other)

    assert (np.abs(pixels(plain) - pixels(changed)).max(axis=2) > 40).mean() > 0.05


@pytest.mark.parametrize(
    ("one", "other"), itertools.combinations([p for p in PATTERNS if p != "plain"], 2)
)
def test_patterns_differ_in_the_picture(one: str, other: str):
    drawings = [pixels(replace(DRESS, pattern=pattern)) for pattern in (one, other)]

    assert (np.abs(drawings[0] - drawings[1]).max(axis=2) > 40).mean() > 0.05


@pytest.mark.parametrize(
    "change", [{"second_colour": "white"}, {"background": "sand"}, {"kind": "skirt"}]
)
def test_other_attributes_differ_in_the_picture(change: dict[str, str]):
    changed = replace(DRESS, **change)
    if "kind" in change:
        changed = replace(changed, detail=KINDS[changed.kind].details[0])

    assert (np.abs(pixels(DRESS) - pixels(changed)).max(axis=2) > 20).mean() > 0.05


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_the_corners_show_the_background(background: str):
    drawing = pixels(replace(DRESS, background=background))

    for corner in (drawing[1, 1], drawing[1, -2]):
        assert np.abs(corner - np.array(BACKGROUNDS[background])).max() < 20


def words_for(product: Product) -> dict[str, set[str]]:
    """What a caption may say of each field."""
    pattern = PATTERNS[product.pattern]
    return {
        "colour": set(COLOUR_SYNONYMS.get(product.colour, (product.colour,))),
        "pattern": {*pattern.names, pattern.noun or "no pattern"},
        "second_colour": set(COLOUR_SYNONYMS.get(product.second_colour, (product.second_colour,)))
        - {""},
        "detail": {product.detail},
        "background": {product.background},
    }


def mentions(text: str, word: str) -> bool:
    return f" {word} " in f" {text.replace(',', ' ').replace('  ', ' ')} "


_COLOURS = ("colour", "second_colour")
_SAMPLED = st.sampled_from(SAMPLE)
_RANDOM = st.integers(0, 2**32).map(Random)


@given(_SAMPLED, _RANDOM, st.sets(st.sampled_from(FIELDS)))
def test_a_caption_tells_what_it_is_to_tell(product: Product, random: Random, told: set[str]):
    text = caption(product, told, random)

    assert text == text.lower()
    assert any(mentions(text, name) for name in KINDS[product.kind].names)
    for field, words in words_for(product).items():
        if field in told and getattr(product, field):
            assert any(mentions(text, word) for word in words), (field, text)


def colour_words(text: str) -> set[str]:
    names = {c: COLOUR_SYNONYMS.get(c, (c,)) for c in COLOURS}
    return {colour for colour, words in names.items() if any(mentions(text, w) for w in words)}


def pattern_words(text: str) -> set[str]:
    return {
        name
        for name, pattern in PATTERNS.items()
        if any(mentions(text, word) for word in (*pattern.names, pattern.noun or "no pattern"))
    }


@given(_SAMPLED, _RANDOM)
def test_the_encoders_captions_tell_what_they_say_they_tell(product: Product, random: Random):
    text, told = encoder_caption(product, random)

    assert told <= {field for field in FIELDS if getattr(product, field)}
    said = text.replace("is there a pattern on it?", "").replace("what colour is it?", "")
    colours = {getattr(product, field) for field in told & {"colour", "second_colour"}}
    assert colour_words(said) == colours
    assert pattern_words(said) == ({product.pattern} if "pattern" in told else set())
    for background in BACKGROUNDS:
        expected = background == product.background and "background" in told
        assert (
            mentions(said, f"{background} background") | mentions(said, f"{background} backdrop")
            == expected
        )
    for detail in KINDS[product.kind].details:
        assert mentions(said, detail) == (detail == product.detail and "detail" in told)


def test_most_of_the_encoders_captions_tell_two_attributes_at_most():
    random = Random(0)
    short = [len(encoder_caption(product, random)[1]) <= 2 for product in SAMPLE]

    assert 0.65 < sum(short) / len(short) < 0.85


@given(_SAMPLED, _RANDOM)
def test_the_generators_captions_name_the_kind_and_tell_the_truth(product: Product, random: Random):
    text = generator_caption(product, random)

    names = KINDS[product.kind].names
    assert any(mentions(text, word) for name in names for word in (name, plural(name)))
    assert colour_words(text) <= {product.colour, product.second_colour}
    assert pattern_words(text) <= {product.pattern}


@given(_SAMPLED, _RANDOM, st.sets(st.sampled_from(FIELDS)))
def test_talk_about_a_product_tells_what_it_is_to_tell(
    product: Product, random: Random, told: set[str]
):
    text = talked(product, told, random)

    for name, words in words_for(product).items():
        if words and name not in {"colour", "second_colour"}:
            silent = name == "pattern" and "second_colour" in told
            assert silent or any(mentions(text, word) for word in words) == (name in told)
    assert colour_words(text) == {getattr(product, n) for n in told & {*_COLOURS}} - {""}


def test_most_of_the_generators_captions_tell_all():
    random = Random(0)
    texts = [generator_caption(product, random) for product in SAMPLE]
    whole = [
        all(any(mentions(text, w) for w in words) for words in words_for(product).values() if words)
        for product, text in zip(SAMPLE, texts, strict=True)
    ]

    assert 0.5 < sum(whole) / len(whole) < 0.9


def test_captions_are_seeded():
    texts = [[encoder_caption(p, Random(seed))[0] for p in SAMPLE[:20]] for seed in (1, 1, 2)]

    assert texts[0] == texts[1]
    assert texts[0] != texts[2]
