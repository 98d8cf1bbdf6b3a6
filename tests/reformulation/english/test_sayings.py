from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dar_retriever.conversation.dialogue import Dialogue, Turn
from dar_retriever.reformulation.english.framing import plain
from dar_retriever.reformulation.english.sayings import Saying, sayings

PICTURE = Image.new("RGB", (4, 4))

_PHRASES = st.sampled_from(
    [
        *("a dog", "red", "nice", "good", "thanks", "but", "and", "no", "not", "yes", "too dark"),
        *("without", "remove the", "get rid of", "i don't want", "people", "it's", "there is"),
        *("start over", "never mind", "now", "show me", "a", "the", "in it", "make it", "maybe"),
        *(",", ".", "!", "?", ";", ":", "-", "no.", "'", "…"),
    ]
)
_WORDS = st.text(max_size=120) | st.lists(_PHRASES, max_size=24).map(" ".join)


def said(text: str, question: str = "", *, images: tuple[Image.Image, ...] = ()) -> list[Saying]:
    """What the rules read in a text that follows a question, if any."""
    dialogue = Dialogue().ask(question) if question else Dialogue()
    (entry,) = dialogue.say(text, *images).rounds()
    return sayings(entry)


def texts(text: str, question: str = "") -> list[str]:
    """The words of what is said, where there are any."""
    return [saying.text for saying in said(text, question) if saying.text]


def begins_anew(text: str, question: str = "") -> bool:
    return any(saying.anew for saying in said(text, question))


def words_in(text: str) -> list[str]:
    return re.findall(r"\w+", text)


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("a dog on a beach", ["a dog on a beach"]),
        ("A Dog.", ["a dog"]),
        ("a dog\n  on a\tbeach", ["a dog on a beach"]),
        # Sentences.
        ("A dog. On a beach.", ["a dog", "on a beach"]),
        ("a dog! with a hat?", ["a dog", "with a hat"]),
        ("a dog; a cat ;a bird", ["a dog", "a cat ;a bird"]),
        ("a dog... a cat", ["a dog", "a cat"]),
        ("a 3.5 inch disk", ["a 3.5 inch disk"]),
        ("a bottle of no. 5 perfume", ["a bottle of no. 5 perfume"]),
        # Clauses of their own.
        ("it's red, and it has a belt", ["it's red", "it has a belt"]),
        ("it is long and there are dots", ["it is long", "there are dots"]),
        ("it's red and the belt is white", ["it's red", "the belt is white"]),
        (
            "it's long, but the sleeves should be short",
            ["it's long", "the sleeves should be short"],
        ),
        (
            "red, they must be dry, his hat has to be old",
            ["red", "they must be dry", "his hat has to be old"],
        ),
        ("a dog, maybe with a hat", ["a dog", "maybe with a hat"]),
        ("a dog and perhaps a cat", ["a dog", "perhaps a cat"]),
        ("make it red and make the belt white", ["make it red", "make the belt white"]),
        ("a dress, and also make it red", ["a dress", "make it red"]),
        ("a dress, i want a belt", ["a dress", "i want a belt"]),
        # What explains a yes or no stays with it.
        ("no, it is green", ["no, it is green"]),
        ("yes, there are dots and they are red", ["yes, there are dots", "they are red"]),
        # One clause, however many commas and joints.
        ("a man and his dog in a park", ["a man and his dog in a park"]),
        ("a woman with long, brown hair", ["a woman with long, brown hair"]),
        ("black and white stripes", ["black and white stripes"]),
        ("a dog and a cat, both wet", ["a dog and a cat, both wet"]),
        ("an island, a boat and the sea", ["an island, a boat and the sea"]),
        ("a cat, not a dog", ["a cat, not a dog"]),
    ],
)
def test_free_chat_comes_a_clause_at_a_time(text: str, clauses: list[str]):
    assert texts(text) == clauses
    assert not begins_anew(text)


