from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dar_retriever.conversation.dialogue import Dialogue, Turn
from dar_retriever.reformulation import JoinedTurns, Reformulation, RuleReformulator
from dar_retriever.reformulation.budget import CLIP_TOKENS, count_clip_tokens

RULES = RuleReformulator()
# Opening CLIP's tokenizer takes seconds, once; what is timed below is the rules.
count_clip_tokens("")


def asked(description: str, *rounds: str | tuple[str, str]) -> Reformulation:
    """What the rules make of a description and rounds; a round without a question is a text."""
    dialogue = Dialogue.from_text(description)
    for entry in rounds:
        question, answer = ("", entry) if isinstance(entry, str) else entry
        dialogue = (dialogue.ask(question) if question else dialogue).say(answer)
    return RULES.reformulate(dialogue)


@pytest.mark.parametrize(
    ("question", "answer", "added"),
    [
        # The answer alone says it.
        ("what colour is it?", "red", "red"),
        ("what colour is it?", "It's red.", "red"),
        ("what color would you like?", "I think I would like red", "red"),
        ("which colour?", "red, please", "red"),
        ("which colour?", "red, thanks", "red"),
        ("which colour?", "Red thank you!", "red"),
        ("which colour?", "thanks, red", "red"),
        ("what is he wearing?", "a suit and tie", "a suit and tie"),
        ("where is it?", "on the table", "on the table"),
        ("indoors or outdoors?", "outdoors", "outdoors"),
        ("is it a man or a woman?", "a man", "a man"),
        ("how can I help you?", "i am looking for something blue", "something blue"),
        ("what is it doing?", "running on the beach", "running on the beach"),
        # The answer needs the noun of its question.
        ("what color is her shirt?", "mauve", "mauve shirt"),
        ("what colour are the walls", "white", "white walls"),
        ("how many dogs?", "two", "two dogs"),
        ("is the dog big or small?", "big", "big dog"),
        ("is the dog big or small?", "yes, big", "big dog"),
        ("what kind of dog is it?", "a labrador", "labrador dog"),
        ("what shape is it?", "round", "round shape"),
        ("what about the background?", "it is white", "white background"),
        ("how about the colour?", "red", "red"),
        # A yes affirms the question.
        ("is her hair in a ponytail?", "yes", "hair in a ponytail"),
        ("is it red?", "Yes!", "red"),
        ("is it sunny?", "it is", "sunny"),
        ("is it sunny?", "i think so", "sunny"),
        ("is it sunny?", "looks like it", "sunny"),
        ("is the cat black?", "yes", "black cat"),
        ("does the man have a hat?", "yes", "man with a hat"),
        ("can you see the sky?", "yes", "sky"),
        ("would you like stripes?", "yes please", "stripes"),
        ("is it made of wood?", "of course", "made of wood"),
        ("are there people in the picture?", "yeah", "people"),
        # A yes with more.
        ("are there any dogs?", "yes, two of them", "two dogs"),
        ("are they smiling?", "yes, both of them", "both smiling"),
        ("is he wearing a hat?", "yes, a red one", "wearing a red hat"),
        ("is it red?", "yes, it is red with dots", "red with dots"),
        ("does it have long sleeves?", "yes, they are blue", "long sleeves, blue"),
        ("is there anything on the table?", "yes, a plate", "a plate"),
        ("can you describe it?", "yes, it has stripes", "stripes"),
        # A no with more.
        ("is it red?", "no, it is blue", "blue"),
        ("is it red?", "No, it's actually blue.", "blue"),
        ("is it raining?", "no but it is cloudy", "cloudy"),
        ("is the cat black?", "no, it's white", "white cat"),
        ("does it have long sleeves?", "no, short ones", "short sleeves"),
        ("what colour is it?", "it's not red, it's blue", "blue"),
        # Doubt beside knowledge.
        ("what is he holding?", "i can't tell, maybe a phone", "holding a phone"),
        ("what else?", "it has a belt, not sure about the size", "a belt"),
        # Only the last question counts, and only a question.
        ("Here is what I found. Is it striped?", "yes", "striped"),
        ("Is it striped? I can look.", "yes", "striped"),
        ("Here are some red dresses.", "blue with dots", "blue with dots"),
    ],
)
def test_an_answer_becomes_a_phrase(question: str, answer: str, added: str):
    assert asked("a thing", (question, answer)).caption == f"a thing, {added}"


