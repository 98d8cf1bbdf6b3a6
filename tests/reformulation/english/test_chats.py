"""Chats as people type them, against captions that were written by hand before any run."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.reformulation import (
    Reformulation,
    Reformulator,
    RuleReformulator,
    TaggingReformulator,
)

CHATS = Path(__file__).parent / "chats"
BENCHMARKS = Path(__file__).parents[3] / "examples" / "benchmarks"
RULES = RuleReformulator()
# The benchmark's judge, so that both say the same of a chat.
JUDGE = runpy.run_path(str(BENCHMARKS / "chats.py"))
judged, dialogue_of = JUDGE["judged"], JUDGE["dialogue_of"]


def said(*turns: str) -> Reformulation:
    """What the rules read; a turn that begins with "A: " is the assistant's."""
    dialogue = Dialogue()
    for turn in turns:
        asked = turn.startswith("A: ")
        dialogue = dialogue.ask(turn[3:]) if asked else dialogue.say(turn)
    return RULES.reformulate(dialogue)


def verdict(case: dict[str, Any], reader: Reformulator = RULES) -> str:
    made = reader.reformulate(dialogue_of(case))
    found = judged(made.caption, made.exclusions, case)
    return "inverted" if found.inverted else found.verdict


@pytest.mark.parametrize(
    ("name", "share"),
    [
        *[("shared", 0.85), ("dev", 0.85), ("dev2", 0.8), ("heldout", 0.75), ("unseen", 0.85)],
        *[("fresh", 0.8), ("once", 0.8), ("everyday", 0.8), ("sealed", 0.4)],
    ],
)
def test_what_people_type_is_understood_and_never_inverted(name: str, share: float):
    path = CHATS / f"{name}.jsonl"
    if not path.exists():
        pytest.skip(f"{path.name} is not there")
    cases = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    # Other languages are read by other rules.
    english = [case for case in cases if case["kind"] != "language"]

    verdicts = [verdict(case) for case in english]

    assert [c["turns"] for c, v in zip(english, verdicts, strict=True) if v == "inverted"] == []
    assert verdicts.count("right") >= share * len(english)


@pytest.mark.parametrize(
    ("name", "share", "inverted"),
    [("shared", 0.8, 0), ("strangers6", 0.5, 12)],
)
def test_the_tagger_reads_more_of_what_strangers_type(name: str, share: float, inverted: int):
    lines = (CHATS / f"{name}.jsonl").read_text("utf-8").splitlines()
    english = [case for case in map(json.loads, lines) if case["kind"] != "language"]
    reader = TaggingReformulator()

    verdicts = [verdict(case, reader) for case in english]

    assert verdicts.count("right") >= share * len(english)
    assert verdicts.count("inverted") <= inverted


@pytest.mark.parametrize(
    ("turns", "caption", "excluded"),
    [
        (["a crowded street", "not that crowded"], "a street", "crowded"),
        (["a street", "not that one"], "a street", ""),
        (["a door with blue panes", "the panes are green not blue"],
         "a door with green panes", "blue"),
        (["lamps but none with shades"], "lamps", "shades"),
        (["a horse", "no thats a mule"], "a horse", "mule"),
        (["a horse", "this is at night"], "a horse, at night", ""),
        (["a hat", "no red and green"], "a hat", "red, green"),
        (["a hat", "no black and white ones, a blue one"], "a hat, a blue one", "black, white"),
        (["a hat", "no red, blue"], "a hat, blue", "red"),
        (["a shelf", "A: Here you are. Is the oak top okay?", "no, pine"],
         "a shelf, pine top", "oak"),
        (["a shelf", "A: Would an oak top be fine?", "yes"], "a shelf, oak top", ""),
    ],
)  # fmt: skip
def test_where_words_could_be_read_the_other_way_they_are_not(
    turns: list[str], caption: str, excluded: str
):
    made = said(*turns)

    assert (made.caption, made.negative_prompt) == (caption, excluded)


