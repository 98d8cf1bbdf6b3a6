"""What an evaluation leaves: figures, tables, files, charts, the page, and ``dar eval`` itself."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from fakes import DrawingGenerator
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from dar_retriever import OpenClipEncoder
from dar_retriever.cli import main
from dar_retriever.cli.common import APP
from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.demo.gallery import gallery_products, picture_name
from dar_retriever.demo.simulated_user import ROUNDS, simulate
from dar_retriever.encoders.base import Vectors
from dar_retriever.evaluation import command, metrics
from dar_retriever.evaluation.charts import as_svg, charts_of, write_charts
from dar_retriever.evaluation.datasets import Case, Dataset
from dar_retriever.evaluation.diagnostics import (
    _ATTRIBUTES,
    Diagnosis,
    _shuffled,
    _swapped,
    diagnose,
)
from dar_retriever.evaluation.methods import METHODS, method
from dar_retriever.evaluation.protocol import evaluate
from dar_retriever.evaluation.report import examples, write_report
from dar_retriever.evaluation.results import (
    Figures,
    baseline,
    figures_of,
    table_of,
    write_csv,
    write_json,
)
from dar_retriever.evaluation.statistics import bootstrap
from dar_retriever.evaluation.values import Evaluation, Models, Outcome
from dar_retriever.generation.base import ImageGenerator
from dar_retriever.support.images import image_from_data_url

NAMES = ("joined", "text", "images", "dar")
POOL = 30
CASES = 12
K = 2
SEED = 3

BY_ROUND: dict[str, Callable[[Any], Any]] = {
    **{f"hits@{k}": lambda ranks, k=k: metrics.hits_at(ranks, k) for k in (1, 5, 10)},
    **{f"recall@{k}": lambda ranks, k=k: metrics.recall_at(ranks, k) for k in (1, 5, 10)},
    "mrr": metrics.reciprocal_rank,
}


def evaluated(
    dataset: Dataset,
    names: Sequence[str],
    encoder: Any,
    folder: Path,
    generator: ImageGenerator | None = None,
) -> Evaluation:
    def models_of(preset_name: str, *, draws: bool) -> Models:
        return Models(encoder, generator, K) if draws else Models(encoder, None, 0)

    methods = [method(name, "demo") for name in names]
    return evaluate(dataset, methods, models_of, folder, seed=SEED)


@pytest.fixture(scope="module")
def evaluation(
    tiny_encoder: OpenClipEncoder, gallery_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Evaluation:
    """All methods on 12 simulated dialogues over 30 pictures, by an encoder of random weights."""
    products = gallery_products(120)
    played = [simulate(products[2 * n], n).dialogue for n in range(CASES)]
    cases = tuple(
        Case(str(n), 2 * n, tuple(dialogue.at_round(r) for r in range(ROUNDS + 1)))
        for n, dialogue in enumerate(played)
    )
    dataset = Dataset("drawn", cases, tuple(map(picture_name, range(POOL))), gallery_folder)
    folder = tmp_path_factory.mktemp("encodings")
    return evaluated(dataset, NAMES, tiny_encoder, folder, DrawingGenerator())


@pytest.fixture(scope="module")
def figures(evaluation: Evaluation) -> Figures:
    return figures_of(evaluation)


@pytest.fixture(scope="module")
def charts(figures: Figures) -> dict[str, Any]:
    return charts_of(figures)


@pytest.fixture(scope="module")
def diagnoses(evaluation: Evaluation) -> list[Diagnosis]:
    return diagnose(evaluation, baseline(evaluation))


@pytest.fixture(scope="module")
def page(
    evaluation: Evaluation,
    figures: Figures,
    charts: dict[str, Any],
    diagnoses: list[Diagnosis],
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    assert write_report(path, evaluation, figures, charts, diagnoses) == path
    return path.read_text(encoding="utf-8")


def only(evaluation: Evaluation, *names: str) -> Evaluation:
    """The evaluation as it were of these methods, in this order."""
    return dataclasses.replace(
        evaluation, outcomes=tuple(outcome_of(evaluation, name) for name in names)
    )


def outcome_of(evaluation: Evaluation, name: str) -> Outcome:
    return next(o for o in evaluation.outcomes if o.method.name == name)


def renamed(figures: Figures, place: int, name: str) -> Figures:
    methods = list(figures["methods"])
    methods[place] = methods[place] | {"name": name}
    return figures | {"methods": methods}


def printed(figures: Figures, metric: str = "hits@10") -> str:
    # The width that ``dar eval`` prints with where nothing is wider.
    console = Console(file=io.StringIO(), width=command._WIDE, record=True)
    console.print(table_of(figures, metric))
    return console.export_text()


def row_of(text: str, name: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [name])


def strictly(text: str) -> Any:
    """JSON as any other language reads it: without NaN and Infinity."""

    def refuse(name: str) -> None:
        pytest.fail(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


# Figures


def test_figures_say_what_was_run(evaluation: Evaluation, figures: Figures) -> None:
    dataset = evaluation.dataset
    assert figures["dataset"] == {
        "name": "drawn",
        "fingerprint": dataset.fingerprint,
        "dialogues": CASES,
        "rounds": ROUNDS + 1,
        "pool": POOL,
    }
    assert figures["run"]["seed"] == SEED
    assert figures["run"]["python"] == ".".join(map(str, sys.version_info[:3]))
    versions = figures["run"]["versions"]
    assert versions["dar-retriever"] == version("dar-retriever")
    assert {"torch", "numpy", "open_clip_torch", "diffusers", "transformers"} <= versions.keys()
    for entry, outcome in zip(figures["methods"], evaluation.outcomes, strict=True):
        assert entry["name"] == outcome.method.name
        assert entry["what"] == METHODS[outcome.method.name]
        assert entry["preset"] == "demo"
        assert entry["encoder"] == evaluation.models["demo"].encoder.fingerprint
        assert entry["generator"] == ("drawing" if outcome.method.draws else "")
        assert entry["undrawn"] == 0
        steps = {"reformulate", "encode", "rank"} | (
            {"generate"} if outcome.method.draws else set()
        )
        assert entry["seconds"].keys() == steps
        assert all(seconds >= 0 for seconds in entry["seconds"].values())


def test_figures_are_the_metrics_of_the_ranks(evaluation: Evaluation, figures: Figures) -> None:
    for entry, outcome in zip(figures["methods"], evaluation.outcomes, strict=True):
        ranks = outcome.ranks
        wanted = {name: of(ranks).mean(0) for name, of in BY_ROUND.items()}
        wanted["median_rank"] = np.median(ranks, 0)
        for name, values in wanted.items():
            assert [figure[0] for figure in entry[name]] == pytest.approx(list(values), abs=1e-6)
            assert all(low <= value <= high for value, low, high in entry[name])
        assert entry["bri"][0] == pytest.approx(metrics.bri(ranks).mean(), abs=1e-6)
        low, high = bootstrap(metrics.bri(ranks)).low, bootstrap(metrics.bri(ranks)).high
        assert entry["bri"][1:] == pytest.approx([float(low), float(high)], abs=1e-6)


def test_pairs_set_every_other_method_against_the_baseline(
    evaluation: Evaluation, figures: Figures
) -> None:
    assert figures["baseline"] == "text"
    assert [pair["name"] for pair in figures["pairs"]] == ["joined", "images", "dar"]
    base = outcome_of(evaluation, "text").ranks
    for pair in figures["pairs"]:
        ranks = outcome_of(evaluation, pair["name"]).ranks
        assert pair["against"] == "text"
        wanted = {
            "better": (ranks < base).mean(0),
            "worse": (ranks > base).mean(0),
            "worse_by_10": (ranks > base + 10).mean(0),
            **{
                f"{name}_difference": of(ranks).mean(0) - of(base).mean(0)
                for name, of in BY_ROUND.items()
            },
        }
        for name, values in wanted.items():
            assert [figure[0] for figure in pair[name]] == pytest.approx(list(values), abs=2e-6)
        difference = metrics.bri(ranks).mean() - metrics.bri(base).mean()
        assert pair["bri_difference"][0] == pytest.approx(difference, abs=2e-6)


@pytest.mark.parametrize(
    ("names", "base"),
    [
        (("dar", "joined", "text"), "text"),
        (("joined", "dar"), "joined"),
        (("dar", "images"), "dar"),
        (("images",), "images"),
    ],
)
def test_the_baseline_is_text_or_else_the_first(
    evaluation: Evaluation, names: tuple[str, ...], base: str
) -> None:
    chosen = only(evaluation, *names)
    assert baseline(chosen).method.name == base
    found = figures_of(chosen)
    assert found["baseline"] == base
    assert [pair["name"] for pair in found["pairs"]] == [n for n in names if n != base]


def test_figures_are_the_same_each_time_and_pass_through_json(
    evaluation: Evaluation, figures: Figures, tmp_path: Path
) -> None:
    assert figures_of(evaluation) == figures
    path = tmp_path / "results.json"
    write_json(figures, path)
    assert strictly(path.read_text(encoding="utf-8")) == figures
    assert strictly(json.dumps(figures)) == figures


# Tables


@pytest.mark.parametrize("metric", ["hits@10", "hits@1", "recall@10", "recall@5", "mrr"])
def test_the_table_holds_every_method_and_round(figures: Figures, metric: str) -> None:
    text = printed(figures, metric)
    assert metric in text
    assert f"{CASES} dialogues" in text
    assert row_of(text, "method")[1:-2] == [str(n) for n in range(ROUNDS + 1)]
    for entry in figures["methods"]:
        cells = row_of(text, entry["name"])
        assert cells[1:-2] == [f"{100 * value:.1f}" for value, _, _ in entry[metric]]
        assert cells[-2] == f"{entry['bri'][0]:.2f}"
        assert float(cells[-1]) == pytest.approx(sum(entry["seconds"].values()), abs=1e-3)
    assert "…" not in text


@pytest.mark.parametrize("name", ["weights:0.7/0.3", "weights:0.75/0.25@quality"])
def test_long_names_cut_no_number_off(figures: Figures, name: str) -> None:
    full = renamed(figures, 0, name)
    full["methods"] = [
        entry | {"hits@10": [[1.0, 1.0, 1.0]] * (ROUNDS + 1), "seconds": {"generate": 12.3456}}
        for entry in full["methods"]
    ]
    text = printed(full)
    assert text.count("100.0") == len(NAMES) * (ROUNDS + 1)
    assert text.count("12.346") == len(NAMES)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= command._WIDE
    first = "".join(line.split()[0] for line in text.splitlines() if line.split())
    assert name in first


# CSV


def test_the_csv_has_a_line_for_each_figure(figures: Figures, tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    write_csv(figures, path)
    with path.open(encoding="utf-8", newline="") as file:
        head, *lines = csv.reader(file)
    assert head == ["method", "against", "metric", "round", "value", "low", "high"]
    rounds = ROUNDS + 1
    # Hits and recall at three places, MRR, median rank, images; better, worse, worse by 10.
    of_methods = len(NAMES) * (9 * rounds + 1)
    of_pairs = (len(NAMES) - 1) * (10 * rounds + 1)
    assert len(lines) == of_methods + of_pairs
    assert len({tuple(line[:4]) for line in lines}) == len(lines)
    for name, against, metric, round_, *numbers in lines:
        entries = figures["pairs"] if against else figures["methods"]
        entry = next(e for e in entries if e["name"] == name)
        assert entry.get("against", "") == against
        figure = entry[metric][int(round_)] if round_ else entry[metric]
        assert [float(number) for number in numbers] == figure


def test_the_csv_of_one_method_has_no_pairs(evaluation: Evaluation, tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    write_csv(figures_of(only(evaluation, "dar")), path)
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["against"] for line in lines} == {""}
    assert len(lines) == 9 * (ROUNDS + 1) + 1


# Charts


def test_three_charts_or_two_without_pairs(evaluation: Evaluation, charts: dict[str, Any]) -> None:
    assert charts.keys() == {"hits_by_round", "better_and_worse", "latency"}
    alone = charts_of(figures_of(only(evaluation, "text")))
    assert alone.keys() == {"hits_by_round", "latency"}


def test_charts_show_the_figures(figures: Figures, charts: dict[str, Any]) -> None:
    lines = charts["hits_by_round"].axes[0].get_lines()
    for line, entry in zip(lines, figures["methods"], strict=True):
        assert line.get_label() == entry["name"]
        shares = [100 * value for value, _, _ in entry["hits@10"]]
        assert list(line.get_ydata()) == pytest.approx(shares)
    assert len(charts["better_and_worse"].axes) == len(figures["pairs"])


def test_charts_are_written_as_png_and_pdf(charts: dict[str, Any], tmp_path: Path) -> None:
    write_charts(charts, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}.{suffix}" for name in charts for suffix in ("png", "pdf")
    }
    for name in charts:
        content = (tmp_path / f"{name}.pdf").read_bytes()
        assert content.startswith(b"%PDF-")
        assert content.rstrip().endswith(b"%%EOF")
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert picture.format == "PNG"
            picture.load()
            assert len(picture.convert("L").getcolors() or []) > 1


def test_publishers_can_embed_the_fonts_of_the_pdfs(charts: dict[str, Any], tmp_path: Path) -> None:
    write_charts(charts, tmp_path)
    for name in charts:
        content = (tmp_path / f"{name}.pdf").read_bytes()
        assert b"/Type3" not in content
        assert b"/CIDFontType2" in content


def test_svg_is_an_element_that_parses(charts: dict[str, Any]) -> None:
    for chart in charts.values():
        text = as_svg(chart)
        assert text.startswith("<svg")
        assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314 (made above)


def test_one_round_and_more_methods_than_colours_are_drawn(
    evaluation: Evaluation, figures: Figures
) -> None:
    short = dataclasses.replace(
        evaluation.dataset,
        cases=tuple(
            dataclasses.replace(case, rounds=case.rounds[:1]) for case in evaluation.dataset.cases
        ),
    )
    outcomes = tuple(
        dataclasses.replace(outcome, ranks=outcome.ranks[:, :1]) for outcome in evaluation.outcomes
    )
    single = figures_of(dataclasses.replace(evaluation, dataset=short, outcomes=outcomes))
    many = figures | {"methods": figures["methods"] * 3}
    for each in (single, many):
        for chart in charts_of(each).values():
            as_svg(chart)


# The page


class Loads(HTMLParser):
    """What a page would load, what it would run, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.addresses: list[str] = []
        self.pictures: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            if name in {"src", "href", "xlink:href", "srcset", "action", "data", "poster"}:
                self.addresses.append(value or "")
            if tag == "img" and name == "src":
                self.pictures.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


