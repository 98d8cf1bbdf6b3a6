"""What is asked for: any number of fields, lists, spellings, ranges, labels, captions, pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from random import Random
from typing import Any

import numpy as np
import pytest
from fakes import ScriptedModel
from hypothesis import given
from hypothesis import strategies as st

from dar_retriever import (
    DARQueryEncoder,
    Dialogue,
    DiffusionAugmentedRetriever,
    FacetQuestions,
    Hit,
    ImageStore,
    LLMReformulator,
    StoredImage,
)
from dar_retriever.questions.asked import fields_asked
from dar_retriever.questions.described import caption_facets, metadata_facets
from dar_retriever.questions.looks import Looks
from dar_retriever.questions.ranges import date_ranges, number_ranges
from dar_retriever.questions.trials import Candidates, Trials
from dar_retriever.questions.values import values_of
from dar_retriever.questions.visual import VisualFacets
from dar_retriever.reformulation.base import Reformulation
from dar_retriever.reformulation.english.conditions.bounds import bounds_in

Metadata = Mapping[str, Any]


@pytest.fixture(scope="module")
def of_metadata(demo: DiffusionAugmentedRetriever) -> Callable[..., DiffusionAugmentedRetriever]:
    """Makes a retriever of the demo's gallery with other metadata and captions."""
    encoder = demo.query_encoder.encoder
    ids, vectors = demo.store.vectors()
    hits = demo.store.get(ids)

    def of(
        metadata: Callable[[Hit], Metadata], caption: str = "", **options: Any
    ) -> DiffusionAugmentedRetriever:
        store = ImageStore.in_memory(encoder)
        store.add(
            [
                StoredImage(hit.id, vector, hit.uri, caption.format(**hit.metadata), metadata(hit))
                for hit, vector in zip(hits, vectors, strict=True)
            ]
        )
        return DiffusionAugmentedRetriever(DARQueryEncoder(encoder), store, **options)

    return of


Of = Callable[..., DiffusionAugmentedRetriever]


def candidates_of(*metadata: Metadata, captions: tuple[str, ...] = ()) -> Candidates:
    said = captions or ("",) * len(metadata)
    fields = metadata or ({},) * len(captions)
    hits = [
        Hit(str(n), 0.0, "", caption, each)
        for n, (each, caption) in enumerate(zip(fields, said, strict=True))
    ]
    shares = np.full(len(hits), 1 / len(hits), np.float32)
    return Candidates(hits, np.eye(len(hits), dtype=np.float32), shares)


def questions_of(
    retriever: DiffusionAugmentedRetriever, text: str, labels: Mapping[str, str] = {}
) -> list[str]:
    """The questions that are asked one after the other, of a user who answers none."""
    dialogue, asked = Dialogue.from_text(text), []
    questioner = FacetQuestions(retriever, labels)
    while question := questioner.next_question(retriever.search(dialogue, 3)):
        asked.append(question.text)
        dialogue = dialogue.ask(question.text).say("not sure")
    return asked


def test_fields_that_no_picture_shows_do_not_push_the_others_out(of_metadata: Of):
    random = Random(0)
    noise = [f"note_{number}" for number in range(14)]
    noisy = of_metadata(
        lambda hit: {**hit.metadata, **{name: f"note {random.randrange(50)}" for name in noise}}
    )

    asked = questions_of(noisy, "a handbag")

    assert set(asked) == set(questions_of(of_metadata(lambda hit: hit.metadata), "a handbag"))
    assert not any("note" in question for question in asked)


def test_values_that_differ_in_case_and_spaces_are_one_choice():
    spelt = ("Red", "red ", "RED", "red", "dark  blue", "Dark Blue", "dark blue", "dark blue")

    (facet,) = metadata_facets(candidates_of(*({"colour": text} for text in spelt)))

    assert set(facet.choices) == {"red", "dark blue"}
    assert facet.holds.sum(1).tolist() == [4, 4]


@pytest.mark.parametrize("form", [list, str], ids=["a list", "JSON"])
def test_lists_are_asked_for_by_their_items(form: type):
    tags = (["red", "dotted"], ["red"], ["dotted"], ["red", "dotted"])
    rows = [{"tags": each if form is list else str(each).replace("'", '"')} for each in tags]

    (facet,) = metadata_facets(candidates_of(*rows))

    assert dict(zip(facet.choices, facet.holds.tolist(), strict=True)) == {
        "red": [0.5, 1, 0, 0.5],
        "dotted": [0.5, 0, 1, 0.5],
    }


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_value_has_texts_or_none(value: Any):
    for key, text in values_of({"field": value}, "field").items():
        assert key
        assert key == " ".join(text.casefold().split())