@pytest.mark.parametrize(
    "answer",
    [
        "can't tell",
        "I cannot tell",
        "can not see",
        "Can't really tell, sorry",
        "you can't really tell",
        "couldn't say",
        "not sure",
        "I'm not really sure.",
        "unclear",
        "it's not visible",
        "i don't know",
        "dont know",
        "I don\u2019t remember",
        "no idea",
        "i have no clue",
        "idk",
        "n/a",
        "hard to say",
        "impossible to tell",
        "it doesn't matter",
        "no preference",
        "any is fine",
        "who knows",
        "hm",
        "",
    ],
)
@pytest.mark.parametrize("question", ["are there people?", "what colour is it?"])
def test_an_answer_that_says_nothing_is_dropped(question: str, answer: str):
    assert asked("a thing", (question, answer)) == asked("a thing")


@pytest.mark.parametrize(
    ("question", "answer", "excluded"),
    [
        ("are there any people?", "no", "people"),
        ("are there any people in the picture?", "Nope.", "people"),
        ("is there a leash?", "no leash", "leash"),
        ("are there people?", "none that i can see", "people"),
        ("are there people?", "not that I can tell", "people"),
        ("are there people?", "i don't see any", "people"),
        ("are there people?", "no i don't see any people", "people"),
        ("are there people?", "I don't think so", "people"),
        ("are there people?", "0", "people"),
        ("how many people?", "none", "people"),
        ("is it red?", "no it isn't", "red"),
        ("does it have a belt?", "it does not have a belt", "belt"),
        ("is it old?", "not really", "old"),
        ("is it wet?", "not very", "wet"),
        ("would you like stripes?", "no thanks", "stripes"),
        # The thing itself is still wanted.
        ("is the cat black?", "no", "black"),
        ("is the man wearing a hat?", "no", "wearing a hat"),
        ("does the man have a beard?", "no", "beard"),
        ("what colour is it?", "not red", "red"),
    ],
)
def test_a_no_goes_into_the_negative_prompt(question: str, answer: str, excluded: str):
    assert asked("a thing", (question, answer)) == Reformulation(
        "a thing", ("a thing",), exclusions=tuple(excluded.split(", "))
    )


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("anything else?", "no"),
        ("is there anything else?", "no, that's it"),
        ("what else?", "nothing"),
        ("is this what you are looking for?", "yes"),
        ("did I get that right?", "yes"),
        ("is this better?", "no"),
        ("really?", "yes"),
    ],
)
def test_talk_about_the_talk_adds_nothing(question: str, answer: str):
    assert asked("a thing", (question, answer)) == asked("a thing")


@pytest.mark.parametrize(
    ("said", "then", "caption"),
    [
        ("a green dress", "sorry, I meant teal, not green", "a teal dress"),
        ("a green dress", "actually teal, not green", "a teal dress"),
        ("a blue dress", "not blue but green", "a green dress"),
        ("a blue dress", "not blue, green", "a green dress"),
        ("a blue dress", "green, not blue", "a green dress"),
        ("a blue dress", "make it green", "a green dress"),
        ("a blue dress", "can you make it green, please?", "a green dress"),
        ("a blue dress", "no, the green one", "a green dress"),
        ("a blue dress", "no, it is green", "a green dress"),
        ("a blue dress", "in green instead", "a green dress"),
        ("a blue dress", "the dress should be green", "a green dress"),
        ("a light blue dress", "make it dark green", "a dark green dress"),
        ("a blue dress with white dots", "make it green", "a green dress with white dots"),
        (
            "a blue dress with white dots",
            "change the colour to green",
            "a green dress with white dots",
        ),
        ("a blue dress with white dots", "make the dots red", "a blue dress with red dots"),
        ("a blue dress", "make the background grey", "a blue dress, grey background"),
        ("a blue dress", "make it striped", "a blue dress, striped"),
        ("a dress", "make it green", "a dress, green"),
        ("a blue dress", "not blue", "a dress"),
        ("a blue dress", "no sleeves", "a blue dress"),
        ("a blue dress", "yes, with a belt", "a blue dress, a belt"),
    ],
)
def test_what_is_said_unasked_corrects_or_adds(said: str, then: str, caption: str):
    assert asked(said, then).caption == caption


