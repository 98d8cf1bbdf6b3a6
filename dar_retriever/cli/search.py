"""``dar search`` and ``dar chat``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from dar_retriever.cli.common import (
    APP,
    ERR,
    OUT,
    AsJson,
    Cut,
    Device,
    HideNearDuplicates,
    Hits,
    Labels,
    LocalModel,
    PresetName,
    RuntimeName,
    Store,
    Where,
    open_retriever,
    parse_filter,
    parse_labels,
    print_json,
)
from dar_retriever.cli.display import as_json, contact_sheet, hits_table
from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.questions import (
    FacetName,
    FacetQuestions,
    Question,
    ResultNamer,
    ResultNames,
    ask_back,
    names_as_json,
    question_as_json,
    with_agreement,
    with_names,
)
from dar_retriever.retriever import SearchResult
from dar_retriever.support.images import open_image


@APP.command()
def search(
    query: Annotated[list[str], typer.Argument(help="What to find; several are turns.")],
    store: Store = "dar-store",
    preset: PresetName = "demo",
    k: Hits = 10,
    cut: Cut = False,  # noqa: FBT002
    where: Where = "",
    image: Annotated[list[Path], typer.Option(help="Reference image; repeatable.")] = [],  # noqa: B006
    sheet: Annotated[Path | None, typer.Option(help="Save a contact sheet here.")] = None,
    json_: AsJson = False,  # noqa: FBT002 (an option of the command, never a position)
    language_model: LocalModel = "",
    hide_near_duplicates: HideNearDuplicates = False,  # noqa: FBT002 (an option of the command)
    device: Device = None,
    runtime: RuntimeName = "torch",
) -> None:
    """Search once, with one text or with the turns of a conversation."""
    filter_ = parse_filter(where)
    dialogue = Dialogue()
    for turn in query:
        dialogue = dialogue.say(turn)
    if image:
        dialogue = dialogue.say("", *map(open_image, image))
    dialogue.require_content()
    retriever = open_retriever(
        preset,
        store,
        device,
        language_model,
        runtime=runtime,
        hide_near_duplicates=hide_near_duplicates,
    )
    result = with_agreement(FacetQuestions(retriever), retriever.search(dialogue, k, filter_))
    _show(result.cut() if cut else result, as_json_=json_, sheet=sheet)


@APP.command()
def chat(
    store: Store = "dar-store",
    preset: PresetName = "demo",
    k: Hits = 10,
    cut: Cut = False,  # noqa: FBT002
    where: Where = "",
    sheet: Annotated[Path, typer.Option(help="The contact sheet, new at each turn.")] = Path(
        "dar-sheet.png"
    ),
    json_: AsJson = False,  # noqa: FBT002 (an option of the command, never a position)
    language_model: LocalModel = "",
    label: Labels = [],  # noqa: B006
    device: Device = None,
    runtime: RuntimeName = "torch",
) -> None:
    """Search a turn at a time: describe, look, answer, correct.

    After each search come words for what the hits have in common and what divides them, and the
    question that would narrow it down most. Answer with one of its choices or the number of it, or
    say something else. An empty line or Ctrl-D ends it.
    """
    filter_, labels = parse_filter(where), parse_labels(label)
    retriever = open_retriever(preset, store, device, language_model, runtime=runtime)
    questioner, namer = FacetQuestions(retriever, labels), ResultNamer(retriever)
    question: Question | None = None
    dialogue = Dialogue()
    while text := _read_turn(prompt="" if json_ else "you> "):
        answer = question.answer(text) if question else None
        if question and answer:
            dialogue = dialogue.ask(question.text)
        dialogue = dialogue.say(answer or text)
        found = retriever.search(dialogue, k, filter_)
        result, question = ask_back(questioner, found.cut() if cut else found)
        result, names = with_names(namer, result)
        _show(result, as_json_=json_, sheet=sheet, question=question, names=names)


def _show(
    result: SearchResult,
    *,
    as_json_: bool,
    sheet: Path | None,
    question: Question | None = None,
    names: ResultNames | None = None,
) -> None:
    if sheet is not None:
        contact_sheet(result).save(sheet)
    if as_json_:
        told = {} if names is None else {"names": names_as_json(names)}
        print_json(as_json(result) | {"question": question_as_json(question)} | told)
        return
    trace = result.trace
    OUT.print(
        f"[dim]understood:[/dim] {escape(trace.understood) or '(images only)'}", highlight=False
    )
    if trace.spread:
        OUT.print(f"[dim]samples:[/dim] {escape(trace.spread)}", highlight=False)
    if trace.only:
        OUT.print(f"[dim]only:[/dim] {escape('; '.join(trace.only))}", highlight=False)
    OUT.print(
        f"[dim]{len(trace.generated)} images generated ({trace.cached_count} from the cache), "
        f"weights text {trace.text_weight:.2f}, images {trace.image_weight:.2f}, "
        f"{sum(trace.timings.values()):.2f} s[/dim]",
        highlight=False,
    )
    for note in (*trace.left_out, *trace.fallbacks):
        ERR.print(f"note: {note}", markup=False, soft_wrap=True)
    _show_hits(result)
    if sheet is not None:
        OUT.print(f"[dim]contact sheet:[/dim] {sheet}", highlight=False)
    if names is not None:
        _show_names("in common", names.common)
        _show_names("some are", names.divides)
    if question is not None:
        numbered = enumerate(map(escape, question.choices), 1)
        choices = "  ".join(f"[bold]{number}[/bold] {choice}" for number, choice in numbered)
        OUT.print(f"[cyan]{escape(question.text)}[/cyan]  {choices}", highlight=False)


def _show_names(called: str, names: Sequence[FacetName]) -> None:
    if names:
        words = ", ".join(f"{name.word} ({len(name.ids)})" for name in names)
        OUT.print(f"[dim]{called}:[/dim] {escape(words)}", highlight=False)


def _show_hits(result: SearchResult) -> None:
    if result.nothing:
        OUT.print(f"[yellow]{result.nothing}[/yellow]", highlight=False)
    elif not result.close:
        OUT.print("[yellow]nothing in the store is close to this[/yellow]", highlight=False)
        if result.trace.generated:
            OUT.print("[dim]the generated images show what was understood[/dim]", highlight=False)
    if result.hits:
        OUT.print(hits_table(result.hits))


def _read_turn(prompt: str) -> str:
    # In a pipe the results alone go to standard output; input() writes its prompt there.
    if not sys.stdin.isatty():
        sys.stderr.write(prompt)
        sys.stderr.flush()
        prompt = ""
    try:
        return input(prompt).strip()
    except EOFError:
        return ""
