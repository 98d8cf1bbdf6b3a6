"""The files that an ingest reads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from dar_retriever.errors import IngestError
from dar_retriever.ingest.report import LeftOut
from dar_retriever.support.images import SUFFIXES

Source: TypeAlias = str | Path | Iterable[str | Path]


@dataclass(frozen=True, slots=True)
class Folder:
    """The image files of a folder and its subfolders, listed again at every iteration.

    The list is never held in memory, so a folder can hold millions of files. Symbolic links to
    folders are not followed; links to files are, if they stay within the folder.
    """

    path: Path

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Path | LeftOut]:
        root = self.path.resolve()
        unreadable: list[OSError] = []
        for parent, folders, names in os.walk(self.path, onerror=unreadable.append):
            folders.sort()
            for name in sorted(names):
                path = Path(parent) / name
                if path.suffix.lower() in SUFFIXES:
                    yield _left_out_of(root, path) or path
            yield from (
                LeftOut(str(e.filename), f"cannot be listed: {e.strerror}") for e in unreadable
            )
            unreadable.clear()

    def key(self, path: Path) -> str:
        """What metadata calls a file."""
        return path.relative_to(self.path).as_posix()


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of files."""

    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Path | LeftOut]:
        return iter(self.paths)

    def key(self, path: Path) -> str:
        """What metadata calls a file."""
        return str(path)


def files_of(source: Source) -> Folder | Listed:
    """The files of a folder or of a list.

    Raises:
        IngestError: The folder is missing or holds no images, or the list is empty.
    """
    if not isinstance(source, str | Path):
        listed = Listed(tuple(Path(path) for path in source))
        if not listed.paths:
            raise IngestError("an empty list of files; name at least one image")
        return listed
    folder = Folder(Path(source))
    if not folder.path.is_dir():
        raise IngestError(f"{str(source)!r} is not a folder; name the folder that holds the images")
    if next(iter(folder), None) is None:
        raise IngestError(
            f"{str(source)!r} holds no images ({', '.join(sorted(SUFFIXES))}); check the path"
        )
    return folder


def _left_out_of(root: Path, path: Path) -> LeftOut | None:
    if not path.is_symlink() or path.resolve().is_relative_to(root):
        return None
    reason = "a symbolic link to a file outside the folder; index the folder that it leads to"
    return LeftOut(str(path), reason)
