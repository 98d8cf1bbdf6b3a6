"""Conditions: what is said in English that no picture shows, and what only looks like it."""

from __future__ import annotations

import json
import time
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dar_retriever import Dialogue, Reformulation, RuleReformulator
from dar_retriever.reformulation.english import English
from dar_retriever.reformulation.english.conditions import heard
from dar_retriever.reformulation.english.conditions.amounts import number_of
from dar_retriever.reformulation.english.conditions.marked import marked
from dar_retriever.reformulation.english.conditions.periods import period_of

TODAY = date(2026, 11, 26)
RULES = RuleReformulator(language=English(TODAY))


def read(*turns: str) -> Reformulation:
    """What the rules make of turns; those of the assistant begin with "Q:"."""
    dialogue = Dialogue()
    for turn in turns:
        dialogue = dialogue.ask(turn[2:]) if turn.startswith("Q:") else dialogue.say(turn)
    return RULES.reformulate(dialogue)


def told(*turns: str) -> dict[tuple[str, str], object]:
    return {(each.about, each.operator): each.value for each in read(*turns).conditions}


@pytest.mark.parametrize(
    ("said", "low", "high"),
    [
        ("a mug, not more than $1,200.50", None, 1200.5),
        ("a mug, 1.200 euros at most", None, 1200),
        ("a mug for twenty-five euros or less", None, 25),
        ("a mug from 20 to 30 €", 20, 30),
        ("a mug between 30 and 20 euros", 20, 30),
        ("a mug, $20-$30", 20, 30),
        ("a mug at around 50 euros", 40, 60),
        ("a mug for 10 euros", 8, 12),
        ("a mug, minimum 20 dollars", 20, None),
        ("nothing above 20 dollars, a mug", None, 20),
        ("a mug, and i can only spend 40", None, 40),
        ("a mug that costs two hundred euros or more", 200, None),
    ],
)
def test_a_price_is_taken_out_of_the_caption(said: str, low: float | None, high: float | None):
    expected = {("price", "$gte"): low, ("price", "$lte"): high}

    assert told(said) == {key: value for key, value in expected.items() if value is not None}
    assert read(said).caption == "a mug"


@pytest.mark.parametrize(
    ("said", "first", "last"),
    [
        ("from 2019", "2019-01-01", "2020-01-01"),
        ("before 2015", None, "2015-01-01"),
        ("after March 2020", "2020-04-01", None),
        ("since last year", "2025-01-01", None),
        ("between 2015 and 2018", "2015-01-01", "2019-01-01"),
        ("from may 2018 to july 2018", "2018-05-01", "2018-08-01"),
        ("last summer", "2026-06-01", "2026-09-01"),
        ("last winter", "2025-12-01", "2026-03-01"),
        ("from last december", "2025-12-01", "2026-01-01"),
        ("taken yesterday", "2026-11-25", "2026-11-26"),
        ("last week", "2026-11-16", "2026-11-23"),
        ("taken on 3 May 2019", "2019-05-03", "2019-05-04"),
        ("taken on 2019-05-03", "2019-05-03", "2019-05-04"),
        ("from the last 10 days", "2026-11-16", None),
        ("from 2019 onwards", "2019-01-01", None),
    ],
)
def test_a_time_is_taken_out_of_the_caption(said: str, first: str | None, last: str | None):
    expected = {("date", "$gte"): first, ("date", "$lt"): last}

    assert told("a lighthouse", said) == {k: v for k, v in expected.items() if v is not None}
    assert read("a lighthouse", said).caption == "a lighthouse"


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("a jumper in size M", "m"),
        ("a jumper, size 42.5", "42.5"),
        ("a jumper, my size is eu 42", "42"),
        ("a jumper in xl", "xl"),
        ("a jumper, size medium", "m"),
        ("a jumper, size s or m", ("s", "m")),
    ],
)
def test_a_size_is_taken_out_of_the_caption(said: str, value: object):
    assert list(told(said).values()) == [value]
    assert read(said).caption == "a jumper"


@pytest.mark.parametrize(
    ("said", "number"), [("top 5", 5), ("show me 3", 3), ("give me ten results please", 10)]
)
def test_a_number_of_results_is_taken_out_of_the_caption(said: str, number: int):
    assert told("a dog", said) == {("results", "$eq"): number}
    assert read("a dog", said).caption == "a dog"


@pytest.mark.parametrize(
    ("question", "answer", "value"),
    [
        ("Q:What is your budget?", "50", 50),
        ("Q:How much would you like to spend?", "up to 50", 50),
        ("Q:Do you have a price range?", "yes, under 50 euros", 50),
        ("Q:Which size do you wear?", "42, and in blue", "42"),
    ],
)
def test_an_answer_needs_no_unit(question: str, answer: str, value: object):
    assert value in told("a boot", question, answer).values()
    assert "50" not in read("a boot", question, answer).caption
    assert "yes" not in read("a boot", question, answer).caption


@pytest.mark.parametrize(
    ("said", "operator", "amount"),
    [
        ("a mug under 50 euros", "$lt", 50),
        ("a mug with a price below 40", "$lt", 40),
        ("a mug over 20 dollars", "$gt", 20),
        ("a mug for no less than 20 dollars", "$gte", 20),
    ],
)
def test_under_an_amount_leaves_it_out(said: str, operator: str, amount: float):
    assert told(said) == {("price", operator): amount}
    assert read(said).caption == "a mug"


def test_what_is_said_later_takes_the_place_of_what_was_said_before():
    assert told("a mug under 50 euros", "make it under 80") == {("price", "$lt"): 80}
    assert told("a mug under 50 euros", "at least 60 euros") == {("price", "$gte"): 60}
    assert told("a mug under 50 euros", "size 42").keys() == {("price", "$lt"), ("size", "$eq")}


