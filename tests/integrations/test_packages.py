"""What holds for every integration: thin, apart from the others, clear about its extra."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "integrations"
PACKAGES = sorted(path.name for path in ROOT.iterdir() if (path / "__init__.py").exists())


def names_imported_by(package: str) -> Iterator[str]:
    """Every name that a package imports, with its module."""
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("package", PACKAGES)
def test_an_integration_imports_public_names_alone(package: str) -> None:
    ours = [name for name in names_imported_by(package) if name.startswith("dar_retriever")]

    assert ours
    parts = {part for name in ours for part in name.split(".")} - {"__version__"}
    assert not [part for part in parts if part.startswith("_")]


@pytest.mark.parametrize("package", PACKAGES)
def test_an_integration_knows_no_other(package: str) -> None:
    others = {other for other in PACKAGES if other != package}

    assert not {name.split(".")[0] for name in names_imported_by(package)} & others


@pytest.mark.parametrize("package", PACKAGES)
def test_an_integration_announces_its_types(package: str) -> None:
    assert (ROOT / package / "py.typed").exists()


@pytest.mark.parametrize("package", PACKAGES)
def test_all_that_is_promised_is_there(package: str) -> None:
    module = importlib.import_module(package)

    assert [name for name in module.__all__ if not hasattr(module, name)] == []
