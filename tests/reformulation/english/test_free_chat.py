from __future__ import annotations

import gc
import re
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dar_retriever.conversation.dialogue import Dialogue, Turn
from dar_retriever.reformulation import Reformulation, RuleReformulator
from dar_retriever.reformulation.budget import CLIP_TOKENS, count_clip_tokens
from dar_retriever.reformulation.english.lexicon import (
    COLOURS,
    CONTRARIES,
    DETERMINERS,
    JOINTS,
    NUMBERS,
    PLACES,
    SHADES,
    UNSEEN,
)
from dar_retriever.reformulation.english.statements import statement_of

RULES = RuleReformulator()
PICTURE = Image.new("RGB", (4, 4))
DOG = "a dog on a beach with a red ball"
AT_ONCE = 0.05
# Opening CLIP's tokenizer takes seconds, once; what is timed below is the rules.
count_clip_tokens("")

Said = str | tuple[str, str]


def chat(*turns: Said) -> Dialogue:
    """What the user said, beside the question where it answers one."""
    dialogue = Dialogue()
    for turn in turns:
        question, text = ("", turn) if isinstance(turn, str) else turn
        dialogue = (dialogue.ask(question) if question else dialogue).say(text)
    return dialogue


def meant(*turns: Said) -> Reformulation:
    return RULES.reformulate(chat(*turns))


def seconds(dialogue: Dialogue) -> float:
    """How long the rules take for a dialogue that they have not seen: the least of three times."""
    taken = []
    for _ in range(3):
        statement_of.cache_clear()
        # What coverage adds to every line is not the rules' time.
        tracing = sys.gettrace()
        sys.settrace(None)
        # Nor is it theirs to look through what other tests have left in memory.
        gc.disable()
        began = time.thread_time()
        RULES.reformulate(dialogue)
        taken.append(time.thread_time() - began)
        gc.enable()
        sys.settrace(tracing)
        # One time is enough to tell that it takes forever.
        if taken[-1] > 5:
            break
    return min(taken)


