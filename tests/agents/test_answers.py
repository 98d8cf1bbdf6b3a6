"""Answers over hits: which pictures a model sees, what it is told, what is checked."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from fakes import ScriptedModel

from dar_retriever import (
    DARQueryEncoder,
    Dialogue,
    DiffusionAugmentedRetriever,
    EmptyDialogueError,
    Hit,
    InvalidInputError,
    SearchResult,
)
from dar_retriever.agents import Answer, PictureAnswers, PictureBudget, hit_of_metadata
from dar_retriever.agents.citations import cited_in, numbered
from dar_retriever.stores.entry_parts import EntryPart
from dar_retriever.stores.hits import Shown
from dar_retriever.support.images import image_from_data_url


@pytest.fixture(scope="module")
def found(demo: DiffusionAugmentedRetriever) -> Callable[[str], SearchResult]:
    """Searches without drawing."""
    opened = DiffusionAugmentedRetriever(
        DARQueryEncoder(demo.query_encoder.encoder),
        demo.store,
        closeness=demo.closeness,
        second_stage=demo.second_stage,
        ending=demo.ending,
        explainer=demo.explainer,
    )
    return lambda said: opened.search(said, 8)


def saying(text: str) -> ScriptedModel:
    return ScriptedModel(json.dumps({"answer": text}))


def pictures_of(model: ScriptedModel) -> list[str]:
    parts: Any = model.given[0][1]["content"]
    return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]


def texts_of(model: ScriptedModel) -> list[str]:
    parts: Any = model.given[0][1]["content"]
    return [part["text"] for part in parts if part["type"] == "text"]


def answered(model: Any, result: SearchResult, **options: Any) -> Answer:
    return PictureAnswers(model, **options).answer(result.dialogue, result.hits)


def test_only_what_fits_is_shown_and_the_others_are_named(
    found: Callable[[str], SearchResult],
) -> None:
    result, model = found("a red mug"), saying("It has zigzags [1].")
    answer = answered(model, result)
    assert {hit.metadata["kind"] for hit in answer.shown} == {"mug"}
    assert {hit.metadata["colour"] for hit in answer.shown} == {"red"}
    assert answer.cited == answer.shown[:1]
    assert answer.text == f"It has zigzags [{answer.shown[0].id}]."
    others = {each.hit.id for each in answer.left_out}
    assert others == {hit.id for hit in result.hits} - {hit.id for hit in answer.shown}
    assert "does not fit: red: no" in {each.reason for each in answer.left_out}
    assert len(pictures_of(model)) == len(answer.shown)
    assert (answer.answered, answer.fallbacks) == (True, ())


def test_the_model_reads_the_conversation_and_what_is_stored(
    found: Callable[[str], SearchResult],
) -> None:
    result = found("a mug")
    dialogue = result.dialogue.ask("Here they are.").say("which is green?")
    model = saying("The first [1].")
    PictureAnswers(model).answer(dialogue, result.hits)
    talk, *labels = texts_of(model)
    assert [turn["text"] for turn in json.loads(talk)["conversation"]] == [
        "a mug",
        "Here they are.",
        "which is green?",
    ]
    for number, (label, hit) in enumerate(zip(labels, result.hits, strict=True), 1):
        name, _, stored = label.partition(": ")
        assert name == f"Picture {number}"
        assert json.loads(stored)["colour"] == hit.metadata["colour"]
    shown = image_from_data_url(pictures_of(model)[0])
    original = result.hits[0].open()
    assert shown.getpixel((5, 5)) == pytest.approx(original.getpixel((5, 5)), abs=12)


def test_where_nothing_fits_the_model_is_not_asked(found: Callable[[str], SearchResult]) -> None:
    model = saying("A helicopter [1].")
    result = found("a helicopter")
    answer = answered(model, result)
    assert model.given == []
    assert (answer.answered, answer.shown, answer.cited) == (False, (), ())
    assert answer.text == "Nothing that was found fits the question."
    assert [each.hit for each in answer.left_out] == list(result.hits)


def test_without_a_verdict_hits_that_show_nothing_of_it_are_left_out() -> None:
    blue, none, unknown = (Hit(name, 0.5, "gone.png") for name in ("blue", "none", "unknown"))
    mug = Shown("mug", fits=True, score=0.9)
    no_mug, no_blue = Shown("mug", fits=False, score=0.1), Shown("blue", fits=False, score=0.1)
    blue = dataclasses.replace(blue, shows=(mug, no_blue))
    none = dataclasses.replace(none, shows=(no_mug, no_blue))
    answer = PictureAnswers(saying("No.")).answer("a blue mug", [blue, none, unknown])
    reasons = {each.hit.id: each.reason for each in answer.left_out}
    assert reasons["none"] == "does not fit: mug: no, blue: no"
    assert all("cannot be opened" in reasons[each] for each in ("blue", "unknown"))
    assert answer.text == "None of the pictures that fit can be opened."


def test_the_budget_bounds_number_pixels_and_bytes(found: Callable[[str], SearchResult]) -> None:
    result = found("a mug")
    model = saying("Three [1, 2, 3].")
    budget = PictureBudget(pictures=3, side=100, most_bytes=6_000)
    answer = answered(model, result, budget=budget)
    assert answer.shown == result.hits[:3]
    assert {each.reason for each in answer.left_out} == {"beyond the budget of 3 pictures"}
    pictures = pictures_of(model)
    assert all(max(image_from_data_url(url).size) <= 100 for url in pictures)
    assert sum(len(url.partition(",")[2]) * 3 / 4 for url in pictures) <= 6_000


def test_a_picture_that_is_gone_makes_room_for_the_next(
    found: Callable[[str], SearchResult],
) -> None:
    first, *rest = found("a mug").hits
    gone = dataclasses.replace(first, uri="gone.png")
    answer = PictureAnswers(saying("[1]"), PictureBudget(pictures=2)).answer("a mug", [gone, *rest])
    assert answer.shown == tuple(rest[:2])
    assert answer.left_out[0].hit == gone
    assert "cannot be opened: gone.png" in answer.left_out[0].reason


def test_a_hit_found_twice_is_shown_once(found: Callable[[str], SearchResult]) -> None:
    hits = found("a red mug").hits
    answer = PictureAnswers(saying("[1]")).answer("a red mug", [*hits, *hits])
    assert len({hit.id for hit in answer.shown}) == len(answer.shown)
    assert len(answer.shown) + len(answer.left_out) == len(hits)


@pytest.mark.parametrize("pictures", [0, -1])
def test_a_budget_of_nothing_is_refused(pictures: int) -> None:
    with pytest.raises(InvalidInputError, match=f"pictures={pictures}"):
        PictureBudget(pictures=pictures)


def test_a_model_that_fails_is_reported(found: Callable[[str], SearchResult]) -> None:
    result = found("a red mug")
    for model, why in (
        (ScriptedModel(ConnectionError("no route to host")), "no route to host"),
        (ScriptedModel("I see a mug."), "no valid answer in two tries"),
        (ScriptedModel('{"answer": " "}'), "nothing is said"),
        (ScriptedModel('{"answer": "Late."}', seconds=1.0), "no answer within 0.1 s"),
    ):
        answer = answered(model, result, limit=0.1)
        assert (answer.answered, answer.cited) == (False, ())
        assert answer.text == "The language model gave no answer."
        assert answer.shown
        assert why in answer.fallbacks[0]


def test_a_question_is_needed() -> None:
    with pytest.raises(EmptyDialogueError):
        PictureAnswers(saying("Yes.")).answer(Dialogue(), [])


A, B, C = (Hit(letter * 32, 0.5, f"{letter}.png", caption=f"the {letter}") for letter in "abc")
OTHER = Hit("row 17, left", 0.5, "d.png")
SHOWN = (A, B, OTHER)


@pytest.mark.parametrize(
    ("said", "text", "cited", "unknown"),
    [
        ("Red [1].", f"Red [{A.id}].", (A,), ()),
        ("Red [2] and [1, 2].", f"Red [{B.id}] and [{A.id}, {B.id}].", (B, A), ()),
        (f"As before [{B.id}].", f"As before [{B.id}].", (B,), ()),
        ("One [Picture 1], two [#2; image 1]", f"One [{A.id}], two [{B.id}, {A.id}]", (A, B), ()),
        ("Both [1 and 2]", f"Both [{A.id}, {B.id}]", (A, B), ()),
        ("Red [1, 9].", f"Red [{A.id}].", (A,), ("9",)),
        ("Red [9].", "Red.", (), ("9",)),
        (f"Red [{C.id}], blue [0].", "Red, blue.", (), (C.id, "0")),
        (f"Left [id={OTHER.id}], [3]", f"Left [{OTHER.id}], [{OTHER.id}]", (OTHER,), ()),
        ("They say [sic] a [red] mug []", "They say [sic] a [red] mug []", (), ()),
        ("It has 2 handles.", "It has 2 handles.", (), ()),
    ],
)
def test_citations_are_checked(
    said: str, text: str, cited: tuple[Hit, ...], unknown: tuple[str, ...]
) -> None:
    assert cited_in(said, SHOWN) == (text, cited, unknown)


def test_wrong_citations_are_reported(found: Callable[[str], SearchResult]) -> None:
    answer = answered(saying("Two [1, 77]."), found("a red mug"))
    assert answer.cited == answer.shown[:1]
    assert "77" not in answer.text
    assert answer.fallbacks == ("a citation was removed, no such picture was shown: 77",)


def test_people_read_numbers() -> None:
    text, cited, _ = cited_in("Blue [2], red [1, 2] [sic].", SHOWN)
    assert numbered(text, cited) == "Blue [1], red [2, 1] [sic]."
    assert str(Answer(text, cited)) == "Blue [1], red [2, 1] [sic].\n[1] the b\n[2] the a"


def test_a_hit_comes_back_from_its_metadata(found: Callable[[str], SearchResult]) -> None:
    hit = found("a red mug").hits[0]
    part = EntryPart(4, (0.0, 0.5, 0.5, 1.0), page=3)
    for each in (hit, dataclasses.replace(hit, part=part, copies=("b.png",), fits=None)):
        data = json.loads(json.dumps(each.as_metadata()))
        assert hit_of_metadata(each.id, each.title, data) == dataclasses.replace(
            each, caption=each.title
        )


def test_hits_know_whether_they_fit(found: Callable[[str], SearchResult]) -> None:
    result = found("a red mug")
    assert result.fitting
    assert [hit.fits for hit in result.hits] == [
        place < result.fitting for place in range(len(result.hits))
    ]
    assert tuple(hit for hit in result.hits if hit.fits) == result.cut().hits
    assert {hit.fits for hit in found("a helicopter").hits} == {False}
    assert "fits" not in Hit("a", 0.5, "a.png").as_metadata()
