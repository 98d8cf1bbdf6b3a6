"""The dar command, as a user runs it: the demo preset, a real store, real exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import blank_image
from PIL import Image
from typer.testing import CliRunner

from dar_retriever import DARError, Dialogue, EncodedQuery, Question, SearchResult, Trace
from dar_retriever.cli import main
from dar_retriever.cli.common import APP
from dar_retriever.cli.search import _show
from dar_retriever.errors import InvalidInputError
from dar_retriever.generation import GeneratedImage

DAR = [sys.executable, "-m", "dar_retriever"]


def dar(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(
        [*DAR, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=120,
    )


@pytest.fixture(scope="module")
def indexed(gallery_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the gallery, made by ``dar index``."""
    store = tmp_path_factory.mktemp("cli") / "store"
    done = CliRunner().invoke(APP, ["index", str(gallery_folder), "--store", str(store), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["added"] == len(list(gallery_folder.glob("*.jpg")))
    return store


def test_index_again_adds_nothing_and_reports_what_it_leaves_out(
    indexed: Path, gallery_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "good.jpg").write_bytes((gallery_folder / "00000.jpg").read_bytes())
    (folder / "broken.jpg").write_bytes(b"no image")
    done = CliRunner().invoke(APP, ["index", str(folder), "--store", str(indexed)])
    assert done.exit_code == 0
    counts = "0 images added, 0 moved, 0 updated, 1 known, 0 gone, 0 passed over, 1 left out"
    assert counts in done.stdout.replace("\n", " ")
    assert "broken.jpg" in done.stderr


def test_names_that_would_move_the_cursor_are_printed_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[2Jb\nc.jpg").write_bytes(b"no image")
    (tmp_path / os.fsdecode(b"\xff.jpg")).write_bytes(b"no image")
    done = CliRunner().invoke(APP, ["index", str(tmp_path), "--store", str(tmp_path / "store")])
    assert done.exit_code == 0, done.output
    assert "\x1b[2J" not in done.stderr
    assert "a\\x1b[2Jb\\nc.jpg" in done.stderr
    assert "\\udcff.jpg" in done.stderr


def test_a_server_is_a_store_like_a_folder(gallery_folder: Path, chroma_server: int) -> None:
    store = f"http://localhost:{chroma_server}/by-command"
    done = CliRunner().invoke(APP, ["index", str(gallery_folder), "--store", store, "--json"])
    assert done.exit_code == 0, done.output
    found = CliRunner().invoke(APP, ["search", "a dress", "--store", store, "-k", "3", "--json"])
    assert len(json.loads(found.stdout)["hits"]) == 3


@pytest.mark.parametrize("store", ["http://", "http://:8000", "https://host:port", "http://[::1"])
def test_addresses_that_are_none_are_refused(store: str) -> None:
    done = CliRunner().invoke(APP, ["search", "a dress", "--store", store])
    assert isinstance(done.exception, InvalidInputError)
    assert repr(store) in str(done.exception)


def test_search_prints_json_for_programs(indexed: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    arguments = ["search", "a dress", "a red one", "--store", str(indexed), "-k", "3", "--json"]
    done = CliRunner().invoke(APP, [*arguments, "--sheet", str(sheet)])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert answer["round"] == 1
    assert answer["final"] is True
    assert [hit["rank"] for hit in answer["hits"]] == [1, 2, 3]
    assert answer["trace"]["generated"] == 4
    assert answer["trace"]["fallbacks"] == []
    with Image.open(sheet) as picture:
        assert picture.width > 900


def test_search_filters_by_metadata(indexed: Path) -> None:
    where = json.dumps({"colour": "blue"})
    arguments = ["search", "a dress", "--store", str(indexed), "--where", where, "--json"]
    done = CliRunner().invoke(APP, arguments)
    hits = json.loads(done.stdout)["hits"]
    assert hits
    assert {hit["metadata"]["colour"] for hit in hits} == {"blue"}


def test_search_takes_a_reference_image(indexed: Path, gallery_folder: Path) -> None:
    picture = gallery_folder / "00003.jpg"
    arguments = ["search", "like this", "--image", str(picture), "--store", str(indexed), "--json"]
    done = CliRunner().invoke(APP, arguments)
    names = [Path(hit["uri"]).name for hit in json.loads(done.stdout)["hits"]]
    assert picture.name in names


def test_search_shows_a_table_to_people(indexed: Path) -> None:
    done = CliRunner().invoke(APP, ["search", "a green mug", "--store", str(indexed)])
    assert done.exit_code == 0, done.output
    assert "understood: a green mug" in done.stdout
    assert "4 images generated" in done.stdout


def test_chat_goes_turn_by_turn_and_keeps_a_contact_sheet(indexed: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    arguments = ["chat", "--store", str(indexed), "--sheet", str(sheet), "--json"]
    done = CliRunner().invoke(APP, arguments, input="a green mug\nmake it blue\n\n")
    assert done.exit_code == 0, done.output
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["trace"]["caption"] == "a green mug"
    assert second["trace"]["caption"] == "a blue mug"
    assert sheet.exists()


def chat(store: Path, *said: str, json_: bool = True, labels: Sequence[str] = ()) -> str:
    """What ``dar chat`` answers to some lines."""
    sheet = str(store.parent / "sheet.png")
    arguments = ["chat", "--store", str(store), "--sheet", sheet, *["--json"] * json_]
    arguments += [part for label in labels for part in ("--label", label)]
    done = CliRunner().invoke(APP, arguments, input="".join(f"{line}\n" for line in (*said, "")))
    assert done.exit_code == 0, done.output
    return done.stdout


def answers(store: Path, *said: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in chat(store, *said).splitlines()]


@pytest.fixture(scope="module")
def numbered(indexed: Path) -> list[dict[str, Any]]:
    """A search, and its question answered by a number."""
    return answers(indexed, "a handbag", "2")


def test_chat_takes_a_number_and_a_choice_as_the_answer(
    indexed: Path, numbered: list[dict[str, Any]]
) -> None:
    asked, answered = numbered
    assert len(asked["question"]["choices"]) >= 3
    second = asked["question"]["choices"][1]

    _, chosen, more = answers(indexed, "a handbag", f" {second.upper()}. ", "yellow stripes")

    caption = answered["trace"]["caption"]
    assert caption.startswith(f"a handbag, {second}")
    assert chosen["trace"]["caption"] == caption
    assert more["trace"]["caption"] == f"{caption}, yellow stripes"
    assert [told["round"] for told in (asked, answered, chosen, more)] == [0, 1, 1, 2]
    for told in (answered, chosen, more):
        assert (told["question"] or {}).get("text") != asked["question"]["text"]


def test_chat_takes_other_words_as_they_are(indexed: Path, numbered: list[dict[str, Any]]) -> None:
    second = numbered[0]["question"]["choices"][1]

    _, free = answers(indexed, "a handbag", f"{second} leather")

    assert free["trace"]["caption"] == f"a handbag, {second} leather"


def test_chat_calls_fields_by_their_labels(indexed: Path) -> None:
    fields = ("colour", "pattern", "second_colour", "detail", "background")

    shown = chat(indexed, "a handbag", json_=False, labels=[f"{f}=own {f}" for f in fields])

    assert "Which own " in shown


def test_chat_shows_numbered_choices(indexed: Path, numbered: list[dict[str, Any]]) -> None:
    shown = chat(indexed, "a handbag", json_=False)

    question = numbered[0]["question"]
    choices = "  ".join(f"{n} {choice}" for n, choice in enumerate(question["choices"], 1))
    assert f"{question['text']}  {choices}" in shown
    divides = numbered[0]["names"]["divides"]
    assert divides
    words = ", ".join(f"{each['word']} ({len(each['ids'])})" for each in divides)
    assert f"some are: {words}" in " ".join(shown.split())
    assert "nothing in the store is close to this" not in shown


@pytest.mark.parametrize("generated", [0, 1])
def test_it_is_said_when_nothing_is_close(
    generated: int, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = np.empty((0, 4), np.float32)
    vectors = (np.ones(4, np.float32), None, *[nothing] * 4)
    drawn = (GeneratedImage(blank_image("red"), "a dog", 0),) * generated
    query = EncodedQuery(Dialogue.from_text("a dog"), *vectors, Trace("a dog", generated=drawn))

    _show(SearchResult((), query.trace, query, close=False), as_json_=False, sheet=None)

    said = capsys.readouterr().out
    assert said.count("nothing in the store is close to this") == 1
    assert said.count("the generated images show what was understood") == generated


def test_it_is_said_what_words_filter_and_which_do_not(capsys: pytest.CaptureFixture[str]) -> None:
    nothing = np.empty((0, 4), np.float32)
    vectors = (np.ones(4, np.float32), None, *[nothing] * 4)
    trace = Trace("a mug", only=("price at most 50", "brand [b]"), left_out=("no size",))
    query = EncodedQuery(Dialogue.from_text("a mug"), *vectors, trace)

    _show(SearchResult((), trace, query), as_json_=False, sheet=None)

    printed = capsys.readouterr()
    assert "only: price at most 50; brand [b]\n" in printed.out
    assert printed.err == "note: no size\n"


def test_what_a_question_says_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    nothing = np.empty((0, 4), np.float32)
    vectors = (np.ones(4, np.float32), None, *[nothing] * 4)
    query = EncodedQuery(Dialogue.from_text("a mug"), *vectors, Trace("a mug"))
    question = Question("Which [bold]one[/bold]?", ("[red]a[/red]", "[/nonsense]"))

    _show(SearchResult((), query.trace, query), as_json_=False, sheet=None, question=question)

    said = "Which [bold]one[/bold]?  1 [red]a[/red]  2 [/nonsense]"
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["search", "a dress", "--store", "nowhere"], ["nowhere", "dar index"]),
        (["chat", "--label", "Farbe", "--store", "nowhere"], ["Farbe", "FIELD=NAME"]),
        (["app", "--label", "=colour", "--store", "nowhere"], ["=colour", "FIELD=NAME"]),
        (["app", "--demo", "--language-model", "./nowhere"], ["./nowhere"]),
        (["app", "--demo", "--also", "shop=my-shop"], ["--also", "the demo has one"]),
        (["app", "--store", "a/shop", "--also", "b/shop"], ["'b/shop'", "NAME=PLACE"]),
        (["index", "nowhere"], ["nowhere"]),
        (["search", " ", "--store", "nowhere"], ["describe the wanted image"]),
        (["search", "x", "--where", "{", "--store", "nowhere"], ["no JSON"]),
        (["search", "x", "--where", "[]", "--store", "nowhere"], ["no JSON object"]),
        (["index", ".", "--preset", "finest"], ["finest", "demo"]),
        (["demo", "--products", "3"], ["products=3"]),
    ],
)
def test_user_errors_are_one_line_and_exit_code_2(
    arguments: list[str],
    words: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["dar", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert said.startswith("error:")
    for word in words:
        assert word in said


def test_bad_k_and_filter_are_user_errors(indexed: Path) -> None:
    where = json.dumps({"colour": {"$nonsense": 1}})
    for extra in (["-k", "0"], ["--where", where]):
        done = CliRunner().invoke(APP, ["search", "x", "--store", str(indexed), *extra])
        assert isinstance(done.exception, DARError)


def test_the_command_runs_as_a_program_of_its_own() -> None:
    done = dar("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in ("index", "search", "chat", "demo"))
    failed = dar("search", "x", "--store", "nowhere")
    assert failed.returncode == 2
    assert "Traceback" not in failed.stderr
