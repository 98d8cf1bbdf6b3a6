"""The ``dar`` command."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer
from rich.console import Console
from rich.markup import escape

from dar_retriever.dialogue import Dialogue
from dar_retriever.display import (
    as_json,
    contact_sheet,
    hits_table,
    one_line,
    progress_bar,
    quiet_libraries,
)
from dar_retriever.encoders import JointEncoder
from dar_retriever.errors import DARError, InvalidInputError
from dar_retriever.evaluation.methods import METHODS
from dar_retriever.extras import needs_extra
from dar_retriever.images import open_image
from dar_retriever.ingest import ingest, ingest_on_ray
from dar_retriever.presets import PRESETS, from_preset, is_server, open_encoder, open_store
from dar_retriever.questions import FacetQuestions, Question, ask_back, question_as_json
from dar_retriever.retriever import DiffusionAugmentedRetriever, SearchResult

app = typer.Typer(
    help="Find images from a conversation (Diffusion Augmented Retrieval).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_USER_ERROR: Final = 2
_out = Console()
_err = Console(stderr=True)

Store = Annotated[
    str, typer.Option(help="Folder of the image store, or http://HOST:PORT/COLLECTION of a server.")
]
PresetName = Annotated[str, typer.Option(help=f"Models: {', '.join(PRESETS)}.")]
Hits = Annotated[int, typer.Option("-k", help="Number of hits.")]
Where = Annotated[str, typer.Option(help='Metadata filter as JSON, such as {"colour": "red"}.')]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
WholeQueries = Annotated[
    bool, typer.Option("--whole-queries", help="Each round of the file is a whole query.")
]
Device = Annotated[str | None, typer.Option(help="cuda, mps or cpu; the best there is by default.")]


def main() -> None:
    """Run the command; errors of the user's making are one line and exit code 2."""
    try:
        app()
    except DARError as error:
        said = f"[red]error:[/red] {escape(str(error))}"
        _err.print(said, highlight=False, markup=True, soft_wrap=True)
        sys.exit(_USER_ERROR)


@app.command()
def index(
    folder: Annotated[Path, typer.Argument(help="Folder of images, with its subfolders.")],
    store: Store = "dar-store",
    preset: PresetName = "demo",
    batch_size: Annotated[int, typer.Option(help="Images encoded at once.")] = 64,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="This machine, or a Ray cluster that fills a server (extra: ray)."),
    ] = "local",
    workers: Annotated[int, typer.Option(help="With --engine ray: processes that ingest.")] = 2,
    json_: AsJson = False,  # noqa: FBT002 (an option of the command, never a position)
    device: Device = None,
) -> None:
    """Index a folder of images; what is indexed already is skipped."""
    open_ = partial(_open_encoder, preset, device)
    if engine == "ray" and not is_server(store):
        raise InvalidInputError(
            f"--engine ray with --store {store!r}: a folder can be written by one process only; "
            "start a server with 'chroma run --path FOLDER' and name it, http://HOST:PORT"
        )
    with progress_bar("Indexing") as progress:
        if engine == "ray":
            report = ingest_on_ray(
                folder,
                partial(open_store, store),
                open_,
                workers=workers,
                batch_size=batch_size,
                progress=progress,
            )
        else:
            encoder = open_()
            opened = open_store(store, encoder)
            report = ingest(folder, opened, encoder, batch_size=batch_size, progress=progress)
    if json_:
        _print_json(
            {
                "added": report.added,
                "known": report.known,
                "left_out": [asdict(entry) for entry in report.left_out],
                "seconds": round(report.seconds, 2),
            }
        )
        return
    for entry in report.left_out:
        line = one_line(f"left out {entry.path}: {entry.reason}")
        _err.print(line, markup=False, soft_wrap=True)
    _out.print(
        f"{report.added} images added, {report.known} known, {len(report.left_out)} left out, "
        f"{report.seconds:.1f} s, {report.rate:.1f} images/s; the store: {store}"
    )


@app.command()
def search(
    query: Annotated[list[str], typer.Argument(help="What to find; several are turns.")],
    store: Store = "dar-store",
    preset: PresetName = "demo",
    k: Hits = 10,
    where: Where = "",
    image: Annotated[list[Path], typer.Option(help="Reference image; repeatable.")] = [],  # noqa: B006
    sheet: Annotated[Path | None, typer.Option(help="Save a contact sheet here.")] = None,
    json_: AsJson = False,  # noqa: FBT002 (an option of the command, never a position)
    device: Device = None,
) -> None:
    """Search once, with one text or with the turns of a conversation."""
    filter_ = _parse_filter(where)
    dialogue = Dialogue()
    for turn in query:
        dialogue = dialogue.say(turn)
    if image:
        dialogue = dialogue.say("", *map(open_image, image))
    dialogue.require_content()
    retriever = _open(preset, store, device)
    result = retriever.search(dialogue, k, filter_)
    _show(result, as_json_=json_, sheet=sheet)