@pytest.mark.parametrize(
    "text",
    [
        "perfect!",
        "Perfect",
        "nice",
        "ok",
        "thanks",
        "Great, thank you!",
        "thanks, that's the one",
        "thanks, that's the one!",
        "that's perfect, thanks!",
        "these are great",
        "these are not right",
        "much better!",
        "very close",
        "so close!",
        "getting warmer",
        "not quite",
        "looks good",
        "lovely ones",
        "exactly!",
    ],
)
def test_what_is_said_of_results_alone_vanishes(text: str):
    assert texts(text) == []
    assert not begins_anew(text)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("nice ones! but the handle should be round", ["but the handle should be round"]),
        ("closer, but with a window", ["but with a window"]),
        ("that's better, but in blue", ["but in blue"]),
        ("not quite, the handle should be round", ["the handle should be round"]),
        ("good, now make it red", ["now make it red"]),
        ("not bad, but darker", ["but darker"]),
        ("OK, in blue", ["in blue"]),
        ("great - in blue", ["in blue"]),
        ("Great. Thanks! In blue.", ["in blue"]),
        ("nice, but no people", ["no people"]),
        ("great, but without the hat", ["no hat"]),
    ],
)
def test_what_follows_a_reaction_stays(text: str, left: list[str]):
    assert texts(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "nice dress",
        "a nice dress",
        "cool cat with sunglasses",
        "perfect circle on a wall",
        "great dane on a sofa",
        "fine china on a table",
        "right hand of a man",
        "close up of a bee",
        "closer to the camera",
        "nice and clean kitchen",
        "bad hair day",
        "thanksgiving dinner",
        "good luck charm",
        "wrong way sign",
        "almost empty street",
        "beautiful woman",
        "so many people",
        "that old man",
        "these shoes in red",
        "exactly three dogs",
        "quite a few people",
    ],
)
def test_a_description_that_begins_like_a_reaction_stays(text: str):
    assert texts(text) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "without people",
        "without any people",
        "with no people",
        "no people",
        "No people!",
        "no people please",
        "no people at all",
        "no people either",
        "no people in it",
        "no more people",
        "not any people",
        "remove the people",
        "please remove the people",
        "can you remove the people?",
        "delete the people",
        "drop the people",
        "lose the people",
        "hide the people",
        "skip the people",
        "avoid people",
        "exclude people",
        "leave out the people",
        "take away the people",
        "take out these people",
        "get rid of the people",
        "get rid of those people there",
        "minus the people",
        "and no people",
        "but no people",
        "I don't want people",
        "I don\u2019t want people",
        "I do not want any people in it",
        "I don't want to see people",
        "I don't need the people",
        "I don't like the people",
        "don't show people",
        "don't show me any people",
        "I want no people",
        "there should be no people",
        "there should not be any people",
        "there shouldn't be people",
        "it must not have people",
        "it must not show people in it",
    ],
)
def test_what_is_not_wanted_is_said_with_no(text: str):
    assert texts(text) == ["no people"]


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        # Several at once.
        ("without people and cars", ["no people", "no cars"]),
        ("without people or cars", ["no people", "no cars"]),
        ("no cars or people", ["no cars", "no people"]),
        ("remove people and cars", ["no people", "no cars"]),
        ("no people, no cars", ["no people", "no cars"]),
        ("no text, no logo and no people", ["no text", "no logo", "no people"]),
        ("No people. No cars.", ["no people", "no cars"]),
        ("no people; no cars", ["no people", "no cars"]),
        # More than a word.
        ("no long sleeves", ["no long sleeves"]),
        ("get rid of the red car", ["no red car"]),
        # Within what is wanted.
        ("a street without people", ["a street", "no people"]),
        ("a street without people and cars", ["a street", "no people", "no cars"]),
        ("a street with no people", ["a street", "no people"]),
        ("a beach, no people", ["a beach", "no people"]),
        ("a beach but no people", ["a beach", "no people"]),
        ("a beach and no people", ["a beach", "no people"]),
        ("a beach with no people and no dogs", ["a beach", "no people", "no dogs"]),
        ("i want a room, but i don't want any chairs in it", ["i want a room", "no chairs"]),
        ("remove the hat and make it red", ["no hat", "make it red"]),
        # Too much of something.
        ("too many people", ["no people"]),
        ("too much text", ["no text"]),
        ("anything but red", ["no red"]),
        ("too dark", ["no dark"]),
        ("it's too dark", ["no dark"]),
        ("these are too dark", ["no dark"]),
        ("they look too old", ["no old"]),
        ("a bit too dark", ["no dark"]),
        ("way too bright", ["no bright"]),
        ("this is too dark, make it red", ["no dark", "make it red"]),
    ],
)
def test_what_is_not_wanted_comes_apart_from_what_is(text: str, clauses: list[str]):
    assert texts(text) == clauses