@pytest.mark.parametrize(
    "said",
    [
        "any price is fine",
        "price doesn't matter",
        "forget the budget",
        "money is no object",
        "remove all filters",
        "start over",
    ],
)
def test_a_condition_can_be_taken_back(said: str):
    assert not told("a red mug under 50 euros", said, "a blue one")


def test_no_budget_is_no_condition():
    assert not told("a mug", "Q:What is your budget?", "no")
    assert read("a mug", "Q:What is your budget?", "no").caption == "a mug"
    assert not read("a mug", "Q:What is your budget?", "no").exclusions


def test_what_a_language_model_reads_is_the_dialogue_itself():
    """The rules take words out of their own copy; turns and their places stay."""
    dialogue = Dialogue.from_text("a red mug").say("under 50 euros").say("start over, a dress")

    assert read("a red mug", "under 50 euros", "start over, a dress").since == 2
    assert dialogue.turns[1].text == "under 50 euros"


REQUESTS = Path(__file__).parents[1] / "stores" / "filtering" / "requests.jsonl"


def plain_sentences() -> list[str]:
    """Sentences that hold no condition."""
    lines = map(json.loads, REQUESTS.read_text(encoding="utf-8").splitlines())
    return [line["turns"][0] for line in lines if line["part"].startswith("plain seen")]


@pytest.mark.parametrize("sentence", plain_sentences())
def test_what_a_picture_shows_is_no_condition(sentence: str):
    assert not read(sentence).conditions


@given(st.lists(st.text(max_size=60), min_size=1, max_size=4))
def test_any_text_is_read(turns: list[str]):
    read(*turns)


VOCABULARY = (
    "a mug red under over 50 euros € $ size M 42 from 2019 last summer not no between and 20 top "
    'price budget any is , . " max may march in the 3 photos of results more than less make it '
    "around or forget 's don't want with sign says 1,000 k"
)
WORDS = st.sampled_from(VOCABULARY.split())


@given(st.lists(st.lists(WORDS, min_size=1, max_size=12), min_size=1, max_size=3))
def test_what_is_taken_is_said(turns: list[list[str]]):
    """Whatever the order of the words: conditions quote the user, and nothing is invented."""
    texts = [" ".join(words) for words in turns]
    made = read(*texts)

    for condition in made.conditions:
        assert any(condition.said.lower() in " ".join(text.split()).lower() for text in texts)
    # "less a" may turn "a a" into "an a".
    spoken = " ".join(["an", *texts]).lower()
    for word in made.caption.split():
        assert word.strip(",") in spoken


@pytest.mark.parametrize(
    "pattern",
    ["50 ", "under ", "no under 50 ", "from 2019 ", "size ", "a hundred ", "€", "show me "],
)
def test_the_time_grows_with_what_was_said(pattern: str):
    began = time.perf_counter()
    told(pattern * (1990 // len(pattern)), pattern * 300_000)

    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("50", 50),
        ("49,99", 49.99),
        ("1.000", 1000),
        ("1,234.5", 1234.5),
        ("2k", 2000),
        ("a hundred", 100),
        ("two hundred and fifty", 250),
        ("three thousand", 3000),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, number: float):
    assert number_of(text) == number


@given(st.dates(min_value=date(1990, 1, 1), max_value=date(2090, 1, 1)))
def test_last_is_over_and_this_is_not(today: date):
    for name in ("summer", "winter", "march", "december", "week", "month", "year"):
        first, end = period_of(f"last {name}", today) or (today, today)
        assert first < end <= today
        assert (today - end).days <= 366
    first, end = period_of("this year", today) or (today, today)
    assert first <= today < end


@pytest.mark.parametrize("nothing", ["31 february 2019", "2019-13-40", "the other day"])
def test_what_is_no_time_is_none(nothing: str):
    assert period_of(nothing, TODAY) is None


@pytest.mark.parametrize(
    ("phrase", "asked", "standing", "wanted"),
    [
        ("15 bucks", (), (), {"price": 15}),
        ("not more then 30", (), (), {"price": 30}),
        ("20", ("price",), (), {"price": 20}),
        ("20", (), ("price",), {"price": 20}),
        ("41 or 42", (), (), {"size": ("41", "42")}),
        ("40 and 41", ("size",), (), {"size": ("40", "41")}),
        ("siz 45", (), (), {"size": "45"}),
        ("medium", (), (), {"size": "m"}),
        ("2022 or later", (), (), {"date": "2022-01-01"}),
        ("any December", (), (), {"month": 12}),
        ("the pumas", (), (), {"": "the pumas"}),
        ("7", (), (), {}),
        ("20", (), ("price", "size"), {}),
    ],
)
def test_what_is_known_to_be_a_condition_is_read_however_it_is_worded(
    phrase: str, asked: tuple[str, ...], standing: tuple[str, ...], wanted: dict[str, object]
):
    found = marked(phrase, {*asked}, {*standing}, TODAY)
    assert {each.about: each.value for each in found} == wanted


def test_known_conditions_are_replaced_and_taken_back_like_others():
    dialogue = Dialogue.from_text("boots, 60 bucks would do").say("hm, 80").say("size 41")
    known = {0: ["60 bucks"], 1: ["80"]}
    _, said = heard(dialogue, TODAY, known)
    assert {(each.about, each.value) for _, each in said} == {("price", 80), ("size", "41")}
    _, said = heard(dialogue.say("the price doesn't matter"), TODAY, known)
    assert {(each.about, each.value) for _, each in said} == {("size", "41")}
