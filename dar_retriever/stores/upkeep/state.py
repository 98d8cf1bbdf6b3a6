"""What a store holds, and which of its files are gone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dar_retriever.conversation.image_access import local_path
from dar_retriever.stores.base import WholeStore
from dar_retriever.stores.copies import Copy, PictureRecord
from dar_retriever.stores.roots import Roots
from dar_retriever.support.paths import is_folder_gone, is_gone


@dataclass(frozen=True, slots=True)
class RootState:
    """One folder that a store's paths are relative to.

    Attributes:
        name: Name of the root; empty for files that lie in none.
        folder: Where it lies; empty for files that lie in none.
        is_there: Whether the folder is there. If it is not, its disk may not be connected.
        files: Number of stored files.
        gone: How many of them are not there.
    """

    name: str
    folder: str
    is_there: bool
    files: int
    gone: int


@dataclass(frozen=True, slots=True)
class StoreState:
    """What a store holds.

    Attributes:
        images: Number of images.
        encoder: Name of the encoder that filled it; empty if the store does not say.
        roots: Its folders.
    """

    images: int
    encoder: str
    roots: tuple[RootState, ...]


def state_of(store: WholeStore) -> StoreState:
    """Look through a store and at the files that it names."""
    roots = store.roots
    counts = {name: [0, 0] for name in roots.folders}
    for record in store.records():
        for copy in record.copies:
            count = counts.setdefault(copy.root, [0, 0])
            count[0] += 1
            count[1] += _is_gone(copy, roots)
    found = tuple(
        RootState(name, folder := roots.folders.get(name, ""), _is_there(folder), *count)
        for name, count in sorted(counts.items())
    )
    return StoreState(len(store), store.encoder_name, found)


def prune(store: WholeStore) -> int:
    """Remove the images whose files are all gone, and the places that are gone of the others.

    Files of a folder that is not there as a whole are kept: its disk may not be connected.

    Returns:
        The number of images that were removed.
    """
    roots = store.roots
    lost = {name for name, folder in roots.folders.items() if not _is_there(folder)}
    removed: list[str] = []
    changed: list[PictureRecord] = []
    for record in store.records():
        left = tuple(c for c in record.copies if c.root in lost or not _is_gone(c, roots))
        if record.copies and not left:
            removed.append(record.id)
        elif len(left) < len(record.copies):
            changed.append(replace(record, copies=left))
    store.rewrite(changed)
    store.delete(removed)
    return len(removed)


def _is_gone(copy: Copy, roots: Roots) -> bool:
    path = local_path(roots.location(copy))
    return path is not None and is_gone(path)


def _is_there(folder: str) -> bool:
    return not folder or not is_folder_gone(folder)
