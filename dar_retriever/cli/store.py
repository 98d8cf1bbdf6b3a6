"""``dar store``: looking after a store."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dar_retriever.cli.common import (
    APP,
    OUT,
    AsJson,
    Device,
    Store,
    existing_store,
    open_quiet_encoder,
    print_json,
)
from dar_retriever.cli.display import one_line
from dar_retriever.errors import InvalidInputError
from dar_retriever.ingest import migrate as migrate_images
from dar_retriever.stores.engines import AddressStore
from dar_retriever.stores.image_store import ImageStore
from dar_retriever.stores.opening import open_image_store
from dar_retriever.stores.upkeep import (
    copy_store,
    encoder_recorded_by,
    export_store,
    exported_encoder,
    import_store,
    prune,
    state_of,
)
from dar_retriever.support.addresses import shown_address
from dar_retriever.support.progress import progress_bar

_STORE = typer.Typer(help="Look after a store.", no_args_is_help=True)
APP.add_typer(_STORE, name="store")

File = Annotated[Path, typer.Argument(help="The file: its name ends in .jsonl or .parquet.")]


@_STORE.command()
def status(store: Store = "dar-store", json_: AsJson = False) -> None:  # noqa: FBT002
    """Say what is in a store, and which files are gone."""
    state = state_of(_opened(store))
    if json_:
        print_json(asdict(state))
        return
    _say(f"{state.images} images, encoded by {state.encoder or 'an encoder that it does not name'}")
    for root in state.roots:
        where = f"{root.name}: {root.folder}" if root.name else "in no root"
        away = "" if root.is_there else " (the folder is not there)"
        _say(f"{where}{away}: {root.files} files, {root.gone} gone")


@_STORE.command("prune")
def prune_(store: Store = "dar-store") -> None:
    """Remove images whose files are gone; folders that are not there at all are kept."""
    _say(f"{prune(_opened(store))} images removed")


@_STORE.command()
def check(
    store: Store = "dar-store",
    repair: Annotated[  # noqa: FBT002
        bool, typer.Option("--repair", help="Write again what the index does not find.")
    ] = False,
) -> None:
    """Look up every image by its own vector."""
    opened = _opened(store)
    if not isinstance(opened, ImageStore):
        raise InvalidInputError(
            f"--store {shown_address(store)!r}: only indices of Chroma are checked; other engines "
            "check their own"
        )
    lost = opened.lost(repair=repair)
    done = " and written again" if repair else "; mend that with --repair"
    _say(f"{len(opened)} images, {len(lost)} not found by their vector" + (done if lost else ""))
    if lost and not repair:
        raise typer.Exit(1)


@_STORE.command("export")
def export(file: File, store: Store = "dar-store") -> None:
    """Write all images with their vectors and metadata into a file."""
    _say(f"{export_store(_opened(store), file)} images written to {file}")


@_STORE.command("import")
def import_(file: File, store: Store = "dar-store") -> None:
    """Store all images of an exported file; nothing is encoded."""
    target = open_image_store(store, exported_encoder(file))
    _say(f"{import_store(file, target)} images stored in {shown_address(store)}")


@_STORE.command("copy")
def copy(
    target: Annotated[str, typer.Argument(help="The store to fill: a folder or an address.")],
    store: Store = "dar-store",
) -> None:
    """Copy all images to another store; nothing is encoded."""
    source = _opened(store)
    opened = open_image_store(target, encoder_recorded_by(source))
    with progress_bar("Copying") as progress:
        count = copy_store(source, opened, progress)
    _say(f"{count} images copied to {shown_address(target)}")


@APP.command()
def migrate(
    target: Annotated[str, typer.Argument(help="The new store: a folder or an address.")],
    to: Annotated[str, typer.Option("--to", help="The preset of the new store.")],
    store: Store = "dar-store",
    device: Device = None,
) -> None:
    """Encode the images of a store anew for another preset; can be stopped and repeated.

    The old store stays as it is. Search both with --store moving:OLD,NEW and the new preset.
    """
    existing_store(store)
    encoder = open_quiet_encoder(to, device)
    new = open_image_store(target, encoder)
    with progress_bar("Encoding") as progress:
        report = migrate_images(_opened(store), new, encoder, progress)
    _say(f"{report.encoded} images encoded, {report.there} were there, in {shown_address(target)}")
    for left in report.left_out:
        _say(f"left out: {left.path}: {left.reason}")
    if report.left_out:
        raise typer.Exit(1)


def _opened(store: str) -> ImageStore | AddressStore:
    return open_image_store(store, None)


def _say(text: str) -> None:
    OUT.print(one_line(text), markup=False, highlight=False, soft_wrap=True)
