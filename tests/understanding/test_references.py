from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dar_retriever.conversation.dialogue import Dialogue, Turn
from dar_retriever.reformulation import Reformulation, RuleReformulator
from dar_retriever.reformulation.english.changes import changes_in
from dar_retriever.reformulation.english.sayings import Saying, sayings
from dar_retriever.reformulation.references import with_captions

RULES = RuleReformulator(lambda text: len(text.split()))
PICTURE = Image.new("RGB", (4, 4))
CAPTION = "a red dress, white dots, long sleeves, sky background"

_PHRASES = st.sampled_from(
    [
        *("like this", "the same", "similar ones", "but", "and", "with", "without", "in", "on a"),
        *("not", "instead of", "rather than", "the", "make it", "no", "change", "red", "dots"),
        *(",", ".", ";", ", and", "; ", "LIKE", "Andes", "inside", "a-b", "\n", "…"),
    ]
)
_WORDS = st.text(max_size=120) | st.lists(_PHRASES, max_size=20).map(" ".join)


def meant(words: str, *captions: str) -> Reformulation:
    """What the rules make of one reference with words."""
    return RULES.reformulate(with_captions(Dialogue().say(words, PICTURE), captions))


def said(words: str) -> list[str]:
    """What the rules read where words come with a reference."""
    (entry,) = Dialogue().say(words, PICTURE).rounds()
    return [saying.text for saying in sayings(entry)]


def texts(dialogue: Dialogue) -> list[str]:
    return [turn.text for turn in dialogue.turns]


def words_in(text: str) -> list[str]:
    return re.findall(r"\w+", text)


@pytest.mark.parametrize(
    ("words", "clauses"),
    [
        # Nothing but the reference.
        ("", []),
        ("  ", []),
        ("like this", []),
        ("Like this one.", []),
        ("something like this", []),
        ("exactly like that, but", []),
        ("the same thing", []),
        ("similar ones", []),
        # How a reference is named goes.
        ("like this, but in blue", ["in blue"]),
        ("just like these but in blue", ["in blue"]),
        ("one like it, in blue", ["in blue"]),
        ("as this, but blue", ["blue"]),
        ("the same in blue", ["in blue"]),
        ("The same thing, BUT in blue.", ["in blue"]),
        ("similar ones but in blue", ["in blue"]),
        ("but in blue", ["in blue"]),
        # Several changes.
        ("like this, but in blue and without the belt", ["in blue", "without the belt"]),
        (
            "the same, but with teal dots and on a rose background",
            ["with teal dots", "on a rose background"],
        ),
        (
            "similar, but ivory background instead of sky background and blue instead of white",
            ["ivory background instead of sky background", "blue instead of white"],
        ),
        (
            "mint background, not sky background and make it orange",
            ["mint background, not sky background", "make it orange"],
        ),
        ("blue rather than red and long sleeves", ["blue rather than red", "long sleeves"]),
        ("blue instead of the red and striped", ["blue instead of the red", "striped"]),
        ("make it green and with black dots", ["make it green", "with black dots"]),
        ("in blue, with dots, without sleeves", ["in blue", "with dots", "without sleeves"]),
        ("in blue but with dots", ["in blue", "with dots"]),
        ("in blue. With dots.", ["in blue", "With dots"]),
        ("in blue; striped;with dots", ["in blue", "striped", "with dots"]),
        ("with a belt and no collar", ["with a belt", "no collar"]),
        (
            "change the colour to blue and make the dots red",
            ["change the colour to blue", "make the dots red"],
        ),
        ("in blue and change the dots to red", ["in blue", "change the dots to red"]),
        # One change, however it is put.
        ("black and white stripes", ["black and white stripes"]),
        ("with black and white stripes", ["with black and white stripes"]),
        ("blue, not red", ["blue, not red"]),
        ("not blue but green", ["not blue but green"]),
        ("short sleeves, not long sleeves", ["short sleeves, not long sleeves"]),
        # What only begins like it.
        ("likeable and butter yellow", ["likeable and butter yellow"]),
        ("similarly red", ["similarly red"]),
        ("asymmetric", ["asymmetric"]),
        ("red, inside out", ["red, inside out"]),
        ("cups and notes and one", ["cups and notes", "one"]),
    ],
)
def test_what_is_to_change_comes_a_clause_at_a_time(words: str, clauses: list[str]):
    assert changes_in(words) == clauses