@pytest.mark.parametrize(
    "text",
    [
        "too many",
        "no, a hat",
        "no it's red",
        "no longer red",
        "a drop of water",
        "a plane about to take off",
        "a person losing a hat",
        "avoiding traffic",
        "a girl hiding",
        "nothing but a chair",
        "a no parking sign",
        "removed tiles",
        "without",
        "remove",
        "no",
    ],
)
def test_what_only_sounds_like_it_rules_nothing_out(text: str):
    assert texts(text) == [text.lower()]


@pytest.mark.parametrize(
    "text",
    [
        "start over",
        "Start over.",
        "start over please",
        "please start over",
        "let's start over",
        "Let\u2019s start again!",
        "sorry, start over",
        "no, start over",
        "no no, start over",
        "ok, start over",
        "can we start over?",
        "can you start over please",
        "I want to start over",
        "I'd like to start over",
        "start anew",
        "start afresh",
        "start from scratch",
        "from scratch",
        "let's begin again",
        "reset",
        "new search",
        "a new search",
        "let's do a new search",
        "new topic",
        "new subject",
        "a different subject",
        "a completely different topic",
        "forget it",
        "forget that",
        "forget it all",
        "forget everything",
        "forget about it",
        "forget all that",
        "forget all of that",
        "forget what I said",
        "scrap that",
        "scrap everything",
        "change of plans",
        "change of subject",
        "something completely different",
        "something totally different",
        "another picture entirely different",
        "show me something else",
        "show me something different",
        "now show me something else",
        "find me something different",
        "let's look for something else",
    ],
)
def test_a_new_subject_is_announced(text: str):
    (saying,) = said(text)
    assert saying == Saying("", "", anew=True)


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("start over: a red car", "a red car"),
        ("start over, a red car", "a red car"),
        ("start over with a red car", "a red car"),
        ("ok, start over now with a red car", "a red car"),
        ("Start over. A red car.", "a red car"),
        ("start over! a red car", "a red car"),
        ("start over - a red car", "a red car"),
        ("new search: a red car", "a red car"),
        ("new search please: cars", "cars"),
        ("new subject: dogs", "dogs"),
        ("forget it, a red car", "a red car"),
        ("forget it. a red car", "a red car"),
        ("change of plan: a dog", "a dog"),
        ("something completely different: a dog", "a dog"),
        ("now find me a dog", "a dog"),
        ("now show me a dog on a beach", "a dog on a beach"),
        ("Now show me pictures of cats", "pictures of cats"),
        ("thanks, now find me a red car", "a red car"),
        ("now search for a cat", "a cat"),
        ("now look for two dogs", "two dogs"),
        ("now I'm looking for a dog", "a dog"),
        ("next, find me a dog", "a dog"),
        ("instead show me a cat", "a cat"),
        ("never mind, show me a cat", "a cat"),
        ("nevermind. find a cat", "a cat"),
        ("never mind. show me a dog", "a dog"),
        ("Never mind! I need a red car", "a red car"),
    ],
)
@pytest.mark.parametrize("question", ["", "What colour is it?", "How about these?"])
def test_a_new_subject_is_named_at_once(text: str, subject: str, question: str):
    assert begins_anew(text, question)
    assert texts(text, question) == [subject]
    assert {saying.question for saying in said(text, question)} == {""}


@pytest.mark.parametrize(
    "text",
    [
        # Nothing that is told apart from the subject so far.
        "something else",
        "something different",
        "something else please",
        "never mind the colour",
        "never mind",
        "another one",
        # The same subject still.
        "show me a cat",
        "now make it red",
        "now with a hat",
        "now show me one with a red collar",
        "now show me the same in blue",
        "now show me the dog",
        "now show me photos of the same dog",
        "next to a house",
        # Things in pictures.
        "forget-me-nots on a meadow",
        "forget me nots",
        "a reset button on a wall",
        "the new search engine's logo",
        "scrap metal yard",
        "start line of a race",
        "a man who starts over",
        "change of clothes",
        "a change of plans sign",
        "never mind the bollocks poster",
        "newsubject",
        "",
    ],
)
@pytest.mark.parametrize("question", ["", "What is it?", "Is it a hat or something else?"])
def test_what_only_sounds_like_it_begins_no_new_subject(text: str, question: str):
    assert not begins_anew(text, question)