FINITE = st.floats(0, 1e9, allow_nan=False)


@given(st.lists(FINITE, min_size=1, max_size=60))
def test_each_number_is_in_exactly_one_range(numbers: list[float]):
    ranges = number_ranges(numbers, np.full(len(numbers), 1 / len(numbers), np.float32))

    assert len(ranges) <= 4
    assert len(ranges) != 1
    for number in numbers:
        assert sum(each.holds(number) for each in ranges) == bool(ranges)


@given(st.lists(st.dates(date(1950, 1, 1), date(2030, 1, 1)), min_size=1, max_size=60))
def test_each_day_is_in_exactly_one_range(days: list[date]):
    ranges = date_ranges(days, np.full(len(days), 1 / len(days), np.float32))

    assert len(ranges) <= 4
    for day in days:
        assert sum(each.holds(day) for each in ranges) == bool(ranges)


def test_ranges_are_round():
    prices = [float(number) for number in range(3, 98)]
    days = [date(2001 + number % 20, 5, 3) for number in range(40)]
    even = np.full(len(prices), 1 / len(prices), np.float32)

    assert [each.text for each in number_ranges(prices, even)] == [
        "under 30",
        "30 to 50",
        "50 to 70",
        "over 70",
    ]
    assert [each.text for each in date_ranges(days, np.full(40, 1 / 40, np.float32))] == [
        "before 2005",
        "2005 to 2009",
        "2010 to 2014",
        "after 2014",
    ]


@pytest.mark.parametrize(
    ("field", "value", "question"),
    [
        ("price", lambda random: random.uniform(1, 200), "Which price?"),
        ("weight", lambda random: random.randint(1, 900), "Which weight?"),
        ("size", lambda random: random.randint(38, 42), "Which size?"),
        ("year", lambda random: random.randint(2001, 2024), "Which year?"),
        ("date", lambda random: f"2020-{random.randint(1, 12):02}-05", "Which date?"),
    ],
)
def test_numbers_and_dates_are_asked_for_by_ranges_that_filter(
    of_metadata: Of, field: str, value: Callable[[Random], Any], question: str
):
    random = Random(3)
    retriever = of_metadata(lambda _: {field: value(random)})
    result = retriever.search("a handbag")
    asked = FacetQuestions(retriever).next_question(result)

    assert asked is not None
    assert asked.text == question
    assert 2 <= len(asked.choices) <= 8
    (facet,) = metadata_facets(Trials(retriever).candidates(result))
    everything = set()
    for choice in asked.choices:
        dialogue = result.dialogue.ask(asked.text).say(choice)
        found = retriever.search(dialogue, 200)
        assert found.trace.caption == "a handbag"
        assert len(found.trace.only) == 1
        assert found.trace.fallbacks == ()
        everything |= {hit.id for hit in found.hits}
        again = FacetQuestions(retriever).next_question(found)
        assert again is None or again.text != question
    assert len(facet.choices) == len(asked.choices)
    assert len(everything) == len(retriever.store)


def test_numbers_are_not_asked_for_where_words_do_not_filter(of_metadata: Of):
    random = Random(3)

    def priced(_: Hit) -> Metadata:
        return {"price": random.uniform(1, 200)}

    deaf = of_metadata(priced, word_filters=False)

    assert "Which price?" in questions_of(of_metadata(priced), "a handbag")
    assert "Which price?" not in questions_of(deaf, "a handbag")


def test_what_was_told_of_a_number_is_not_asked(of_metadata: Of):
    random = Random(3)
    retriever = of_metadata(lambda _: {"price": random.uniform(1, 200)})

    assert "Which price?" not in questions_of(retriever, "a handbag under 80 euros")


def test_sizes_of_files_and_places_on_maps_are_not_asked_for():
    random = Random(0)
    names = ("id", "width", "height", "iso", "gps_lat", "file_bytes")
    rows = [{name: random.random() * 100 for name in names} for _ in range(40)]

    assert metadata_facets(candidates_of(*rows)) == []


def test_a_label_is_what_a_field_is_called(of_metadata: Of):
    retriever = of_metadata(lambda hit: {"Farbe": hit.metadata["colour"]})

    assert questions_of(retriever, "a handbag") == ["Which Farbe?".replace("F", "f")]
    assert questions_of(retriever, "a handbag", {"Farbe": "colour"}) == ["Which colour?"]


