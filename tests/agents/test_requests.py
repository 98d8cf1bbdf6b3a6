"""What a request means beside what was said."""

from __future__ import annotations

import pytest
from PIL import Image

from dar_retriever.agents import Conversation, SearchCall
from dar_retriever.conversation.dialogue import Dialogue, Turn
from dar_retriever.reformulation.base import Reformulation
from dar_retriever.reformulation.rules import RuleReformulator
from dar_retriever.stores.hits import Hit

Said = str | SearchCall | Turn


class NothingStored:
    """A store whose hits are all gone."""

    def get(self, ids: list[str]) -> list[Hit]:
        return []


def asked(request: str) -> SearchCall:
    return SearchCall(request=request)


def a(text: str) -> Turn:
    return Turn("assistant", text)


def dialogue(happened: list[Said], request: str) -> Dialogue:
    conversation = Conversation()
    for said in happened:
        conversation = conversation.after(Turn("user", said) if isinstance(said, str) else said)
    return conversation.asking(request).dialogue(request, NothingStored())[0]


def understood(happened: list[Said], request: str = "") -> Reformulation:
    return RuleReformulator().reformulate(dialogue(happened, request))


BOTH = "Could you find a purple vase and an orange teapot?"
SHOP = (
    "We are opening a flower shop with white chairs and a brown desk. I need a green vase for the "
    "window."
)


@pytest.mark.parametrize(
    ("happened", "request_", "caption"),
    [
        ([BOTH], "purple vase", "purple vase"),
        ([BOTH], "an orange teapot", "an orange teapot"),
        ([BOTH, asked("purple vase")], "orange teapot", "orange teapot"),
        ([BOTH, asked("purple vase"), asked("orange teapot")], "purple vase", "purple vase"),
        ([SHOP], "green vase", "green vase"),
        (["a walrus beside a bagpipe"], "bagpipe", "bagpipe"),
        (["a blue dress with long sleeves", asked("blue dress")], "dress", "dress"),
        (["a blue dress with long sleeves"], "blue dress", "blue dress"),
        (["something for my uncle, he fishes a lot"], "straw hat", "straw hat"),
        (["a red armchair", asked("red armchair")], "crimson chair", "crimson chair"),
        (["a red vase", asked("red vase"), "a black dress"], "a black dress", "a black dress"),
        (["a vase", "with flowers on it", "turn it white"], "white vase", "white vase"),
    ],
    ids=str,
)
def test_a_request_that_names_a_thing_is_what_is_searched_for(
    happened: list[Said], request_: str, caption: str
) -> None:
    assert understood(happened, request_).caption == caption


@pytest.mark.parametrize(
    ("happened", "request_", "caption"),
    [
        (["a vase", asked("vase"), "in pink please"], "pink", "a vase, in pink"),
        (["a purple vase", asked("purple vase"), "make it green"], "green", "a green vase"),
        (["a purple vase", asked("purple vase"), "in green"], "make it green", "a green vase"),
        ([BOTH, asked("orange teapot"), "rather a yellow one"], "yellow", "yellow teapot"),
        (["a sofa", a("Is it leather?"), "yes"], "", "a sofa, leather"),
        (
            ["a cat on a sofa", asked("cat on a sofa"), "there should be a window behind it"],
            "window behind it",
            "a cat on a sofa, a window behind it",
        ),
        (
            ["a man", asked("a man"), a("What is he wearing?"), "a black hat"],
            "black hat",
            "a man, a black hat",
        ),
    ],
    ids=str,
)
def test_a_request_that_says_what_changes_changes_what_was_said(
    happened: list[Said], request_: str, caption: str
) -> None:
    assert understood(happened, request_).caption == caption


def test_a_request_for_the_same_thing_keeps_what_was_ruled_out_and_demanded() -> None:
    shown = Turn("user", "like this", (Image.new("RGB", (8, 8)),))
    happened = ["a lamp without a shade, under 40 euros", asked("lamp"), shown, "in copper"]

    made = dialogue(happened, "copper lamp")

    reformulation = RuleReformulator().reformulate(made)
    assert reformulation.caption == "copper lamp"
    assert "shade" in " ".join(reformulation.exclusions)
    assert [condition.value for condition in reformulation.conditions] == [40]
    assert len(made.images) == 1
    assert RuleReformulator().reformulate(dialogue(happened, "a boat")).exclusions == ()


def test_two_requests_are_two_searches() -> None:
    happened: list[Said] = ["a green chair", asked("green chair"), "with armrests"]
    requests = ["green chair", "green chair with armrests", "chair", "with armrests", "red"]

    captions = [understood(happened, request).caption for request in requests]

    assert captions[1] in ("green chair with armrests", captions[3])
    assert len({captions[0], captions[1], captions[2], captions[4]}) == 4
    for request, caption in zip(requests, captions, strict=True):
        assert set(request.removeprefix("with ").split()) - {"with"} <= set(
            caption.replace(",", "").split()
        )


def test_in_another_language_a_part_of_what_was_said_is_meant_too() -> None:
    happened: list[Said] = ["Ich suche eine gelbe Tasse und einen schwarzen Hut für den Winter"]

    assert understood(happened, "gelbe Tasse").caption == "gelbe tasse"
    assert "Hut" in understood(happened).caption


@pytest.mark.parametrize(
    "found",
    [
        "found purple vase, white dots, tall neck, on a shelf",
        "I found a purple vase with white dots. It has a tall neck.",
        "Here are three: a purple vase, a pink vase with dots, a tall one",
        "Image 1: purple vase, white dots\nImage 2: pink vase",
        "A purple vase with white dots and a tall neck - like that?",
    ],
)
def test_what_the_assistant_says_it_found_takes_no_word_of_the_user_away(found: str) -> None:
    happened = ["a purple vase", a(found), "with white dots", a(found), "make it green"]

    assert understood(happened).caption == "a green vase, white dots"
    assert understood(happened, "make it green").caption == "a green vase, white dots"
