"""Values that are made once and remembered for a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")


class Remembered(Generic[V]):
    """The values of the texts that were asked for last; for several threads.

    Args:
        make: Makes the values of texts that are not known.
        most: How many are kept.
    """

    def __init__(self, make: Callable[[list[str]], Iterable[V]], most: int) -> None:
        self._make = make
        self._most = most
        self._known: OrderedDict[str, V] = OrderedDict()
        self._lock = Lock()

    def of(self, texts: Sequence[str]) -> list[V]:
        """The values of texts, in their order; new ones are made together."""
        with self._lock:
            new = [text for text in dict.fromkeys(texts) if text not in self._known]
            if new:
                self._known.update(zip(new, self._make(new), strict=True))
            for text in texts:
                self._known.move_to_end(text)
            found = [self._known[text] for text in texts]
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return found
