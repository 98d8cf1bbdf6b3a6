"""Names that a store knows: when they are conditions, and what is left of the message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dar_retriever import Dialogue
from dar_retriever.stores.fields import fields_in
from dar_retriever.stores.filtering.naming import Names

COLUMNS = {
    "brand": ["Nike", "Adidas", "Kessel & Co", "Apple", "Orange", "Shell"],
    "country": ["Italy", "Japan", "Portugal", "Sweden", "Italy", "Japan"],
    "people": ["Anna Berg", "Rose", "Luis", "Anna Berg", "Rose", "Luis"],
    "season": ["summer", "winter", "summer", "winter", "spring", "autumn"],
    "colour": ["red", "orange", "blue", "red", "orange", "blue"],
    "size": ["M", "42", "L", "43", "S", "XL"],
}
FIELDS = fields_in(
    [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)],
    complete=True,
)
NAMES = Names(FIELDS)


def heard(*said: str) -> tuple[list[str], dict[str, tuple[str, object]]]:
    """What is left of messages, and the names by field with operator and value."""
    dialogue = Dialogue()
    for text in said:
        dialogue = dialogue.ask(text[2:]) if text.startswith("Q:") else dialogue.say(text)
    rest, placed = NAMES.heard(dialogue)
    found = {each.about: (each.operator, each.value) for _, each in placed}
    return [turn.text for turn in rest.user_turns], found


@pytest.mark.parametrize(
    ("said", "rest", "name"),
    [
        ("red nike shoes", "red shoes", ("brand", "$eq", "Nike")),
        ("shoes by NIKE", "shoes", ("brand", "$eq", "Nike")),
        ("a phone by apple", "a phone", ("brand", "$eq", "Apple")),
        ("a black Apple phone", "a black phone", ("brand", "$eq", "Apple")),
        ("a vase from kessel and co", "a vase", ("brand", "$eq", "Kessel & Co")),
        ("shoes, not Nike", "shoes", ("brand", "$ne", "Nike")),
        ("nike or adidas shoes", "shoes", ("brand", "$in", ("Nike", "Adidas"))),
        ("shoes, but neither", "shoes, but neither", None),
        ("a vase, only from Italy", "a vase", ("country", "$eq", "Italy")),
        (
            "photos of a beach taken in Portugal",
            "photos of a beach",
            ("country", "$eq", "Portugal"),
        ),
        ("photos of Anna Berg", "", ("people", "$eq", "Anna Berg")),
        ("season: summer, a dress", "a dress", ("season", "$eq", "summer")),
    ],
)
def test_a_name_that_points_is_taken(said: str, rest: str, name: tuple[str, str, object] | None):
    left, found = heard(said)

    assert left == [rest]
    assert found == ({name[0]: name[1:]} if name else {})


@pytest.mark.parametrize(
    "said",
    [
        "an apple on a table",
        "an apple tree",
        "a shell on the beach",
        "an orange dress",
        "orange",
        "a man from Italy",
        "a map of Italy",
        "a beach in Portugal",
        "a nike logo on a wall",
        'a shirt that says "Nike"',
        "a rose in a vase",
        "a summer dress",
        "a summer in the city",
        "a dress in red",
        "nike-like shoes",
        "a table, size 42",
    ],
)
def test_a_name_that_may_be_seen_stays(said: str):
    assert heard(said) == ([said], {})


def test_a_later_name_replaces_an_earlier_one_of_its_field():
    left, found = heard("nike shoes", "adidas, from Italy")

    assert left == ["shoes", ""]
    assert found == {"brand": ("$eq", "Adidas"), "country": ("$eq", "Italy")}


def test_a_name_can_be_taken_back():
    assert heard("nike shoes", "any brand is fine")[1] == {}


def test_an_answer_names_what_was_asked_for():
    assert heard("a vase", "Q:From which country?", "Italy")[1] == {"country": ("$eq", "Italy")}
    assert heard("a phone", "Q:Which brand?", "apple")[1] == {"brand": ("$eq", "Apple")}


WORDS = st.sampled_from(
    [
        *("a", "red", "nike", "Adidas", "or", "not", "from", "Italy", "only", "by", "the"),
        *("orange", "Anna", "Berg", "&", "kessel", "co", "brand:", "season", "is", "summer"),
        *(",", "in", '"'),
    ]
)


@given(st.lists(WORDS, max_size=14))
def test_nothing_is_invented(words: list[str]):
    said = " ".join(words)
    (left,), found = heard(said)

    assert all(word.strip(",") in said for word in left.split())
    for operator, value in found.values():
        texts = value if isinstance(value, tuple) else (value,)
        assert (operator in {"$in", "$nin"}) is isinstance(value, tuple)
        assert {*texts} <= {text for column in COLUMNS.values() for text in column}


@given(st.text(max_size=80))
def test_any_text_is_heard(text: str):
    heard(text)


def test_a_document_is_left_alone():
    text = "nike " * 1000

    assert heard(text) == ([text.strip()], {})