def holds(caption: str, phrase: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", caption) is not None


@pytest.mark.parametrize(
    ("then", "caption"),
    [
        # What is added.
        ("with a cat", f"{DOG}, a cat"),
        ("and a cat", f"{DOG}, a cat"),
        ("at night", f"{DOG}, at night"),
        ("more snow", f"{DOG}, more snow"),
        ("it should be in the snow", f"{DOG}, in the snow"),
        ("it's wet, and there is a boat", f"{DOG}, wet, a boat"),
        ("Wet. A boat.", f"{DOG}, wet, a boat"),
        ("maybe with a hat", f"{DOG}, a hat"),
        ("nice ones! but it should be wet", f"{DOG}, wet"),
        ("closer, but with a window", f"{DOG}, a window"),
        ("make it brighter", f"{DOG}, brighter"),
        # What is replaced: the thing itself, another thing, a number, a colour, a place.
        ("replace the dog with a cat", "a cat on a beach with a red ball"),
        ("change the dog to a cat", "a cat on a beach with a red ball"),
        ("a cat instead of the dog", "a cat on a beach with a red ball"),
        ("not a dog but a cat", "a cat on a beach with a red ball"),
        ("a cat, not a dog", "a cat on a beach with a red ball"),
        ("make it two dogs", "two dogs on a beach with a red ball"),
        ("actually two dogs", "two dogs on a beach with a red ball"),
        ("actually three brown dogs", "three brown dogs on a beach with a red ball"),
        ("actually an old dog", "an old dog on a beach with a red ball"),
        ("make the dog brown", "a brown dog on a beach with a red ball"),
        ("the dog is brown", "a brown dog on a beach with a red ball"),
        ("the dog should be brown", "a brown dog on a beach with a red ball"),
        ("make the ball blue", "a dog on a beach with a blue ball"),
        ("the ball should be blue", "a dog on a beach with a blue ball"),
        ("actually a dark blue ball", "a dog on a beach with a dark blue ball"),
        ("no wait, a blue ball", "a dog on a beach with a blue ball"),
        ("actually with two balls", "a dog on a beach with two red balls"),
        ("in the snow instead", "a dog in the snow with a red ball"),
        ("actually in the snow", "a dog in the snow with a red ball"),
        ("in a park, not on a beach", "a dog in a park with a red ball"),
        # What says nothing of the image.
        ("perfect!", DOG),
        ("thanks, that's the one", DOG),
        ("yes that's it!", DOG),
        ("hello", DOG),
        ("no", DOG),
        ("yes", DOG),
        ("start over", DOG),
        ("now show me something else", DOG),
    ],
)
def test_a_turn_adds_or_replaces(then: str, caption: str):
    made = meant(DOG, then)

    assert (made.caption, made.since) == (caption, 0)


@pytest.mark.parametrize(
    "then",
    [
        "remove the ball",
        "please remove the ball",
        "could you remove the ball?",
        "get rid of the ball",
        "leave out the ball",
        "without the ball",
        "without a ball",
        "I want it without the ball",
        "I'd like it without the ball",
        "no ball",
        "no ball please",
        "but no ball",
        "I don't want the ball",
        "I don\u2019t want a ball in it",
        "there should be no ball",
        "Nice! But without the ball.",
    ],
)
def test_what_is_removed_leaves_the_caption_and_is_excluded(then: str):
    assert meant(DOG, then) == Reformulation("a dog on a beach", ("a dog on a beach",), ("ball",))


@pytest.mark.parametrize(
    ("turns", "caption", "excluded"),
    [
        # Of the description.
        (["a beach with many people, at night", "no people"], "a beach, at night", "people"),
        (["a dress with dots and a belt", "without the dots"], "a dress with a belt", "dots"),
        (["a man holding an umbrella", "remove the umbrella"], "a man", "umbrella"),
        (["two people and a dog", "no dog"], "two people", "dog"),
        ([DOG, "without the ball and the beach"], "a dog", "ball, beach"),
        (["a blue dress", "not blue"], "a dress", "blue"),
        (["a red dress", "too red"], "a dress", "red"),
        ([DOG, "not on a beach"], "a dog with a red ball", "on a beach"),
        # Of what came later.
        (["a beach", "with two dogs", "no dogs"], "a beach", "dogs"),
        (["a room", "a table", "a chair", "remove the table"], "a room, a chair", "table"),
        (["a dress", ("does it have a belt?", "yes"), "no belt"], "a dress", "belt"),
        (["a dress", ("does it have long sleeves?", "yes"), "no sleeves"], "a dress", "sleeves"),
        # Where there was none.
        (["a beach", "no people"], "a beach", "people"),
        (["a beach", "without people and cars"], "a beach", "people, cars"),
        (["a beach", "No people. No cars."], "a beach", "people, cars"),
        (["a beach", "it's too dark"], "a beach", "dark"),
        (["a beach", "no people", "no people"], "a beach", "people"),
        (["a beach without people"], "a beach", "people"),
        (["a beach with no people and no dogs"], "a beach", "people, dogs"),
        (["I want a room, but I don't want any chairs in it"], "a room", "chairs"),
        (["DOG ON A BEACH, NO PEOPLE!!!"], "dog on a beach", "people"),
        (["no people", "a beach"], "a beach", "people"),
        (["no people"], "", "people"),
        # The thing that is looked for stays.
        (["a dog", "no cat"], "a dog", "cat"),
        (["two dogs", "no dogs"], "two dogs", ""),
        (["people on a beach", "no beach"], "people", "beach"),
        # As an answer, or beside one.
        (["a dress", ("are there people?", "no people, no cars")], "a dress", "people, cars"),
        (["a dress", ("anything else?", "no people")], "a dress", "people"),
        (["a dress", ("what do you think?", "too dark")], "a dress", "dark"),
        (["a dress", ("what colour is it?", "red, and no belt")], "a dress, red", "belt"),
        (["a dress", ("what colour is it?", "Red. No belt.")], "a dress, red", "belt"),
        (
            ["a dress with a belt", ("what colour is it?", "red, and please remove the belt")],
            "a dress, red",
            "belt",
        ),
        # Wanted after all.
        (["a dress", "no belt", "with a belt"], "a dress, a belt", ""),
        (["a dress", "no belt", "actually, with a belt", "without the belt"], "a dress", "belt"),
        (["a dress with a belt", "no belt", "with a belt"], "a dress, a belt", ""),
        (["a beach", ("any people?", "no"), "with two people"], "a beach, two people", ""),
        (["a beach", "no people, no cars", "with a few people"], "a beach, a few people", "cars"),
        (["a dress", ("is it striped?", "no"), "striped"], "a dress, striped", ""),
        # Instead.
        (["a red dress", "blue, not red"], "a blue dress", "red"),
        (["a red dress", "blue instead of red"], "a blue dress", "red"),
        ([DOG, "in a park, not on a beach"], "a dog in a park with a red ball", "beach"),
        ([DOG, "too dark, make it brighter"], f"{DOG}, brighter", "dark"),
    ],
)
def test_what_is_not_wanted_goes_into_the_negative_prompt(
    turns: list[Said], caption: str, excluded: str
):
    made = meant(*turns)

    assert (made.caption, made.negative_prompt) == (caption, excluded)
    assert made.prompts == ((caption,) if caption else ())
    assert not any(holds(caption, phrase) for phrase in excluded.split(", ") if phrase)


@pytest.mark.parametrize(
    ("turns", "caption"),
    [
        (["a dog", ("indoors or outdoors?", "indoors"), "actually outdoors"], "a dog, outdoors"),
        (["a dog", ("indoors or outdoors?", "indoors"), "outdoors"], "a dog, outdoors"),
        (["a dog", ("is it indoors?", "yes"), ("is it outdoors?", "yes")], "a dog, outdoors"),
        (["a dog", "inside", "outside", "inside"], "a dog, inside"),
        (["a dog", ("is it day?", "yes"), "night"], "a dog, night"),
        (["a dog", ("is it sunny?", "yes"), "it's cloudy"], "a dog, cloudy"),
        (["a dress", ("is it plain?", "yes"), ("is it striped?", "yes")], "a dress, striped"),
        (["a dress", "striped", "plain"], "a dress, plain"),
        (["a street", "empty", "crowded"], "a street, crowded"),
        (["a dog", "wet", "old", "dry", "young"], "a dog, dry, young"),
        # No contraries.
        (["a dog", "wet", "old", "outdoors"], "a dog, wet, old, outdoors"),
        (["a dress", "striped", "dotted"], "a dress, striped, dotted"),
    ],
)
def test_of_two_contraries_the_later_stays(turns: list[Said], caption: str):
    assert meant(*turns).caption == caption


@pytest.mark.parametrize("word", sorted(CONTRARIES))
def test_each_word_takes_the_place_of_its_contraries_and_comes_back(word: str):
    for contrary in CONTRARIES[word]:
        assert meant("a thing", word, contrary).caption == f"a thing, {contrary}"
        assert meant("a thing", word, contrary, word).caption == f"a thing, {word}"


@pytest.mark.parametrize(
    ("turns", "caption"),
    [
        # Over several turns.
        (
            [
                "I'm looking for a dog on a beach",
                "make it two dogs",
                ("How about these?", "closer, but they should be brown"),
                "in a park instead",
            ],
            "two dogs in a park, brown",
        ),
        (
            [
                "hi! I want a red dress",
                ("Here are five. Do you like these?", "nice, but in blue"),
                ("Is it striped?", "no, with white dots"),
                "make the dots teal",
                ("Anything else?", "No, thanks!"),
            ],
            "a blue dress, teal dots",
        ),
        (
            ["a room", "a table", ("anything else?", "a lamp"), "remove the table", "with a bed"],
            "a room, a lamp, a bed",
        ),
        (["a dress", "red", "blue", "actually green"], "a dress, red, green"),
        (["a red dress", "make it blue", "make it green"], "a green dress"),
        (["a red dress", "no, blue", "no, green"], "a green dress"),
        (["a dog", "make it two dogs", "actually three dogs"], "three dogs"),
        ([DOG, "in the snow instead", "in a park instead"], "a dog in a park with a red ball"),
        # Answers after corrections and corrections after answers.
        (
            ["a dress", ("what colour is it?", "red"), "make it blue", ("is it new?", "yes")],
            "a dress, blue, new",
        ),
        (["a dress", ("what colour is it?", "red, make it long")], "a dress, red, long"),
        (
            ["a dress", ("what colour is it?", "red and the belt is white")],
            "a dress, red, white belt",
        ),
        (
            ["a dress with white dots", ("what colour are the dots?", "red")],
            "a dress with red dots",
        ),
        (["a dress", ("is it red?", "make it blue")], "a dress, blue"),
        (["a dress", ("is it red?", "it isn't red, it is green")], "a dress, green"),
        (["a dress", ("is it red?", "Yes. With white dots.")], "a dress, red, white dots"),
        (["a dress", ("is it red?", "No. It's blue.")], "a dress, blue"),
        (["a dress", ("what colour?", "I don't know. It has a belt.")], "a dress, a belt"),
        (["a dress", ("what colour?", "doesn't matter, but with a belt")], "a dress, a belt"),
        # Questions about results ask nothing about the image.
        (["a dress", ("How about these?", "yes")], "a dress"),
        (["a dress", ("How about these?", "no")], "a dress"),
        (["a dress", ("Is it the first one?", "no, longer sleeves")], "a dress, longer sleeves"),
        (["a dress", ("Are these better?", "yes, with dots")], "a dress, dots"),
        (["a dress", ("Do you like these?", "not really")], "a dress"),
        (["a dress", ("Which do you like best?", "the second one")], "a dress"),
        # Subjects that only sound like something else.
        (["forget-me-nots on a meadow"], "forget-me-nots on a meadow"),
        (["a cat", "forget-me-nots"], "a cat, forget-me-nots"),
        (["a reset button on a wall"], "a reset button on a wall"),
        (["a no parking sign"], "a no parking sign"),
        (["a drop of water on a leaf"], "a drop of water on a leaf"),
        (["un chien sur la plage"], "un chien sur la plage"),
        (["\U0001f436 on a beach"], "dog on a beach"),
    ],
)
def test_a_conversation_becomes_one_caption(turns: list[Said], caption: str):
    assert meant(*turns).caption == caption


@pytest.mark.parametrize(
    ("turns", "caption", "excluded", "since"),
    [
        (["a red dress", "start over: a cat"], "a cat", "", 1),
        (["a red dress", "start over", "a cat"], "a cat", "", 2),
        (["a red dress", "Let's start over!", "nice", "a cat", "wet"], "a cat, wet", "", 3),
        (["a red dress", "start over", ("what would you like?", "a cat")], "a cat", "", 3),
        (["a red dress", "no belt", "start over", "a cat"], "a cat", "", 3),
        (["a red dress", "start over: a cat, no dogs"], "a cat", "dogs", 1),
        (["a red dress", "start over: a cat", "start over: a car", "red"], "a car, red", "", 2),
        (["a red dress", "start over", "a cat", "in blue"], "a cat, in blue", "", 2),
        (["a red dress", ("is it new?", "yes"), "now show me a cat"], "a cat", "", 3),
        (["a red dress", ("is it new?", "start over, a red car")], "a red car", "", 2),
        (["a red dress", ("what colour is it?", "red. Now find me a cat")], "a cat", "", 2),
        (["a red dress", "never mind, show me a cat"], "a cat", "", 1),
        (["a red dress", "show me something else", "a cat"], "a cat", "", 2),
        (
            ["a red dress", "new search: find me a dog. It should be brown. Without a collar."],
            "a dog, brown",
            "collar",
            1,
        ),
        (["a cat. start over. a dog"], "a dog", "", 0),
        (["start over", "a cat"], "a cat", "", 1),
        # Nothing was said of another subject yet.
        (["a red dress", "start over"], "a red dress", "", 0),
        (["a red dress", "start over", "thanks", ("is it new?", "hm")], "a red dress", "", 0),
        (["start over"], "", "", 0),
        # The same subject still.
        (["a red dress", "make it blue"], "a blue dress", "", 0),
        (["a red dress", ("is it new?", "yes")], "a red dress, new", "", 0),
    ],
)
def test_a_new_subject_leaves_the_old_one_behind(
    turns: list[Said], caption: str, excluded: str, since: int
):
    made = meant(*turns)

    assert (made.caption, made.negative_prompt, made.since) == (caption, excluded, since)


@pytest.mark.parametrize("start", ["start over", "new search", "forget it", "change of plans"])
def test_references_belong_to_their_subject(start: str):
    shown = Dialogue.from_text("a red dress").say("with dots", PICTURE)
    anew = shown.say(start).say("like this, but in blue and no belt", PICTURE)

    assert RULES.reformulate(shown).caption == "a red dress, dots"
    assert RULES.reformulate(anew) == Reformulation("blue", ("blue",), ("belt",), 3)
    assert RULES.reformulate(anew.say("a hat")).caption == "blue, a hat"


def test_a_new_subject_counts_from_its_turn_among_all_turns():
    dialogue = Dialogue().ask("Hello!").say("a dress").ask("Which colour?").ask("Or which size?")
    dialogue = (
        dialogue.say("start over").ask("What would you like?").say("a cat").ask("Wet?").say("yes")
    )

    made = RULES.reformulate(dialogue)

    assert made == Reformulation("a cat, wet", ("a cat, wet",), (), 6)


@pytest.mark.parametrize(
    ("budget", "caption"),
    [
        (12, "a red dress, good quality, white dots, very nice belt, two sleeves"),
        (11, "a red dress, white dots, very nice belt, two sleeves"),
        (10, "a red dress, white dots, very nice belt, two sleeves"),
        (9, "a red dress, white dots, two sleeves"),
        (6, "a red dress, two sleeves"),
        (5, "a red dress, two sleeves"),
        (4, "a red, two sleeves"),
        (0, ""),
    ],
)
def test_where_the_budget_is_short_the_least_visible_goes_first(budget: int, caption: str):
    rules = RuleReformulator(count_tokens=lambda text: len(text.split()), max_tokens=budget)
    rounds = ["good quality", "white dots", "very nice belt", "two sleeves"]

    made = rules.reformulate(chat("a red dress", *(("anything else?", said) for said in rounds)))

    assert made.caption == caption


def test_where_all_is_as_visible_the_oldest_goes_first():
    rules = RuleReformulator(count_tokens=lambda text: len(text.split()), max_tokens=8)

    made = rules.reformulate(chat("a dog", "wet fur", "red ball", "tall hat", "big boat"))

    assert made.caption == "a dog, red ball, tall hat, big boat"


@pytest.mark.parametrize("unseen", ["a nice photo", "very expensive"])
def test_the_first_and_the_last_stay_though_they_are_hardly_visible(unseen: str):
    rules = RuleReformulator(count_tokens=lambda text: len(text.split()), max_tokens=6)
    between = "a red dress with dots"

    first = rules.reformulate(chat(unseen, between, "a belt"))
    last = rules.reformulate(chat("a belt", between, ("anything else?", f"it is {unseen}")))

    assert between not in first.caption + last.caption
    assert first.caption.endswith(", a belt")
    assert last.caption.startswith("a belt, ")
    assert len(first.caption.split()) == len(last.caption.split()) == len(unseen.split()) + 2


_CONTROLS = (
    *("start over", "start over:", "now show me", "never mind", "forget it", "something else"),
    *("without", "remove the", "get rid of", "i don't want", "no", "not", "too", "no more"),
    *("but", "instead of", "rather than", "actually", "sorry, i meant", "make it", "make the"),
    *("change the", "to", "it's", "it is", "there are", "the dress is", "nice", "thanks", "yes"),
    *("is it", "are there any", "what colour", "how many", "more like", "number 2", "can't tell"),
    *("dress", "dots", "people", "dog", "\u2019s", "-", "no.", "a-b", "isn't", "THE", "Caf\u00e9"),
)
_VOCABULARY = sorted(
    {
        *(COLOURS | SHADES | NUMBERS | PLACES | DETERMINERS | UNSEEN | CONTRARIES.keys()),
        *(JOINTS - {","}),
        *_CONTROLS,
    }
)
_MARKS = (".", "!", "?", ";", ":")


def _of(words: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(words, max_size=40).map(lambda chosen: " ".join(chosen)[:300])


# What an assistant lists with commas is excluded as one; which of it the user takes up again is
# for other tests.
_ASKED = _of(st.sampled_from([*_VOCABULARY, *_MARKS]))
_SAID = _of(st.sampled_from([*_VOCABULARY, *_MARKS, ",", ", "])) | _of(
    st.sampled_from([*_CONTROLS, *_MARKS, ","])
)
_TURNS = st.lists(
    st.builds(Turn, st.just("user"), _SAID)
    | st.builds(Turn, st.just("assistant"), _ASKED)
    | st.builds(
        Turn,
        st.sampled_from(["user", "assistant"]),
        st.text(st.characters(exclude_characters=","), max_size=300),
    )
    | st.builds(Turn, st.just("user"), _SAID | st.text(max_size=300), st.just((PICTURE,))),
    max_size=12,
)


@given(_TURNS)
def test_any_free_chat_is_reformulated(turns: list[Turn]):
    dialogue = Dialogue(tuple(turns))

    made = RULES.reformulate(dialogue)
    statement_of.cache_clear()

    assert made == RULES.reformulate(dialogue)
    assert count_clip_tokens(made.caption) <= CLIP_TOKENS
    assert "  " not in made.caption
    assert made.prompts == ((made.caption,) if made.caption else ())
    assert made.since == 0 or turns[made.since].role == "user"


@given(_TURNS)
def test_nothing_excluded_stands_in_the_caption(turns: list[Turn]):
    made = RULES.reformulate(Dialogue(tuple(turns)))

    for phrase in made.negative_prompt.split(", "):
        if re.match(r"\w", phrase) and re.search(r"\w$", phrase):
            assert not holds(made.caption, phrase)


@given(_TURNS)
def test_any_free_chat_is_reformulated_at_once(turns: list[Turn]):
    assert seconds(Dialogue(tuple(turns))) < AT_ONCE


@given(_TURNS, st.sampled_from(["start over", "Forget it!", "new search"]))
def test_after_any_chat_a_new_subject_is_all_there_is(turns: list[Turn], start: str):
    before = Dialogue((*turns, Turn("user", "ok")))

    made = RULES.reformulate(before.say(start).say("a cat, no dogs"))

    assert made == Reformulation("a cat", ("a cat",), ("dogs",), len(turns) + 2)


_HOSTILE = [
    *("no ", "not ", "is it ", "and ", "the ", "nice ", "very so ", "1 of ", "it's ", "without "),
    *(", ", "red ", "a-", "'", "ok", "that that", "isisis"),
]


def hostile(unit: str) -> str:
    return (unit * 100_000)[:100_000]


@pytest.mark.parametrize("unit", _HOSTILE)
def test_a_hostile_description_is_read_at_once(unit: str):
    assert seconds(Dialogue.from_text(hostile(unit))) < AT_ONCE


@pytest.mark.parametrize("unit", _HOSTILE)
@pytest.mark.parametrize("question", ["is it red?", "what colour is it?", "how many dogs or cats?"])
def test_a_hostile_answer_is_read_at_once(question: str, unit: str):
    assert seconds(chat("a red dress", (question, hostile(unit)))) < AT_ONCE


@pytest.mark.parametrize("unit", _HOSTILE)
@pytest.mark.parametrize("answer", ["yes", "no, blue", "red"])
def test_a_hostile_question_is_read_at_once(answer: str, unit: str):
    assert seconds(chat("a red dress", (f"{hostile(unit)}?", answer))) < AT_ONCE


@pytest.mark.parametrize("unit", _HOSTILE)
def test_hostile_words_beside_a_reference_are_read_at_once(unit: str):
    assert seconds(Dialogue.from_text("a red dress").say(hostile(unit), PICTURE)) < AT_ONCE


@pytest.mark.parametrize("text", ["a. " * 650, "x y. " * 400, ".-! " * 500, "red dots. " * 200])
def test_a_text_of_very_many_sentences_is_read_at_once(text: str):
    assert seconds(Dialogue.from_text(text)) < AT_ONCE


def test_a_text_of_very_many_exclusions_is_read_at_once():
    text = ", ".join(f"no x{number}" for number in range(230))

    assert seconds(chat("a dog", text)) < AT_ONCE


@pytest.mark.parametrize("text", ["no red, {}", "not red but {}", "{} instead of red"])
def test_a_replacement_that_holds_what_it_replaces_does_not_grow(text: str):
    said = text.format("red " * 30)

    assert seconds(chat("red", said, said, said)) < AT_ONCE


@pytest.mark.parametrize("article", ["a", "an"])
def test_an_article_alone_corrects_nothing_and_does_not_fail(article: str):
    assert meant(f"a dog and {article}", f"actually {article}").caption.startswith("a dog")