@pytest.mark.parametrize(
    "said",
    [
        "more like number 2, not 1",
        "more like number 2, not number 1",
        "#3",
        "I like #3",
        "Number 3!",
        "number 2 and 4",
        "no. 3, please",
        "the second one",
        "the 2nd one",
        "yes, the second one",
        "I prefer the last image",
        "something like image 4",
        "like option 2 rather than option 3",
        "more like hits 1, 2 and 3",
        "more like #1 and #4 but not #2",
        "i like the first one and the third one",
        "I don't like number 2",
        "not the second one",
        "no, more like number 4",
        "like a72f559a258aae53585094efb4c7e0ec",
        "More like number 2 (id=a72f559a258aae53585094efb4c7e0ec).",
        "show me more like result 2",
    ],
)
def test_names_of_results_are_not_searched_for(said: str):
    assert asked("a dress", said) == asked("a dress")
    assert asked(said) == Reformulation("")


@pytest.mark.parametrize(
    ("said", "caption"),
    [
        ("the second one but in blue", "a dress, blue"),
        ("just like 5, only in purple", "a dress, purple"),
        ("make it yellow, like the third", "a dress, yellow"),
        ("same as number three but with dots", "a dress, dots"),
        ("similar to 2 and 4, but longer", "a dress, longer"),
        ("the last two, but with a belt", "a dress, a belt"),
        ("could you show me #4 in green?", "a dress, green"),
        ("I'd take 2, but without sleeves", "a dress"),
        ("I prefer the first one, but with stripes", "a dress, stripes"),
        ("more like number 2, not 1, and with a belt", "a dress, a belt"),
        ("#2, but make it red", "a dress, red"),
    ],
)
def test_what_is_said_beside_the_names_of_results_counts(said: str, caption: str):
    assert asked("a dress", said).caption == caption


@pytest.mark.parametrize(
    "said",
    [
        "a shirt with number 7",
        "a door with number 10 and a red light",
        "a train like 2 boats",
        "one of three eggs",
        "a house number sign",
        "two dogs and one cat",
        "the colour of the second dress",
        "more and more of the same thing",
    ],
)
def test_numbers_of_things_stay(said: str):
    assert asked(said).caption == said


@pytest.mark.parametrize(
    ("rounds", "caption"),
    [
        ([("what colour is it?", "red"), ("what colour is it?", "blue")], "a thing, blue"),
        (
            [("what colour is it?", "red"), ("is it new?", "yes"), ("what colour?", "blue")],
            "a thing, new, blue",
        ),
        (
            [("what is the background?", "white"), ("what colour is the background?", "grey")],
            "a thing, grey background",
        ),
        ([("is it striped?", "yes"), ("is it striped?", "no")], "a thing"),
        ([("is it striped?", "no"), ("is it striped?", "yes")], "a thing, striped"),
        ([("what colour is it?", "red"), ("is it red?", "no, blue")], "a thing, blue"),
        ([("what colour is it?", "red"), "no, blue"], "a thing, blue"),
    ],
)
def test_a_later_answer_replaces_an_earlier_one(rounds: list[str | tuple[str, str]], caption: str):
    assert asked("a thing", *rounds).caption == caption


def test_answers_to_an_open_question_add_up():
    rounds = [("anything else?", "a belt"), ("anything else?", "buttons"), ("anything else?", "no")]

    assert asked("a dress", *rounds).caption == "a dress, a belt, buttons"


