"""``dar demo``: the show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dar_retriever.cli.common import APP, OUT, DemoFolder, Products
from dar_retriever.cli.display import hits_table
from dar_retriever.demo.page import ShownTurn
from dar_retriever.demo.retriever import FOLDER, PRODUCTS
from dar_retriever.stores.hits import Hit


@APP.command()
def demo(
    query: Annotated[
        list[str], typer.Option(help="Your own words; repeat the option for further turns.")
    ] = [],  # noqa: B006
    folder: DemoFolder = Path(FOLDER),
    products: Products = PRODUCTS,
) -> None:
    """Draw a gallery, play a conversation over it, and leave a page to look at."""
    from dar_retriever.demo.showcase import play

    show = play(folder, products, query)
    for number, turn in enumerate(show.turns):
        _print(number, turn, show.target)
    page = show.page.resolve()
    OUT.print(f"\nLook at it: [bold]{page}[/bold]", soft_wrap=True, highlight=False)


def _print(number: int, turn: ShownTurn, target: Hit | None) -> None:
    question, answer = turn.said
    trace = turn.result.trace
    OUT.print()
    OUT.rule(f"turn {number}", align="left")
    if question:
        OUT.print(f"  asked:      {question}", highlight=False)
    OUT.print(f"  said:       [bold]{answer}[/bold]", highlight=False)
    OUT.print(f"  understood: {trace.understood}", highlight=False)
    if trace.only:
        OUT.print(f"  only:       {'; '.join(trace.only)}", markup=False, highlight=False)
    OUT.print(
        f"  drawn:      {len(trace.generated)} images, {trace.cached_count} of them from the cache "
        f"({sum(trace.timings.values()):.2f} s)",
        highlight=False,
    )
    if target is not None:
        OUT.print(
            f"  target:     rank {turn.text_rank} by text alone, [bold]{turn.rank}[/bold] by DAR",
            highlight=False,
        )
    OUT.print(hits_table(turn.result.hits, target.id if target else ""))
