"""What is true of each training picture, as numbers, and which of it a caption tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dar_retriever.demo.captions import FIELDS
from dar_retriever.demo.scenes import SCENE_FIELDS
from dar_retriever.demo.training.words import Subject

# Every attribute of a product or of a scene; those that a subject lacks are empty.
COLUMNS: Final = ("kind", "other_kind", *dict.fromkeys((*FIELDS, *SCENE_FIELDS)))
_ALWAYS_TOLD: Final = ("kind", "other_kind")
_ANY: Final = -1

Codes = NDArray[np.int64]


class Facts:
    """The attributes of subjects, each column with a numbering of its own.

    Attributes:
        codes: int64 (N, columns).
        numbers: For each column, the number of each value.
        sizes: How many values each column has.
    """

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self.numbers: list[dict[str, int]] = [{} for _ in COLUMNS]
        self.codes: Codes = np.array(
            [
                [
                    known.setdefault(getattr(subject, name, ""), len(known))
                    for name, known in zip(COLUMNS, self.numbers, strict=True)
                ]
                for subject in subjects
            ]
        )
        self.sizes = [len(known) for known in self.numbers]

    def told(self, pictures: Sequence[int], fields: Sequence[frozenset[str]]) -> Codes:
        """The codes that captions tell, with -1 for what they leave open: int64 (M, columns)."""
        shown = [[name in names or name in _ALWAYS_TOLD for name in COLUMNS] for names in fields]
        return np.where(np.array(shown), self.codes[list(pictures)], _ANY)


def matches(captions: Codes, pictures: Codes) -> NDArray[np.bool_]:
    """Which caption is true of which picture: bool (captions, pictures)."""
    told, true = captions[:, None], pictures[None]
    result: NDArray[np.bool_] = ((told == _ANY) | (told == true)).all(2)
    return result