def test_the_page_loads_nothing(page: str) -> None:
    loads = Loads(page)
    assert loads.addresses
    assert all(address.startswith(("data:image/", "#")) for address in loads.addresses)
    assert not loads.tags.keys() & {"script", "link", "iframe", "object", "embed", "base"}
    assert "@import" not in page
    assert all(target.strip("'\"").startswith("#") for target in re.findall(r"url\((.*?)\)", page))
    assert loads.tags["svg"] == 3


def test_the_page_holds_methods_rounds_and_figures(page: str, figures: Figures) -> None:
    text = " ".join(Loads(page).text.split())
    for entry in figures["methods"]:
        assert f"{entry['name']} {METHODS[entry['name']]}" in text
        for metric in ("hits@10", "recall@10", "recall@1"):
            assert all(f"{100 * value:.1f}" in text for value, _, _ in entry[metric])
        assert f"{entry['bri'][0]:.3f}" in text
    heads = " ".join(map(str, range(ROUNDS + 1)))
    assert f"method {heads}" in text
    assert figures["dataset"]["fingerprint"] in text
    assert f"seed {SEED}" in text
    for name in ("word order", "attributes swapped", "reworded"):
        assert name in text


def test_the_pages_examples_have_pictures_that_decode(page: str, evaluation: Evaluation) -> None:
    helped, hurt = examples(evaluation, outcome_of(evaluation, "dar"))
    assert helped
    assert hurt
    text = " ".join(Loads(page).text.split())
    assert "help most (dar against text)" in text
    assert "hurt most (dar against text)" in text
    pictures = Loads(page).pictures
    # The wanted one, the generated ones, and five hits of each side.
    assert len(pictures) == len(helped + hurt) * (1 + K + 5 + 5)
    for address in set(pictures):
        assert max(image_from_data_url(address).size) <= 160
    for example in helped + hurt:
        assert " ".join(example.said[0].answer.text.split()) in text