SUBJECTS = st.sampled_from(["a dress", "a street", "a kitchen", "a boy", "two dogs", "a mug"])
THINGS = st.sampled_from(["people", "cars", "dots", "text", "hats", "trees", "glasses", "flowers"])
RULED_OUT = st.sampled_from(
    [
        *("no {}", "without {}", "without any {}", "w/o {}", "with no {}", "but no {}", "-{}"),
        *("i don't want {}", "i hate {}", "too many {}", "fewer {}", "anything but {}", "not {}"),
        *("no {} please", "please remove the {}", "get rid of the {}", "other than {}"),
        *("excluding {}", "there should be no {}", "i'd rather not have {}", "no more {}"),
    ]
)
WANTED = st.sampled_from(
    [
        "long sleeves",
        "blue",
        "with a red door",
        "at night",
        "in a park",
        "shiny metal",
        "make it big",
    ]
)


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


@given(SUBJECTS, RULED_OUT, THINGS, WANTED)
def test_what_is_ruled_out_ends_with_its_clause(subject: str, no: str, thing: str, wanted: str):
    made = said(subject, f"{no.format(thing)}, {wanted}")

    assert words(thing) <= words(made.negative_prompt)
    assert not words(thing) & words(made.caption)
    assert not words(wanted) & words(made.negative_prompt)
    assert words(wanted) - {"make", "it", "with"} <= words(made.caption)


@given(SUBJECTS, RULED_OUT, THINGS, RULED_OUT, THINGS)
def test_each_of_several_exclusions_is_one(subject: str, no: str, one: str, nor: str, two: str):
    made = said(subject, no.format(one), nor.format(two))

    assert set(made.exclusions) == {one, two}
    assert made.caption == subject


@given(st.lists(st.tuples(RULED_OUT, THINGS) | WANTED, min_size=1, max_size=6))
def test_nothing_that_is_wanted_is_excluded(turns: list[tuple[str, str] | str]):
    texts = [turn if isinstance(turn, str) else turn[0].format(turn[1]) for turn in turns]
    out = {turn[1] for turn in turns if not isinstance(turn, str)}

    made = said("a thing", *texts)

    assert set(made.exclusions) <= out


@pytest.mark.parametrize(
    ("turns", "caption", "excluded"),
    [
        # A word gives way to one of its sort.
        (["a red and white shirt", "make the shirt blue"], "a blue shirt", ""),
        (["a guitar", "no wait, a violin"], "a violin", "guitar"),
        (["three cats on a sofa", "make that four"], "four cats on a sofa", ""),
        (["two dogs in a park", "actually just one"], "one dog in a park", ""),
        (["a wooden table", "make it glass"], "a glass table", "wooden"),
        (["mustard yellow velvet sofa", "make it dark green"], "dark green velvet sofa", ""),
        (["a dog", "actually a puppy"], "a puppy", ""),
        (["a cup of coffee", "sorry I meant tea"], "a cup of tea", "coffee"),
        # A new subject.
        (["a red dress with long sleeves", "a guitar"], "a guitar", ""),
        (["a mountain lake", "something else: a city"], "a city", ""),
        (["a black dress", "now show me red shoes"], "red shoes", ""),
        (["a dog in a park", "forget everything except the dog"], "the dog", ""),
        # No new subject.
        (["a red dress", "a belt"], "a red dress, a belt", ""),
        (["a beach", "a dog"], "a beach, a dog", ""),
        # Answers.
        (["a", "A: left-handed or right-handed?", "right-handed"], "a, right-handed", ""),
        (["a mug", "A: Is it big or small?", "the second"], "a mug, small", ""),
        (["a mug", "A: Is it red or blue?", "neither"], "a mug", "red, blue"),
        (["a mug", "A: Do you mind if it has a logo?", "yes"], "a mug", "logo"),
        (["a mug", "A: Do you mind if it has a logo?", "no"], "a mug", ""),
        (["a mug", "A: Should I look for a darker shade?", "yes"], "a mug, darker", ""),
        (["a mug", "A: Which background?", "make it blue"], "a mug, blue", ""),
        (["a man", "A: What is he holding, and is it raining?", "a bag, and yes"],
         "a man, holding a bag, raining", ""),
        # Short forms and emoji.
        (["u got pics of a cat w/o a collar"], "pictures of a cat", "collar"),
        (["a \U0001f436 \U0001f602"], "a dog", ""),
    ],
)  # fmt: skip
def test_a_chat_is_read(turns: list[str], caption: str, excluded: str):
    made = said(*turns)

    assert (made.caption, made.negative_prompt) == (caption, excluded)
