"""A copy of Chroma's index files, in case a process dies while it writes them.

Chroma keeps the newest vectors in its database. Once there are a thousand, it writes them into the
index files, in place, the table of ids last. Only then does it drop them from the database. If it
is killed in between, the files no longer match and the collection cannot be opened. But the old
files together with the current database still hold the whole collection.
"""

from __future__ import annotations

import pickletools
import shutil
from pathlib import Path
from typing import Final

_BACKUP: Final = "dar.backup"
_PARTIAL: Final = "partial"
_BLOCK: Final = 2**20
# The file that Chroma writes first, and the one that it writes last.
_FIRST: Final = "header.bin"
_LAST: Final = "index_metadata.pickle"


def back_up(folder: Path) -> None:
    """Copy what has changed in the indexes of a folder; nobody may write there meanwhile."""
    indexes = {path.name: path for path in _indexes(folder)}
    for path in _indexes(folder / _BACKUP):
        if path.name not in indexes:
            shutil.rmtree(path)
    for name, path in indexes.items():
        copy = folder / _BACKUP / name
        copy.mkdir(parents=True, exist_ok=True)
        there, wanted = _state(copy), _state(path)
        for file in there.keys() - wanted.keys():
            (copy / file).unlink()
        for file in wanted:
            if there.get(file) != wanted[file]:
                _copy_changes(path / file, copy / file)


def is_backed_up(folder: Path) -> bool:
    """Whether the copy is up to date."""
    return all(_state(folder / _BACKUP / path.name) == _state(path) for path in _indexes(folder))


def repair(folder: Path) -> None:
    """Replace every index that was not written completely by its copy.

    Call this if a writer died after ``back_up``, before Chroma opens the folder.
    """
    for path in _indexes(folder):
        copy = folder / _BACKUP / path.name
        if _state(copy) == _state(path) or _is_complete(path, copy):
            continue
        # New files, so that a client that still has the old ones open does no harm.
        partial = folder / _BACKUP / _PARTIAL
        shutil.rmtree(partial, ignore_errors=True)
        if copy.exists():
            shutil.copytree(copy, partial)
            shutil.rmtree(path)
            partial.rename(path)
        else:
            shutil.rmtree(path)


def _copy_changes(source: Path, copy: Path) -> None:
    """Make a copy equal to its original, writing only what has changed."""
    copy.touch()
    with source.open("rb") as new, copy.open("r+b") as old:
        while block := new.read(_BLOCK):
            place = old.tell()
            if old.read(len(block)) != block:
                old.seek(place)
                old.write(block)
        old.truncate()
    # Last, so that an unfinished copy is not mistaken for a complete one.
    shutil.copystat(source, copy)


def _indexes(folder: Path) -> list[Path]:
    """The index folders, one for each collection that has an index."""
    found = (path.parent for path in folder.glob(f"*/{_FIRST}"))
    return sorted(path for path in found if path.name not in (_BACKUP, _PARTIAL))


def _state(index: Path) -> dict[str, tuple[int, int]]:
    """A value that changes whenever Chroma writes to an index."""
    files = {path.name: path.stat() for path in index.glob("*")}
    return {name: (found.st_size, found.st_mtime_ns) for name, found in files.items()}


def _is_complete(index: Path, before: Path) -> bool:
    """Whether the file that is written last is new and complete."""
    last = _state(index).get(_LAST)
    if last is None or last == _state(before).get(_LAST):
        return False
    try:
        with (index / _LAST).open("rb") as table:
            for _ in pickletools.genops(table):
                pass
            return not table.read(1)
    # pickletools raises this if a file ends early.
    except (ValueError, IndexError):
        return False