def test_answers_about_the_same_noun_are_told_together():
    rounds = [
        ("how many dogs?", "two"),
        ("what colour are the dogs?", "brown"),
        ("is the dog big or small?", "big"),
    ]

    assert asked("dogs", *rounds).caption == "two big brown dogs"


def test_what_is_said_after_all_is_excluded_no_longer():
    rounds = [("is it red?", "no"), ("is it striped?", "no"), ("what colour is it?", "red")]

    assert asked("a thing", *rounds).negative_prompt == "striped"


def test_what_is_excluded_is_compared_by_words():
    assert asked("a coloured thing", ("is it red?", "no")).negative_prompt == "red"


def test_exclusions_are_listed_once():
    rounds = [("any pets?", "no"), ("are there cars?", "no"), ("are there any pets?", "no")]

    assert asked("a thing", *rounds).negative_prompt == "pets, cars"


def test_the_prompt_is_the_caption():
    made = asked("a thing", ("what colour is it?", "red"))

    assert made.prompts == (made.caption,)


@pytest.mark.parametrize(
    "dialogue", [Dialogue.of(Image.new("RGB", (4, 4))), Dialogue.from_text("hm"), Dialogue()]
)
def test_where_nothing_is_said_there_is_no_prompt(dialogue: Dialogue):
    assert RULES.reformulate(dialogue) == Reformulation("")


def test_the_words_of_a_first_description_that_look_like_an_answer_stay():
    assert asked("right hand of a man").caption == "right hand of a man"
    assert asked("sure footed goat").caption == "sure footed goat"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 2),
        ("a photo of a cat", 7),
        ("a photo of a cat.", 8),
        ("A PHOTO OF A CAT", 7),
        ("hello world", 4),
    ],
)
def test_tokens_are_counted_as_clip_does(text: str, tokens: int):
    assert count_clip_tokens(text) == tokens


def test_the_first_and_the_last_statement_stay_within_the_budget():
    rounds = [
        ("is there anything else?", f"yes, a very large thing with number {n}") for n in range(30)
    ]

    caption = asked("a dress on a chair", *rounds).caption

    assert count_clip_tokens(caption) <= CLIP_TOKENS
    assert caption.startswith("a dress on a chair, ")
    assert caption.endswith("a very large thing with number 29")
    # What goes is what was said first, and no more than has to go.
    assert "number 28" in caption
    assert "number 0," not in caption
    assert count_clip_tokens(f"{caption}, a very large thing with number 20") > CLIP_TOKENS


def test_a_description_beyond_the_budget_leaves_room_for_the_last_statement():
    caption = asked("red and blue stripes " * 60, ("is it wet?", "yes")).caption

    assert count_clip_tokens(caption) <= CLIP_TOKENS
    assert caption.startswith("red and blue stripes red")
    assert caption.endswith(", wet")


def test_a_text_without_spaces_is_cut_not_dropped():
    caption = asked("\u4e00\u4ef6\u7ea2\u8272\u7684\u8fde\u8863\u88d9" * 20).caption

    assert caption.startswith("\u4e00\u4ef6\u7ea2")
    assert CLIP_TOKENS // 2 < count_clip_tokens(caption) <= CLIP_TOKENS


def test_the_encoders_own_budget_is_kept():
    rules = RuleReformulator(count_tokens=lambda text: len(text.split()), max_tokens=4)
    dialogue = Dialogue.from_text("a red dress").say("with a belt").say("wet")

    assert rules.reformulate(dialogue).caption == "a red dress, wet"