@app.command()
def chat(
    store: Store = "dar-store",
    preset: PresetName = "demo",
    k: Hits = 10,
    where: Where = "",
    sheet: Annotated[Path, typer.Option(help="The contact sheet, new at each turn.")] = Path(
        "dar-sheet.png"
    ),
    json_: AsJson = False,  # noqa: FBT002 (an option of the command, never a position)
    device: Device = None,
) -> None:
    """Search a turn at a time: describe, look, answer, correct.

    After each search comes the question that would narrow it down most; answer with one of its
    choices or the number of it, or say something else. An empty line or Ctrl-D ends it.
    """
    filter_ = _parse_filter(where)
    retriever = _open(preset, store, device)
    questioner = FacetQuestions(retriever)
    question: Question | None = None
    dialogue = Dialogue()
    while text := _read_turn(prompt="" if json_ else "you> "):
        answer = question.answer(text) if question else None
        if question and answer:
            dialogue = dialogue.ask(question.text)
        dialogue = dialogue.say(answer or text)
        found = retriever.search(dialogue, k, filter_)
        result, question = ask_back(questioner, found)
        _show(result, as_json_=json_, sheet=sheet, question=question)


@app.command()
def demo(
    query: Annotated[
        list[str], typer.Option(help="Your own words; repeat the option for further turns.")
    ] = [],  # noqa: B006
    folder: Annotated[Path, typer.Option(help="Where gallery, store and page go.")] = Path(
        "demo-output"
    ),
    gallery: Annotated[int, typer.Option(help="Number of products in the gallery.")] = 3000,
) -> None:
    """Draw a gallery, play a conversation over it, and leave a page to look at."""
    from dar_retriever.demo.showcase import run

    run(folder, gallery, query, _out)


@app.command("eval")
def evaluate_(
    dataset: Annotated[
        str, typer.Option(help="'demo', or a file of dialogues in the published form.")
    ] = "demo",
    methods: Annotated[
        str,
        typer.Option(help=f"Of {', '.join(METHODS)}, weights:TEXT/IMAGES; @PRESET behind one."),
    ] = "joined,text,images,dar,adaptive",
    pool: Annotated[Path | None, typer.Option(help="JSON list of images, or a folder.")] = None,
    root: Annotated[
        Path | None, typer.Option(help="What the pool's paths are relative to.")
    ] = None,
    generated: Annotated[
        Path | None, typer.Option(help="Images made before: {dialogue}_{round}.jpg.")
    ] = None,
    whole_queries: WholeQueries = False,  # noqa: FBT002 (an option of the command)
    preset: PresetName = "demo",
    out: Annotated[Path, typer.Option(help="Results; encodings are kept there too.")] = Path(
        "dar-eval"
    ),
    dialogues: Annotated[int, typer.Option(help="Of the demo: number of dialogues.")] = 100,
    gallery: Annotated[int, typer.Option(help="Of the demo: number of products.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the first generated image of a turn.")] = 0,
    device: Device = None,
) -> None:
    """Measure methods side by side by the paper's protocol (extra: eval)."""
    from dar_retriever.evaluation.command import run

    chosen = run(
        dataset=dataset,
        # Not at the commas within weights:0.8/0.2,0.5/0.5.
        methods=[
            name for part in re.split(r",(?=\s*[a-zA-Z])", methods) if (name := part.strip(" ,"))
        ],
        pool=pool,
        root=root,
        generated=generated,
        whole_queries=whole_queries,
        preset=preset,
        out=out,
        dialogues=dialogues,
        gallery=gallery,
        seed=seed,
        device=device,
        console=_out,
    )
    page = escape(str(chosen.resolve()))
    _out.print(f"\nLook at it: [bold]{page}[/bold]", soft_wrap=True, highlight=False)


