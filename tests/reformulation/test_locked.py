"""What is locked stays, whatever is said later."""

from __future__ import annotations

import pytest

from dar_retriever import Dialogue, Part, Reformulation, RuleReformulator
from dar_retriever.reformulation.locked import with_locked


def understood(*said: str, locked: Part) -> Reformulation:
    dialogue = Dialogue()
    for text in said:
        dialogue = dialogue.say(text)
    return with_locked(RuleReformulator().reformulate(dialogue), [locked])


@pytest.mark.parametrize(
    ("later", "caption"),
    [
        ("in red", "a red mug with white dots, blue"),
        ("something else: a handbag", "a handbag, blue"),
        ("not blue", "a mug with white dots, blue"),
        ("with a lid", "a blue mug with white dots, a lid"),
    ],
)
def test_a_locked_part_outlives_corrections_and_subjects(later: str, caption: str):
    made = understood("a blue mug with white dots", later, locked=Part("wanted", "blue"))

    assert (made.caption, made.exclusions) == (caption, ())
    assert all("blue" in prompt for prompt in made.prompts)


def test_what_would_exclude_it_goes():
    made = understood("a mug with white dots", "no dots", locked=Part("wanted", "white dots"))

    assert (made.caption, made.exclusions) == ("a mug, white dots", ())


def test_a_locked_exclusion_stays_out():
    made = understood("a mug, no stripes", "with stripes", locked=Part("unwanted", "stripes"))

    assert (made.caption, made.exclusions) == ("a mug", ("stripes",))
    assert all("stripes" not in prompt for prompt in made.prompts)


def test_a_locked_price_holds_beside_another():
    locked = Part("filter", "under 50 euros")
    made = understood("a mug under 50 euros", "under 80 euros", locked=locked)

    assert {(each.operator, each.value) for each in made.conditions} == {("$lt", 80), ("$lt", 50)}


def test_a_dialogue_is_locked_and_unlocked():
    part = Part("wanted", "blue")
    dialogue = Dialogue.from_text("a blue mug").lock(part).lock(part).say("in red")

    assert dialogue.locked == dialogue.since(1).locked == dialogue.at_round(0).locked == (part,)
    assert dialogue.unlock(part).locked == ()
