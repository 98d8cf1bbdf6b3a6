"""A folder's metadata, in the form of Hugging Face's ImageFolder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from dar_retriever.errors import IngestError
from dar_retriever.stores.hits import Metadata

METADATA_FILE: Final = "metadata.jsonl"


def folder_metadata(folder: Path) -> dict[str, Metadata]:
    """The entries of a folder's ``metadata.jsonl`` by relative path; empty without such a file.

    Raises:
        IngestError: A line is not a JSON object with a "file_name".
    """
    listing = folder / METADATA_FILE
    if not listing.is_file():
        return {}
    entries: dict[str, Metadata] = {}
    # Not splitlines, which breaks at characters that JSON allows within a string.
    for number, line in enumerate(listing.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            entries[str(entry.pop("file_name"))] = entry
        # RecursionError is for deep nesting.
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
            raise IngestError(
                f"{listing}, line {number}: not a JSON object with a 'file_name' "
                f"({type(error).__name__}: {error}); correct the line or move the file away"
            ) from error
    return entries
