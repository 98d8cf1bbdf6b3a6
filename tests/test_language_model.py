from __future__ import annotations

import json
import time
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from fakes import HangingModel, ScriptedModel
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, field_validator

from dar_retriever.errors import InvalidInputError, LanguageModelError
from dar_retriever.language_model import ask
from dar_retriever.prompts import instructions
from dar_retriever.reformulation.llm import SearchText

LONGEST = 20_000


class Wish(BaseModel):
    colour: str
    sizes: list[int] = []

    @field_validator("colour")
    @classmethod
    def known(cls, colour: str) -> str:
        if colour == "beige":
            raise ValueError("nobody wants that colour")
        return colour


GOOD = '{"colour": "red", "sizes": [1, 2]}'
RED = Wish(colour="red", sizes=[1, 2])


def asked(model: Any, limit: float | None = None) -> tuple[Wish, int]:
    return ask(model, "do it", "with this", Wish, limit)


@pytest.mark.parametrize(
    "reply",
    [
        GOOD,
        f"\n\n  {GOOD}\n",
        json.dumps(json.loads(GOOD), indent=4),
        f"Here you are: {GOOD}",
        f"{GOOD} Anything else?",
        f"Sure!\n{GOOD}\nI chose red.",
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}\n```",
        f"```JSON\n{GOOD}\n```",
        f"```json{GOOD}```",
        f"Sure!\n```json\n{GOOD}\n```\nI left {{sizes}} as they are.",
        f"{{Thinking}} of it ...\n```json\n{GOOD}\n```",
        f'```json\n{GOOD}\n```\nIn blue:\n```json\n{{"colour": "blue"}}\n```',
        f"```json\n{GOOD}",
        f"\ufeff{GOOD}",
        f"[{GOOD}]",
    ],
)
def test_the_answer_is_found_in_the_reply(reply: str):
    assert asked(ScriptedModel(reply)) == (RED, 1)


@pytest.mark.parametrize(
    "colour",
    [
        "{red}",
        "}{",
        "}",
        "a {b {c}} d",
        '"red" {',
        "\\",
        "```",
        "red\nblue",
        "\u2028",
        "\U0001f984",
        "",
    ],
)
@pytest.mark.parametrize("around", ["{}", "Look: {}", "```json\n{}\n```"])
def test_what_stands_in_strings_is_no_end_of_the_answer(colour: str, around: str):
    for escaped in (True, False):
        reply = around.format(json.dumps({"colour": colour}, ensure_ascii=escaped))

        assert asked(ScriptedModel(reply)) == (Wish(colour=colour), 1)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ('{"colour": "red", "where": {}, "k": 99, "tool_calls": [1]}', Wish(colour="red")),
        ('{"colour": "blue", "colour": "red"}', Wish(colour="red")),
        ('{"colour": "red", "sizes": ["1", 2.0]}', RED),
    ],
    ids=["fields of its own", "a key twice", "numbers of another type"],
)
def test_what_the_form_has_room_for_is_taken(reply: str, expected: Wish):
    answer, _ = asked(ScriptedModel(reply))

    assert answer == expected
    assert set(answer.model_dump()) == {"colour", "sizes"}


def test_the_model_is_given_instructions_data_and_form():
    model = ScriptedModel(GOOD)

    asked(model)

    assert model.given == [
        [{"role": "system", "content": "do it"}, {"role": "user", "content": "with this"}]
    ]
    assert model.schemas == [Wish]


REFUSED = [
    ("", "it holds no JSON object"),
    ("I would take red.", "it holds no JSON object"),
    ('{"colour": "red"', "it holds no JSON object"),
    ("} {", "it holds no JSON object"),
    ("null", "it holds no JSON object"),
    ("[]", "it holds no JSON object"),
    ("{}", "colour: Field required"),
    ('{"colour": }', "JSON: Invalid JSON"),
    ("{'colour': 'red'}", "JSON: Invalid JSON"),
    ('{"colour": "red"} or {"colour": "blue"}', "JSON: Invalid JSON"),
    ('{"colour": "red\nblue"}', "JSON: Invalid JSON"),
    ('{"colour": "\\ud800"}', "JSON: Invalid JSON"),
    ('{"colour": 3}', "colour: Input should be a valid string"),
    ('{"colour": null}', "colour: Input should be a valid string"),
    ('{"colour": NaN}', "colour: Input should be a valid string"),
    ('{"colour": "red", "sizes": [1, NaN]}', "sizes.1: Input should be a finite number"),
    ('{"colour": "red", "sizes": [Infinity]}', "sizes.0: Input should be a finite number"),
    ('{"colour": "red", "sizes": [1, "two"]}', "sizes.1: Input should be a valid integer"),
    ('{"colour": "beige"}', "colour: Value error, nobody wants that colour"),
    ('{"colour": 3, "sizes": 4}', "colour: Input should be a valid string; sizes: Input"),
    ('{"sizes": ' + "[" * 5000 + "]" * 5000 + "}", "recursion limit exceeded"),
    ('{"a": ' * 2000 + "1" + "}" * 2000, "recursion limit exceeded"),
    ('{"colour": "' + "a" * 100_000 + '"}', "it has 100014 characters"),
    (GOOD + " " * LONGEST, "characters"),
]


