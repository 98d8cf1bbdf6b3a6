"""The store as an ingest sees it: what it knows of the files, and what has to change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Protocol

from dar_retriever.conversation.image_access import local_path
from dar_retriever.errors import DARError
from dar_retriever.ingest.files import FileState, FolderState, Listed, absolute
from dar_retriever.ingest.metadata import Said
from dar_retriever.ingest.plan import Found, Plan, View, plan
from dar_retriever.ingest.reader import Prepared
from dar_retriever.ingest.report import IngestReport
from dar_retriever.stores.base import FillableStore, TrackingStore
from dar_retriever.stores.copies import Copy, PictureRecord
from dar_retriever.stores.engine import EngineStore
from dar_retriever.stores.kept import document_and_metadata, stored_image
from dar_retriever.support.paths import is_folder_gone, is_gone

# A root lies elsewhere now if so much of what the store knows of it is there.
_ENOUGH: Final = 0.5


class Target(Protocol):
    """What an ingest asks of a store beyond adding images."""

    def unchanged(self) -> dict[str, str]:
        """The ids of files that need not be read, by key."""
        ...

    def known(self, ids: Iterable[str]) -> set[str]:
        """The ids among these that are stored."""
        ...

    def record_of(self, picture: Prepared) -> PictureRecord:
        """What is to be remembered of a picture that is stored now."""
        ...

    def settle(
        self,
        ids: Mapping[str, str],
        unread: set[str],
        added: Mapping[str, PictureRecord],
        *,
        prune: bool,
    ) -> IngestReport:
        """Bring what is remembered of the files into line with what is there.

        Args:
            ids: The ids of all files that could be read, by key.
            unread: The keys of the others.
            added: What was stored now, by id.
            prune: Whether places that are gone are removed.
        """
        ...


def target_of(
    store: FillableStore, source: FolderState | Listed, said: Said, within: Path | None, root: str
) -> Target:
    """The target for a store.

    Args:
        store: The store.
        source: The files.
        said: Their metadata.
        within: The folder that paths are to be relative to; None if there is none.
        root: Name of a root that lies at ``within``; empty to let the store find one.
    """
    if not isinstance(store, TrackingStore):
        return Untracked(store, source, said)
    relocated = _place_root(store, source, within.as_posix(), root) if within is not None else ""
    return Tracked(store, source, said, relocated)


class Untracked:
    """A store that cannot list its images; paths in it are absolute.

    An ``EngineStore`` follows files that were moved. Nothing else is followed.
    """

    def __init__(self, store: FillableStore, source: FolderState | Listed, said: Said) -> None:
        self._store, self._source, self._said = store, source, said
        self._known: set[str] = set()

    def unchanged(self) -> dict[str, str]:
        """See ``Target``."""
        return {}

    def known(self, ids: Iterable[str]) -> set[str]:
        """See ``Target``."""
        found = self._store.known(ids)
        self._known |= found
        return found

    def record_of(self, picture: Prepared) -> PictureRecord:
        """See ``Target``."""
        key, state = picture.file.key, picture.file.state
        copy = Copy("", absolute(state.path), entry=self._said.of(key) or {})
        return PictureRecord(picture.file.id, (copy,), picture.facts)

    def settle(
        self,
        ids: Mapping[str, str],
        unread: set[str],
        added: Mapping[str, PictureRecord],
        *,
        prune: bool,
    ) -> IngestReport:
        """See ``Target``."""
        del unread, prune
        stored = self._known | added.keys()
        known = sum(id_ in stored for id_ in ids.values()) - len(added)
        moved = self._follow(ids) if isinstance(self._store, EngineStore) else 0
        return IngestReport(known=known - moved, moved=moved)

    def _follow(self, ids: Mapping[str, str]) -> int:
        """Give images whose files are gone their new places; returns how many there were."""
        store = self._store
        assert isinstance(store, EngineStore)
        keys = {id_: key for key, id_ in ids.items() if id_ in self._known}
        lost = [hit for hit in store.get(list(keys)) if hit.missing]
        moved = []
        for hit, vector in zip(lost, store.vectors_of([hit.id for hit in lost]), strict=True):
            path = absolute(self._source.files[keys[hit.id]].path)
            entry = {**hit.metadata, "caption": hit.caption}
            record = PictureRecord(hit.id, (Copy("", path, entry=entry),))
            moved.append(stored_image(record, vector))
        store.add(moved)
        return len(moved)


class Tracked:
    """A store that remembers the files of its images."""

    def __init__(
        self, store: TrackingStore, source: FolderState | Listed, said: Said, relocated: str
    ) -> None:
        self._store, self._source, self._said = store, source, said
        self._roots, self._relocated = store.roots, relocated
        # Of a folder, files that are gone are looked for, so all records are needed.
        every = store.records() if isinstance(source, FolderState) else ()
        self._records = {each.id: each for each in every}

    def unchanged(self) -> dict[str, str]:
        """See ``Target``. Their size and their time of modification are as they were stored."""
        claims: dict[str, set[str]] = {}
        for record in self._records.values():
            for copy in record.copies:
                key = self._key(copy)
                state = self._source.files.get(key) if key is not None else None
                if key is not None and state is not None and _is_as_stored(copy, state):
                    claims.setdefault(key, set()).add(record.id)
        return {key: ids.pop() for key, ids in claims.items() if len(ids) == 1}

    def known(self, ids: Iterable[str]) -> set[str]:
        """See ``Target``."""
        asked = set(ids)
        # Others may write to the store meanwhile.
        unknown = asked - self._records.keys()
        self._records |= {each.id: each for each in self._store.records(unknown)}
        return asked & self._records.keys()

    def record_of(self, picture: Prepared) -> PictureRecord:
        """See ``Target``. One that is stored already, without its parts, keeps its places."""
        key, state = picture.file.key, picture.file.state
        new = PictureRecord(picture.file.id, (self._copy(key, state),), picture.facts)
        return self._records.get(picture.file.id, new)

    def settle(
        self,
        ids: Mapping[str, str],
        unread: set[str],
        added: Mapping[str, PictureRecord],
        *,
        prune: bool,
    ) -> IngestReport:
        """See ``Target``."""
        files = self._source.files
        found = {
            key: Found(id_, self._copy(key, files[key]), self._said.of(key))
            for key, id_ in ids.items()
        }
        view = View(
            found,
            self._key,
            lambda key: key in unread or self._source.is_unseen(key),
            self._is_there,
            frozenset({self._relocated} - {""}),
        )
        first = {id_: str(self._key(record.copies[0])) for id_, record in added.items()}
        made = plan({**self._records, **added}.values(), view, first, prune=prune)
        report = IngestReport(
            known=made.known, moved=made.moved, updated=made.updated, gone=made.gone
        )
        report.pruned = prune and made.gone > 0
        report.remarks = self._carry_out(made)
        return report

    def _carry_out(self, made: Plan) -> list[str]:
        """Change the store; returns what could not be changed, with reasons."""
        refused: list[str] = []
        # What gains a place comes first, so a stop in between leaves a place twice and never not.
        for records in (made.gaining, made.changing):
            self._store.rewrite([each for each in records if _fits(each, refused)])
        self._store.delete(made.removing)
        return refused

    def _key(self, copy: Copy) -> str | None:
        path = self._path(copy)
        return None if path is None else self._source.key(path)

    def _is_there(self, copy: Copy) -> bool:
        path = self._path(copy)
        return path is None or not is_gone(path)

    def _path(self, copy: Copy) -> str | None:
        """The local path of a copy; None if it is elsewhere."""
        return self._roots.location(copy) if copy.root else local_path(copy.path)

    def _copy(self, key: str, state: FileState) -> Copy:
        root, path = self._roots.place(absolute(state.path))
        return Copy(root, path, state.size, state.modified, self._said.of(key) or {})


def _place_root(store: TrackingStore, source: FolderState | Listed, folder: str, root: str) -> str:
    """See to it that a folder has a root; returns the name of a root that was moved here."""
    roots = store.roots
    if root:
        was = roots.folders.get(root, folder)
        store.keep_root(root, folder)
        return root if was != folder else ""
    if roots.holds(folder):
        return ""
    moved = _moved_here(store, source) if isinstance(source, FolderState) else ""
    store.keep_root(moved or roots.named(folder), folder)
    return moved


def _moved_here(store: TrackingStore, folder: FolderState) -> str:
    """The root whose folder is gone and whose files are in this folder; empty if there is none."""
    gone = {name for name, path in store.roots.folders.items() if is_folder_gone(path)}
    if not gone:
        return ""
    copies = [copy for record in store.records() for copy in record.copies if copy.root in gone]
    here: dict[str, list[bool]] = {}
    for copy in copies:
        state = folder.files.get(copy.path)
        here.setdefault(copy.root, []).append(state is not None and state.size == copy.size)
    shares = {name: sum(each) / len(each) for name, each in here.items()}
    best = max(shares, key=lambda name: shares[name], default="")
    return best if best and shares[best] >= _ENOUGH else ""


def _is_as_stored(copy: Copy, state: FileState) -> bool:
    return copy.modified is not None and (copy.size, copy.modified) == (state.size, state.modified)


def _fits(record: PictureRecord, refused: list[str]) -> bool:
    try:
        document_and_metadata(stored_image(record))
    except DARError as error:
        refused.append(f"not updated: {error}")
        return False
    return True
