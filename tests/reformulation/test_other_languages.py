# ruff: noqa: RUF001, E501 (letters of other alphabets; lists that read better in a line)
from __future__ import annotations

import time

import pytest
from dialogues_of_other_languages import FRENCH, GERMAN, SPANISH, Case
from hypothesis import given
from hypothesis import strategies as st

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.reformulation import RuleReformulator
from dar_retriever.reformulation.base import LanguageRules
from dar_retriever.reformulation.languages import LANGUAGES, language_of, rules_of


def said(*turns: str) -> Dialogue:
    dialogue = Dialogue()
    for turn in turns:
        dialogue = dialogue.say(turn)
    return dialogue


@pytest.mark.parametrize(
    ("language", "case"),
    [
        (code, case)
        for code, cases in zip(("de", "fr", "es"), (GERMAN, FRENCH, SPANISH), strict=True)
        for case in cases
    ],
)
def test_negations_corrections_and_new_subjects(language: str, case: Case):
    turns, phrases, excluded = case

    reading = rules_of(language).read(said(*turns))

    assert (list(reading.phrases), list(reading.excluded)) == (phrases, excluded)


@pytest.mark.parametrize("code", ["de", "fr", "es"])
@given(
    text=st.lists(
        st.sampled_from(
            [
                "ohne",
                "sans",
                "sin",
                "kein",
                "nicht",
                "pas",
                "no",
                "noir",
                "schwarz",
                "negro",
                "rot",
                ",",
                ".",
                "und",
                "ni",
                "ein",
                "un",
                "mit",
                "avec",
                "con",
                "Hut",
                "2",
            ]
        ),
        max_size=12,
    ).map(" ".join)
)
def test_nothing_is_invented_and_nothing_excluded_is_wanted(code: str, text: str):
    rules: LanguageRules = rules_of(code)

    reading = rules.read(said("ein un una", text))

    words = set(f"ein un una {text}".split())
    told = [word for phrase in (*reading.phrases, *reading.excluded) for word in phrase.split()]
    assert set(told) <= words
    assert not {phrase.lower() for phrase in reading.excluded} & {
        p.lower() for p in reading.phrases
    }


def test_a_new_subject_starts_where_it_was_named():
    assert (
        rules_of("de").read(said("ein Hund", "am Strand", "vergiss das", "eine Lampe")).since == 3
    )


def test_what_is_wanted_again_is_excluded_no_more():
    reading = rules_of("de").read(said("ein Hund ohne Leine", "doch mit Leine"))

    assert reading.excluded == ()
    assert reading.phrases == ("ein Hund", "doch mit Leine")


def test_what_was_wanted_and_is_denied_leaves_the_caption():
    reading = rules_of("fr").read(
        said("un chat avec un collier rouge sur un lit", "pas de collier")
    )

    assert "collier" not in " ".join(reading.phrases)
    assert reading.excluded == ("collier",)


def test_an_exclusion_that_goes_on_and_on_is_left_as_it_was_said():
    text = "ein Bild ohne irgendwelche langen roten gestreiften Vorhänge"

    assert rules_of("de").read(said(text)).phrases == (text,)


@pytest.mark.parametrize(
    "turns",
    [
        ["cat"], ["2"], ["idk"], ["??"], ["🐱"], ["a mug"], ["nike air max"], ["ikea kallax"], ["Citroën 2CV"],
        ["sneekers"], ["grean jaket"], ["a café in paris at night"], ["chaise longue"], ["croissants on a plate"],
        ["pizza margherita"], ["sombrero"], ["rottweiler"], ["no"], ["yes", "no", "the second one"],
        ["Hyundai"], ["Oktoberfest", "two men in lederhosen"], ["la la land poster"], ["a gondola in venice"],
        ["torii gate", "no people"], ["papier mache mask"], ["paella pan", "with handles"],
    ],
)  # fmt: skip
def test_english_is_english(turns: list[str]):
    assert language_of(said(*turns)) == "en"


@pytest.mark.parametrize(
    ("language", "turns"),
    [
        ("de", ["ein roter Hund am Strand", "ohne Leine"]),
        ("de", ["ein Sofa", "nein, lieber einen Sessel", "in grün", "2"]),
        ("fr", ["un chat noir sur un canapé", "pas noir, blanc", "ok"]),
        ("es", ["vestido de fiesta largo", "de color verde esmeralda", "sin lentejuelas"]),
        ("pt", ["gato dormindo no sofá", "o gato é preto"]),
        ("sv", ["en röd stuga vid en sjö", "på vintern"]),
        ("tr", ["kahverengi deri ceket", "fermuarlı olsun"]),
        ("ja", ["青いドレスの女性", "帽子なし"]),
        ("ko", ["한복 입은 여자", "경복궁 앞에서"]),
        ("ru", ["красное платье с длинными рукавами"]),
        ("ar", ["فستان أحمر"]),
        ("zh", ["红色的裙子"]),
    ],
)
def test_other_languages_are_told_by_all_that_the_user_said(language: str, turns: list[str]):
    assert language_of(said(*turns)) == language


def test_what_the_assistant_says_does_not_count():
    dialogue = Dialogue().ask("Was für ein Bild suchst du? Soll ein Hund darauf sein?").say("a dog")

    assert language_of(dialogue) == "en"


def test_words_of_a_language_without_rules_stay_and_the_note_says_so():
    made = RuleReformulator().reformulate(
        said("gato dormindo no sofá", "o gato é preto", "sem coleira")
    )

    assert made.caption == "gato dormindo no sofá, o gato é preto, sem coleira"
    assert made.exclusions == ()
    assert made.notes == ("the rules do not read Portuguese: the user's own words were searched",)


def test_of_words_without_rules_the_latest_stay_where_the_budget_is_short():
    turns = ["gato dormindo no sofá", "na sala de estar", "com cortinas brancas", "o gato é preto"]

    made = RuleReformulator(lambda text: len(text.split()), 12).reformulate(said(*turns))

    assert made.caption == "gato dormindo no sofá, com cortinas brancas, o gato é preto"


def test_german_french_and_spanish_have_rules_and_no_note():
    made = RuleReformulator().reformulate(said("ein roter Hund am Strand", "ohne Leine"))

    assert (made.caption, made.exclusions, made.notes) == (
        "ein roter Hund am Strand",
        ("Leine",),
        (),
    )


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_a_message_of_a_megabyte_is_read_at_once(language: str):
    if language == "en":
        return
    begun = time.perf_counter()
    rules_of(language).read(said("ohne sans sin Hut pas noir " * 40_000))

    assert time.perf_counter() - begun < 2