def test_what_people_wrote_is_escaped(
    evaluation: Evaluation, figures: Figures, charts: dict[str, Any], tmp_path: Path
) -> None:
    nasty = "<script>alert('x')</script><img src=http://example.org/x.png>\" & so"
    data = evaluation.dataset
    dialogue = Dialogue.from_text(nasty)
    for _ in range(ROUNDS):
        dialogue = dialogue.ask(nasty).say(nasty)
    states = tuple(dialogue.at_round(n) for n in range(ROUNDS + 1))
    cases = tuple(dataclasses.replace(case, rounds=states) for case in data.cases)
    outcomes = tuple(
        dataclasses.replace(outcome, captions=((nasty,) * (ROUNDS + 1),) * CASES)
        for outcome in evaluation.outcomes
    )
    data = dataclasses.replace(data, name=nasty, cases=cases)
    spoilt = dataclasses.replace(evaluation, dataset=data, outcomes=outcomes)
    named = figures | {"dataset": figures["dataset"] | {"name": nasty}}
    path = tmp_path / "report.html"
    write_report(path, spoilt, named, charts, [])
    html = path.read_text(encoding="utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert nasty in Loads(html).text
    assert all(address.startswith(("data:", "#")) for address in Loads(html).addresses)


def test_without_drawing_methods_the_page_has_no_examples(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    chosen = only(evaluation, "text", "joined")
    found = figures_of(chosen)
    path = tmp_path / "report.html"
    write_report(path, chosen, found, charts_of(found), [])
    loads = Loads(path.read_text(encoding="utf-8"))
    assert not loads.pictures
    assert "Where images" not in loads.text
    assert "single words" not in loads.text


# Examples


@pytest.mark.parametrize("name", ["images", "dar"])
def test_examples_are_those_that_images_changed_most(evaluation: Evaluation, name: str) -> None:
    outcome, base = outcome_of(evaluation, name), baseline(evaluation)
    helped, hurt = examples(evaluation, outcome)
    assert 0 < len(helped) <= 3
    assert 0 < len(hurt) <= 3
    rises, falls = [], []
    for group, ratios in ((helped, rises), (hurt, falls)):
        for example in group:
            round_ = len(example.said) - 1
            ratios.append(example.base_ranks[round_] / example.ranks[round_])
            assert len(example.generated) == K
            assert len(example.hits) == len(example.base_hits) == 5
            for hits, ranks in (
                (example.hits, example.ranks),
                (example.base_hits, example.base_ranks),
            ):
                assert sum(right for _, right in hits) == (ranks[round_] <= 5)
                assert all(url == example.target for url, right in hits if right)
    everything = base.ranks / outcome.ranks
    assert min(rises) > 1
    assert max(falls) < 1
    assert rises[0] == pytest.approx(everything.max())
    assert falls[0] == pytest.approx(everything.min())
    assert rises == sorted(rises, reverse=True)
    assert falls == sorted(falls)


def test_examples_show_what_was_said_and_understood_by_then(evaluation: Evaluation) -> None:
    outcome = outcome_of(evaluation, "dar")
    helped, hurt = examples(evaluation, outcome)
    for example in helped + hurt:
        place = [tuple(row) for row in outcome.ranks.tolist()].index(example.ranks)
        round_ = len(example.said) - 1
        assert example.said == tuple(evaluation.dataset.cases[place].rounds[round_].rounds())
        assert example.caption == outcome.captions[place][round_]


def test_no_examples_where_nothing_changed(evaluation: Evaluation) -> None:
    assert examples(evaluation, baseline(evaluation)) == ([], [])
    same = dataclasses.replace(
        outcome_of(evaluation, "dar"), ranks=outcome_of(evaluation, "text").ranks
    )
    assert examples(evaluation, same) == ([], [])


def test_no_helped_examples_where_images_only_hurt(evaluation: Evaluation) -> None:
    worse = dataclasses.replace(outcome_of(evaluation, "dar"), ranks=baseline(evaluation).ranks + 1)
    helped, hurt = examples(evaluation, worse)
    assert not helped
    assert len(hurt) == 3


# Changed captions


@pytest.mark.parametrize("caption", ["", " ", "a", "a b", "a a b", "a, b, a, b", ",,,", "x " * 50])
def test_words_without_three_kinds_have_no_disorder(caption: str) -> None:
    assert _shuffled(caption, Random(0)) == ""


def test_commas_part_words() -> None:
    assert sorted(_shuffled("a red,blue cup", Random(0)).split()) == ["a", "blue", "cup", "red"]


@given(
    caption=st.one_of(
        st.text(), st.lists(st.sampled_from(["a", "b", "red,", "A", "the"])).map(" ".join)
    ),
    seed=st.integers(0, 99),
)
def test_disorder_keeps_the_words_and_changes_their_order(caption: str, seed: int) -> None:
    words = caption.replace(",", " ").split()
    shuffled = _shuffled(caption, Random(seed)).split()
    if len(set(words)) < 3:
        assert not shuffled
    else:
        assert shuffled != words
        assert Counter(shuffled) == Counter(words)


@pytest.mark.parametrize(
    ("caption", "swapped"),
    [
        ("a red cup on a blue table", "a blue cup on a red table"),
        ("a red-blue cup", "a blue-red cup"),
        ("Red cup, blue.", "blue cup, Red."),
        ("a red cup and a red plate", ""),
        ("a Red cup and a red plate", ""),
        ("a red cup", ""),
        ("a coloured blueish cup, reddish", ""),
        ("", ""),
    ],
)
def test_two_attributes_change_places(caption: str, swapped: str) -> None:
    assert _swapped(caption, Random(0)) == swapped


_PIECES = ["red", "Blue", "RED", "old", " ", ", ", "-", "cup", "a", "_", "blueish", "\n"]


@given(
    caption=st.one_of(st.text(), st.lists(st.sampled_from(_PIECES)).map("".join)),
    seed=st.integers(0, 99),
)
def test_exactly_two_different_attributes_change_places(caption: str, seed: int) -> None:
    before = re.split(r"(\W+)", caption)
    there = {part.lower() for part in before} & _ATTRIBUTES
    swapped = _swapped(caption, Random(seed))
    if len(there) < 2:
        assert swapped == ""
        return
    after = re.split(r"(\W+)", swapped)
    changed = [place for place, part in enumerate(before) if after[place] != part]
    assert len(before) == len(after)
    assert len(changed) == 2
    one, other = changed
    assert (after[one], after[other]) == (before[other], before[one])
    assert {before[one].lower(), before[other].lower()} <= _ATTRIBUTES
    assert before[one].lower() != before[other].lower()


# What the diagnoses say


class NumberEncoder:
    """Reads the number that a text or a picture shows, and nothing else."""

    name = fingerprint = "number"
    dimension = 16
    max_tokens = 77

    def count_tokens(self, text: str) -> int:
        return len(text.split()) + 2

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self._one_hot(self._number(text)) for text in texts])

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        numbers = [image.getpixel((0, 0))[0] // 10 for image in images]
        return np.stack([self._one_hot(number) for number in numbers])

    def _number(self, text: str) -> int:
        found = re.search(r"\d+", text)
        assert found is not None, text
        return int(found[0])

    def _one_hot(self, number: int) -> Vectors:
        return np.eye(self.dimension, dtype=np.float32)[number % self.dimension]


class LiteralEncoder(NumberEncoder):
    """Understands a text only as it knows it."""

    fingerprint = "literal"

    def __init__(self, *known: str) -> None:
        self._known = known

    def _number(self, text: str) -> int:
        return super()._number(text) + (text not in self._known)


def numbered(folder: Path, texts: Sequence[Sequence[str]], *, whole: bool) -> Dataset:
    """Dialogues that look for the picture of their own number."""
    pool = tuple(f"{n}.png" for n in range(12))
    for n, name in enumerate(pool):
        Image.new("RGB", (8, 8), (10 * n, 0, 0)).save(folder / name)
    cases = []
    for n, said in enumerate(texts):
        if whole:
            states = [Dialogue.from_text(text, str(n)) for text in said]
        else:
            dialogue = Dialogue.from_visdial(said, str(n))
            states = [dialogue.at_round(r) for r in range(len(said))]
        cases.append(Case(str(n), n, tuple(states)))
    return Dataset("numbers", tuple(cases), pool, folder, whole)


COLOURFUL = "a red cup with {} spoons on a blue table"


def test_a_perfect_search_is_all_hundreds(tmp_path: Path) -> None:
    data = numbered(tmp_path, [[COLOURFUL.format(n)] * 3 for n in range(8)], whole=True)
    ran = evaluated(data, ["text"], NumberEncoder(), tmp_path / "encodings")
    found = figures_of(ran)
    (entry,) = found["methods"]
    for metric in BY_ROUND:
        assert entry[metric] == [[1.0, 1.0, 1.0]] * 3
    assert entry["median_rank"] == [[1.0, 1.0, 1.0]] * 3
    assert entry["bri"] == [0.0, 0.0, 0.0]
    assert found["pairs"] == []
    assert row_of(printed(found), "text")[1:4] == ["100.0"] * 3


def test_a_bag_of_words_hears_no_order(tmp_path: Path) -> None:
    data = numbered(
        tmp_path, [[COLOURFUL.format(n), "is it old? yes, it is"] for n in range(8)], whole=False
    )
    ran = evaluated(data, ["text"], NumberEncoder(), tmp_path / "encodings")
    order, swapped, reworded = diagnose(ran, ran.outcomes[0])
    assert [d.name for d in (order, swapped, reworded)] == [
        "word order",
        "attributes swapped",
        "reworded",
    ]
    assert [d.cases for d in (order, swapped, reworded)] == [8, 8, 8]
    assert float(order.right.value) == float(swapped.right.value) == 0.0
    assert float(reworded.right.value) == 1.0
    assert order.places == swapped.places == reworded.places == 1.0


def test_who_reads_word_by_word_is_always_right(tmp_path: Path) -> None:
    texts = [COLOURFUL.format(n) for n in range(8)]
    data = numbered(tmp_path, [[text] for text in texts], whole=True)
    ran = evaluated(data, ["text"], LiteralEncoder(*texts), tmp_path / "encodings")
    order, swapped = diagnose(ran, ran.outcomes[0])
    for diagnosis in (order, swapped):
        assert diagnosis.cases == 8
        assert [float(x) for x in (diagnosis.right.value, diagnosis.right.low)] == [1.0, 1.0]
        assert diagnosis.places == 12.0


def test_only_captions_that_can_be_changed_count(tmp_path: Path) -> None:
    texts = ["a red x0 in blue", "red x1", "the cup x2", "blue, red x3", "x4", "x5 x5 x5"]
    data = numbered(tmp_path, [[text] for text in texts], whole=True)
    ran = evaluated(data, ["text"], NumberEncoder(), tmp_path / "encodings")
    order, swapped = diagnose(ran, ran.outcomes[0])
    assert (order.cases, swapped.cases) == (3, 2)


def test_whole_queries_are_not_reworded(tmp_path: Path) -> None:
    data = numbered(tmp_path, [[COLOURFUL.format(n)] for n in range(3)], whole=True)
    ran = evaluated(data, ["text"], NumberEncoder(), tmp_path / "encodings")
    assert [d.name for d in diagnose(ran, ran.outcomes[0])] == ["word order", "attributes swapped"]


@pytest.mark.parametrize("name", ["text", "joined"])
def test_what_is_reworded_is_read_by_the_same_method(tmp_path: Path, name: str) -> None:
    """Rewording changes words, never how the caption is made of them."""
    heard: list[str] = []

    class Listening(NumberEncoder):
        def encode_texts(self, texts: Sequence[str]) -> Vectors:
            heard.extend(texts)
            return super().encode_texts(texts)

    data = numbered(
        tmp_path,
        [[f"a cup with {n} spoons", "has it dots? no, it has not"] for n in range(3)],
        whole=False,
    )
    ran = evaluated(data, [name], Listening(), tmp_path / "encodings")
    heard.clear()
    diagnose(ran, ran.outcomes[0])
    reworded = heard[-3:]
    assert all(("has it dots?" in text) == (name == "joined") for text in reworded)


def test_nothing_is_put_into_an_empty_answer(tmp_path: Path) -> None:
    heard: list[str] = []

    class Listening(NumberEncoder):
        def encode_texts(self, texts: Sequence[str]) -> Vectors:
            heard.extend(texts)
            return super().encode_texts(texts)

    data = numbered(tmp_path, [[f"a cup with {n} spoons", ""] for n in range(12)], whole=False)
    ran = evaluated(data, ["text"], Listening(), tmp_path / "encodings")
    heard.clear()
    diagnose(ran, ran.outcomes[0])
    assert heard[-12:] == [f"a cup with {n} spoons" for n in range(12)]


def test_captions_that_cannot_be_changed_are_no_error(tmp_path: Path) -> None:
    data = numbered(tmp_path, [[f"cup x{n}"] for n in range(3)], whole=True)
    ran = evaluated(data, ["text"], NumberEncoder(), tmp_path / "encodings")
    found = figures_of(ran)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nothing = diagnose(ran, ran.outcomes[0])
    assert [d.cases for d in nothing] == [0, 0]
    path = tmp_path / "report.html"
    write_report(path, ran, found, charts_of(found), nothing)
    assert "nan" not in Loads(path.read_text(encoding="utf-8")).text


def test_diagnoses_of_a_real_encoder_are_shares(diagnoses: list[Diagnosis]) -> None:
    for diagnosis in diagnoses:
        assert 0 < diagnosis.cases <= CASES
        right = diagnosis.right
        assert 0 <= right.low <= right.value <= right.high <= 1
        assert diagnosis.places > 0


# The command

DEMO = ["eval", "--dataset", "demo", "--methods", "text,joined", "--dialogues", "4"]
FILES = {"results.json", "results.csv", "report.html"} | {
    f"{chart}.{suffix}"
    for chart in ("hits_by_round", "better_and_worse", "latency")
    for suffix in ("png", "pdf")
}


@pytest.fixture(scope="module")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder and the output of an evaluation of the demo."""
    out = tmp_path_factory.mktemp("eval") / "new" / "X"
    done = CliRunner().invoke(APP, [*DEMO, "--products", "60", "--out", str(out)])
    assert done.exit_code == 0, done.output
    return out, done.stdout


@pytest.fixture
def said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., str]:
    """Runs ``dar eval`` that is to be refused, and gives what it said."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["dar", "eval", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        error = capsys.readouterr().err
        assert stopped.value.code == 2
        assert "Traceback" not in error
        assert error.startswith("error:")
        assert len(error.strip().splitlines()) == 1
        return error

    return run


def published(
    folder: Path,
    gallery_folder: Path,
    rounds: Sequence[str] = (
        "a red vase on a blue table",
        "is it old? yes, it is",
    ),
) -> tuple[Path, Path]:
    """A file of 4 dialogues as published, and a pool of 12 pictures."""
    pool = folder / "pool"
    (pool / "sub").mkdir(parents=True)
    for n in range(12):
        content = (gallery_folder / picture_name(n)).read_bytes()
        (pool / "sub" / picture_name(n)).write_bytes(content)
    entries = [{"img": f"sub/{picture_name(n)}", "dialog": [*rounds]} for n in range(4)]
    dialogues = folder / "dialogues.json"
    dialogues.write_text(json.dumps(entries), encoding="utf-8")
    return dialogues, pool


def test_the_command_prints_tables(demo_run: tuple[Path, str]) -> None:
    out, output = demo_run
    assert "hits@10 (%), 4 dialogues, pool of 60" in output
    assert "recall@10 (%)" in output
    assert "word order" in output
    assert "…" not in output
    assert len(row_of(output, "text")) == len(row_of(output, "joined")) == 1 + (ROUNDS + 1) + 2
    assert str(out.resolve() / "report.html") in output.replace("\n", "")


def test_the_command_leaves_results_charts_and_page(demo_run: tuple[Path, str]) -> None:
    out, _ = demo_run
    assert {path.name for path in out.iterdir() if path.is_file()} == FILES
    found = strictly((out / "results.json").read_text(encoding="utf-8"))
    assert [entry["name"] for entry in found["methods"]] == ["text", "joined"]
    assert found["dataset"]["pool"] == 60
    names = ["word order", "attributes swapped", "reworded"]
    assert [entry["name"] for entry in found["diagnoses"]] == names
    for name in FILES:
        assert (out / name).stat().st_size > 500


def test_the_command_again_gives_the_same_figures(demo_run: tuple[Path, str]) -> None:
    out, _ = demo_run
    before = strictly((out / "results.json").read_text(encoding="utf-8"))
    done = CliRunner().invoke(APP, [*DEMO, "--products", "60", "--out", str(out)])
    assert done.exit_code == 0, done.output
    after = strictly((out / "results.json").read_text(encoding="utf-8"))
    for entry in (*before["methods"], *after["methods"]):
        del entry["seconds"]
    assert after == before


def test_a_published_file_is_evaluated_with_pictures_made_before(
    gallery_folder: Path, tmp_path: Path
) -> None:
    dialogues, pool = published(tmp_path, gallery_folder)
    made = tmp_path / "made"
    made.mkdir()
    for case in range(4):
        for round_ in range(2):
            content = (gallery_folder / picture_name(20 + 2 * case + round_)).read_bytes()
            (made / f"{case}_{round_}.jpg").write_bytes(content)
    out = tmp_path / "X"
    places = ["--dataset", str(dialogues), "--pool", str(pool), "--generated", str(made)]
    arguments = ["eval", *places, "--methods", "text, dar", "--out", str(out), "--seed", "5"]
    done = CliRunner().invoke(APP, arguments)
    assert done.exit_code == 0, done.output
    found = strictly((out / "results.json").read_text(encoding="utf-8"))
    assert found["dataset"]["name"] == "dialogues"
    assert (found["dataset"]["rounds"], found["dataset"]["pool"]) == (2, 12)
    assert found["run"]["seed"] == 5
    assert [entry["undrawn"] for entry in found["methods"]] == [0, 0]
    assert {path.name for path in out.iterdir() if path.is_file()} == FILES
    for address in Loads((out / "report.html").read_text(encoding="utf-8")).pictures:
        image_from_data_url(address)


def test_pictures_that_were_not_made_cost_only_their_turns(
    gallery_folder: Path, tmp_path: Path
) -> None:
    """Against joined turns, a reformulated text alone may be an example too."""
    rounds = ("a red vase", "is it dotted? no, it is plain", "on what? a blue table")
    dialogues, pool = published(tmp_path, gallery_folder, rounds)
    made = tmp_path / "made"
    made.mkdir()
    (made / "0_0.jpg").write_bytes((gallery_folder / picture_name(20)).read_bytes())
    out = tmp_path / "X"
    places = ["--dataset", str(dialogues), "--pool", str(pool), "--generated", str(made)]
    arguments = ["eval", *places, "--methods", "joined,dar", "--out", str(out)]
    done = CliRunner().invoke(APP, arguments)
    assert done.exit_code == 0, done.exception
    found = strictly((out / "results.json").read_text(encoding="utf-8"))
    assert [entry["undrawn"] for entry in found["methods"]] == [0, 11]


def test_captions_that_cannot_be_changed_leave_json_that_parses(
    gallery_folder: Path, tmp_path: Path
) -> None:
    dialogues, pool = published(tmp_path, gallery_folder, ["vase"])
    out = tmp_path / "X"
    arguments = ["eval", "--dataset", str(dialogues), "--pool", str(pool), "--out", str(out)]
    done = CliRunner().invoke(APP, [*arguments, "--methods", "text"])
    assert done.exit_code == 0, done.output
    assert "nan" not in done.stdout
    found = strictly((out / "results.json").read_text(encoding="utf-8"))
    assert [entry["cases"] for entry in found["diagnoses"]] == [0, 0, 4]


def test_weights_by_round_can_be_asked_for(gallery_folder: Path, tmp_path: Path) -> None:
    dialogues, pool = published(tmp_path, gallery_folder)
    made = tmp_path / "made"
    made.mkdir()
    places = ["--dataset", str(dialogues), "--pool", str(pool), "--generated", str(made)]
    methods = ["--methods", "text,weights:0.8/0.2,0.5/0.5"]
    done = CliRunner().invoke(APP, ["eval", *places, *methods, "--out", str(tmp_path / "X")])
    assert done.exit_code == 0, done.exception
    found = strictly((tmp_path / "X" / "results.json").read_text(encoding="utf-8"))
    assert [entry["name"] for entry in found["methods"]] == ["text", "weights:0.8/0.2,0.5/0.5"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--methods", "text,psychic"], ["psychic", "joined", "weights:0.7/0.3"]),
        (["--methods", ","], ["no method", "joined,text,images,dar"]),
        (["--methods", "weights:a/b"], ["weights:a/b", "weights:0.8/0.2"]),
        (["--methods", "weights:0/0"], ["> 0"]),
        (["--methods", "text@nowhere"], ["nowhere", "demo"]),
        (["--methods", "text[/red]"], ["text[/red]"]),
        (["--methods", "text[bold]"], ["text[bold]"]),
        (["--preset", "finest"], ["finest", "demo"]),
        (["--dataset", "dialogues.json"], ["dialogues.json", "--pool"]),
        (["--dialogues", "9", "--products", "8"], ["dialogues=9", "products=8"]),
        (["--dialogues", "0"], ["dialogues=0"]),
        (["--dataset", "no.json", "--pool", "."], ["holds no image"]),
        (["--dataset", "no.json", "--pool", "no_pool.json"], ["no_pool.json"]),
    ],
)
def test_what_makes_no_sense_is_refused(
    said: Callable[..., str], arguments: list[str], words: list[str]
) -> None:
    error = said(*arguments)
    for word in words:
        assert word in error


