"""The examples run top to bottom, offline and without a key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.util import run_sync

EXAMPLES = Path(__file__).parent.parent / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def outputs_of(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def pictures_in(notebook: Any) -> int:
    return sum("image/jpeg" in output.get("data", {}) for output in outputs_of(notebook))


def test_there_are_notebooks() -> None:
    assert {path.name for path in NOTEBOOKS} >= {"langchain_rag.ipynb", "langchain_agent.ipynb"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all notebooks run, so that the gallery is drawn once."""
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="module")
def kernel(folder: Path) -> Iterator[AsyncKernelManager]:
    """One for all notebooks: what they import takes longer than what they do."""
    with pytest.MonkeyPatch.context() as patch:
        for key in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "MODEL"):
            patch.delenv(key, raising=False)
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        manager = AsyncKernelManager(kernel_name="python3")
        yield manager
        run_sync(manager.shutdown_kernel)(now=True)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_top_to_bottom(
    path: Path, folder: Path, kernel: AsyncKernelManager
) -> None:
    notebook = nbformat.read(path, as_version=4)
    stored = pictures_in(notebook)
    # A smaller gallery is drawn sooner.
    for cell in notebook.cells:
        cell.source = cell.source.replace("600", "150")
    # Nothing that another notebook named is there.
    notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))

    client = NotebookClient(
        notebook, km=kernel, timeout=300, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()

    assert pictures_in(notebook) == stored > 2


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_with_clean_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)

    assert not [output for output in outputs_of(notebook) if output.output_type == "error"]
    assert not [output for output in outputs_of(notebook) if output.get("name") == "stderr"]
    assert str(Path.home()) not in path.read_text()
    assert path.stat().st_size < 1_000_000