_ANY_TURNS = st.lists(
    st.builds(Turn, st.sampled_from(["user", "assistant"]), st.text(max_size=120)), max_size=12
)
_PHRASES = st.sampled_from(
    [
        *("no", "yes", "not", "red", "blue", "make it", "the dress", "is", "are there any"),
        *("what colour", "how many", "or", "but", ",", ".", "?", "can't tell", "one", "ones"),
        *("sorry", "actually", "i meant", "two of them", "dots", "to", "a", "i don't see"),
    ]
)
_ALIKE_TURNS = st.lists(
    st.builds(
        Turn,
        st.sampled_from(["user", "assistant"]),
        st.lists(_PHRASES, max_size=12).map(" ".join),
    ),
    max_size=12,
)


_RESULT_NAMES = st.sampled_from(
    [
        *("number 2", "#3", "no. 4", "the second one", "image 12", "the 3rd picture", "last one"),
        *("options 1", "hit #2"),
    ]
)
_JUDGEMENTS = st.lists(
    _RESULT_NAMES
    | st.sampled_from(["more like", "not", "and", "or", "but", ",", "rather than", "i like", "1"]),
    max_size=10,
).map(" ".join)


@given(_JUDGEMENTS | st.text(max_size=30), _RESULT_NAMES, _JUDGEMENTS | st.text(max_size=30))
def test_judgements_in_any_words_are_reformulated(before: str, name: str, after: str):
    said = f"{before} {name} {after}"

    made = asked("a dress", said)

    assert count_clip_tokens(made.caption) <= CLIP_TOKENS
    assert made == asked("a dress", said)
    assert "  " not in made.caption


@given(st.lists(_RESULT_NAMES, min_size=1, max_size=6), st.sampled_from([" and ", ", ", " or "]))
def test_lists_of_results_leave_no_trace(names: list[str], joint: str):
    assert asked("a dress", f"more like {joint.join(names)}") == asked("a dress")


@given(_ANY_TURNS | _ALIKE_TURNS)
def test_any_dialogue_is_reformulated_within_the_budget_and_at_once(turns: list[Turn]):
    dialogue = Dialogue(tuple(turns))
    began = time.perf_counter()

    made = RULES.reformulate(dialogue)

    assert time.perf_counter() - began < 1
    assert count_clip_tokens(made.caption) <= CLIP_TOKENS
    assert made.prompts == ((made.caption,) if made.caption else ())
    assert made == RULES.reformulate(dialogue)


@given(st.integers(0, 12), st.text(max_size=40))
def test_no_budget_is_too_small(budget: int, text: str):
    rules = RuleReformulator(len, budget)

    assert len(rules.reformulate(Dialogue.from_text(text).say(text)).caption) <= budget


def test_a_long_chat_is_reformulated_at_once():
    rounds = [
        (f"is there a thing {n}?", "yes, a very nice one with lots of stuff") for n in range(200)
    ]
    began = time.perf_counter()

    caption = asked("a long text about things " * 500, *rounds).caption

    assert time.perf_counter() - began < 1
    assert count_clip_tokens(caption) <= CLIP_TOKENS


def test_the_baseline_joins_all_turns_in_order():
    dialogue = Dialogue.from_visdial(["a dress", "is it red? no", "is it blue? yes"]).say(
        "", Image.new("RGB", (4, 4))
    )

    made = JoinedTurns().reformulate(dialogue)

    assert made.caption == "a dress, is it red?, no, is it blue?, yes"
    assert made.prompts == (made.caption,)
    assert JoinedTurns().reformulate(Dialogue()) == Reformulation("")


def test_the_baseline_may_overflow():
    made = JoinedTurns().reformulate(Dialogue.from_text("red " * 200))

    assert count_clip_tokens(made.caption) == 202


@pytest.mark.parametrize("said", ["actually, {}", "no, i meant {}", "{} instead of it"])
def test_a_long_correction_is_read_at_once(said: str):
    began = time.perf_counter()

    asked("a dress", said.format("like this " * 4000))

    assert time.perf_counter() - began < 2


@pytest.mark.parametrize("words", ["instead of", "rather than", "in place of the"])
def test_one_thing_instead_of_another_replaces_it(words: str):
    made = asked("a red dress", f"blue {words} red")

    assert (made.caption, made.negative_prompt) == ("a blue dress", "red")