@app.command()
def mcp(
    store: Store = "dar-store",
    preset: PresetName = "demo",
    http: Annotated[bool, typer.Option("--http", help="Over HTTP at /mcp, not stdio.")] = False,  # noqa: FBT002
    host: Annotated[str, typer.Option(help="With --http: where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="With --http: where to listen.")] = 8000,
    token: Annotated[
        str,
        typer.Option(envvar="DAR_MCP_TOKEN", help="With --http: what clients have to send."),
    ] = "",
    device: Device = None,
) -> None:
    """Serve agents by the Model Context Protocol (extra: mcp)."""
    from mcp_dar import create_server, serve_http, serve_stdio

    server = create_server(_open(preset, store, device))
    if http:
        _err.print(f"serving http://{host}:{port}/mcp", highlight=False)
        serve_http(server, host=host, port=port, token=token)
    else:
        serve_stdio(server)


@app.command("app")
def page(
    store: Store = "dar-store",
    preset: PresetName = "demo",
    k: Hits = 12,
    gallery: Annotated[
        Path | None,
        typer.Option(help="Draw and index the demo's gallery here, and search that instead."),
    ] = None,
    llm: Annotated[
        str, typer.Option(help="An agent answers: its chat model, as LangChain names it.")
    ] = "",
    index_: Annotated[  # noqa: FBT002 (an option of the command, never a position)
        bool, typer.Option("--index", help="Let the page index folders of this machine.")
    ] = False,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where to listen; 0 for any free one.")] = 7860,
    device: Device = None,
) -> None:
    """Serve the page: talk, see what was understood, pick (extra: app)."""
    from gradio_dar import AgentResponder, create_app, serve

    if gallery is None:
        retriever = _open(preset, store, device)
    else:
        from dar_retriever.demo import demo_retriever

        retriever = demo_retriever(gallery)
    responder = AgentResponder(retriever, partial(_agent, llm, k)) if llm else None
    serve(create_app(retriever, responder=responder, k=k, indexing=index_), host=host, port=port)


def _agent(model: str, k: int, retriever: DiffusionAugmentedRetriever) -> Any:
    with needs_extra("langchain"):
        from gradio_dar import INSTRUCTIONS
        from langchain.agents import create_agent
        from langchain_dar import DARRetriever, create_image_search_tool

    tool = create_image_search_tool(DARRetriever(retriever=retriever, k=k))
    return create_agent(model, [tool], system_prompt=INSTRUCTIONS)


def _open(preset: str, store: str, device: str | None) -> DiffusionAugmentedRetriever:
    folder = None if is_server(store) else Path(store)
    if folder is not None and not folder.is_dir():
        raise InvalidInputError(
            f"store={store!r} does not exist; make it with 'dar index FOLDER --store {store}'"
        )
    cache = None if folder is None else folder / "generated"
    with quiet_libraries(), _err.status("Opening the models"):
        return from_preset(preset, store, device=device, cache_folder=cache)


def _open_encoder(preset: str, device: str | None) -> JointEncoder:
    with quiet_libraries():
        return open_encoder(preset, device=device)


def _show(
    result: SearchResult, *, as_json_: bool, sheet: Path | None, question: Question | None = None
) -> None:
    if sheet is not None:
        contact_sheet(result).save(sheet)
    if as_json_:
        _print_json(as_json(result) | {"question": question_as_json(question)})
        return
    trace = result.trace
    _out.print(f"[dim]understood:[/dim] {trace.caption or '(images only)'}", highlight=False)
    _out.print(
        f"[dim]{len(trace.generated)} images generated ({trace.cached_count} from the cache), "
        f"weights text {trace.text_weight:.2f}, images {trace.image_weight:.2f}, "
        f"{sum(trace.timings.values()):.2f} s[/dim]",
        highlight=False,
    )
    for fallback in trace.fallbacks:
        _err.print(f"note: {fallback}", markup=False, soft_wrap=True)
    if not result.close:
        _out.print("[yellow]nothing in the store is close to this[/yellow]", highlight=False)
        if trace.generated:
            _out.print("[dim]the generated images show what was understood[/dim]", highlight=False)
    _out.print(hits_table(result.hits))
    if sheet is not None:
        _out.print(f"[dim]contact sheet:[/dim] {sheet}", highlight=False)
    if question is not None:
        numbered = enumerate(map(escape, question.choices), 1)
        choices = "  ".join(f"[bold]{number}[/bold] {choice}" for number, choice in numbered)
        _out.print(f"[cyan]{escape(question.text)}[/cyan]  {choices}", highlight=False)


def _parse_filter(where: str) -> dict[str, Any] | None:
    if not where:
        return None
    try:
        parsed = json.loads(where)
    except ValueError as error:
        raise InvalidInputError(
            f"--where {where!r} is no JSON ({error}); quote it whole"
        ) from error
    if not isinstance(parsed, dict):
        raise InvalidInputError(f'--where {where!r} is no JSON object, such as {{"colour": "red"}}')
    return parsed


def _read_turn(prompt: str) -> str:
    try:
        return input(prompt).strip()
    except EOFError:
        return ""


def _print_json(content: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()
