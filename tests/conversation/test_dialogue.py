from __future__ import annotations

import base64
import dataclasses
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dar_retriever.conversation.dialogue import Dialogue, Turn
from dar_retriever.errors import EmptyDialogueError, InvalidImageError, InvalidInputError

RED = (200, 10, 20)


def picture(mode: str = "RGB", colour: Any = RED) -> Image.Image:
    return Image.new(mode, (6, 4), colour)


def data_url(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def texts(dialogue: Dialogue) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for turn in dialogue.turns]


def user_message(*parts: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


def test_a_text_is_one_turn_of_the_user():
    dialogue = Dialogue.from_text("a red dress", id="7")

    assert texts(dialogue) == [("user", "a red dress")]
    assert (dialogue.id, dialogue.round) == ("7", 0)


def test_whitespace_is_normalised():
    assert Turn("user", "  a\tred\n\n dress ").text == "a red dress"


def test_a_turn_has_one_of_two_roles():
    with pytest.raises(InvalidInputError, match="role='system'"):
        Turn("system", "be brief")


def test_the_text_of_a_turn_is_a_string():
    with pytest.raises(InvalidInputError, match="text=5"):
        Turn("user", 5)


@pytest.mark.parametrize("value", ["dress.png", b"bytes", None, 3])
def test_what_is_no_image_is_refused(value: object):
    with pytest.raises(InvalidImageError, match="not a PIL image"):
        Turn("user", "this", (value,))
    with pytest.raises(InvalidImageError, match="not a PIL image"):
        Turn("user", "this", unlike=(value,))
    with pytest.raises(InvalidImageError, match="not a PIL image"):
        Dialogue().say("not this", unlike=[picture(), value])


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 80, (80, 80, 80)),
        ("RGBA", (200, 10, 20, 0), (255, 255, 255)),
        ("RGBA", (200, 10, 20, 255), RED),
        ("CMYK", (0, 0, 0, 255), (0, 0, 0)),
        ("1", 1, (255, 255, 255)),
    ],
)
def test_images_become_rgb(mode: str, colour: Any, expected: tuple[int, int, int]):
    turn = Turn("user", images=(picture(mode, colour),), unlike=(picture(mode, colour),))

    for image in (*turn.images, *turn.unlike):
        assert image.mode == "RGB"
        assert image.getpixel((2, 2)) == expected
    assert len(turn.images) == len(turn.unlike) == 1


def test_turns_and_dialogues_are_immutable():
    dialogue = Dialogue.from_text("a dress")

    with pytest.raises(dataclasses.FrozenInstanceError):
        dialogue.turns = ()
    with pytest.raises(dataclasses.FrozenInstanceError):
        dialogue.turns[0].text = "a hat"


def test_adding_a_turn_gives_a_new_dialogue():
    first = Dialogue.from_text("a dress", id="7")
    asked = first.ask("red?")
    said = asked.say("yes", picture())

    assert texts(first) == [("user", "a dress")]
    assert texts(asked) == [*texts(first), ("assistant", "red?")]
    assert texts(said) == [*texts(asked), ("user", "yes")]
    assert len(said.images) == 1
    assert {first.id, asked.id, said.id} == {"7"}


def test_messages_with_string_content():
    dialogue = Dialogue.from_messages(
        [
            {"role": "user", "content": "a dress"},
            {"role": "assistant", "content": "Which colour?"},
            {"role": "user", "content": "red"},
        ]
    )

    assert texts(dialogue) == [
        ("user", "a dress"),
        ("assistant", "Which colour?"),
        ("user", "red"),
    ]


@pytest.mark.parametrize("role", ["system", "developer", "tool", "function"])
def test_messages_of_the_machinery_are_left_out(role: str):
    messages = [{"role": role, "content": object()}, {"role": "user", "content": "a dress"}]

    assert texts(Dialogue.from_messages(messages)) == [("user", "a dress")]