def test_a_field_was_asked_for_by_its_label_or_its_name():
    for question in ("Which colour?", "Which farbe?", "What color is it?"):
        dialogue = Dialogue.from_text("a bag").ask(question).say("no idea")
        assert fields_asked(dialogue, ["Farbe", "price"], {"Farbe": "colour"}) == {"Farbe"}
    dialogue = Dialogue.from_text("a bag").ask("Which list price?").say("no idea")
    assert fields_asked(dialogue, ["listPrice", "price"]) == {"listPrice"}


def test_without_metadata_captions_are_asked_about(of_metadata: Of):
    retriever = of_metadata(lambda _: {}, "a {colour} {kind}")

    assert questions_of(retriever, "a handbag")[0] == "Which colour?"


def test_captions_name_colours_materials_and_patterns():
    said = ("a red wool hat", "A RED cotton hat", "a blue wool hat, striped", "a striped hat") * 2

    facets = {each.name: {*each.choices} for each in caption_facets(candidates_of(captions=said))}

    assert facets == {"colour": {"red", "blue"}, "material": {"wool", "cotton"}}


def test_pictures_without_metadata_are_asked_about_what_the_encoder_sees(of_metadata: Of):
    retriever = of_metadata(lambda _: {})

    asked = questions_of(retriever, "a handbag")

    assert asked[0] == "Which colour?"
    # The drawings show no people, and the embedded encoder knows no words for them.
    assert {*asked} <= {f"Which {name}?" for name in ("colour", "background", "pattern", "look")}


def test_the_encoder_is_not_trusted_with_a_handful_of_pictures(
    demo: DiffusionAugmentedRetriever,
):
    store = ImageStore.in_memory(demo.query_encoder.encoder)
    ids, vectors = demo.store.vectors()
    store.add([StoredImage(i, v, "") for i, v in zip(ids[:10], vectors[:10], strict=True)])
    encoder = demo.query_encoder.encoder
    visual = VisualFacets(encoder, store, Looks(encoder, store))
    result = DiffusionAugmentedRetriever(demo.query_encoder, store).search("a handbag")

    assert visual.facets(Candidates(result.hits, vectors[: len(result.hits)], vectors[0])) == []


VAGUE = ("something red", "blue things", "teal", "a picture", "a handbag", "striped", "red object")


@pytest.mark.parametrize("text", VAGUE)
def test_a_vague_request_is_not_clear(demo: DiffusionAugmentedRetriever, text: str):
    words = DiffusionAugmentedRetriever(DARQueryEncoder(demo.query_encoder.encoder), demo.store)

    assert not Trials(words).candidates(words.search(text)).clear


class Loud:
    """A reformulator that says everything twice."""

    def reformulate(self, dialogue: Dialogue) -> Reformulation:
        return Reformulation(" ".join(turn.text for turn in dialogue.turns).upper())


def test_trials_use_the_reformulator_in_use(
    demo: DiffusionAugmentedRetriever, monkeypatch: pytest.MonkeyPatch
):
    encoder = demo.query_encoder.encoder
    loud = DiffusionAugmentedRetriever(DARQueryEncoder(encoder, reformulator=Loud()), demo.store)
    result, trials, seen = loud.search("a handbag"), Trials(loud), []
    candidates = trials.candidates(result)
    encode = encoder.encode_texts
    monkeypatch.setattr(encoder, "encode_texts", lambda texts: seen.extend(texts) or encode(texts))

    trials.shares(result, candidates, [("Which colour?", "red")])

    assert seen == ["A HANDBAG", "A HANDBAG WHICH COLOUR? RED"]


def test_a_language_model_is_not_asked_to_try_answers(demo: DiffusionAugmentedRetriever):
    model = ScriptedModel("{}")
    encoder = demo.query_encoder.encoder
    costly = DARQueryEncoder(encoder, reformulator=LLMReformulator(model))
    retriever = DiffusionAugmentedRetriever(costly, demo.store)
    result = retriever.search("a handbag")
    calls = len(model.given)

    FacetQuestions(retriever).next_question(result)

    assert len(model.given) == calls


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("under 20", [("$lt", 20)]),
        ("20 to 50 kg", [("$gte", 20), ("$lte", 50)]),
        ("between 50 and 20", [("$gte", 20), ("$lte", 50)]),
        ("Over 50, please.", [("$gte", 50)]),
        ("at most twenty", [("$lte", 20)]),
        ("3 or more", [("$gte", 3)]),
        ("42", [("$eq", 42)]),
        ("red", []),
        ("20 red ones and 30 blue ones", []),
        ("", []),
    ],
)
def test_bounds_of_numbers_are_read(text: str, bounds: list[tuple[str, float]]):
    assert bounds_in(text) == bounds


@given(st.text(max_size=200))
def test_any_answer_has_bounds_or_none(text: str):
    assert len(bounds_in(text)) <= 2
