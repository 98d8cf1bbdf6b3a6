"""The folders that a store's paths are relative to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

from dar_retriever.errors import InvalidInputError
from dar_retriever.stores.copies import Copy

Folders: TypeAlias = Mapping[str, str | os.PathLike[str]]
NOWHERE_ELSE: Final[Folders] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Roots:
    """Folders by name. A value: every change makes a new one.

    Attributes:
        folders: Absolute paths of the folders by name.
    """

    folders: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, folders: Folders) -> Roots:
        """Roots of paths; relative ones are made absolute.

        Raises:
            InvalidInputError: A name is empty.
        """
        if "" in folders:
            raise InvalidInputError(
                f"roots={dict(folders)!r}: a root needs a name; 'dar store status' lists them"
            )
        return cls(MappingProxyType({name: _absolute(path) for name, path in folders.items()}))

    def location(self, copy: Copy) -> str:
        """The path or URL of a copy. A path stays relative if its root is not known."""
        folder = self.folders.get(copy.root)
        return copy.path if folder is None else f"{folder.rstrip('/')}/{copy.path}"

    def place(self, path: str) -> tuple[str, str]:
        """The innermost root that contains an absolute path, and the path relative to it."""
        inside = [
            (len(folder), name, path[len(folder) :].lstrip("/"))
            for name, folder in self.folders.items()
            if path.startswith(folder.rstrip("/") + "/")
        ]
        return max(inside)[1:] if inside else ("", path)

    def holds(self, folder: str) -> bool:
        """Whether an absolute path is a root or lies within one."""
        return folder in self.folders.values() or bool(self.place(folder)[0])

    def including(self, others: Mapping[str, str]) -> Roots:
        """These roots and others; the others' folder counts for a name that both have."""
        return Roots(MappingProxyType({**self.folders, **others}))

    def named(self, folder: str) -> str:
        """A free name for a new root: the folder's own, with a number if that is taken."""
        name = Path(folder).name.encode("utf-8", "replace").decode() or "root"
        taken = self.folders.keys()
        names = (f"{name}-{number}" if number > 1 else name for number in range(1, len(taken) + 2))
        return next(each for each in names if each not in taken)

    def as_text(self) -> str:
        """The roots as JSON."""
        return json.dumps(dict(self.folders))


NO_ROOTS: Final = Roots()


def _absolute(path: str | os.PathLike[str]) -> str:
    return Path(path).expanduser().resolve().as_posix()
