"""The files of an ingest: what is there, without reading any picture."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from dar_retriever.errors import IngestError
from dar_retriever.ingest.metadata import METADATA_FILES
from dar_retriever.ingest.report import LeftOut
from dar_retriever.support.image_kinds import SUFFIXES, is_image_by_content
from dar_retriever.support.moving_pictures import DOCUMENT_SUFFIXES, FILM_SUFFIXES
from dar_retriever.support.paths import is_folder_gone

Source: TypeAlias = str | Path | Iterable[str | Path]

# A file may change again within the tick of the clock that its time of modification shows.
_SETTLED: Final = 2 * 10**9
_STORE: Final = "chroma.sqlite3"


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as the file system describes it.

    Attributes:
        path: Where it is.
        size: Bytes; None if it could not be asked.
        modified: Time of modification in nanoseconds; None if it is too recent to rely on.
    """

    path: Path
    size: int | None = None
    modified: int | None = None


@dataclass(slots=True)
class FolderState:
    """The image files of a folder and its subfolders at one moment.

    Symbolic links to folders are not followed; links to files are, if they stay within the folder.

    Attributes:
        path: The folder, as an absolute path without links.
        files: The image files by path relative to the folder, with forward slashes.
        listings: The files of metadata among them.
        passed_over: How many files are no images by their name, by suffix.
        left_out: Files and folders that cannot be used, with reasons.
        unseen: Subfolders that cannot be listed, as relative paths.
    """

    path: Path
    files: dict[str, FileState] = field(default_factory=dict)
    listings: list[Path] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    left_out: list[LeftOut] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.files)

    def key(self, location: str) -> str | None:
        """The relative path of a file by its absolute one; None if it lies elsewhere."""
        start = f"{self.path.as_posix().rstrip('/')}/"
        return location[len(start) :] if location.startswith(start) else None

    def is_unseen(self, key: str) -> bool:
        """Whether a file lies where the folder could not be looked into."""
        return any(key.startswith(f"{folder}/") for folder in self.unseen)


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of files, by the names that they were given by."""

    files: Mapping[str, FileState]
    keys: Mapping[str, str]
    passed_over: Mapping[str, int] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()

    @classmethod
    def of(cls, paths: Iterable[str | Path]) -> Listed:
        """The files with these paths."""
        now = time.time_ns()
        files = {str(path): _state_of(Path(path), now) for path in paths}
        return cls(files, {absolute(state.path): name for name, state in files.items()})

    def __len__(self) -> int:
        return len(self.files)

    def key(self, location: str) -> str | None:
        """The name of a file by its absolute path; None if it is not listed."""
        return self.keys.get(location)

    def is_unseen(self, key: str) -> bool:
        """Whether nothing is known of a file; a list tells of its own files only."""
        return key not in self.files


def files_of(source: Source, *, parts: bool = False) -> FolderState | Listed:
    """The files of a folder or of a list.

    Args:
        source: The folder or list.
        parts: Whether films and documents are taken too, of which the parts are pictures.

    Raises:
        IngestError: The folder is missing or holds no images, or the list is empty.
    """
    if not isinstance(source, str | Path):
        listed = Listed.of(source)
        if not listed.files:
            raise IngestError("an empty list of files; name at least one image")
        return listed
    if is_folder_gone(source):
        raise IngestError(f"{str(source)!r} is not a folder; name the folder that holds the images")
    folder = state_of(Path(source), parts=parts)
    if not folder.files and not folder.left_out:
        raise IngestError(
            f"{str(source)!r} holds no images ({', '.join(sorted(SUFFIXES))}); check the path, and "
            "that its disk is connected"
        )
    return folder


def state_of(folder: Path, *, parts: bool = False) -> FolderState:
    """Look through a folder and its subfolders; no picture is read. See ``files_of``."""
    state, now = FolderState(folder.resolve()), time.time_ns()
    suffixes = SUFFIXES | FILM_SUFFIXES | DOCUMENT_SUFFIXES if parts else SUFFIXES
    waiting = [""]
    while waiting:
        parent = waiting.pop()
        try:
            entries = sorted(os.scandir(state.path / parent), key=lambda entry: entry.name)
        # Not readable, deleted meanwhile, or a path longer than the system allows.
        except OSError as error:
            name = str(state.path / parent)
            state.left_out.append(LeftOut(name, f"cannot be listed: {error.strerror}"))
            state.unseen.append(parent)
            continue
        # The drawings in a store's folder are not the user's pictures.
        if any(entry.name == _STORE for entry in entries):
            state.passed_over["a store's folder"] += 1
            continue
        folders = []
        for entry in entries:
            key = f"{parent}/{entry.name}" if parent else entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append(key)
            else:
                _take(state, key, entry, now, suffixes)
        waiting += reversed(folders)
    return state


def absolute(path: Path) -> str:
    """An absolute path whose folder has no links in it; the file itself may be a link."""
    return (path.parent.resolve() / path.name).as_posix()


def _take(
    state: FolderState, key: str, entry: os.DirEntry[str], now: int, suffixes: Collection[str]
) -> None:
    """Note one entry of a folder that is not a folder."""
    path = state.path / key
    suffix = path.suffix.lower()
    if entry.name in METADATA_FILES:
        state.listings.append(path)
    elif suffix not in suffixes and (suffix or not is_image_by_content(path)):
        kind = "a link to a folder" if _is_folder(entry) else suffix or "no suffix"
        state.passed_over[kind] += 1
    elif reason := _why_not_followed(state.path, path) if entry.is_symlink() else "":
        state.left_out.append(LeftOut(str(path), reason))
    elif _is_folder(entry):
        state.passed_over["a link to a folder"] += 1
    else:
        state.files[key] = _state_of(path, now)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _state_of(path: Path, now: int) -> FileState:
    try:
        found = path.stat()
    # Reading it will say why.
    except (OSError, ValueError):
        return FileState(path)
    settled = found.st_mtime_ns < now - _SETTLED
    return FileState(path, found.st_size, found.st_mtime_ns if settled else None)


def _why_not_followed(root: Path, link: Path) -> str:
    try:
        target = link.resolve(strict=True)
    except FileNotFoundError:
        return "a symbolic link to a file that is not there; delete or mend it"
    # Python 3.11 and 3.12 raise RuntimeError for a loop.
    except (OSError, RuntimeError) as error:
        return f"a symbolic link that leads nowhere ({error}); delete or mend it"
    if target.is_relative_to(root):
        return ""
    return "a symbolic link to a file outside the folder; index the folder that it leads to"