def test_a_new_subject_may_come_in_any_sentence():
    assert said("a cat. start over. a dog") == [
        Saying("", "a cat"),
        Saying("", "", anew=True),
        Saying("", "a dog"),
    ]
    assert said("red. now show me a cat", "what colour is it?") == [
        Saying("what colour is it?", "red"),
        Saying("", "a cat", anew=True),
    ]


def test_a_new_subject_may_follow_thanks():
    assert begins_anew("thanks! now find me a car")
    assert texts("thanks! now find me a car") == ["a car"]


def test_only_the_first_clause_begins_the_new_subject():
    assert said("start over: a dog, no people and make it red") == [
        Saying("", "a dog", anew=True),
        Saying("", "no people"),
        Saying("", "make it red"),
    ]


@pytest.mark.parametrize(
    "question",
    [
        "How about these?",
        "What about these?",
        "how about this one",
        "Is it the first one?",
        "Is it #3?",
        "Which one is best?",
        "Which one?",
        "Do you like these?",
        "Do you like any of these?",
        "Are any of these close?",
        "Are these better?",
        "Are these what you are looking for?",
        "Here are five. Are these closer?",
        "Is this what you had in mind?",
        "Is this better now?",
        "Is it right?",
        "Do these fit?",
        "What do you think?",
        "What do you think of the results?",
        "Would you like the second one?",
        "Did you mean the last image?",
        "Were these helpful?",
        # No question at all.
        "Here are some red dresses.",
        "Here you go!",
    ],
)
@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("nice ones! but the handle should be round", ["but the handle should be round"]),
        ("closer, but with a window", ["but with a window"]),
        ("no people", ["no people"]),
        ("in blue and no belt", ["in blue", "no belt"]),
    ],
)
def test_words_after_a_question_about_results_are_free_chat(
    question: str, text: str, clauses: list[str]
):
    assert texts(text, question) == clauses
    assert {saying.question for saying in said(text, question)} == {""}


@pytest.mark.parametrize(
    "question",
    [
        "Which colour?",
        "How about red?",
        "How about a hat?",
        "What about the collar?",
        "Is it red?",
        "Is it good quality?",
        "Is it close to the sea?",
        "Is it a picture?",
        "Do you like red?",
        "Do you prefer red or blue?",
        "Which dress do you like?",
        "Does it look fine or coarse?",
        "Are there ones with dots?",
        "What would you like to change?",
        "Is the first dog brown?",
    ],
)
def test_a_question_about_the_image_is_answered(question: str):
    assert said("red", question) == [Saying(question.lower(), "red")]
    assert said("red", f"Here are five. {question}") == [Saying(question.lower(), "red")]


def test_what_was_asked_last_is_answered():
    (entry,) = Dialogue().ask("Is it red?").ask("Is it striped?").say("yes").rounds()

    assert sayings(entry) == [Saying("is it striped?", "yes")]


@pytest.mark.parametrize(
    ("answer", "answered", "rest"),
    [
        ("red", "red", []),
        ("", "", []),
        ("red with dots and buttons", "red with dots and buttons", []),
        ("red, and it has a belt", "red", ["it has a belt"]),
        ("Red. It has a belt. No sleeves.", "red", ["it has a belt", "no sleeves"]),
        ("red and the belt is white", "red", ["the belt is white"]),
        ("red, the belt should be white", "red", ["the belt should be white"]),
        ("red and please remove the belt", "red", ["no belt"]),
        ("red and i don't want people", "red", ["no people"]),
        ("red, maybe blue", "red", ["maybe blue"]),
        ("red. Too dark!", "red", ["no dark"]),
        ("red. Nice. With dots.", "red", ["with dots"]),
        # A bare yes, no or doubt, and what was denied, with what explains it.
        ("yes. it has dots. no belt", "yes, it has dots", ["no belt"]),
        ("yes and it has dots", "yes, it has dots", []),
        ("no, it has dots", "no, it has dots", []),
        ("well, it is blue", "well, it is blue", []),
        ("it is not, it is blue", "it is not, it is blue", []),
        ("not red, it's blue, and there are dots", "not red, it's blue", ["there are dots"]),
        ("not sure, but there is a belt", "not sure, there is a belt", []),
        ("not sure. there is a belt. no dots", "not sure, there is a belt", ["no dots"]),
        ("I don't know, maybe red", "i don't know, maybe red", []),
    ],
)
def test_the_first_clause_answers_and_the_rest_is_free_chat(
    answer: str, answered: str, rest: list[str]
):
    first, *others = said(answer, "What colour is it?")

    assert first == Saying("what colour is it?", answered)
    assert [saying.text for saying in others if saying.text] == rest
    assert {saying.question for saying in others} <= {""}


