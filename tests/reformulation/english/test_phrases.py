from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dar_retriever.reformulation.english import phrases
from dar_retriever.reformulation.english.lexicon import (
    COLOURS,
    DETERMINERS,
    JOINTS,
    NUMBERS,
    PLACES,
    SHADES,
    stem,
)

_WORDS = st.sampled_from(
    [
        *sorted((COLOURS | SHADES | NUMBERS | PLACES | JOINTS | DETERMINERS) - {","}),
        *("dog", "dogs", "car", "park", "sitting", "holding", "old", "big", "7", "'s", "ring", "…"),
    ]
)
_TEXTS = st.text(max_size=60) | st.lists(_WORDS | st.just(","), max_size=14).map(" ".join)
_NOUNS = st.text(max_size=12).map(lambda text: "".join(text.replace(",", "").split())) | _WORDS


def spaced(text: str) -> str:
    """A text as the rules have it: one space between words and after commas."""
    return " ".join(text.replace(",", " , ").split()).replace(" ,", ",")


def words_of(text: str) -> list[str]:
    return text.replace(",", " ").split()


@pytest.mark.parametrize(
    ("text", "noun", "left"),
    [
        ("a street at night with many people", "people", "a street at night"),
        ("a woman with long brown hair", "hair", "a woman"),
        ("a dog with a ball on a beach", "ball", "a dog on a beach"),
        ("a dog with a ball on a beach", "beach", "a dog with a ball"),
        ("a man with two very old dogs", "dogs", "a man"),
        ("a glass of water", "water", "a glass"),
        ("a dog and his owner", "owner", "a dog"),
        ("a chair and table", "table", "a chair"),
        # In the singular as in the plural.
        ("a dress with dots", "dot", "a dress"),
        ("a kitchen with window", "windows", "a kitchen"),
        ("a street with a bus", "bus", "a street"),
        ("people in a park", "people", "a park"),
        # What stands beside it stays joined.
        ("a dress with dots and a belt", "dots", "a dress with a belt"),
        ("a dress with dots and a belt", "belt", "a dress with dots"),
        ("two men with hats and a dog on grass", "hats", "two men with a dog on grass"),
        ("a man holding an umbrella and a bag", "umbrella", "a man holding a bag"),
        # What is done with it goes too.
        ("a man holding a red umbrella", "umbrella", "a man"),
        ("a person surfing a wave", "wave", "a person"),
        ("a man holding umbrella", "umbrella", "a man"),
        ("a man wearing a hat, standing", "hat", "a man, standing"),
        ("a cat sitting next to a window", "window", "a cat"),
        ("two men with hats running on grass", "hats", "two men running on grass"),
        # Between commas.
        ("a red dress, white dots, long sleeves", "dots", "a red dress, long sleeves"),
        ("a red dress, white dots, long sleeves", "sleeves", "a red dress, white dots"),
        ("a room with a bed, a chair, and a lamp", "lamp", "a room with a bed, a chair"),
        ("a dress with dots,", "dots", "a dress"),
        # The last one of several.
        ("a house with a dog and a dog", "dog", "a house with a dog"),
        # A noun that only opens another one is no phrase about it.
        ("a car park with cars", "car", "a car park"),
    ],
)
def test_a_phrase_is_taken_out(text: str, noun: str, left: str):
    assert phrases.without(text, noun) == left


@pytest.mark.parametrize(
    ("text", "noun"),
    [
        # The text is about it.
        ("a dog", "dog"),
        ("two brown dogs", "dogs"),
        ("dots with a dress", "dots"),
        ("a glass of water", "glass"),
        # It does not speak of it.
        ("a dog on a beach", "cat"),
        ("a car park", "car"),
        ("a dog in the grass", "glass"),
        ("a dog in a hut", "hat"),
        ("a dog with a ball", "bal"),
        ("a street with a bus", "bu"),
        ("a dog", ""),
        ("", "dog"),
        ("", ""),
    ],
)
def test_there_may_be_nothing_to_take_out(text: str, noun: str):
    assert phrases.without(text, noun) is None


