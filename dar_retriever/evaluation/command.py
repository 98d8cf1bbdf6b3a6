"""``dar eval``: from a data set's name to tables, files and a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from dar_retriever.errors import InvalidInputError
from dar_retriever.evaluation.charts import charts_of, write_charts
from dar_retriever.evaluation.datasets import Dataset, load_dataset, missing_images
from dar_retriever.evaluation.demo_dataset import demo_dataset
from dar_retriever.evaluation.diagnostics import Diagnosis, diagnose
from dar_retriever.evaluation.methods import method
from dar_retriever.evaluation.models import preset_models
from dar_retriever.evaluation.protocol import evaluate
from dar_retriever.evaluation.report import write_report
from dar_retriever.evaluation.results import (
    baseline,
    figures_of,
    table_of,
    write_csv,
    write_json,
)
from dar_retriever.support.extras import needs_extra
from dar_retriever.support.progress import progress_bar, quiet_libraries

_DEMO: Final = "demo"
_WIDE: Final = 110


def run(
    *,
    dataset: str,
    methods: Sequence[str],
    pool: Path | None,
    root: Path | None,
    generated: Path | None,
    whole_queries: bool,
    preset: str,
    out: Path,
    dialogues: int,
    products: int,
    seed: int,
    device: str | None,
    console: Console,
) -> Path:
    """Run an evaluation and write its results to a folder.

    Args:
        dataset: "demo", or a file of dialogues; see ``load_dataset``.
        methods: Names of methods; see ``method``.
        pool: The images to rank; see ``load_dataset``.
        root: The folder that the pool's paths are relative to.
        generated: Folder of images generated beforehand.
        whole_queries: Whether each round is a whole query.
        preset: The preset of methods that do not name one.
        out: The folder for results.json, results.csv, charts and report.html. Encodings are kept
            there too.
        dialogues: Number of dialogues of the demo.
        products: Number of products of the demo.
        seed: Seed of the first generated image of a turn.
        device: The device of the models.
        console: Tables are printed there.

    Returns:
        The path of the report.

    Raises:
        InvalidInputError: A file, a method or a number is not valid, or images are missing.
        MissingExtraError: Matplotlib or SciPy is not installed.
    """
    chosen = [method(name, preset) for name in methods]
    if not chosen:
        raise InvalidInputError("no method; name one or more, such as joined,text,images,dar")
    _prepare(out)
    with progress_bar("Drawing the gallery") as bar:
        data = (
            demo_dataset(out, dialogues, products, progress=bar)
            if dataset == _DEMO
            else _load(dataset, pool, root, whole_queries=whole_queries)
        )
    models_of = preset_models(out, generated=generated, device=device)
    with _bars() as told, quiet_libraries():
        evaluation = evaluate(data, chosen, models_of, out / "encodings", seed=seed, progress=told)
    figures = figures_of(evaluation)
    base = baseline(evaluation)
    diagnoses = [] if base.method.draws else diagnose(evaluation, base)
    charts = charts_of(figures)
    # Wide enough for eleven rounds, in a file or a pipe too.
    console.width = max(console.width, _WIDE)
    several = ("map@50", "ndcg@50") if data.several else ()
    for metric in ("hits@10", "recall@10", *several):
        console.print(table_of(figures, metric))
    console.print(_diagnoses_table(diagnoses))
    write_json(figures | {"diagnoses": [_plain(d) for d in diagnoses]}, out / "results.json")
    write_csv(figures, out / "results.csv")
    write_charts(charts, out)
    return write_report(out / "report.html", evaluation, figures, charts, diagnoses)


def _prepare(out: Path) -> None:
    """Check before the work that its results can be drawn and written.

    Raises:
        InvalidInputError: The folder cannot be created.
        MissingExtraError: Matplotlib or SciPy is not installed.
    """
    with needs_extra("eval"):
        for package in ("matplotlib", "scipy"):
            import_module(package)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInputError(
            f"out={str(out)!r}: cannot be a folder ({error.strerror}); name another"
        ) from error


def _load(dataset: str, pool: Path | None, root: Path | None, *, whole_queries: bool) -> Dataset:
    if pool is None:
        raise InvalidInputError(
            f"dataset={dataset!r} needs a pool to rank; name a JSON list or a folder with --pool"
        )
    data = load_dataset(dataset, pool, root, whole_queries=whole_queries)
    missing = missing_images(data)
    if missing:
        raise InvalidInputError(
            f"{missing[0]}: missing, as others of the pool may be; say with --root where they are"
        )
    return data


@contextmanager
def _bars() -> Iterator[Callable[[str], Callable[[int, int], None]]]:
    """A progress bar for each step, opened when the step begins."""
    with ExitStack() as bars:

        def told(step: str) -> Callable[[int, int], None]:
            bars.close()
            return bars.enter_context(progress_bar(step))

        yield told


def _diagnoses_table(diagnoses: Sequence[Diagnosis]) -> Table:
    heads = ("captions changed", "dialogues", "right (%)", "95 % interval")
    table = Table(*heads, box=SIMPLE_HEAD)
    for entry in diagnoses:
        if not entry.cases:
            table.add_row(entry.name, "0", "", "")
            continue
        share = [f"{100 * float(x):.1f}" for x in (entry.right.low, entry.right.high)]
        value = f"{100 * float(entry.right.value):.1f}"
        table.add_row(entry.name, str(entry.cases), value, " to ".join(share))
    return table


def _plain(diagnosis: Diagnosis) -> dict[str, object]:
    right, some = diagnosis.right, diagnosis.cases > 0
    return {
        "name": diagnosis.name,
        "what": diagnosis.what,
        "cases": diagnosis.cases,
        "right": [float(x) for x in (right.value, right.low, right.high)] if some else None,
        "places": diagnosis.places if some else None,
    }
