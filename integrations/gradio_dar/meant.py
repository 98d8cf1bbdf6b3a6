"""What was understood, part by part, and what it is after one of them was changed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from dar_retriever import (
    Dialogue,
    InvalidInputError,
    Part,
    Reformulator,
    RuleReformulator,
    SearchResult,
    TaggingReformulator,
)
from dar_retriever.ranking.propositions import propositions
from dar_retriever.reformulation.locked import cut_from, pattern_of

Change = Literal["remove", "flip", "edit"]
Locking = Literal["lock", "unlock"]

NO_LONGER: Final = "that part is no longer there; look at what is shown now"
# How languages with rules say that something is not wanted; the first is taken for all others.
_NOT: Final = ("not", "no", "ohne", "sans", "sin")
# Nothing that could be changed.
_EMPTY: Final = frozenset({"", "something", "anything", "thing"})


@dataclass(frozen=True, slots=True)
class Meant:
    """All that was understood.

    Attributes:
        caption: What the wanted image shows, in one text.
        unwanted: What it does not show, a phrase each.
        filters: Words for what no picture shows, such as "under 50 euros".
    """

    caption: str = ""
    unwanted: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()

    @classmethod
    def of(cls, result: SearchResult) -> Meant:
        """What a search understood; words that did not become a filter are left out."""
        trace, said = result.trace, dict.fromkeys(each.said for each in result.query.conditions)
        filters = tuple(
            words
            for words in said
            if words and not any(note.startswith(f"{words!r} was") for note in trace.left_out)
        )
        return cls(trace.caption, tuple(dict.fromkeys(trace.exclusions)), filters)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts, in the order in which they are shown."""
        phrases = [each.phrase for each in propositions(self.caption)] or [self.caption]
        return (
            *(Part("wanted", phrase) for phrase in dict.fromkeys(phrases) if phrase not in _EMPTY),
            *(Part("unwanted", phrase) for phrase in self.unwanted),
            *(Part("filter", words) for words in self.filters),
        )

    def shown(self, locked: Sequence[Part]) -> tuple[Part, ...]:
        """The parts, and then what is locked and not worded as one of them."""
        return tuple(dict.fromkeys((*self.parts, *locked)))

    def changed(self, place: int, change: Change, words: str = "") -> Meant:
        """What is meant after a part was changed.

        Args:
            place: The place of the part among ``parts``.
            change: Whether it is taken out, turned into its opposite, or said in other words.
            words: The other words.

        Raises:
            InvalidInputError: There is no such part, it has no opposite, or nothing would be left.
        """
        parts = self.parts
        if not 0 <= place < len(parts):
            raise InvalidInputError(NO_LONGER)
        part, words = parts[place], " ".join(words.split())
        if change == "edit" and not words:
            change = "remove"
        if part.kind == "wanted":
            meant = self._wanted_changed(part.phrase, change, words)
        elif part.kind == "unwanted":
            meant = self._unwanted_changed(part.phrase, change, words)
        else:
            if change == "flip":
                raise InvalidInputError(f"{part.phrase!r} has no opposite; edit it instead")
            filters = (words if each == part.phrase else each for each in self.filters)
            meant = dataclasses.replace(self, filters=tuple(filter(None, filters)))
        if meant == Meant():
            raise InvalidInputError("that is all you have said; start over, or say something else")
        return meant

    def restated(self, reader: Reformulator) -> str:
        """All of it in one text that the reader understands as it is meant, if there is one.

        Args:
            reader: Reads the text in the search. A language model is not tried: it would have to
                write for every attempt.
        """
        texts = list(dict.fromkeys(map(self._said_with, _NOT)))
        if isinstance(reader, RuleReformulator | TaggingReformulator):
            for text in texts:
                read = reader.reformulate(Dialogue.from_text(text))
                if read.caption == self.caption and read.exclusions == self.unwanted:
                    return text
        return texts[0]

    def _said_with(self, no: str) -> str:
        sentences = [self.caption, *(f"{no} {phrase}" for phrase in self.unwanted), *self.filters]
        return ". ".join(filter(None, sentences))

    def _wanted_changed(self, phrase: str, change: Change, words: str) -> Meant:
        if change == "edit":
            return dataclasses.replace(self, caption=_replaced(self.caption, phrase, words))
        caption = _without(self.caption, phrase)
        if change == "remove":
            return dataclasses.replace(self, caption=caption)
        return dataclasses.replace(self, caption=caption, unwanted=(*self.unwanted, phrase))

    def _unwanted_changed(self, phrase: str, change: Change, words: str) -> Meant:
        if change == "edit":
            unwanted = tuple(words if each == phrase else each for each in self.unwanted)
            return dataclasses.replace(self, unwanted=unwanted)
        unwanted = tuple(each for each in self.unwanted if each != phrase)
        if change == "remove":
            return dataclasses.replace(self, unwanted=unwanted)
        caption = ", ".join(filter(None, (self.caption, phrase)))
        return dataclasses.replace(self, caption=caption, unwanted=unwanted)


def said_in(phrase: str, texts: Sequence[str]) -> int | None:
    """The place of the last text that has most of a phrase's words, and at least half."""
    words = set(_words(phrase))
    shares = [len(words.intersection(_words(text))) for text in texts]
    best = max(shares, default=0)
    if not best or best < len(words) / 2:
        return None
    return len(shares) - 1 - shares[::-1].index(best)


def _words(text: str) -> Iterator[str]:
    return (match.group() for match in re.finditer(r"\w+", text.lower()))


def _without(caption: str, phrase: str) -> str:
    """A caption without one of its propositions."""
    subject, *others = [each.phrase for each in propositions(caption)] or [caption]
    rest = None if phrase == subject else cut_from(caption, phrase)
    if rest is not None:
        return rest
    return ", ".join(each for each in (subject, *others) if each != phrase)


def _replaced(caption: str, phrase: str, words: str) -> str:
    """A caption with other words for one of its propositions."""
    found = pattern_of(phrase).search(caption)
    if found:
        return f"{caption[: found.start()]}{words}{caption[found.end() :]}"
    parts = [each.phrase for each in propositions(caption)]
    return ", ".join(words if each == phrase else each for each in parts) or words
