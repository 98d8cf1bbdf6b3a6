"""``dar index``: a folder of images into a store, and in step with it."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from dar_retriever.captioning import Captioner, open_captioner
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
from dar_retriever.ingest import IngestReport, ingest_on_ray, sync, watch
from dar_retriever.stores.engines import is_for_one_process
from dar_retriever.stores.opening import is_address, open_image_store, open_store
from dar_retriever.support.addresses import shown_address
from dar_retriever.support.progress import progress_bar, progress_bars, quiet_libraries


@APP.command()
def index(
    folder: Annotated[Path, typer.Argument(help="Folder of images, with its subfolders.")],
    store: Store = "dar-store",
    preset: PresetName = "demo",
    prune: Annotated[  # noqa: FBT002 (an option of the command, never a position)
        bool, typer.Option("--prune", help="Remove images whose files are gone.")
    ] = False,
    watch_: Annotated[  # noqa: FBT002
        bool, typer.Option("--watch", help="Stay, and follow every change (extra: watch).")
    ] = False,
    root: Annotated[
        str, typer.Option(help="Name of a folder of the store that lies here now: dar store status")
    ] = "",
    exif: Annotated[  # noqa: FBT002
        bool, typer.Option(help="Keep when and with what camera a photograph was taken.")
    ] = True,
    location: Annotated[  # noqa: FBT002
        bool, typer.Option("--location", help="Keep where a photograph was taken, too.")
    ] = False,
    near_duplicates: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--near-duplicates", help="Mark bursts and the like (near-duplicates)."),
    ] = False,
    parts: Annotated[  # noqa: FBT002
        bool,
        typer.Option(
            "--parts", help="Find by pieces, frames and pages, too (extras for films: video, pdf)."
        ),
    ] = False,
    captions: Annotated[
        str,
        typer.Option(
            help="Describe pictures without a caption, by an image-to-text model of transformers "
            "(name or folder), MODULE:FUNCTION, or ocr (extra: ocr)."
        ),
    ] = "",
    outlines: Annotated[  # noqa: FBT002
        bool, typer.Option("--outlines", help="Let line drawings find the pictures, too.")
    ] = False,
    batch_size: Annotated[int, typer.Option(help="Images encoded at once.")] = 64,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="This machine, or a Ray cluster that fills a server (extra: ray)."),
    ] = "local",
    workers: Annotated[int, typer.Option(help="With --engine ray: processes that ingest.")] = 2,
    json_: AsJson = False,  # noqa: FBT002
    device: Device = None,
) -> None:
    """Index a folder of images; what is indexed already follows its files."""
    open_ = partial(open_quiet_encoder, preset, device)
    if engine == "ray":
        if not is_address(store) or is_for_one_process(store):
            raise InvalidInputError(
                f"--engine ray with --store {shown_address(store)!r}: a folder can be written by "
                "one process only; start a server with 'chroma run --path FOLDER' and name it, "
                "http://HOST:PORT"
            )
        if parts:
            raise InvalidInputError("--parts: Ray stores none; use --engine local")
        if captions:
            raise InvalidInputError("--captions: Ray writes none; use --engine local")
        if outlines:
            raise InvalidInputError("--outlines: Ray stores none; use --engine local")
        with progress_bar("Indexing") as progress:
            opener = partial(open_store, store)
            report = ingest_on_ray(
                folder, opener, open_, workers=workers, batch_size=batch_size, progress=progress
            )
        _show(report, store, json_=json_)
        return
    encoder, captioner = open_(), _captioner(captions, device)
    keep = partial(
        sync,
        folder,
        open_image_store(store, encoder),
        encoder,
        prune=prune,
        root=root,
        exif=exif,
        location=location,
        near_duplicates=near_duplicates,
        parts=parts,
        captioner=captioner,
        outlines=outlines,
        batch_size=batch_size,
    )
    with progress_bars("Indexing", "Captioning", "Outlining") as (indexed, captioned, outlined):
        report = keep(progress=indexed, caption_progress=captioned, outline_progress=outlined)
    _show(report, store, json_=json_)
    if watch_:
        ERR.print(f"Watching {folder} (Ctrl-C ends it)", markup=False, highlight=False)
        for report in watch(folder, keep):
            _show(report, store, json_=json_)


def _captioner(name: str, device: str | None) -> Captioner | None:
    if not name:
        return None
    with quiet_libraries():
        return open_captioner(name, device)


def _show(report: IngestReport, store: str, *, json_: bool) -> None:
    if json_:
        counts = asdict(report)
        del counts["encoding"]
        print_json(counts | {"seconds": round(report.seconds, 2)})
        return
    for entry in report.left_out:
        line = one_line(f"left out {entry.path}: {entry.reason}")
        ERR.print(line, markup=False, soft_wrap=True)
    for entry in report.uncaptioned:
        line = one_line(f"no caption for {entry.path}: {entry.reason}")
        ERR.print(line, markup=False, soft_wrap=True)
    for remark in report.remarks:
        ERR.print(one_line(remark), markup=False, soft_wrap=True)
    kinds = sorted(report.passed_over.items(), key=lambda item: (-item[1], item[0]))
    passed_over = f"{sum(report.passed_over.values())} passed over"
    if kinds:
        passed_over += one_line(f" ({', '.join(f'{count} {kind}' for kind, count in kinds)})")
    OUT.print(
        f"{report.added} images added, {report.moved} moved, {report.updated} updated, "
        f"{report.known} known, {_further(report)}, {passed_over}, "
        f"{len(report.left_out)} left out, {report.seconds:.1f} s, {report.rate:.1f} images/s; "
        f"the store: {shown_address(store)}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _further(report: IngestReport) -> str:
    """What is told only where there is something to tell."""
    told = f"{report.gone} gone"
    if report.gone:
        told += " and removed" if report.pruned else " (--prune removes them)"
    if report.near_duplicates:
        told += f", {report.near_duplicates} near duplicates"
    if report.captioned or report.uncaptioned:
        told += f", {report.captioned} captioned"
    if report.uncaptioned:
        told += f", {len(report.uncaptioned)} without caption"
    if report.outlined:
        told += f", {report.outlined} outlined"
    return told
