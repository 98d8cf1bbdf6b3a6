"""The ``dar`` command: a file for each group of commands."""

from __future__ import annotations

import sys
from typing import Final

from rich.markup import escape

from dar_retriever.cli import demo, evaluate, index, models, search, serve, store
from dar_retriever.cli.common import APP, ERR
from dar_retriever.errors import DARError

__all__ = ["demo", "evaluate", "index", "main", "models", "search", "serve", "store"]

_USER_ERROR: Final = 2


def main() -> None:
    """Run the command; errors of the user's making are one line and exit code 2."""
    try:
        APP()
    except DARError as error:
        said = f"[red]error:[/red] {escape(str(error))}"
        ERR.print(said, highlight=False, markup=True, soft_wrap=True)
        sys.exit(_USER_ERROR)
