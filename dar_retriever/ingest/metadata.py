"""A folder's metadata, in the forms of Hugging Face's ImageFolder."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dar_retriever.errors import IngestError
from dar_retriever.stores.hits import Metadata
from dar_retriever.stores.values import Value, kept_entry, shown

METADATA_FILE: Final = "metadata.jsonl"
_TABLE: Final = "metadata.csv"
METADATA_FILES: Final = frozenset({METADATA_FILE, _TABLE})
_NAME: Final = "file_name"
_CAPTION: Final = "caption"
_FLAGS: Final = {"true": True, "false": False}
_PADDED: Final = re.compile(r"[-+]?0\d")
_NAMED: Final = 3
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of the files of a source, as stores keep it.

    Attributes:
        entries: Metadata by the file's key; "caption" is the caption.
        is_complete: Whether a file without an entry has no metadata. Otherwise nothing is known of
            it, and stored metadata stay.
        remarks: What could not be kept, and entries that name no file.
    """

    entries: Mapping[str, Mapping[str, Value]]
    is_complete: bool
    remarks: list[str] = field(default_factory=list)

    def of(self, key: str) -> Mapping[str, Value] | None:
        """What is said of a file; None if nothing is known of it."""
        return self.entries.get(key, {} if self.is_complete else None)


def said_in(metadata: Mapping[str, Metadata], keys: Iterable[str]) -> Said:
    """What a caller says of files by their key."""
    remarks: list[str] = []
    entries = {key: _kept(metadata[key], str(key), remarks) for key in keys if metadata.get(key)}
    return Said(entries, is_complete=True, remarks=remarks)


def said_in_folder(folder: Path, listings: Sequence[Path], keys: Iterable[str]) -> Said:
    """What the files of metadata in a folder and its subfolders say of its images.

    Each names files relative to its own folder. Backslashes count as slashes, and letters with
    accents may be written in either of Unicode's ways.

    Args:
        folder: The folder.
        listings: Its files of metadata, from the outermost to the innermost, which counts.
        keys: The images as paths relative to the folder.

    Raises:
        IngestError: A file of metadata cannot be read, or a line has no "file_name".
    """
    names: dict[str, str] = {}
    for key in keys:
        names.setdefault(_plain(key), key)
    entries: dict[str, Mapping[str, Value]] = {}
    remarks: list[str] = []
    for listing in listings:
        within = listing.parent.relative_to(folder).as_posix()
        unknown: list[str] = []
        for where, name, entry in _rows(listing):
            written = (_plain(name, within), _plain(name.replace("\\", "/"), within))
            there = [names[each] for each in written if each in names]
            if there:
                entries[there[0]] = _kept(entry, where, remarks)
            else:
                unknown.append(name)
        if unknown:
            some = ", ".join(map(shown, unknown[:_NAMED])) + ", ..." * (len(unknown) > _NAMED)
            remarks.append(f"{listing}: {len(unknown)} entries name no image there: {some}")
    return Said(entries, is_complete=bool(listings), remarks=remarks)


def _rows(listing: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The entries of a file of metadata: where each stands, its file name, the rest."""
    text = _text_of(listing)
    read: Callable[[str], Iterator[tuple[int, Any]]] = (
        _rows_of_table if listing.name == _TABLE else _rows_of_lines
    )
    for number, entry in read(text):
        where = f"{listing}, line {number}"
        try:
            row = entry() if callable(entry) else entry
            name = row.pop(_NAME)
        # RecursionError is for deep nesting.
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
            raise IngestError(
                f"{where}: not a JSON object with a 'file_name' ({type(error).__name__}: {error}); "
                "correct the line or move the file away"
            ) from error
        yield where, str(name), row


def _text_of(listing: Path) -> str:
    try:
        content = listing.read_bytes()
        return content.decode("utf-16" if content.startswith(_UTF16) else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise IngestError(
            f"{listing}: cannot be read ({error}); save it as UTF-8 or move it away"
        ) from error


def _rows_of_lines(text: str) -> Iterator[tuple[int, Any]]:
    # Not splitlines, which breaks at characters that JSON allows within a string.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, lambda line=line: json.loads(line)


def _rows_of_table(text: str) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    rows = [(reader.line_num, row) for row in reader]
    types = {name: _type_of(row.get(name) for _, row in rows) for name in reader.fieldnames or ()}
    for number, row in rows:
        named = {name: value for name, value in row.items() if isinstance(name, str)}
        yield (
            number,
            {
                name: value if name in (_NAME, _CAPTION) else types[name](value)
                for name, value in named.items()
                if value
            },
        )


def _type_of(column: Iterable[Any]) -> Callable[[str], Any]:
    """How to read a column of a table: as numbers or flags if all of its values are such."""
    values = [value for value in column if value]
    for read in (_whole, _fraction, lambda text: _FLAGS[text.lower()]):
        try:
            for value in values:
                read(value)
        except (ValueError, KeyError, TypeError):
            continue
        return read
    return str


def _whole(text: str) -> int:
    number = int(text)
    # A number with leading zeros is a name.
    if str(number) != text:
        raise ValueError(text)
    return number


def _fraction(text: str) -> float:
    number = float(text)
    if not math.isfinite(number) or _PADDED.match(text):
        raise ValueError(text)
    return number


def _kept(entry: Any, where: str, remarks: list[str]) -> Mapping[str, Value]:
    kept, refused = kept_entry(dict(entry))
    remarks += [f"{where}: {reason}" for reason in refused]
    if _CAPTION in kept:
        caption = kept[_CAPTION]
        kept[_CAPTION] = (
            " / ".join(map(str, caption)) if isinstance(caption, list) else str(caption)
        )
    return kept


def _plain(name: str, within: str = ".") -> str:
    """A path in one of the ways in which it can be written."""
    path = name if within == "." else f"{within}/{name}"
    return unicodedata.normalize("NFC", path).removeprefix("./")