@pytest.mark.parametrize(
    ("text", "phrase", "exchanged"),
    [
        # What is said of it, with what was said before.
        ("a woman with long brown hair", "short hair", "a woman with short brown hair"),
        ("a woman with long brown hair", "a short hair", "a woman with short brown hair"),
        ("a woman with long brown hair", "black hair", "a woman with long black hair"),
        ("two black dogs", "small dogs", "two small black dogs"),
        ("a big red bus", "small bus", "a small red bus"),
        ("a dress, long sleeves", "short sleeves", "a dress, short sleeves"),
        ("a dog", "dog", "a dog"),
        # Where it stands.
        ("a man with a hat and a dog", "red hat", "a man with a red hat and a dog"),
        ("a white cat with a red collar", "blue collar", "a white cat with a blue collar"),
        ("a man wearing a hat", "a red hat", "a man wearing a red hat"),
        ("a man wearing hat", "big hat", "a man wearing big hat"),
        ("a red dress in a red house", "a blue dress", "a blue dress in a red house"),
        ("a dog with a dog", "a small dog", "a dog with a small dog"),
        # Articles.
        ("a red dress", "an orange dress", "an orange dress"),
        ("a red dress", "orange dress", "an orange dress"),
        ("an orange dress", "red dress", "a red dress"),
        ("an old man", "a young man", "a young man"),
        ("a young man", "old man", "an old man"),
        ("the red door", "green door", "the green door"),
        ("a red door", "the green door", "the green door"),
        # Numbers.
        ("a dog", "two dogs", "two dogs"),
        ("two dogs", "one dog", "one dog"),
        ("two black dogs", "three dogs", "three black dogs"),
        ("two black dogs", "white dogs", "two white dogs"),
        ("3 dogs", "4 dogs", "4 dogs"),
        ("some dogs", "two dogs", "two dogs"),
        ("many dogs", "a few dogs", "a few dogs"),
        # A colour with its shade.
        ("a dark blue dress", "red dress", "a red dress"),
        ("a dark blue dress", "light red dress", "a light red dress"),
        ("a dark blue dress", "long dress", "a long dark blue dress"),
        ("a dark room", "red room", "a dark red room"),
        ("a dark room", "bright room", "a bright room"),
    ],
)
def test_a_phrase_is_exchanged(text: str, phrase: str, exchanged: str):
    assert phrases.exchanged(text, phrase) == exchanged


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("a red car", "a truck"),
        ("a red car", ""),
        ("", "a dog"),
        ("", ""),
        # Another noun, though it begins or ends alike.
        ("a red car", "car park"),
        ("a car park", "red car"),
        ("a cart", "red car"),
        # More than one phrase.
        ("a blue shirt", "red and white shirt"),
        ("a red car", "a dog in a car"),
        ("a tree with a hat", "man without a hat"),
    ],
)
def test_there_may_be_nothing_to_exchange(text: str, phrase: str):
    assert phrases.exchanged(text, phrase) is None


@pytest.mark.parametrize("article", ["a", "an", "the"])
@pytest.mark.parametrize("text", ["{}", "a dog with {}", "{} {}", "a dog, {}"])
def test_an_article_alone_is_exchanged_without_failing(text: str, article: str):
    phrases.exchanged(text.format(article, article), article)


@pytest.mark.parametrize(
    ("text", "place", "elsewhere"),
    [
        ("a dog on a beach", "in the snow", "a dog in the snow"),
        ("a dog on a beach with a ball", "in the snow", "a dog in the snow with a ball"),
        ("a dog on a white sandy beach, wet", "in the snow", "a dog in the snow, wet"),
        ("a dog under the table", "on the table", "a dog on the table"),
        ("a dog near his owner", "behind a tree", "a dog behind a tree"),
        # The last one of several.
        ("a dog in the snow on a beach", "at a lake", "a dog in the snow at a lake"),
        ("a dog in a coat on a beach", "at a lake", "a dog in a coat at a lake"),
        # "at night" is no place.
        ("a dog in a park at night", "on a road", "a dog on a road at night"),
    ],
)
def test_a_thing_is_moved(text: str, place: str, elsewhere: str):
    assert phrases.moved(text, place) == elsewhere


@pytest.mark.parametrize(
    "text", ["", "a dog", "on a beach", "a dog on grass", "a dog at night", "a dog on", "a red on"]
)
def test_a_thing_without_a_place_is_not_moved(text: str):
    assert phrases.moved(text, "in the snow") is None


@pytest.mark.parametrize(
    ("text", "noun", "about"),
    [
        ("white dots", "dots", True),
        ("white dots", "dot", True),
        ("dots", "dots", True),
        ("the big white dots", "dots", True),
        ("a car park", "park", True),
        ("the man's hat", "hat", True),
        ("white dots", "white", False),
        ("a car park", "car", False),
        ("a dress with dots", "dots", False),
        ("dots on a dress", "dots", False),
        ("white dots, a dog", "dog", False),
        ("white dots, a dog", "dots", False),
        ("wearing a hat", "hat", False),
        ("white dots", "", False),
        ("", "dots", False),
    ],
)
def test_what_a_text_is_about(text: str, noun: str, *, about: bool):
    assert phrases.is_about(text, noun) is about


