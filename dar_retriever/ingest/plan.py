"""What a sync changes in a store: a pure function of what is stored and what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from dar_retriever.stores.copies import Copy, PictureRecord

_NOTHING: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Found:
    """A file that was found.

    Attributes:
        id: Hash of its bytes.
        copy: The file as it is to be stored; its entry is not used.
        entry: What is said of it; None if that is not known, so what is stored stays.
    """

    id: str
    copy: Copy
    entry: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class View:
    """What a sync sees of the place that it keeps in step.

    Attributes:
        found: The files that could be read, by key.
        key: The key of a stored copy; None if it lies outside of this place.
        is_unseen: Whether nothing can be told of a key: its folder or itself cannot be read.
        is_there: Whether a copy outside of this place still is a file.
        relocated: Names of roots whose folder now lies elsewhere.
    """

    found: Mapping[str, Found]
    key: Callable[[Copy], str | None]
    is_unseen: Callable[[str], bool]
    is_there: Callable[[Copy], bool]
    relocated: frozenset[str] = frozenset()


@dataclass(slots=True)
class Plan:
    """Changes to make, in an order in which a stop between any two of them loses nothing.

    Attributes:
        gaining: Records that get a further copy.
        changing: Records that lose a copy, or get other metadata.
        removing: Ids of records without a copy.
        moved: Number of files whose image was stored as lying elsewhere.
        updated: Number of files with other metadata.
        known: Number of files about which nothing is new.
        gone: Number of stored files that are no longer there.
    """

    gaining: list[PictureRecord] = field(default_factory=list)
    changing: list[PictureRecord] = field(default_factory=list)
    removing: list[str] = field(default_factory=list)
    moved: int = 0
    updated: int = 0
    known: int = 0
    gone: int = 0


def plan(
    records: Iterable[PictureRecord], view: View, added: Mapping[str, str], *, prune: bool
) -> Plan:
    """Compare a store with the place that it is to be in step with.

    A file that was there before is known or updated. A new place of a stored image is a move if one
    of its old places is gone, and otherwise a further copy. A place that holds other bytes now is
    taken from the old image. An image without a place is removed.

    Args:
        records: What is stored, images that were just added included.
        view: The place.
        added: The keys of files that were just added, by id; they are not counted.
        prune: Whether places that are gone are removed. Otherwise they are only counted.
    """
    made = Plan()
    by_id: dict[str, list[str]] = {}
    for key, file in view.found.items():
        by_id.setdefault(file.id, []).append(key)
    for record in records:
        keys = by_id.get(record.id, ())
        stored = [(view.key(copy), copy) for copy in record.copies]
        if keys or any(key is not None for key, _ in stored):
            _plan_one(made, record, stored, keys, view, added.get(record.id), prune=prune)
    return made


def _plan_one(
    made: Plan,
    record: PictureRecord,
    stored: Sequence[tuple[str | None, Copy]],
    keys: Sequence[str],
    view: View,
    just_added: str | None,
    *,
    prune: bool,
) -> None:
    before = {key: copy for key, copy in stored if key is not None}
    elsewhere = [copy for key, copy in stored if key is None]
    hidden = [c for k, c in before.items() if k not in view.found and view.is_unseen(k)]
    vanished = [c for k, c in before.items() if k not in view.found and not view.is_unseen(k)]
    new = sorted(key for key in keys if key not in before)
    left = [*vanished, *(c for c in elsewhere if not view.is_there(c))] if new else []
    # Every new place takes over from one that is gone, as long as there are such.
    origins = dict(zip(new, left, strict=False))
    moved_away = list(origins.values())
    vanished = [copy for copy in vanished if copy not in moved_away]
    there = [_now(view.found[key], before.get(key, origins.get(key))) for key in sorted(keys)]
    living = [*there, *hidden, *(copy for copy in elsewhere if copy not in moved_away)]
    copies = sorted(living, key=_place) + ([] if prune else sorted(vanished, key=_place))
    after = replace(record, copies=tuple(copies), tracked=True)
    told = _description(record) == _description(after) or not before
    for key in keys:
        if key != just_added:
            _count(made, key, before.get(key), view, was_moved=key in origins, is_same=told)
    made.gone += len(vanished)
    if not copies:
        made.removing.append(record.id)
    elif after != record:
        (made.gaining if new else made.changing).append(after)


def _count(
    made: Plan, key: str, old: Copy | None, view: View, *, was_moved: bool, is_same: bool
) -> None:
    if was_moved or (old is not None and old.root in view.relocated):
        made.moved += 1
    elif old is not None and not _same_entry(old, view.found[key], is_same=is_same):
        made.updated += 1
    else:
        made.known += 1


def _same_entry(old: Copy, file: Found, *, is_same: bool) -> bool:
    # Older records do not tell what was said apart from what was measured.
    return is_same or file.entry is None or dict(old.entry) == dict(file.entry)


def _now(file: Found, old: Copy | None) -> Copy:
    entry = file.entry if file.entry is not None else old.entry if old else _NOTHING
    return replace(file.copy, entry=entry)


def _description(record: PictureRecord) -> tuple[str, dict[str, Any]]:
    return record.caption, record.metadata


def _place(copy: Copy) -> tuple[str, str]:
    return copy.root, copy.path