def test_unfit_files_are_refused(
    said: Callable[..., str], gallery_folder: Path, tmp_path: Path
) -> None:
    dialogues, pool = published(tmp_path, gallery_folder)
    listed = tmp_path / "pool.json"
    listed.write_text(json.dumps([f"sub/{picture_name(n)}" for n in range(12)]), encoding="utf-8")
    error = said("--dataset", dialogues, "--pool", listed)
    assert "--root" in error
    assert picture_name(0) in error
    whole = dialogues.read_text(encoding="utf-8")
    dialogues.write_text(whole[:-20], encoding="utf-8")
    assert "cut off at line 1" in said("--dataset", dialogues, "--pool", pool)
    dialogues.write_text(whole, encoding="utf-8")
    nowhere = ["--generated", tmp_path / "nowhere", "--methods", "dar"]
    assert "nowhere" in said("--dataset", dialogues, "--pool", pool, *nowhere)
    joined = ["--whole-queries", "--methods", "joined,text"]
    assert "'joined'" in said("--dataset", dialogues, "--pool", pool, *joined)


def test_a_picture_of_the_pool_that_is_broken_is_refused(
    said: Callable[..., str], gallery_folder: Path, tmp_path: Path
) -> None:
    dialogues, pool = published(tmp_path, gallery_folder)
    (pool / "sub" / picture_name(7)).write_bytes(b"no picture")
    assert picture_name(7) in said("--dataset", dialogues, "--pool", pool, "--methods", "text")


@pytest.mark.parametrize("missing", ["matplotlib", "scipy"])
def test_without_the_extra_the_command_says_what_to_install(missing: str, tmp_path: Path) -> None:
    arguments = [*DEMO[:-1], "1", "--products", "4", "--out", str(tmp_path / "X")]
    code = f"""
import sys
sys.modules[{missing!r}] = None
sys.argv = ["dar", *{arguments!r}]
from dar_retriever.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert f"'{missing}" in done.stderr
    assert "dar-retriever[eval]" in done.stderr.replace("\n", "")
