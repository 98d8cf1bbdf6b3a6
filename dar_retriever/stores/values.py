"""Metadata values in the forms that every store can keep and filter by."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from os import PathLike
from typing import Any, Final, TypeAlias

import numpy as np

from dar_retriever.stores.copies import RECORD

Scalar: TypeAlias = str | int | float | bool
Value: TypeAlias = Scalar | list[str] | list[int] | list[float] | list[bool]

# Larger texts and metadata belong in a file or database of their own.
MOST_OF_VALUE: Final = 64 * 2**10
ELSEWHERE: Final = "keep it in a file or a database, and store its name"
TOO_LONG: Final = f"over 64 KiB; {ELSEWHERE}"
NOT_UNICODE: Final = "not valid Unicode; replace the invalid characters"
_SHOWN: Final = 60
# Our own fields, and the one that marks LlamaIndex's records.
_RESERVED: Final = ("uri", RECORD, "_node_content")
_NESTED: Final = (list, tuple, Mapping)
_SIGNS: Final = ("#", "$", "chroma:")


def why_not_a_name(name: object) -> str:
    """Why something cannot be the name of a metadata field; empty if it can."""
    if not isinstance(name, str) or not name or not is_unicode(name):
        return "a name must be text and not empty"
    if name in _RESERVED or name.startswith(_SIGNS):
        return "the name is reserved; use another"
    return ""


def kept_value(value: Any) -> Value | None:
    """A metadata value as stores keep it; None if there is nothing to keep.

    A date becomes a number such as 20190704, a moment the seconds since 1970 (UTC), an array or a
    set a list, a path a text. A list of texts, of numbers, or of true and false stays a list that
    can be filtered by item; in a list of both texts and numbers all become texts. Nested values
    become JSON.

    Raises:
        ValueError: The value cannot be kept; the message says why.
    """
    value = simple(value)
    if value is None or (isinstance(value, list) and not value):
        return None
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return _items(value)
    if isinstance(value, str | int | float):
        return _scalar(value)
    return _scalar(_json_of(value))


def simple(value: Any) -> Any:
    """A value of numpy, pathlib or datetime as the plain value that stands for it."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, date):
        return _number_of(value)
    if isinstance(value, PathLike):
        return os.fsdecode(value)
    if isinstance(value, set | frozenset):
        return sorted(map(simple, value), key=repr)
    if isinstance(value, list | tuple) and not any(isinstance(item, _NESTED) for item in value):
        return [simple(item) for item in value]
    return value


def kept_entry(entry: Mapping[str, Any]) -> tuple[dict[str, Value], list[str]]:
    """A file's metadata as stores keep them.

    Returns:
        The fields that can be kept, and a sentence for each field that cannot.
    """
    kept: dict[str, Value] = {}
    refused: list[str] = []
    for name, value in entry.items():
        reason = why_not_a_name(name)
        try:
            found = None if reason else kept_value(value)
        except ValueError as error:
            found, reason = None, str(error)
        if reason:
            refused.append(f"the metadata field {shown(name)} is left out: {reason}")
        elif found is not None:
            kept[name] = found
    return kept, refused


def is_unicode(text: str) -> bool:
    """Whether a text can be encoded as UTF-8; file names may contain bytes that cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(value: Any) -> str:
    """A value, shortened for messages."""
    if isinstance(value, str | bytes):
        value = value[:_SHOWN]
    try:
        text = repr(value)
    # Integers with thousands of digits, deep nesting, and objects whose __repr__ fails.
    except Exception:
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _number_of(day: date) -> int | float:
    if not isinstance(day, datetime):
        return day.year * 10000 + day.month * 100 + day.day
    seconds = (day if day.tzinfo else day.replace(tzinfo=UTC)).timestamp()
    return int(seconds) if seconds.is_integer() else seconds


def _items(values: list[Any]) -> Value:
    """Items of one type, which Chroma asks for."""
    kinds = {bool if isinstance(item, bool) else type(item) for item in values}
    if kinds == {int, float}:
        values = [float(item) for item in values]
    elif len(kinds) > 1:
        values = [item if isinstance(item, str) else json.dumps(item) for item in values]
    items: list[Any] = [_scalar(item) for item in values]
    if sum(len(str(item).encode()) for item in items) > MOST_OF_VALUE:
        raise ValueError(TOO_LONG)
    return items


def _scalar(value: Scalar) -> Scalar:
    if isinstance(value, str):
        if not is_unicode(value):
            raise ValueError(NOT_UNICODE)
        if len(value.encode()) > MOST_OF_VALUE:
            raise ValueError(TOO_LONG)
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("an integer of over 64 bits; give it as text")
    elif not math.isfinite(value):
        raise ValueError("not finite; leave the field out, or give None")
    return value


def _json_of(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    # Not JSON, not finite, circular, or nested too deeply.
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"not JSON ({error}); use text, numbers, true or false, dates, or lists and objects "
            "of them"
        ) from None
