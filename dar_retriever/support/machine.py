"""The machine that this runs on: its best device, and how much memory there is."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import Final

from dar_retriever.support.devices import choose_device

_GB: Final = 1e9


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine's means.

    Attributes:
        device: "cuda", "mps" or "cpu".
        name: What the device is called.
        memory: GB of memory that the device has in all.
        free: GB of the machine's own memory that are free.
    """

    device: str
    name: str
    memory: float
    free: float


def this_machine(device: str | None = None) -> Machine:
    """What there is here.

    Args:
        device: The device to look at; the best one available by default.
    """
    import psutil
    import torch

    own = psutil.virtual_memory()
    chosen = choose_device(device)
    if chosen.type == "cuda":
        found = torch.cuda.get_device_properties(chosen)
        return Machine("cuda", found.name, found.total_memory / _GB, own.available / _GB)
    # Apple's graphics processors share the machine's memory.
    name = platform.processor() or platform.machine()
    return Machine(chosen.type, name, own.total / _GB, own.available / _GB)
