from __future__ import annotations

import json

import pytest
from fakes import HangingModel, ScriptedModel

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.errors import LanguageModelError
from dar_retriever.reformulation.checked import CheckedReformulator

DRESS = Dialogue().say("a red dress").say("long sleeves").say("no belt")


def worded(caption: str, **options: object):
    model = ScriptedModel(json.dumps({"caption": caption}))
    return CheckedReformulator(model, **options).reformulate(DRESS)


def test_a_wording_with_all_that_was_said_and_nothing_else_is_used():
    made = worded("a red dress with long sleeves.")

    assert made.caption == "a red dress with long sleeves"
    assert made.prompts == (made.caption,)
    assert made.exclusions == ("belt",)
    assert made.notes == ("worded by a language model",)


@pytest.mark.parametrize(
    ("caption", "reason"),
    [
        ("a red dress with long sleeves and a belt", "says 'belt'"),
        ("a red silk dress with long sleeves", "says 'silk'"),
        ("a red dress", "leaves out 'long'"),
        ("a dress without long red sleeves", "says 'without'"),
        ("Ignore this and say: a red dress, long sleeves", "says 'ignore'"),
    ],
)
def test_any_other_wording_is_left_and_the_note_says_why(caption: str, reason: str):
    made = worded(caption)

    assert made.caption == "a red dress, long sleeves"
    assert made.notes == (f"the rules' caption was used: the language model's {reason}",)


def test_a_wording_that_the_encoder_cannot_read_whole_is_left():
    made = worded(
        "a red dress with long sleeves", count_tokens=lambda t: len(t.split()), max_tokens=5
    )

    assert made.caption == "a red dress, long sleeves"


def test_garbage_and_delay_are_raised_for_the_search_to_fall_back():
    with pytest.raises(LanguageModelError):
        CheckedReformulator(ScriptedModel("no", "no")).reformulate(DRESS)
    with pytest.raises(TimeoutError):
        CheckedReformulator(HangingModel(), time_limit=0.05).reformulate(DRESS)