def test_a_text_of_two_thousand_characters_is_read_whole():
    text = " ".join(f"w{number % 100:02}" for number in range(500)) + "x"

    assert len(text) == 2000
    assert texts(text) == [text]


@pytest.mark.parametrize("question", ["", "what is it?"])
def test_a_longer_text_is_read_at_both_ends_in_whole_words(question: str):
    words = [f"w{number:04}" for number in range(335)]

    (text,) = texts(" ".join(words), question)

    read = text.split()
    assert len(text) < 2000
    assert len(read) > 330
    assert set(read) <= set(words)
    assert read[:150] == words[:150]
    assert read[-150:] == words[-150:]


def test_what_is_said_last_in_a_long_text_counts():
    talk = "we talked about all sorts of things " * 3000

    clauses = texts(f"a red dress. {talk}. in it there is a belt. without sleeves!")

    assert clauses[0] == "a red dress"
    assert clauses[-2:] == ["in it there is a belt", "no sleeves"]
    assert sum(map(len, clauses)) <= 2000
    assert texts(f"a red dress. {talk}. start over: a cat")[-1] == "a cat"
    assert begins_anew(f"a red dress. {talk}. start over: a cat")


def test_words_beside_a_reference_are_changes_not_free_chat():
    assert said("like this, but in blue and without the belt", images=(PICTURE,)) == [
        Saying("", "actually, in blue"),
        Saying("", "no belt"),
    ]
    assert said("in blue and with dots", "which colour?", images=(PICTURE,)) == [
        Saying("which colour?", "actually, in blue"),
        Saying("", "actually, with dots"),
    ]
    assert said("like this", "what is it?", images=(PICTURE,)) == []


def test_a_long_text_beside_a_reference_is_read_at_both_ends():
    first, *_, last = said(
        f"in blue and {'with dots and ' * 9000} no belt", images=(PICTURE, PICTURE)
    )

    assert first == Saying("", "actually, in blue")
    assert last.text.endswith("no belt")


@given(text=_WORDS, question=_WORDS, shown=st.booleans())
def test_any_words_are_taken_apart_into_words_that_were_said(
    *, text: str, question: str, shown: bool
):
    made = said(text, question, images=(PICTURE,) if shown else ())

    assert made == said(text, question, images=(PICTURE,) if shown else ())
    assert shown or made
    assert {saying.question for saying in made[1:]} <= {""}
    allowed = {*words_in(plain(Turn("user", text).text)), "no", "actually"}
    for saying in made:
        assert "  " not in saying.text
        assert set(words_in(saying.text.lower())) <= allowed


@given(_WORDS)
def test_without_a_question_nothing_is_an_answer(text: str):
    assert {saying.question for saying in said(text)} == {""}


@given(
    st.sampled_from(["start over", "new search", "forget it", "ok, start again", "reset"]),
    st.sampled_from([": ", ", ", ". ", "! ", " - ", "; ", "... "]),
    st.lists(st.sampled_from(["a", "dog", "red", "in", "on", "with", "hat", "old"]), min_size=1),
)
def test_a_new_subject_in_any_words_is_told_apart(start: str, pause: str, subject: list[str]):
    described = " ".join(subject)

    assert texts(f"{start}{pause}{described}") in ([described], [described.removeprefix("with ")])
    assert said(f"{start}{pause}{described}")[0].anew


@given(st.lists(st.sampled_from(["people", "cars", "dogs", "text"]), min_size=1, max_size=8))
def test_any_number_of_things_is_ruled_out(things: list[str]):
    ruled_out = [f"no {thing}" for thing in things]

    assert texts(f"without {' and '.join(things)}") == ruled_out
    assert texts(f"i don't want any {' or '.join(things)} in it") == ruled_out
    assert texts(f"a street, {', '.join(ruled_out)}") == ["a street", *ruled_out]
    assert texts(". ".join(ruled_out)) == ruled_out
