from __future__ import annotations

import json
import time
from contextvars import ContextVar
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from fakes import HangingModel, ScriptedModel
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, field_validator

from dar_retriever.errors import InvalidInputError, LanguageModelError
from dar_retriever.language_models.answers import ask
from dar_retriever.language_models.instructions import instructions
from dar_retriever.reformulation.llm import SearchText

LONGEST = 20_000
OBJECTS = 16
JOINERS = "\u200c\u200d"


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
        f'{GOOD} or {{"colour": "blue"}}',
        f"{GOOD}}}}}",
        f"{{ {GOOD}",
        f"```json\n{{broken\n```\nAgain:\n```json\n{GOOD}\n```",
        "{not this} " * (OBJECTS - 1) + GOOD,
        f'{{"answer": {GOOD}, cut off',
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
        "``` {",
        "```json\n{}\n```",
        "red\n```\n}\n```json\n{",
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


UNREADABLE = "it holds no JSON object that can be read "
NO_STR = "colour: Input should be a valid string"
REFUSED = [
    ("", "it holds no JSON object."),
    (" \n\t", "it holds no JSON object."),
    ("I would take red.", "it holds no JSON object."),
    ("null", "it holds no JSON object."),
    ("[]", "it holds no JSON object."),
    ('"red"', "it holds no JSON object."),
    ("} {", f"{UNREADABLE}(Expecting property name"),
    ("{red}", f"{UNREADABLE}(Expecting property name"),
    ('{"colour": "red"', f"{UNREADABLE}(Expecting ',' delimiter: line 1 column 17 (char 16))."),
    ('{"colour": }', f"{UNREADABLE}(Expecting value: line 1 column 12 (char 11))."),
    ("{'colour': 'red'}", f"{UNREADABLE}(Expecting property name"),
    ('{"colour": "red\nblue"}', f"{UNREADABLE}(Invalid control character at: line 1"),
    ('{"colour": "\\x"}', f"{UNREADABLE}(Invalid \\escape: line 1 column 13 (char 12))."),
    ('{"sizes": [' + "9" * 5000 + "]}", f"{UNREADABLE}(Exceeds the limit"),
    # Deeper than any Python reads.
    ('{"sizes": ' + "[" * 19_000, UNREADABLE),
    ('{"a": ' * 3000, UNREADABLE),
    ("```{" * 5000, f"{UNREADABLE}(Expecting property name"),
    ("{not this} " * OBJECTS + GOOD, f"{UNREADABLE}(Expecting property name"),
    ("{}", "colour: Field required."),
    ('{"answer": ' + GOOD + "}", "colour: Field required."),
    # The first object that can be read is the answer.
    ('{"colour": 3} or ' + GOOD, f"{NO_STR}."),
    ('{"colour": 3}', f"{NO_STR}."),
    ('{"colour": null}', f"{NO_STR}."),
    ('{"colour": NaN}', f"{NO_STR}."),
    ('{"colour": "red", "sizes": [1, NaN]}', "sizes.1: Input should be a finite number."),
    ('{"colour": "red", "sizes": [Infinity]}', "sizes.0: Input should be a finite number."),
    ('{"colour": "red", "sizes": [1, "two"]}', "sizes.1: Input should be a valid integer"),
    ('{"colour": "beige"}', "colour: Value error, nobody wants that colour."),
    ('{"colour": 3, "sizes": 4}', f"{NO_STR}; sizes: Input should be a valid list."),
    ('{"colour": "' + "a" * 100_000 + '"}', "it has 100014 characters."),
    (GOOD + " " * LONGEST, f"it has {LONGEST + len(GOOD)} characters."),
    (" " * (LONGEST + 1), f"it has {LONGEST + 1} characters."),
]
EVERY_REFUSED = pytest.mark.parametrize(
    ("reply", "why"), REFUSED, ids=[f"{reply[:25]!r}: {why[:60]}" for reply, why in REFUSED]
)


@EVERY_REFUSED
def test_after_an_invalid_answer_the_model_is_told_why_and_asked_again(reply: str, why: str):
    model = ScriptedModel(reply, GOOD)

    assert asked(model) == (RED, 2)

    first, second = model.given
    assert second[:2] == first
    own, told = second[2:]
    assert own == {"role": "assistant", "content": reply[:LONGEST].strip() or "(nothing)"}
    assert told["role"] == "user"
    assert told["content"].startswith(f"That was no valid answer: {why}")
    assert told["content"].endswith(". Answer with the JSON object alone.")
    assert model.schemas == [Wish, Wish]


@pytest.mark.parametrize("reply", ["", " ", "\n\r\t", " " * (LONGEST + 1), "\u2028"])
def test_the_model_is_never_shown_a_message_without_content(reply: str):
    model = ScriptedModel(reply, GOOD)

    asked(model)

    assert model.given[1][2] == {"role": "assistant", "content": "(nothing)"}


