from __future__ import annotations

import subprocess
import sys

import pytest

from dar_retriever.errors import DARError, MissingExtraError
from dar_retriever.support.extras import needs_extra


def test_the_error_names_the_package_and_the_extra():
    with pytest.raises(MissingExtraError) as error, needs_extra("app"):
        import no_such_package_of_anybody  # noqa: F401

    assert "'no_such_package_of_anybody' is not installed" in str(error.value)
    assert "pip install 'dar-retriever[app]'" in str(error.value)
    assert isinstance(error.value, ImportError)
    assert isinstance(error.value, DARError)
    assert isinstance(error.value.__cause__, ModuleNotFoundError)


def test_what_is_installed_is_imported():
    with needs_extra("app"):
        import json

    assert json.loads("1") == 1


@pytest.mark.parametrize("error", [ImportError("a name is gone"), ValueError("anything else")])
def test_other_errors_pass_through(error: Exception):
    with pytest.raises(type(error)) as caught, needs_extra("app"):
        raise error

    assert caught.value is error


@pytest.mark.parametrize(
    ("package", "extra", "missing"),
    [
        ("langchain_dar", "langchain", "langchain_core"),
        ("llama_index_dar", "llama-index", "llama_index"),
        ("mcp_dar", "mcp", "mcp"),
    ],
)
def test_an_integration_without_its_framework_says_what_to_install(
    package: str, extra: str, missing: str
):
    code = f"""
import sys
sys.modules[{missing!r}] = None
from dar_retriever.errors import MissingExtraError
try:
    import {package}
except ImportError as error:
    assert type(error) is MissingExtraError, type(error)
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"'{missing}")
    assert f"is not installed; run: pip install 'dar-retriever[{extra}]'" in done.stdout
