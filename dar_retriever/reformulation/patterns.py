"""The few patterns that matter most, for languages that are no more than a page of data.

A pattern acts where it is sure; in all other cases the user's own words stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.reformulation.base import Reading

_CLAUSE_END: Final = re.compile(r"\s*(?:[,;!?]|\.(?!\d))\s*")
_LONGEST: Final = 3
_EXCLUSIONS: Final = 40
# Characters of a message, many times what an encoder reads.
_READ: Final = 4000
# Of adjectives, as far as the three languages share them.
_ENDING: Final = "e[mnrs]?|e?s"
# The printed one; the patterns are written with the typed one.
_APOSTROPHE: Final = "\N{RIGHT SINGLE QUOTATION MARK}"


@dataclass(frozen=True, slots=True)
class Patterns:
    """A language's words, as regular expressions that ignore case.

    Attributes:
        anew: How a message begins that turns to something else; what follows is the new subject.
        corrects: How a message begins that corrects what was said before.
        excludes: What stands before a thing that is not wanted.
        denies: What stands before a colour that is not wanted.
        keeps: Negations that exclude nothing, such as "not only": their clause stays as it is.
        empty: Clauses that say nothing of the picture.
        framing: What may be left of a clause of which the rest was excluded.
        colours: Colours in all their forms.
        instead: How a clause begins that tells what is wanted in place of the excluded.
        articles: Articles and the like.
        alternatives: What joins things that are all excluded.
        stops: Words that end what is excluded: other conjunctions, and prepositions.
        holders: Prepositions before a thing that is part of another, such as "with".
    """

    anew: str
    corrects: str
    excludes: str
    denies: str
    keeps: str
    empty: str
    framing: str
    colours: str
    instead: str
    articles: str
    alternatives: str
    stops: str
    holders: str


class PatternRules:
    """Reads a language by its patterns: negation, correction, new subject; see ``LanguageRules``.

    Args:
        patterns: The language's.
    """

    def __init__(self, patterns: Patterns) -> None:
        colour, holder = patterns.colours, patterns.holders
        self._anew = _compiled(rf"(?:{patterns.anew})(?!\w)[\s:,;.!]*")
        self._corrects = _compiled(rf"(?:{patterns.corrects})(?!\w)[\s:,]*")
        self._excludes = _compiled(
            rf"(?<!\w)(?:(?:{patterns.excludes})(?<!\s)(?!\w)|(?:{patterns.denies})(?=\s+(?:{colour})(?!\w)))\s*"
        )
        self._keeps = _compiled(rf"(?<!\w)(?:{patterns.keeps})(?!\w)")
        self._empty = _compiled(rf"(?:(?:{patterns.empty})(?!\w)|\s)+")
        self._framing = _compiled(rf"(?:(?:{patterns.framing})(?!\w)|\s)+")
        self._colour = _compiled(rf"(?<!\w)(?:{colour})(?!\w)")
        self._colour_alone = _compiled(rf"(?:(?:{holder}|{patterns.stops})\s+)*({colour})")
        self._instead = _compiled(rf"(?:{patterns.instead})\s+")
        self._articles = _compiled(patterns.articles)
        self._bare = _compiled(rf"(?:{patterns.articles})\s+\S+")
        self._alternatives = _compiled(patterns.alternatives)
        self._stops = _compiled(f"{patterns.stops}|{holder}|{patterns.instead}")
        self._holders = holder

    def read(self, dialogue: Dialogue) -> Reading:
        """See ``LanguageRules``."""
        draft, since, turning = _Draft(), 0, False
        for place, turn in enumerate(dialogue.turns):
            if turn.role != "user" or not turn.text:
                continue
            said = turn.text[:_READ].replace(_APOSTROPHE, "'")
            begins = self._anew.match(said)
            said = said[begins.end() :] if begins else said
            turning = turning or begins is not None
            if not said:
                continue
            if turning and (draft.kept or draft.excluded):
                draft, since = _Draft(), place
            turning = False
            self._tell(said, draft)
        return Reading(tuple(draft.kept), tuple(dict.fromkeys(draft.excluded)), since)

    def visibility(self, phrase: str) -> float:
        """See ``LanguageRules``; nothing is known of words, so the oldest are left out first."""
        del phrase
        return 0.0

    def _tell(self, said: str, draft: _Draft) -> None:
        corrects = self._corrects.match(said)
        if corrects and corrects.end() < len(said):
            said = said[corrects.end() :]
        correcting = corrects is not None
        for wanted, excluded in self._parts(said):
            colour = self._colour_alone.fullmatch(wanted)
            denied = excluded[-1] if excluded else ""
            recoloured = (
                colour is not None
                and (correcting or denied != "")
                and self._recolour(draft, colour[1], denied)
            )
            for phrase in excluded:
                self._exclude(draft, phrase)
            if wanted and not recoloured:
                self._add(draft, wanted, correcting=correcting)
            correcting = False

    def _parts(self, said: str) -> list[tuple[str, list[str]]]:
        """What each clause wants and excludes; "not black" and "white" are one."""
        parts: list[tuple[str, list[str]]] = []
        for clause in filter(None, _CLAUSE_END.split(said)):
            if self._empty.fullmatch(clause):
                continue
            rest, excluded = self._parted(clause)
            wanted = self._instead.sub("", rest, count=1) if self._instead.match(rest) else rest
            if excluded and self._framing.fullmatch(wanted):
                wanted = ""
            before = parts[-1] if parts else ("", [])
            if not before[0] and before[1] and self._colour_alone.fullmatch(wanted):
                parts[-1] = (wanted, before[1])
            else:
                parts.append((wanted, excluded))
        return parts

    def _add(self, draft: _Draft, wanted: str, *, correcting: bool) -> None:
        last = draft.kept[-1] if draft.kept else ""
        if correcting and self._bare.fullmatch(wanted) and self._bare.fullmatch(last):
            draft.kept.pop()
        draft.kept.append(wanted)
        draft.excluded = [text for text in draft.excluded if not _says(wanted, text)]

    def _parted(self, clause: str) -> tuple[str, list[str]]:
        """A clause without what it excludes, and that; as it is where neither is sure."""
        if self._keeps.search(clause):
            return clause, []
        rest, excluded, left = "", [], clause
        while found := self._excludes.search(left):
            words = left[found.end() :].split()
            things, used = self._things(words)
            if not things:
                return clause, []
            excluded += things
            rest, left = f"{rest} {left[: found.start()].strip()}", " ".join(words[used:])
        return f"{rest} {left}".strip(), excluded

    def _things(self, words: Sequence[str]) -> tuple[list[str], int]:
        """The things that words begin with and how many words these are; none if they go on."""
        things: list[list[str]] = [[]]
        for number, word in enumerate(words):
            if self._alternatives.fullmatch(word):
                things.append([])
            elif self._stops.fullmatch(word) or self._excludes.match(f"{word} "):
                return _joined(things), number
            elif not self._articles.fullmatch(word) or things[-1]:
                things[-1].append(word)
            if len(things[-1]) > _LONGEST:
                return [], 0
        return _joined(things), len(words)

    def _exclude(self, draft: _Draft, phrase: str) -> None:
        """Exclude a thing, and take it out of what was wanted before."""
        thing = re.escape(phrase)
        held = rf"\s*(?<!\w)(?:{self._holders})\s+(?:[^\s,]+\s+){{0,2}}?{thing}(?!\w)"
        for pattern in (held, rf"\s*(?<!\w){thing}(?:{_ENDING})?(?!\w)"):
            draft.kept = [re.sub(pattern, "", text, flags=re.IGNORECASE) for text in draft.kept]
        draft.kept = [
            t.strip() for t in draft.kept if t and not self._articles.fullmatch(t.strip())
        ]
        draft.excluded = [*draft.excluded, phrase][-_EXCLUSIONS:]

    def _recolour(self, draft: _Draft, colour: str, denied: str = "") -> bool:
        """Put a colour in the place of the only one, or of the denied one, of the last phrase."""
        for place in reversed(range(len(draft.kept))):
            found = list(self._colour.finditer(draft.kept[place]))
            if denied:
                found = [match for match in found if match[0].lower().startswith(denied.lower())]
            if len(found) == 1:
                text, (start, end) = draft.kept[place], found[0].span()
                draft.kept[place] = f"{text[:start]}{colour}{text[end:]}"
                return True
            if found:
                return False
        return False


@dataclass(slots=True)
class _Draft:
    kept: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _joined(things: Sequence[Sequence[str]]) -> list[str]:
    return [" ".join(words) for words in things if words]


def _says(text: str, phrase: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, re.IGNORECASE) is not None
