"""Who may use the page: names and hashed passwords in a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from dar_retriever import InvalidInputError

_HASHER: Final = PasswordHasher()
# Checked for unknown names, so that they take as long as known ones.
_NOBODY: Final = _HASHER.hash("nobody")


def line_for(name: str, password: str) -> str:
    """A line of the file: the name and the password's Argon2 hash.

    Raises:
        InvalidInputError: The name is empty or holds a colon, or the password is empty.
    """
    if not name or ":" in name or name != name.strip() or not password:
        raise InvalidInputError(
            f"name={name!r}: a user has a name without colons, and a password that is not empty"
        )
    return f"{name}:{_HASHER.hash(password)}"


def read_users(file: Path) -> dict[str, str]:
    """The hashes in a file by name; empty lines and those that begin with # are passed over.

    Raises:
        InvalidInputError: The file cannot be read, or a line is not of this form.
    """
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"users={str(file)!r} cannot be read ({error})") from error
    users = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, hashed = line.strip().partition(":")
        if not name or not hashed.startswith("$argon2"):
            raise InvalidInputError(
                f"{str(file)!r}, line {number}: not NAME:HASH; 'dar user NAME' prints such a line"
            )
        users[name] = hashed
    if not users:
        raise InvalidInputError(f"users={str(file)!r} names nobody; add a line of 'dar user NAME'")
    return users


def checking(users: Mapping[str, str]) -> Callable[[str, str], bool]:
    """A function that tells whether a name and a password belong together."""

    def check(name: str, password: str) -> bool:
        try:
            return _HASHER.verify(users.get(name, _NOBODY), password) and name in users
        except (Argon2Error, InvalidHashError):
            return False

    return check
