"""``dar presets`` and ``dar doctor``: which models there are, and whether they work here."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Final

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from dar_retriever.cli.checks import CHECKS, Subject, examine, sampled, trusted
from dar_retriever.cli.common import (
    APP,
    ERR,
    OUT,
    AsJson,
    Device,
    PresetName,
    RuntimeName,
    acceleration_of,
    existing_store,
    print_json,
)
from dar_retriever.presets import PRESETS, Preset, preset_name
from dar_retriever.support.progress import quiet_libraries

_COLOURS: Final = {"good": "green", "note": "yellow", "wrong": "red"}
TriedStore = Annotated[
    str, typer.Option("--store", help="A store with captions to try the drawings on.")
]


@APP.command("presets")
def presets_(json_: AsJson = False) -> None:  # noqa: FBT002
    """Say what the presets are for, and what they need."""
    if json_:
        print_json({name: _plain(each) for name, each in PRESETS.items()})
        return
    table = Table("preset", "on", "memory", "download", "a turn", "licences", box=SIMPLE_HEAD)
    for name, each in PRESETS.items():
        needs = each.needs
        table.add_row(
            name,
            needs.device,
            f"{needs.memory:g} GB",
            f"{needs.download:g} GB",
            needs.seconds or "not measured",
            " / ".join(dict.fromkeys(needs.licences)),
        )
    OUT.print(table)
    for name, each in PRESETS.items():
        OUT.print(f"[bold]{name}[/bold]: {each.why}", highlight=False)
    OUT.print("\nMemory and downloads are estimated from the number of parameters.")
    OUT.print("On a CPU, --runtime openvino draws faster, with 3 GB more (extra 'openvino').")


@APP.command()
def doctor(
    preset: PresetName = "demo",
    device: Device = None,
    store: TriedStore = "",
    json_: AsJson = False,  # noqa: FBT002
    runtime: RuntimeName = "torch",
) -> None:
    """Look at this machine, time one encode and one drawing, and say what to do.

    The default preset needs no download. Another one is downloaded if it is not there yet. With
    --store, some of the store's captions are drawn: do the drawings find their images? Where the
    preset samples what is meant, halves of them are searched for: do the samples pay?
    """
    subject = Subject(
        preset_name(preset, device),
        device,
        existing_store(store) if store else "",
        acceleration_of(runtime),
    )
    findings = []
    for check in (*CHECKS, *((trusted, sampled) if store else ())):
        with quiet_libraries(), ERR.status(f"Looking at {check.__name__}"):
            finding = examine(check, subject)
        findings.append(finding)
        if not json_:
            colour = _COLOURS[finding.state]
            OUT.print(f"[{colour}]{finding.state:5}[/{colour}] {finding.name}: ", end="")
            OUT.print(finding.found, markup=False, highlight=False, soft_wrap=True)
            if finding.advice:
                OUT.print(f"      {finding.advice}", markup=False, highlight=False, soft_wrap=True)
    if json_:
        print_json({"findings": [asdict(finding) for finding in findings]})
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(1)


def _plain(each: Preset) -> dict[str, object]:
    return {
        "why": each.why,
        "encoder": each.encoder,
        "generator": each.generator,
        "hosted": each.hosted.model if each.hosted else None,
        "images_per_turn": each.images_per_turn,
        **asdict(each.needs),
    }
