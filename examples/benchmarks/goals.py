"""The table of a performance benchmark: measured figures and their goals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure with its goal.

    Attributes:
        what: What was measured.
        measured: The figure.
        goal: Its goal.
        unit: The unit of both.
        at_most: Whether lower is better.
    """

    what: str
    measured: float
    goal: float
    unit: str = ""
    at_most: bool = False

    @property
    def ratio(self) -> float:
        """Above 1 if the goal is exceeded."""
        if self.at_most:
            return self.goal / self.measured if self.measured else float("inf")
        return self.measured / self.goal


def report(title: str, goals: Sequence[Goal], out: Path | None = None) -> None:
    """Print goals as a table; keep them as JSON where a file is named."""
    table = Table("", "measured", "goal", "ratio", "reached", title=title, title_justify="left")
    for goal in goals:
        table.add_row(
            goal.what,
            f"{goal.measured:.3g} {goal.unit}".strip(),
            f"{'at most' if goal.at_most else 'at least'} {goal.goal:.3g} {goal.unit}".strip(),
            f"{goal.ratio:.2f}",
            "yes" if goal.ratio >= 1 else "no",
        )
    Console(width=120).print(table)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps([asdict(goal) for goal in goals], indent=1))
