"""Presets: named sets of components."""

from dar_retriever.presets.choice import (
    AUTO,
    DRAWING_KEY,
    Choice,
    choose_drawing,
    choose_preset,
)
from dar_retriever.presets.data import PRESETS, HostedModel, Needs, Preset, preset
from dar_retriever.presets.opening import from_preset, open_encoder, open_generator, preset_name

__all__ = [
    "AUTO",
    "DRAWING_KEY",
    "PRESETS",
    "Choice",
    "HostedModel",
    "Needs",
    "Preset",
    "choose_drawing",
    "choose_preset",
    "from_preset",
    "open_encoder",
    "open_generator",
    "preset",
    "preset_name",
]