@pytest.mark.parametrize(("reply", "why"), REFUSED, ids=[why for _, why in REFUSED])
def test_after_an_invalid_answer_the_model_is_told_why_and_asked_again(reply: str, why: str):
    model = ScriptedModel(reply, GOOD)

    assert asked(model) == (RED, 2)

    first, second = model.given
    assert second[:2] == first
    own, told = second[2:]
    assert own == {"role": "assistant", "content": reply[:LONGEST]}
    assert told["role"] == "user"
    assert told["content"].startswith("That was no valid answer: ")
    assert why in told["content"]
    assert told["content"].endswith("Answer with the JSON object alone.")
    assert model.schemas == [Wish, Wish]


def test_a_reply_that_is_just_short_enough_is_read():
    assert asked(ScriptedModel(GOOD.ljust(LONGEST))) == (RED, 1)


def test_of_many_problems_the_model_is_told_a_few():
    sizes = ["PWNED"] * 7

    model = ScriptedModel(json.dumps({"colour": "red", "sizes": sizes}), GOOD)
    asked(model)

    told = model.given[1][-1]["content"]
    assert [f"sizes.{n}:" in told for n in range(7)] == [True] * 5 + [False] * 2
    # The reasons are this package's words; the model's own stand in its own message alone.
    assert "PWNED" not in told


@pytest.mark.parametrize(("reply", "why"), REFUSED, ids=[why for _, why in REFUSED])
def test_two_invalid_answers_are_an_error(reply: str, why: str):
    model = ScriptedModel("neither this", reply, GOOD)

    with pytest.raises(LanguageModelError) as caught:
        asked(model)

    assert str(caught.value).startswith("no valid answer in two tries: ")
    assert why in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert len(model.given) == 2


@pytest.mark.parametrize("reply", [None, 3, {"colour": "red"}, b"{}", RED])
@pytest.mark.parametrize("before", [[], ["no JSON"]], ids=["first", "second"])
def test_what_is_no_str_is_an_error(reply: object, before: list[str]):
    with pytest.raises(LanguageModelError, match=f"returned {type(reply).__name__}, no str"):
        asked(ScriptedModel(*before, reply, GOOD))


@pytest.mark.parametrize("limit", [None, 30])
@pytest.mark.parametrize("before", [[], ["no JSON"]], ids=["first", "second"])
@pytest.mark.parametrize(
    "error",
    [ConnectionError("no route"), RuntimeError("quota"), TimeoutError("504"), ValueError("no key")],
    ids=lambda error: type(error).__name__,
)
def test_the_models_own_error_goes_through(
    error: Exception, before: list[str], limit: float | None
):
    model = ScriptedModel(*before, error, GOOD)

    with pytest.raises(type(error)) as caught:
        asked(model, limit)

    assert caught.value is error
    assert len(model.given) == len(before) + 1


@pytest.mark.parametrize("limit", [0.05, 0.0])
def test_a_model_that_does_not_answer_is_not_waited_for(limit: float):
    model = HangingModel(GOOD)
    began = time.monotonic()
    try:
        with pytest.raises(TimeoutError):
            asked(model, limit)
        assert time.monotonic() - began < 10
    finally:
        model.released.set()


def test_the_limit_is_for_both_tries_together():
    with pytest.raises(TimeoutError):
        asked(ScriptedModel("no JSON", GOOD, seconds=0.3), limit=0.5)


