"""What of a conversation is not about pictures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dar_retriever.agents.asides import about_pictures, without_private
from dar_retriever.conversation.dialogue import Turn


def left(*said: str) -> list[str]:
    turns = [
        Turn("assistant", text[2:]) if text[:2] == "A:" else Turn("user", text) for text in said
    ]
    return [turn.text for turn in about_pictures(turns)]


@pytest.mark.parametrize(
    "said",
    [
        "Draft a slogan for our new shop",
        "could you please translate 'see you soon' into Italian?",
        "Remind me to water the plants on Sunday.",
        "how many grams are in an ounce?",
        "Who painted the Mona Lisa?",
        "what is 17 * 23",
        "Explain recursion to me",
        "book a table for four tonight",
        "my phone number is 0171 2345678",
        "Our address is 5 Hill Road",
        "tell me a joke",
        "Summarise this article for me. It should have three bullet points.",
        "set a timer for ten minutes",
        "When does the train to Bonn leave?",
    ],
)
def test_other_matters_stay_out(said: str) -> None:
    assert left(said, "A:Of course.", "a pink vase") == ["a pink vase"]
    assert left("a pink vase", "A:Which size?", said) == ["a pink vase", "Which size?"]


@pytest.mark.parametrize(
    "said",
    [
        "a pink vase",
        "What about a pink vase?",
        "how about something smaller",
        "do you have vases?",
        "which one of these is made of glass?",
        "I need two vases for my desk",
        "no, taller, and without handles",
        "a man writing a letter",
        "a picture that says 'remind me tomorrow'",
        "someone calling a taxi in the rain",
        "a book on a table",
        "it is for my mother",
    ],
)
def test_what_is_about_pictures_stays(said: str) -> None:
    assert left("a vase", said) == ["a vase", said]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Write a poem for Ann. Then find me a pink vase.", "Then find me a pink vase."),
        ("my mail is ann@example.com, show me a pink vase", "show me a pink vase"),
        (
            "I'm looking for a pink vase. What is the capital of Peru?",
            "I'm looking for a pink vase.",
        ),
        ("a pink vase, send it to ann.b@example.co.uk", "a pink vase, send it to"),
    ],
)
def test_what_is_about_pictures_stays_of_a_mixed_message(said: str, kept: str) -> None:
    assert left(said) == [kept]


def test_what_goes_on_with_another_matter_stays_out_too() -> None:
    talk = ["Write a short text about our cafe", "A:We love coffee.", "make it funnier", "A:Ha!"]

    assert left(*talk, "find a pink vase", "A:Here.", "make it blue") == [
        "find a pink vase",
        "Here.",
        "make it blue",
    ]


def test_where_nothing_else_is_left_the_last_message_is_searched_for() -> None:
    assert left("tell me a joke", "A:No.", "who is this, ann@example.com?") == ["who is this, ?"]


@pytest.mark.parametrize(
    "private",
    ["ann.b+x@mail.example.org", "+49 (0)170 123 45 67", "4111 1111 1111 1111", "030/1234567"],
)
def test_what_is_private_is_taken_out(private: str) -> None:
    assert without_private(f"a vase {private} in pink") == "a vase in pink"
    assert private not in " ".join(left(f"a vase {private}", f"is it {private}?"))


@pytest.mark.parametrize(
    "said", ["a number 7 shirt", "2 dogs, 3 cats", "from 2019 to 2021", "1,200 px"]
)
def test_numbers_of_things_stay(said: str) -> None:
    assert without_private(said) == said


@given(st.lists(st.text(max_size=60), max_size=6))
def test_any_conversation_is_read(texts: list[str]) -> None:
    turns = [Turn("user", text) for text in texts]

    kept = about_pictures(turns)

    assert len(kept) <= len(turns)
    assert any(turn.text for turn in kept) or not any(without_private(t.text) for t in turns)
