"""Reads published JSON files, with errors that say what is wrong with them."""

from __future__ import annotations

import json
import re
import reprlib
from pathlib import Path
from typing import Final, NoReturn

from dar_retriever.errors import InvalidInputError

# The default of 30 characters would cut off the path that an error names.
SHORT: Final = reprlib.Repr()
SHORT.maxstring = 120

# What a parser can trip over where a file ends within a literal, a number or an escape.
_LAST_TOKEN: Final = re.compile(r"[\w.+\\-]{0,8}")


def list_in(file: Path, what: str) -> list[object]:
    """Read a list from a JSON file.

    Args:
        file: A JSON file in UTF-8.
        what: What the list holds, for the error.

    Raises:
        InvalidInputError: The file is missing, or does not hold a list of at least one entry.
    """
    value = _parsed(_text_of(file), file)
    if not isinstance(value, list) or not value:
        refuse(file, f"{SHORT.repr(value)} where a JSON list of {what} is needed, one at least")
    return value


def _text_of(file: Path) -> str:
    try:
        content = file.read_bytes()
    # ValueError: no file system allows this path.
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        refuse(file, f"cannot be read ({reason}); check the path and who may read it", error)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        if error.reason == "unexpected end of data":
            refuse(file, f"cut off at line {line}, within a character; fetch it again", error)
        refuse(file, f"line {line} is not UTF-8 ({error.reason}); save it as UTF-8", error)


def _parsed(text: str, file: Path) -> object:
    if not text.strip():
        refuse(file, "the file is empty; fetch or write it again")
    try:
        value: object = json.loads(text)
        return value
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        if _is_cut(text, error):
            refuse(file, f"cut off at {place} ({error.msg}); fetch or write it again", error)
        refuse(file, f"broken JSON at {place} ({error.msg}); mend it or fetch it again", error)
    # Python refuses numbers with thousands of digits, and lists nested as deeply.
    except (ValueError, RecursionError) as error:
        refuse(file, f"beyond what can be read as JSON ({error}); is it another file?", error)


def _is_cut(text: str, error: json.JSONDecodeError) -> bool:
    """Whether a text is not JSON because its end is missing."""
    if error.msg.startswith("Extra data"):
        return False
    rest = text[error.pos :].strip()
    return error.msg.startswith("Unterminated") or _LAST_TOKEN.fullmatch(rest) is not None


def refuse(file: Path, problem: str, cause: Exception | None = None) -> NoReturn:
    """Raise InvalidInputError with what is wrong with a file."""
    raise InvalidInputError(f"{str(file)!r}: {problem}") from cause