@pytest.mark.parametrize("content", [None, "", "  ", []])
def test_a_message_without_content_is_left_out(content: object):
    messages = [{"role": "assistant", "content": content, "tool_calls": [{}]}]

    assert Dialogue.from_messages(messages).turns == ()
    assert Dialogue.from_messages([{"role": "user"}]).turns == ()


def test_text_parts_are_joined():
    parts = [{"type": "text", "text": "a red"}, {"type": "input_text", "text": "dress"}]

    assert texts(Dialogue.from_messages(user_message(*parts))) == [("user", "a red dress")]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": data_url(picture())}},
        {"type": "input_image", "image_url": data_url(picture())},
    ],
    ids=["nested", "flat"],
)
def test_image_parts_are_decoded(part: dict[str, Any]):
    dialogue = Dialogue.from_messages(user_message({"type": "text", "text": "like this"}, part))

    (image,) = dialogue.images
    assert image.size == (6, 4)
    assert image.getpixel((0, 0)) == RED
    assert dialogue.turns[0].text == "like this"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/dress.png",
        "file:///etc/passwd",
        "data:text/plain;base64,aGk=",
        "data:image/png;base64,???",
        "data:image/png;base64,aGk=",
        "",
        None,
        {},
        {"url": None},
    ],
)
def test_other_urls_are_refused(url: object):
    with pytest.raises(InvalidImageError):
        Dialogue.from_messages(user_message({"type": "image_url", "image_url": url}))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"role": "narrator", "content": "a dress"}, "role='narrator'"),
        ({"content": "a dress"}, "role=None"),
        ({"role": ["user"], "content": "a dress"}, "role="),
        ({"role": "user", "content": 5}, "content=5"),
        ({"role": "user", "content": ["a dress"]}, "part of type None"),
        ({"role": "user", "content": [{"type": "audio"}]}, "part of type 'audio'"),
        ({"role": "user", "content": [{"type": "text"}]}, "text=None"),
        ({"role": "user", "content": [{"type": "text", "text": 5}]}, "text=5"),
        ("a dress", "not a dict"),
    ],
)
def test_a_message_of_another_form_is_refused_by_its_number(message: Any, reason: str):
    with pytest.raises(InvalidInputError, match=reason) as caught:
        Dialogue.from_messages([{"role": "user", "content": "hello"}, message])
    assert "message 1" in str(caught.value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "image_url", "url"]),
            inner | st.sampled_from(["text", "image_url"]),
            max_size=3,
        )
    ),
    max_leaves=8,
)
_MESSAGES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={"role": st.sampled_from(["user", "assistant", "tool"]) | _JSON, "content": _JSON},
    ),
    max_size=4,
)


@given(_MESSAGES)
def test_any_messages_parse_or_raise_invalid_input(messages: list[dict[str, Any]]):
    try:
        dialogue = Dialogue.from_messages(messages)
    except InvalidInputError:
        return
    assert len(dialogue.turns) <= len(messages)
    assert all(turn.text or turn.images for turn in dialogue.turns)


@pytest.mark.parametrize("entry", ["is it red? yes, very", ("is it red?", "yes, very")])
def test_visdial_rounds_are_strings_or_pairs(entry: Any):
    dialogue = Dialogue.from_visdial(["a dress on a chair", entry], id="12")

    assert texts(dialogue) == [
        ("user", "a dress on a chair"),
        ("assistant", "is it red?"),
        ("user", "yes, very"),
    ]
    assert (dialogue.id, dialogue.round) == ("12", 1)


def test_a_visdial_round_without_a_question_is_an_answer():
    assert texts(Dialogue.from_visdial(["a dress", "it is red"])) == [
        ("user", "a dress"),
        ("user", "it is red"),
    ]


@pytest.mark.parametrize(
    "rounds", [[], [("is it red?", "yes")], [None], "a dress", ["a dress", 5], ["a dress", ("a",)]]
)
def test_other_visdial_forms_are_refused(rounds: Any):
    with pytest.raises(InvalidInputError):
        Dialogue.from_visdial(rounds)


