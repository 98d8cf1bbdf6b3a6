"""Who may open which store, where one server has several."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dar_retriever import InvalidInputError

_EVERYBODY: Final = "*"


@dataclass(frozen=True, slots=True)
class Rights:
    """Which stores each person may open.

    Attributes:
        stores: Names of stores by the person's name; those of "*" are open to all who sign in.
    """

    stores: Mapping[str, Collection[str]] = field(default_factory=dict)

    def may(self, person: str, store: str) -> bool:
        """Whether somebody may open a store."""
        return any(store in self.stores.get(name, ()) for name in (person, _EVERYBODY))


def read_rights(file: Path, stores: Collection[str]) -> Rights:
    """Read lines such as "ada: photos, shop"; empty lines and those with a # are passed over.

    Args:
        file: The file.
        stores: The stores that there are.

    Raises:
        InvalidInputError: The file cannot be read, or a line is not of this form or names another
            store.
    """
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"rights={str(file)!r} cannot be read ({error})") from error
    rights: dict[str, list[str]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        person, colon, named = line.partition(":")
        opened = [name.strip() for name in named.split(",") if name.strip()]
        unknown = [name for name in opened if name not in stores]
        if not person.strip() or not colon or unknown:
            raise InvalidInputError(
                f"{str(file)!r}, line {number}: write NAME: STORE, STORE with stores among "
                f"{', '.join(stores)}; everybody's name is *"
            )
        rights.setdefault(person.strip(), []).extend(opened)
    return Rights(rights)
