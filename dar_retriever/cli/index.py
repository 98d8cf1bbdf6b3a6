"""``dar index``: a folder of images into a store."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from dar_retriever.cli.common import (
    APP,
    ERR,
    OUT,
    AsJson,
    Device,
    PresetName,
    Store,
    open_quiet_encoder,
    print_json,
)
from dar_retriever.cli.display import one_line
from dar_retriever.errors import InvalidInputError
from dar_retriever.ingest import ingest, ingest_on_ray
from dar_retriever.presets import is_server, open_store
from dar_retriever.support.progress import progress_bar


@APP.command()
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
    open_ = partial(open_quiet_encoder, preset, device)
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
        print_json(
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
        ERR.print(line, markup=False, soft_wrap=True)
    OUT.print(
        f"{report.added} images added, {report.known} known, {len(report.left_out)} left out, "
        f"{report.seconds:.1f} s, {report.rate:.1f} images/s; the store: {store}"
    )