def test_whatever_can_be_searched_with_becomes_a_dialogue():
    dialogue = Dialogue.from_text("a dress")

    assert Dialogue.of(dialogue) is dialogue
    assert Dialogue.of("a dress") == dialogue
    assert Dialogue.of([{"role": "user", "content": "a dress"}]) == dialogue
    assert Dialogue.of(picture()).images[0].getpixel((0, 0)) == RED


@pytest.mark.parametrize("value", [None, 5, b"a dress", ["a dress"], {"role": "user"}, object()])
def test_what_cannot_be_searched_with_is_refused(value: Any):
    with pytest.raises(InvalidInputError, match="not a dialogue"):
        Dialogue.of(value)


def test_rounds_count_answers():
    dialogue = Dialogue()
    assert dialogue.round == 0
    dialogue = dialogue.say("a dress")
    assert dialogue.round == 0
    dialogue = dialogue.ask("red?")
    assert dialogue.round == 0
    assert dialogue.say("yes").round == 1


def test_the_state_after_n_answers_ends_with_an_answer():
    dialogue = Dialogue.from_visdial(["d0", "q1? a1", "q2? a2"], id="7").ask("q3?")

    # Round 3 has no answer yet: what is asked for it is the whole dialogue.
    ends = [dialogue.at_round(n).turns[-1].text for n in range(4)]

    assert ends == ["d0", "a1", "a2", "q3?"]
    assert dialogue.at_round(1).id == "7"


def test_rounds_are_not_negative():
    with pytest.raises(InvalidInputError, match="n=-1"):
        Dialogue.from_text("a dress").at_round(-1)


_TURNS = st.lists(
    st.builds(Turn, st.sampled_from(["user", "assistant"]), st.text(max_size=5)), max_size=8
)


@given(_TURNS, st.integers(0, 10))
def test_the_state_at_a_round_has_that_round(turns: list[Turn], n: int):
    dialogue = Dialogue(tuple(turns))

    state = dialogue.at_round(n)

    assert state.round == min(n, dialogue.round)
    assert state.turns == dialogue.turns[: len(state.turns)]


def test_several_questions_are_paired_with_one_answer():
    dialogue = (
        Dialogue.from_text("a dress").ask("red?").ask("or blue?").say("blue").say("long").ask("ok?")
    )

    assert [(entry.question, entry.answer.text) for entry in dialogue.rounds()] == [
        ("", "a dress"),
        ("red? or blue?", "blue"),
        ("", "long"),
    ]


def test_only_what_the_user_showed_counts_as_shown():
    first, second = picture(colour=(1, 1, 1)), picture(colour=(2, 2, 2))
    theirs = Turn("assistant", images=(picture(),))
    dialogue = Dialogue((theirs,)).say("like this", first).say("and this", second)

    assert [image.getpixel((0, 0))[0] for image in dialogue.images] == [1, 2]


def test_what_the_user_turned_down_is_kept_apart():
    first, second, liked = (picture(colour=(n, n, n)) for n in (1, 2, 3))
    theirs = Turn("assistant", unlike=(picture(),))
    dialogue = Dialogue((theirs,)).say("not this", unlike=[first])
    dialogue = dialogue.say("nor this, rather that", liked, unlike=(second,))

    assert [image.getpixel((0, 0))[0] for image in dialogue.unlike] == [1, 2]
    assert [image.getpixel((0, 0))[0] for image in dialogue.images] == [3]
    assert dialogue.at_round(0).images == ()
    assert Dialogue.from_text("a dress").unlike == ()


@pytest.mark.parametrize(
    "dialogue",
    [
        Dialogue(),
        Dialogue.from_text(" \n"),
        Dialogue().ask("what do you want?"),
        Dialogue().say(unlike=[picture()]),
    ],
)
def test_a_dialogue_without_a_word_of_the_user_is_empty(dialogue: Dialogue):
    with pytest.raises(EmptyDialogueError, match="describe the wanted image"):
        dialogue.require_content()


@pytest.mark.parametrize("dialogue", [Dialogue.from_text("x"), Dialogue.of(picture())])
def test_a_word_or_an_image_is_content_enough(dialogue: Dialogue):
    dialogue.require_content()