@pytest.mark.parametrize(
    ("words", "caption", "excluded"),
    [
        ("", CAPTION, ""),
        ("like this", CAPTION, ""),
        # The colour of the thing itself.
        ("like this, but in blue", "a blue dress, white dots, long sleeves, sky background", ""),
        ("blue", "a blue dress, white dots, long sleeves, sky background", ""),
        ("the same in green", "a green dress, white dots, long sleeves, sky background", ""),
        ("make it green", "a green dress, white dots, long sleeves, sky background", ""),
        (
            "change the colour to blue",
            "a blue dress, white dots, long sleeves, sky background",
            "",
        ),
        (
            "blue instead of red",
            "a blue dress, white dots, long sleeves, sky background",
            "red",
        ),
        ("blue, not red", "a blue dress, white dots, long sleeves, sky background", "red"),
        # What is on it.
        ("with teal dots", "a red dress, teal dots, long sleeves, sky background", ""),
        ("make the dots teal", "a red dress, teal dots, long sleeves, sky background", ""),
        (
            "teal stripes instead of white dots",
            "a red dress, teal stripes, long sleeves, sky background",
            "white dots",
        ),
        (
            "plain instead of white dots",
            "a red dress, plain, long sleeves, sky background",
            "white dots",
        ),
        (
            "short sleeves instead of long sleeves",
            "a red dress, white dots, short sleeves, sky background",
            "long sleeves",
        ),
        (
            "short sleeves rather than long sleeves",
            "a red dress, white dots, short sleeves, sky background",
            "long sleeves",
        ),
        (
            "like this, but mint background, not sky background",
            "a red dress, white dots, long sleeves, mint background",
            "sky background",
        ),
        # Two changes.
        (
            "make it green and with black dots",
            "a green dress, black dots, long sleeves, sky background",
            "",
        ),
        (
            "like this, but in blue and with teal dots",
            "a blue dress, teal dots, long sleeves, sky background",
            "",
        ),
        (
            "like this, but in blue, and with teal dots",
            "a blue dress, teal dots, long sleeves, sky background",
            "",
        ),
        (
            "mint background, not sky background and make it pink",
            "a pink dress, white dots, long sleeves, mint background",
            "sky background",
        ),
        (
            "similar, but ivory background instead of sky background and blue instead of white",
            "a red dress, blue dots, long sleeves, ivory background",
            "sky background, white",
        ),
        # What the caption does not speak of is added.
        ("but with a belt", f"{CAPTION}, a belt", ""),
        ("black and white stripes", f"{CAPTION}, black and white stripes", ""),
    ],
)
def test_the_rules_rewrite_a_references_caption(words: str, caption: str, excluded: str):
    excluded_phrases = tuple(filter(None, excluded.split(", ")))
    assert meant(words, CAPTION) == Reformulation(caption, (caption,), excluded_phrases)


@pytest.mark.parametrize(
    ("words", "caption"),
    [
        ("like this, but in blue", "blue"),
        ("the same, but with teal dots", "teal dots"),
        ("similar, but short sleeves and with dots", "short sleeves, dots"),
        ("like this", ""),
        ("", ""),
    ],
)
def test_without_a_caption_the_changes_are_all_that_is_said(words: str, caption: str):
    assert meant(words).caption == caption


def test_a_reference_is_changed_in_several_turns():
    dialogue = Dialogue().say("like this, but in blue", PICTURE).say("make the dots teal")

    made = RULES.reformulate(with_captions(dialogue, [CAPTION]))

    assert made.caption == "a blue dress, teal dots, long sleeves, sky background"


def test_a_caption_comes_before_the_words_of_its_own_turn():
    dialogue = Dialogue.from_text("a dress").say("like this, but in blue and with dots", PICTURE)

    told = with_captions(dialogue.say("wet"), ["a red dress"])

    assert told.turns == (
        Turn("user", "a dress"),
        Turn("user", "a red dress"),
        dialogue.turns[1],
        Turn("user", "wet"),
    )


def test_several_images_of_a_turn_are_all_told_before_its_words():
    dialogue = Dialogue().say("in blue", PICTURE, PICTURE)

    told = with_captions(dialogue, ["a dress", "a hat"])

    assert texts(told) == ["a dress", "a hat", "in blue"]
    assert told.turns[-1] == dialogue.turns[0]
    assert told.images == dialogue.images


def test_images_of_several_turns_are_each_told_before_their_own():
    dialogue = (
        Dialogue()
        .say("in blue", PICTURE, PICTURE)
        .ask("is it a dress?")
        .say("yes")
        .say("with dots", PICTURE)
        .say("", PICTURE)
    )

    assert texts(with_captions(dialogue, ["one", "two", "three", "four"])) == [
        *("one", "two", "in blue", "is it a dress?", "yes", "three", "with dots", "four", "")
    ]


def test_words_beside_a_reference_are_read_a_change_at_a_time():
    assert said("like this, but in blue and with dots") == [
        "actually, in blue",
        "actually, with dots",
    ]
    assert said("without the belt, no dots") == ["no belt", "no dots"]
    many = said(" and ".join(f"with thing {n}" for n in range(20)))
    assert len(many) == 16
    assert many[-1].endswith("with thing 19")
    assert said("like this") == said("") == []
    (entry,) = Dialogue.from_text("like this, but in blue").rounds()
    assert sayings(entry) == [Saying("", "but in blue")]