@given(_TEXTS, _NOUNS)
def test_taking_out_shortens_any_text_and_leaves_one_noun_less(text: str, noun: str):
    text = spaced(text)

    left = phrases.without(text, noun)

    assert phrases.without(text, noun) == left
    if left is not None:
        assert 0 < len(left) < len(text)
        assert len(words_of(left)) < len(words_of(text))
        assert set(words_of(left)) <= set(words_of(text))
        before, after = (list(map(stem, words_of(known))) for known in (text, left))
        assert after.count(stem(noun)) < before.count(stem(noun))


@given(_TEXTS, _TEXTS)
def test_exchanging_keeps_what_a_new_phrase_says_in_any_text(text: str, phrase: str):
    text, phrase = spaced(text), spaced(phrase)

    exchanged = phrases.exchanged(text, phrase)

    if exchanged is not None:
        said = set(words_of(phrase)) - DETERMINERS
        assert said <= set(words_of(exchanged))
        assert set(words_of(exchanged)) <= {*words_of(text), *words_of(phrase), "a", "an"}


_MODIFIERS = st.tuples(
    st.sampled_from(["", "two", "7", "several"]),
    st.sampled_from(["", "old", "long", "empty"]),
    st.sampled_from(["", "red", "orange", "dark blue"]),
)


def phrase_of(modifiers: tuple[str, ...], noun: str) -> str:
    words = [word for word in (*modifiers, noun) if word]
    return " ".join(words if modifiers[0] else [article_for(words[0]), *words])


def article_for(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


@given(_MODIFIERS)
def test_a_phrase_that_is_there_already_changes_nothing(modifiers: tuple[str, ...]):
    phrase = phrase_of(modifiers, "house")

    assert phrases.exchanged(phrase, phrase) == phrase
    assert phrases.exchanged(f"a man in {phrase}, wet", phrase) == f"a man in {phrase}, wet"


@given(_MODIFIERS, _MODIFIERS)
def test_number_quality_and_colour_are_exchanged_each_by_itself(
    old: tuple[str, ...], new: tuple[str, ...]
):
    chosen = tuple(after or before for before, after in zip(old, new, strict=True))
    # Only what the new phrase says without its article, which makes one of two.
    said = " ".join(word for word in (*new, "house") if word)

    exchanged = phrases.exchanged(f"a man in {phrase_of(old, 'house')}", said)

    assert exchanged == f"a man in {phrase_of(chosen, 'house')}"
    assert phrases.exchanged(exchanged, said) == exchanged


@given(_TEXTS, _NOUNS, _TEXTS)
def test_a_text_that_does_not_name_a_thing_is_left_alone(text: str, noun: str, said: str):
    known = list(map(stem, words_of(text)))
    if noun and stem(noun) not in known:
        assert phrases.without(text, noun) is None
        assert phrases.exchanged(text, f"{said} {noun}") is None
        assert not phrases.is_about(text, noun)
    if not PLACES & set(words_of(text)):
        assert phrases.moved(text, said) is None


@given(_TEXTS, st.sampled_from(["in the snow", "on a road", "at home"]))
def test_a_new_place_stands_in_any_text_that_had_one(text: str, place: str):
    elsewhere = phrases.moved(text, place)

    if elsewhere is not None:
        assert place in elsewhere
        assert set(words_of(elsewhere)) <= {*words_of(text), *place.split()}


@given(_MODIFIERS, st.sampled_from(["dots", "cats", "park", "glass"]))
def test_a_phrase_is_about_its_last_word_alone(modifiers: tuple[str, ...], noun: str):
    phrase = phrase_of(modifiers, noun)

    assert phrases.is_about(phrase, noun)
    assert phrases.without(phrase, noun) is None
    assert phrases.without(f"a man with {phrase}", noun) == "a man"
    assert not phrases.is_about(phrase, "house")


@pytest.mark.parametrize(
    ("text", "phrase", "said"),
    [
        ("a red dress", "red", True),
        ("A RED dress", "red dress", True),
        ("a coloured dress", "red", False),
        ("a red, long dress", "red long", False),
        ("a car (2.0)", "2.0", True),
        ("a car 220", "2.0", False),
    ],
)
def test_a_phrase_is_said_as_whole_words(text: str, phrase: str, *, said: bool):
    assert phrases.says(text, phrase) is said
