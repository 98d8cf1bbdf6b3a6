"""``dar eval``: methods side by side."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from dar_retriever.cli.common import APP, OUT, Device, PresetName
from dar_retriever.evaluation.methods import METHODS

WholeQueries = Annotated[
    bool, typer.Option("--whole-queries", help="Each round of the file is a whole query.")
]


@APP.command("eval")
def evaluate_(
    dataset: Annotated[
        str, typer.Option(help="'demo', or a file of dialogues in the published form.")
    ] = "demo",
    methods: Annotated[
        str,
        typer.Option(
            help=f"Of {', '.join(METHODS)}, weights:TEXT/IMAGES, reranked:NAME, "
            "view:MODEL; @PRESET behind one."
        ),
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
    products: Annotated[
        int, typer.Option("--products", "--gallery", help="Of the demo: number of products.")
    ] = 1000,
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
        products=products,
        seed=seed,
        device=device,
        console=OUT,
    )
    page = escape(str(chosen.resolve()))
    OUT.print(f"\nLook at it: [bold]{page}[/bold]", soft_wrap=True, highlight=False)
