"""What is gone, and what only cannot be looked at."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dar_retriever import Hit
from dar_retriever.support.paths import is_folder_gone, is_gone


def test_files_and_folders_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not is_gone(tmp_path / "file")
    assert not is_folder_gone(tmp_path)
    assert is_gone(tmp_path)
    assert is_folder_gone(tmp_path / "file")


@pytest.mark.parametrize("name", ["nothing", "file/inside", "loop", "x" * 300, "nul\0"])
def test_what_no_file_can_be_is_gone(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert is_gone(tmp_path / name)
    assert is_folder_gone(tmp_path / name)
    assert Hit("id", 0.0, str(tmp_path / name)).missing


@pytest.mark.parametrize("error", [PermissionError(13, "denied"), OSError(5, "I/O error")])
def test_what_cannot_be_looked_at_is_not_gone(
    error: OSError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(_: Any, **__: Any) -> os.stat_result:
        raise error

    name = str(tmp_path / "file")
    monkeypatch.setattr(Path, "stat", refusing)
    assert not is_gone(name)
    assert not is_folder_gone(name)
    assert not Hit("id", 0.0, name).missing