def test_the_messages_of_a_try_stay_as_they_were_given():
    given: list[Any] = []
    replies = iter(["no JSON", GOOD])

    def model(messages: Any, schema: Any) -> str:
        given.append(messages)
        return next(replies)

    asked(model)

    assert [[message["role"] for message in messages] for messages in given] == [
        ["system", "user"],
        ["system", "user", "assistant", "user"],
    ]


@pytest.mark.parametrize(
    "reply",
    [
        "```{" * 5000,
        "{" * LONGEST,
        '{"a":' * 4000,
        '{"a": "{' * 2500,
        '{"a": [' * 2800,
        '{"' + "\\" * 19_990,
        "{" * OBJECTS + " " * 19_900,
        '{"colour": "' + "{" * 19_900,
    ],
    ids=lambda reply: reply[:9],
)
def test_no_reply_takes_long_to_read(reply: str):
    assert len(reply) <= LONGEST
    began = time.process_time()

    with pytest.raises(LanguageModelError, match="it holds no JSON object that can be read"):
        asked(ScriptedModel(reply))

    assert time.process_time() - began < 1


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


@EVERY_REFUSED
def test_two_invalid_answers_are_an_error(reply: str, why: str):
    model = ScriptedModel("neither this", reply, GOOD)

    with pytest.raises(LanguageModelError) as caught:
        asked(model)

    assert f"{caught.value}.".startswith(f"no valid answer in two tries: {why}")
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
    [
        ConnectionError("no route"),
        RuntimeError("quota"),
        TimeoutError("504"),
        ValueError("no key"),
        json.JSONDecodeError("no JSON from the service", "", 0),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "garbled"),
        RecursionError("too deep"),
        LanguageModelError("refused"),
    ],
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


@pytest.mark.parametrize(("limit", "told"), [(0.05, "0.05"), (0.0, "0"), (1e-3, "0.001")])
def test_a_model_that_does_not_answer_is_not_waited_for(limit: float, told: str):
    model = HangingModel(GOOD)
    began = time.monotonic()
    try:
        with pytest.raises(TimeoutError, match=f"^no answer within {told} s$"):
            asked(model, limit)
        assert time.monotonic() - began < 10
    finally:
        model.released.set()


def test_the_limit_is_for_both_tries_together_and_named_as_a_whole():
    calls: list[int] = []
    released = Event()

    def model(messages: Any, schema: Any) -> str:
        calls.append(len(messages))
        if len(calls) == 2:
            released.wait(30)
        return "no JSON"

    began = time.monotonic()
    try:
        with pytest.raises(TimeoutError, match=r"^no answer within 0\.4 s$"):
            asked(model, 0.4)
        assert 0.4 <= time.monotonic() - began < 10
    finally:
        released.set()
    assert calls == [2, 4]


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
_TEXT = st.text(st.characters() | st.sampled_from(f'{{}}[]"\\`:,{JOINERS}'), max_size=60)
_REPLIES = (
    _TEXT
    | st.builds("{}{}{}".format, _TEXT, (_JSON | _FORMED).map(json.dumps), _TEXT)
    | st.builds("```json\n{}\n```{}".format, _FORMED.map(json.dumps), _TEXT)
    | st.builds(lambda text, cut: text[:cut], _FORMED.map(json.dumps), st.integers(0, 200))
)


@given(_REPLIES, _REPLIES)
@example("```{" * 20, '{"caption": "", "prompts": []}')
@example("```{" * 5000, '{"caption": "\\ud800", "prompts": []}')
@example("{}", '{"caption": "\\u0000\\u200c", "prompts": ["\\u200d \\u200b"]}')
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
        assert all(char.isprintable() or char in JOINERS for char in line)
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
        ("it costs $5", "Invalid placeholder in string: line 1, col 10"),
        ("in $", "Invalid placeholder in string: line 1, col 4"),
        ("$max_words\n${}", "Invalid placeholder in string: line 2, col 1"),
    ],
)
def test_a_dollar_that_stands_for_nothing_is_refused(tmp_path: Path, own: str, why: str):
    file = tmp_path / "own.txt"
    file.write_text(own)

    for source in (own, file):
        with pytest.raises(InvalidInputError) as caught:
            instructions("reformulate", source, max_words=46, prompts=3)
        assert str(caught.value) == (
            f"the instructions have a $ that stands for nothing ({why}); "
            "there are $max_words, $prompts, and $$ is a dollar sign"
        )


def refused(name: str, own: Path | None = None) -> str:
    """What is said of a file that cannot be read."""
    with pytest.raises(InvalidInputError) as caught:
        instructions(name, own)
    before, _, after = str(caught.value).partition(" cannot be read (")
    assert after.endswith("); pass a text, or a file in UTF-8")
    return before


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path):
    for file in (tmp_path / "missing.txt", tmp_path):
        assert refused("reformulate", file) == repr(str(file))
    assert "no_such_text.txt" in refused("no_such_text")


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", "une robe d'\u00e9t\u00e9".encode("latin-1"), "a".encode("utf-16")]
)
def test_a_file_that_is_not_in_utf_8_is_refused(tmp_path: Path, content: bytes):
    file = tmp_path / "own.bin"
    file.write_bytes(content)

    assert refused("reformulate", file) == repr(str(file))