@pytest.mark.parametrize("limit", [None, 30])
def test_within_the_limit_both_tries_are_waited_for(limit: float | None):
    began = time.monotonic()

    assert asked(ScriptedModel("no JSON", GOOD, seconds=0.1), limit) == (RED, 2)
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize("limit", [None, 30])
def test_the_model_is_called_in_the_callers_context(limit: float | None):
    tracing: ContextVar[str] = ContextVar("tracing", default="lost")
    tracing.set("run 7")

    def model(messages: Any, schema: Any) -> str:
        return json.dumps({"colour": tracing.get()})

    assert asked(model, limit)[0].colour == "run 7"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(max_size=9), values),
    max_leaves=8,
)
_FORMED = st.fixed_dictionaries(
    {"caption": _JSON, "prompts": st.lists(_JSON, max_size=4)},
    optional={"exclusions": _JSON, "subject_since": _JSON, "where": _JSON},
)
# Surrogates stand alone in what some models and tokenizers cut off.
_TEXT = st.text(st.characters() | st.sampled_from('{}[]"\\`:,'), max_size=60)
_REPLIES = (
    _TEXT
    | st.builds("{}{}{}".format, _TEXT, (_JSON | _FORMED).map(json.dumps), _TEXT)
    | st.builds("```json\n{}\n```{}".format, _FORMED.map(json.dumps), _TEXT)
    | st.builds(lambda text, cut: text[:cut], _FORMED.map(json.dumps), st.integers(0, 200))
)


@given(_REPLIES, _REPLIES)
@example("```{" * 20, '{"caption": "", "prompts": []}')
@example("\ud800{}", '{"caption": "\ud800", "prompts": []}')
def test_any_reply_is_a_valid_answer_or_the_error_that_says_so(first: str, second: str):
    model = ScriptedModel(first, second)
    try:
        answer, tries = ask(model, "do it", "with this", SearchText, None)
    except LanguageModelError:
        assert len(model.given) == 2
        return
    assert len(model.given) == tries
    assert SearchText.model_validate(answer.model_dump()) == answer
    for line in (answer.caption, *answer.prompts, *answer.exclusions):
        assert len(line) <= 1000
        assert line.isprintable()
        assert line == " ".join(line.split())
    assert answer.subject_since >= 0
    assert max(len(answer.prompts), len(answer.exclusions)) <= 16


def test_placeholders_are_filled_in():
    text = instructions("reformulate", max_words=46, prompts=3)

    assert "at most 46 words" in text
    assert "3 different prompts" in text
    assert "$" not in text
    assert text == text.strip()


def test_the_form_that_the_instructions_ask_for_is_the_form_that_is_checked():
    text = instructions("reformulate", max_words=46, prompts=3)

    for field in SearchText.model_fields:
        assert f"- {field}: " in text
    example = json.loads(text.splitlines()[-1])
    assert set(example) == set(SearchText.model_fields)
    SearchText.model_validate(example)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ("At most $max_words words.", "At most 46 words."),
        ("${prompts}rd prompt", "3rd prompt"),
        ("$prompts $prompts", "3 3"),
        ("for $$5, $$prompts", "for $5, $prompts"),
        ("  nothing to fill in {max_words} \n", "nothing to fill in {max_words}"),
        ("", ""),
        # A text, though it looks like a path.
        ("reformulate.txt", "reformulate.txt"),
    ],
)
def test_a_text_of_ones_own_stands_in(tmp_path: Path, own: str, expected: str):
    file = tmp_path / "own.txt"
    file.write_text(own, "utf-8")

    assert instructions("reformulate", own, max_words=46, prompts=3) == expected
    assert instructions("reformulate", file, max_words=46, prompts=3) == expected


def test_a_file_of_ones_own_is_utf_8(tmp_path: Path):
    file = tmp_path / "own.txt"
    file.write_bytes("un d\u00e9but \u4e00".encode())

    assert instructions("any", file) == "un d\u00e9but \u4e00"


def test_values_are_not_looked_into_for_placeholders():
    assert instructions("any", "$said, $prompts", said="$prompts $5", prompts=3) == "$prompts $5, 3"


@pytest.mark.parametrize(
    ("own", "why"),
    [
        ("$colour", "'colour'"),
        ("${colour}", "'colour'"),
        ("$max_wordss", "'max_wordss'"),
        ("it costs $5", "line 1, col 10"),
        ("in $", "line 1, col 4"),
        ("${}", "line 1, col 1"),
    ],
)
def test_a_placeholder_without_a_value_is_refused(tmp_path: Path, own: str, why: str):
    file = tmp_path / "own.txt"
    file.write_text(own)

    for source in (own, file):
        with pytest.raises(InvalidInputError) as caught:
            instructions("reformulate", source, max_words=46, prompts=3)
        assert why in str(caught.value)
        assert "$max_words, $prompts" in str(caught.value)
        assert "$$" in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path):
    for file in (tmp_path / "missing.txt", tmp_path):
        with pytest.raises(InvalidInputError, match="cannot be read") as caught:
            instructions("reformulate", file)
        assert str(file) in str(caught.value)
    with pytest.raises(InvalidInputError, match="cannot be read"):
        instructions("no_such_text")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path):
    file = tmp_path / "own.bin"
    file.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(InvalidInputError):
        instructions("reformulate", file)
