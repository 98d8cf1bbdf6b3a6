"""Which preset suits a machine, and which models draw there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final, Literal

from dar_retriever.presets.data import PRESETS, Preset
from dar_retriever.support.machine import Machine

DRAWING_KEY: Final = "DAR_DRAWING_KEY"
AUTO: Final = "auto"
# From the one that finds most to the one that needs least.
_TRIED: Final = ("best", "quality", "fast")


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice and the reason for it.

    Attributes:
        name: What was chosen.
        why: The reason, for people.
    """

    name: str
    why: str


def choose_preset(machine: Machine) -> Choice:
    """The preset for photographs that suits a machine best."""
    has = f"{machine.device} ({machine.name}) has {machine.memory:.0f} GB"
    if machine.device == "cpu":
        return Choice("laptop", f"there is no GPU: {has}")
    passed = ""
    for name in _TRIED:
        preset = PRESETS[name]
        if preset.encoder_library == "sentence_transformers" and not _is_there(preset):
            passed = f"; {name!r} also needs the extra 'sentence-transformers'"
        elif machine.memory >= preset.needs.memory:
            return Choice(name, f"{has}, and it needs {preset.needs.memory:.0f} GB{passed}")
    return Choice("laptop", f"{has}, less than the others need")


def choose_drawing(
    preset: Preset, machine: Machine
) -> tuple[Literal["hosted", "local", "none"], str]:
    """Who draws for a preset on a machine, and why."""
    if preset.hosted is None:
        return "local", f"{preset.generator} draws on this machine"
    if os.environ.get(DRAWING_KEY):
        return "hosted", f"{preset.hosted.model} draws, because {DRAWING_KEY} is set"
    room = machine.free if machine.device == "cpu" else machine.memory
    if room >= preset.needs.memory:
        return "local", f"{preset.generator} draws on this machine, because no {DRAWING_KEY} is set"
    return "none", (
        f"nothing is drawn: no {DRAWING_KEY} is set, and {room:.1f} GB of free memory are less "
        f"than the {preset.needs.memory:.0f} GB that drawing here needs"
    )


def _is_there(preset: Preset) -> bool:
    return find_spec(preset.encoder_library) is not None
