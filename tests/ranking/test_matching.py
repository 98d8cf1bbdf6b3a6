"""The demo's matching head and prior: what they read, and what they refuse."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from random import Random

import numpy as np
import pytest

from dar_retriever import (
    PRESETS,
    BoundedRocchio,
    Candidates,
    DARQueryEncoder,
    FlowPrior,
    Hit,
    MatchingReranker,
    open_encoder,
)
from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.demo.captions import description
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import PATTERNS, sample_products
from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.errors import InvalidInputError, ModelLoadError, UndecidedError
from dar_retriever.support.caption_reader import CaptionReader

WEIGHTS = Path(PRESETS["demo"].generator).parent
PRODUCTS = sample_products(200, unseen=True, seed=12)


@pytest.fixture(scope="module")
def encoder() -> JointEncoder:
    return open_encoder("demo")


@pytest.fixture(scope="module")
def reader() -> CaptionReader:
    return CaptionReader(WEIGHTS / "reader")


@pytest.fixture(scope="module")
def head(reader: CaptionReader) -> MatchingReranker:
    return MatchingReranker(WEIGHTS / "matching", reader)


@pytest.fixture(scope="module")
def vectors(encoder: JointEncoder) -> Vectors:
    return encoder.encode_images([draw(p, 128, Random(n)) for n, p in enumerate(PRODUCTS)])


def order(head: MatchingReranker, encoder: JointEncoder, vectors: Vectors, *said: str) -> list[int]:
    dialogue = Dialogue.from_text(said[0])
    for text in said[1:]:
        dialogue = dialogue.say(text)
    query = DARQueryEncoder(encoder).encode(dialogue)
    hits = [Hit(str(number), 0.0, "") for number in range(len(vectors))]
    scores = head.scores(Candidates(query, hits, vectors))
    return [int(number) for number in np.argsort(-scores)]


def test_products_are_found_by_all_that_is_told(
    head: MatchingReranker, encoder: JointEncoder, vectors: Vectors
) -> None:
    found = 0
    patterned = [n for n, p in enumerate(PRODUCTS) if p.second_colour][:40]
    for number in patterned:
        p = PRODUCTS[number]
        text = f"{p.colour} {p.kind}, {p.pattern}, {p.second_colour} second colour, {p.background}"
        found += order(head, encoder, vectors, f"{text} background")[0] == number
    assert found >= 0.85 * len(patterned)


def test_swapped_colours_are_told_apart(head: MatchingReranker, encoder: JointEncoder) -> None:
    patterned = [p for p in PRODUCTS if p.second_colour][:60]
    swapped = [
        dataclasses.replace(p, colour=p.second_colour, second_colour=p.colour) for p in patterned
    ]
    right = 0
    for number, (product, other) in enumerate(zip(patterned, swapped, strict=True)):
        pictures = [draw(each, 128, Random(number)) for each in (product, other)]
        text = f"a {product.colour} {product.kind} with {product.second_colour} {product.pattern}"
        text = text.replace("striped", "stripes").replace("dotted", "dots")
        right += order(head, encoder, encoder.encode_images(pictures), text)[0] == 0
    assert right >= 0.75 * len(patterned)


def test_what_is_ruled_out_goes_back(
    head: MatchingReranker, encoder: JointEncoder, vectors: Vectors
) -> None:
    def shares(*said: str) -> float:
        best = order(head, encoder, vectors, *said)[:8]
        return float(np.mean([PRODUCTS[number].pattern == "striped" for number in best]))

    assert shares("a mug", "no stripes") < max(shares("a mug"), 0.1)


def test_pictures_that_were_shown_leave_it_undecided(
    head: MatchingReranker, encoder: JointEncoder, vectors: Vectors
) -> None:
    query = DARQueryEncoder(encoder).encode("a mug")
    shown = dataclasses.replace(query, reference_vectors=vectors[:1])
    hits = [Hit(str(number), 0.0, "") for number in range(len(vectors))]
    with pytest.raises(UndecidedError, match="pictures were shown"):
        head.scores(Candidates(shown, hits, vectors))


def test_after_a_click_the_words_and_the_click_both_count(
    head: MatchingReranker, encoder: JointEncoder, vectors: Vectors
) -> None:
    query = DARQueryEncoder(encoder).encode("a mug")
    hits = [Hit(str(number), 0.0, "") for number in range(len(vectors))]
    liked = next(vectors[n][None] for n, p in enumerate(PRODUCTS) if p.kind == "mug")
    moved = BoundedRocchio().moved(query.vector, liked, liked[:0])
    clicked = dataclasses.replace(query, vector=moved, liked_vectors=liked)
    before, after = (
        np.argsort(-head.scores(Candidates(each, hits, vectors))) for each in (query, clicked)
    )
    mugs = sum(p.kind == "mug" for p in PRODUCTS)
    assert np.mean([PRODUCTS[number].kind == "mug" for number in after[:mugs]]) > 0.9
    alike = vectors @ liked[0]
    assert alike[after[:5]].mean() > alike[before[:5]].mean()


def test_vectors_of_another_encoder_are_refused(
    head: MatchingReranker, encoder: JointEncoder
) -> None:
    query = DARQueryEncoder(encoder).encode("a mug")
    foreign = np.eye(4, 7, dtype=np.float32)
    hits = [Hit(str(number), 0.0, "") for number in range(4)]
    with pytest.raises(ModelLoadError, match="belongs to another encoder"):
        head.scores(Candidates(query, hits, foreign))


def test_a_folder_without_a_head_is_refused(reader: CaptionReader, tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError):
        MatchingReranker(tmp_path, reader)


def test_samples_keep_what_is_told_and_vary_what_is_not(
    reader: CaptionReader, encoder: JointEncoder, vectors: Vectors
) -> None:
    prior = FlowPrior(WEIGHTS / "prior", reader)
    text = encoder.encode_texts(["a red mug"])[0]
    samples = prior.sample("a red mug", text, 64, seed=0)
    np.testing.assert_allclose(np.linalg.norm(samples, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(samples, prior.sample("a red mug", text, 64, seed=0))
    nearest = (samples @ vectors.T).argmax(1)
    assert np.mean([PRODUCTS[number].kind == "mug" for number in nearest]) > 0.9
    assert len({PRODUCTS[number].background for number in nearest}) >= 3
    with pytest.raises(InvalidInputError, match="steps=0"):
        FlowPrior(WEIGHTS / "prior", reader, steps=0)


def test_hits_tell_what_they_show(
    head: MatchingReranker, encoder: JointEncoder, vectors: Vectors
) -> None:
    hits = [Hit(str(number), 0.0, "") for number in range(len(vectors))]
    right = []
    for wanted in [p for p in PRODUCTS if p.second_colour][:20]:
        query = DARQueryEncoder(encoder).encode(description(wanted))
        shown = head.shown(Candidates(query, hits, vectors))
        look = (wanted.pattern, wanted.second_colour)
        for product, parts in zip(PRODUCTS, shown, strict=True):
            said = {part.phrase: part.fits for part in parts}
            stripes = f"{wanted.second_colour} {PATTERNS[wanted.pattern].noun}"
            right.append(said[wanted.kind] == (product.kind == wanted.kind))
            right.append(said[wanted.colour] == (product.colour == wanted.colour))
            right.append(said[stripes] == ((product.pattern, product.second_colour) == look))
    assert np.mean(right) > 0.97


@pytest.mark.parametrize(
    "said",
    [
        ["hi, do you have mugs?", "something with dots maybe", "blue would be nice"],
        ["any mugs that would suit my aunt", "mostly blue i'd say"],
    ],
)
def test_words_of_ones_own_do_not_turn_one_thing_into_another(
    head: MatchingReranker, encoder: JointEncoder, vectors: Vectors, said: list[str]
) -> None:
    first = PRODUCTS[order(head, encoder, vectors, *said)[0]]
    assert (first.kind, first.colour) == ("mug", "blue")


@pytest.mark.parametrize(
    ("said", "phrases"),
    [
        ("a blue boot with a zip", ["boot", "blue"]),
        ("something red", ["red"]),
        ("a blue boot, not striped", ["boot", "blue", "striped"]),
    ],
)
def test_what_the_head_does_not_know_is_left_out(
    head: MatchingReranker, encoder: JointEncoder, vectors: Vectors, said: str, phrases: list[str]
) -> None:
    query = DARQueryEncoder(encoder).encode(said)
    [shown] = head.shown(Candidates(query, [Hit("0", 0.0, "")], vectors[:1]))
    assert [each.phrase for each in shown] == phrases
    assert head.shown(Candidates(query, [], vectors[:0])) == []


def test_the_first_query_does_not_wait_for_samples(
    reader: CaptionReader, encoder: JointEncoder
) -> None:
    sampling = DARQueryEncoder(encoder, prior=FlowPrior(WEIGHTS / "prior", reader), samples=9)
    first, last = sampling.stages("a red mug")
    assert (first.final, last.final) == (False, True)
    assert (len(first.sampled_vectors), len(last.sampled_vectors)) == (0, 9)
    np.testing.assert_array_equal(first.vector, last.vector)
    assert "sample" in last.trace.timings
    assert "sample" not in first.trace.timings
