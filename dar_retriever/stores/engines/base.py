"""What a vector engine has to do so that an ``AddressStore`` can use it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Literal, Protocol, TypeAlias

from dar_retriever.encoders.base import Vectors
from dar_retriever.stores.filters import Filter

# How an engine keeps the vectors that it searches; the exact ones are kept beside them.
Codes: TypeAlias = Literal["float", "half", "int8", "binary"]

_LONGEST_TERM: Final = 200
_SPOT_BYTES: Final = 6


@dataclass(frozen=True, slots=True)
class Row:
    """One image in the form that engines keep.

    Attributes:
        id: Id of the image.
        vector: float32 (d,), of unit length; empty if it was not asked for.
        text: Caption and metadata as JSON.
    """

    id: str
    vector: Vectors
    text: str

    @classmethod
    def of(cls, id: str, vector: Vectors, caption: str, metadata: Mapping[str, Any]) -> Row:
        """The row of an image."""
        return cls(id, vector, json.dumps([caption, dict(metadata)]))

    @property
    def caption(self) -> str:
        """The caption."""
        return str(json.loads(self.text)[0])

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata."""
        return dict(json.loads(self.text)[1])

    @property
    def spot(self) -> float:
        """A number of 0 to 1 that depends on the id alone and is uniform over many ids."""
        digest = sha256(self.id.encode()).digest()[:_SPOT_BYTES]
        return int.from_bytes(digest) / float(256**_SPOT_BYTES)

    @property
    def terms(self) -> list[str]:
        """The terms of all fields and items of lists; see ``term``."""
        return [
            term(name, item)
            for name, value in self.metadata.items()
            for item in (value if isinstance(value, list) else [value])
        ]

    @property
    def numbers(self) -> dict[str, float]:
        """The fields with a single number."""
        return {
            name: value
            for name, value in self.metadata.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }


class Engine(Protocol):
    """A collection of one engine; thin over the maker's client.

    Threads may call at the same time. What was written is there when a call has returned.

    Attributes:
        name: Name of the engine for errors.
        coded: Whether it searches by codes, which need more candidates than hits.
    """

    name: str
    coded: bool

    def settings(self) -> dict[str, str] | None:
        """The collection's settings; None if there is no collection."""
        ...

    def create(self, width: int, settings: Mapping[str, str]) -> None:
        """Create the collection for vectors of so many numbers, unless it is there already."""
        ...

    def keep(self, settings: Mapping[str, str]) -> None:
        """Replace settings by name; the others stay."""
        ...

    def count(self) -> int:
        """Number of rows."""
        ...

    def read(self, ids: Sequence[str], *, vectors: bool) -> list[Row]:
        """The rows with these ids, in any order; unknown ids are left out."""
        ...

    def between(self, low: float, high: float, *, vectors: bool) -> list[Row]:
        """The rows with low <= spot < high, in any order."""
        ...

    def nearest(self, vector: Vectors, k: int, where: Filter | None) -> list[Row]:
        """The k rows with the highest dot product among those that match a filter, with vectors.

        Codes may put them in another order than the exact vectors do.
        """
        ...

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows; each replaces the row with its id."""
        ...

    def remove(self, ids: Sequence[str]) -> None:
        """Remove rows; unknown ids are ignored."""
        ...


def term(name: str, value: Any) -> str:
    """A field's value as a text; engines compare nothing else but numbers.

    2 and 2.0 are the same, True and 1 are not. Long texts are replaced by their hash.
    """
    whole = isinstance(value, float) and value.is_integer()
    text = json.dumps([name, int(value) if whole else value])
    return text if len(text) <= _LONGEST_TERM else sha256(text.encode()).hexdigest()
