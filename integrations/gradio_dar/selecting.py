"""What can be done with several hits: a zip of their files, a list of paths, a collection."""

from __future__ import annotations

import base64
import dataclasses
import os
import re
import zipfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import PurePath
from typing import Any, Final

from dar_retriever import DARError, Hit, InvalidInputError, SearchableStore
from dar_retriever.conversation.image_access import local_path
from dar_retriever.stores.base import TrackingStore
from dar_retriever.support.images import image_from_data_url, read_file
from dar_retriever.support.moving_pictures import still_at

MOST: Final = 200
FIELD: Final = "collection"
_LONGEST: Final = 60
_ODD: Final = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
_LEFT_OUT: Final = "left out.txt"
_PIECE: Final = 1 << 16


def ids_of(text: str) -> list[str]:
    """The ids in a text, one a line.

    Raises:
        InvalidInputError: There are none, or more than 200.
    """
    ids = list(dict.fromkeys(filter(None, text.split("\n"))))
    if not 0 < len(ids) <= MOST:
        raise InvalidInputError(f"{len(ids)} pictures are ticked; tick 1 to {MOST}")
    return ids


def zipped(hits: Sequence[Hit]) -> Iterator[bytes]:
    """A zip of the hits' files, piece by piece; never more than one file is in memory.

    Files that are gone or hold no image are named in "left out.txt".
    """
    written, left_out, taken = _Pieces(), list[str](), {_LEFT_OUT}
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for hit in hits:
            try:
                content = _content(hit)
            except DARError:
                left_out.append(f"{hit.file_name or hit.title}: gone, or no image")
                continue
            name = _unique(_ODD.sub("_", hit.file_name) or f"{hit.id[:16]}.jpg", taken)
            archive.writestr(name, content)
            yield from written.taken()
        if left_out:
            archive.writestr(_LEFT_OUT, "\n".join(left_out))
    yield from written.taken()


def paths_of(hits: Sequence[Hit]) -> list[str]:
    """Where the hits lie: paths, or URLs of other machines."""
    places = (local_path(hit.uri) or hit.uri for hit in hits if not hit.uri.startswith("data:"))
    return [str(place) for place in places]


def put_into(store: SearchableStore, ids: Collection[str], name: str) -> int:
    """Write the name of a collection to stored images, beside those that they are in.

    Returns:
        The number of images.

    Raises:
        InvalidInputError: The name is empty or long, or the store keeps no records.
        StoreError: The store cannot be written to.
    """
    name = " ".join(name.split())
    if not name or len(name) > _LONGEST:
        raise InvalidInputError(f"{name[:80]!r}: name the collection in 1 to {_LONGEST} characters")
    if not isinstance(store, TrackingStore):
        raise InvalidInputError("this store keeps no records that could be written to")
    records = [
        dataclasses.replace(record, facts={**record.facts, FIELD: _with(record.metadata, name)})
        for record in store.records(ids)
    ]
    store.rewrite(records)
    return len(records)


class _Pieces:
    """What a zip is written to: a file that only goes forward, emptied after each piece."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, content: bytes, /) -> int:
        self._waiting += content
        return len(content)

    def flush(self) -> None:
        """Nothing to do: what is written waits in memory."""

    def close(self) -> None:
        """Nothing to do either."""

    def taken(self) -> Iterator[bytes]:
        content, self._waiting = bytes(self._waiting), bytearray()
        for start in range(0, len(content), _PIECE):
            yield content[start : start + _PIECE]


def _content(hit: Hit) -> bytes:
    """The bytes of a hit's file; records may name any, and only what can be shown is handed out."""
    if hit.uri.startswith("data:"):
        image_from_data_url(hit.uri)
        return base64.b64decode(hit.uri.partition(",")[2])
    places = filter(None, map(local_path, (hit.uri, *hit.copies)))
    content = read_file(next(filter(os.path.isfile, places), hit.uri))
    still_at(content, hit.file_name)
    return content


def _unique(name: str, taken: set[str]) -> str:
    """A name that no earlier file has, on machines that know no upper case either."""
    path, number, unique = PurePath(name), 1, name
    while unique.lower() in taken:
        number += 1
        unique = f"{path.stem} ({number}){path.suffix}"
    taken.add(unique.lower())
    return unique


def _with(metadata: Any, name: str) -> list[str]:
    held = metadata.get(FIELD) or []
    names = held if isinstance(held, list) else [held]
    return list(dict.fromkeys([*map(str, names), name]))