def test_the_first_change_answers_what_was_asked():
    (entry,) = Dialogue().ask("which colour?").say("in blue and with dots", PICTURE).rounds()

    assert sayings(entry) == [
        Saying("which colour?", "actually, in blue"),
        Saying("", "actually, with dots"),
    ]


def test_a_caption_comes_before_what_was_asked():
    liked = Turn("user", "like this, but in blue and with dots", like=(PICTURE,), unlike=(PICTURE,))
    asked = Turn("assistant", "like this, but in blue and with dots?")
    shown = Turn("user", "in red", images=(PICTURE,))

    told = with_captions(Dialogue((liked, asked, shown)), ["a hat"])

    assert told.turns == (liked, Turn("user", "a hat"), asked, shown)


def test_a_caption_answers_no_question():
    dialogue = Dialogue().ask("what colour is it?").say("like this", PICTURE)
    dialogue = dialogue.ask("which colour?").say("blue")

    assert (
        RULES.reformulate(with_captions(dialogue, ["a red dress"])).caption == "a red dress, blue"
    )


@pytest.mark.parametrize(
    ("words", "caption", "negative"),
    [
        ("on a mint background", "a red dress, white dots, long sleeves, mint background", ""),
        ("with short sleeves", "a red dress, white dots, short sleeves, sky background", ""),
        ("without the dots", "a red dress, long sleeves, sky background", "dots"),
        ("no sleeves", "a red dress, white dots, sky background", "sleeves"),
        ("no belt", CAPTION, "belt"),
        ("not red", "a dress, white dots, long sleeves, sky background", "red"),
        ("no, in blue", "a blue dress, white dots, long sleeves, sky background", ""),
        ("in teal and plain", "a teal dress, white dots, long sleeves, sky background, plain", ""),
    ],
)
def test_a_change_takes_the_place_of_what_it_changes(words: str, caption: str, negative: str):
    made = meant(words, CAPTION)

    assert (made.caption, made.negative_prompt) == (caption, negative)


@pytest.mark.parametrize(
    "words", ["with a", "on the", "in", "a", "no", "not", "without", "and and"]
)
def test_words_that_change_nothing_do_not_fail(words: str):
    assert meant(words, CAPTION).caption.startswith("a red dress, white dots")


def test_a_dialogue_without_references_is_the_same():
    dialogue = Dialogue.from_text("like this, but blue", "d1").ask("and dots?").say("no")

    assert with_captions(dialogue, []) == dialogue
    assert with_captions(Dialogue(), []) == Dialogue()


@given(turns=st.lists(st.tuples(_WORDS, st.integers(0, 3)), max_size=5), captioned=st.booleans())
def test_a_dialogue_with_captions_is_the_same_and_some_turns_more(
    *, turns: list[tuple[str, int]], captioned: bool
):
    dialogue = Dialogue(id="d7")
    for words, images in turns:
        dialogue = dialogue.say(words, *[PICTURE] * images)
    captions = [f"caption {n}" for n in range(len(dialogue.images))] if captioned else []
    before = dialogue.turns

    told = with_captions(dialogue, captions)

    assert told.id == "d7"
    assert [text for text in texts(told) if text in captions] == captions
    assert tuple(turn for turn in told.turns if turn.text not in captions) == before
    assert dialogue.turns == before
    RULES.reformulate(told)


@given(_WORDS)
def test_any_words_give_clauses_of_these_words_in_their_order(words: str):
    text = Turn("user", words).text

    clauses = changes_in(text)

    assert all(clause == clause.strip(" ,.;") != "" for clause in clauses)
    left = iter(words_in(text))
    assert all(word in left for word in words_in(" ".join(clauses)))


@given(_WORDS)
def test_words_in_any_form_do_not_break_the_clauses(words: str):
    clauses = changes_in(words)

    assert all(clauses)
    assert len(words_in(" ".join(clauses))) <= len(words_in(words))


@pytest.mark.parametrize(
    "words",
    [
        "not a b and " * 5000,
        "like this " * 5000,
        ", and" * 5000,
        ", but with" * 5000,
        "instead of " * 5000,
        "just exactly " * 5000,
        "but " * 10000,
        ", " * 20000 + "x",
        "; " * 20000,
        "not " + "a-" * 20000,
        "a" + " " * 50000 + "b",
    ],
    ids=lambda words: words[:12],
)
def test_hostile_words_are_taken_apart_at_once(words: str):
    dialogue = Dialogue().say(words, PICTURE)
    began = time.perf_counter()

    RULES.reformulate(with_captions(dialogue, [CAPTION]))

    assert time.perf_counter() - began < 2
