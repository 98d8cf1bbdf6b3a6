"""Finds what a store knows in what was said: brands, places, people, numbers of its fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from dar_retriever.conversation.dialogue import Dialogue, Turn
from dar_retriever.reformulation.base import Condition
from dar_retriever.reformulation.english.conditions.bounds import bounds_in
from dar_retriever.reformulation.english.conditions.mentions import Mention, mention_of
from dar_retriever.reformulation.english.conditions.phrase import is_filler, without
from dar_retriever.stores.fields import Field
from dar_retriever.stores.filtering.names import ABOUT, fields_about, is_seen, kind_of, words_of

_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)?|&")
_LONGEST: Final = 2000
_MOST_WORDS: Final = 8
_SHORTEST: Final = 2
_MOST_NAMES: Final = 20
_OR: Final = re.compile(
    r"\s*(?:,|(?:,\s*)?(?:(?:or|and|nor)\b|/|&)\s*(?:no |not |nor )?(?:by |from )?)\s*",
    re.IGNORECASE,
)
_TOO: Final = re.compile(r"\b(?:too|also|as well|either)\b", re.IGNORECASE)
_OTHER: Final = r"\b(?:any|some|an)? ?other {0}s?\b"
_UNWANTED: Final = frozenset(
    {"don't", "not", "avoid", "leave", "without", "skip", "exclude", "dislike", "hate"}
)
_ANY: Final = (
    r"(?:\b(?:(?:(?:be|from|by|of) )*any|whatever|forget (?:about )?the|never ?mind the|"
    r"drop the|i don'?t (?:care|mind) "
    r"(?:about the|which)) {0}\b(?: is fine)?|\bno {0} preferences?\b|"
    r"\b(?:the )?{0} (?:really |actually )?"
    r"(?:does(?:n'?t| not) matter|is (?:not important|irrelevant))(?: after all| any ?more)?)"
)
_OPERATORS: Final = {
    (False, False): "$eq",
    (False, True): "$in",
    (True, False): "$ne",
    (True, True): "$nin",
}
_JOINED: Final = (frozenset({"$eq", "$in"}), frozenset({"$ne", "$nin"}))

Placed = tuple[int, Condition]


@dataclass(frozen=True, slots=True)
class _Name:
    start: int
    end: int
    field: str
    value: str


class Names:
    """The names in those fields of a store that pictures do not show.

    Args:
        fields: The store's fields by name.
    """

    def __init__(self, fields: Mapping[str, Field]) -> None:
        self._by_words: dict[tuple[str, ...], list[tuple[str, str]]] = {}
        counted = {each.name for about in ABOUT for each in fields_about(about, fields)}
        texts = [each for each in fields.values() if each.type == "text"]
        numbers = (each for each in fields.values() if each.type == "number")
        self._numbers = [each.name for each in numbers if each.name not in counted]
        self._kept = [e for e in texts if not (is_seen(e.name) or e.name in counted)]
        for field in self._kept:
            for text in field.texts:
                words = _words(text)
                if 0 < len(words) <= _MOST_WORDS and len(text) >= _SHORTEST:
                    self._by_words.setdefault(words, []).append((field.name, text))
        seen = (each for each in texts if is_seen(each.name))
        # A word may also name what pictures show: the colour orange, the brand Orange.
        self._seen = {text.casefold() for field in seen for text in field.texts}
        self._longest = max(map(len, self._by_words), default=0)

    def heard(self, dialogue: Dialogue) -> tuple[Dialogue, tuple[Placed, ...]]:
        """Separate a conversation from the names in it that are meant as conditions.

        Returns:
            The conversation without those names, and the conditions at its end, each with the index
            of its turn. A later name replaces an earlier one of the same field. Numbers are read
            in answers to questions for their field.
        """
        standing: dict[str, tuple[Placed, ...]] = {}
        turns: list[Turn] = []
        for place, turn in enumerate(dialogue.turns):
            asked = turns[-1].text if turns and turns[-1].role == "assistant" else ""
            if turn.role == "assistant" or len(turn.text) > _LONGEST:
                turns.append(turn)
                continue
            if bounds := self._bounds(turn.text, {*_words(asked)}):
                standing[bounds[0].about] = tuple((place, each) for each in bounds)
                turns.append(replace(turn, text=""))
                continue
            if not self._by_words:
                turns.append(turn)
                continue
            text = turn.text.replace("\u2019", "'")
            text = self._withdrawn(text, place, standing)
            also = _TOO.search(text) is not None
            text, said = self._taken(text, _asked(asked), {*standing})
            for each in said:
                held = standing.get(each.about)
                standing[each.about] = (
                    (place, _with(held[0][1], each, also=also) if held else each),
                )
            unchanged = text == turn.text.replace("\u2019", "'")
            turns.append(turn if unchanged else replace(turn, text=text))
        placed = tuple(each for together in standing.values() for each in together)
        return replace(dialogue, turns=tuple(turns)), placed

    def stated(self, words: str) -> list[Condition]:
        """The names in words that were taken for a condition before, such as a bare "Puma"."""
        return self._taken(words, set(), {each.name for each in self._kept})[1]

    def _withdrawn(self, text: str, place: int, standing: dict[str, tuple[Placed, ...]]) -> str:
        """A message without what takes names back; they leave what stands."""
        for field in self._kept:
            called = re.escape(" ".join(words_of(field.name)))
            if other := re.search(_OTHER.format(called), text, re.IGNORECASE):
                text = without(text, *other.span())
                if held := standing.get(field.name):
                    standing[field.name] = ((place, _opposite(held[0][1], other[0])),)
            elif free := re.search(_ANY.format(called), text, re.IGNORECASE):
                standing.pop(field.name, None)
                text = without(text, *free.span())
        for name, placed in [*standing.items()]:
            if gone := _forgotten(placed[0][1], text):
                standing.pop(name)
                text = without(text, *gone.span())
        return text

    def _bounds(self, text: str, asked: set[str]) -> list[Condition]:
        """The bounds that an answer names for the field that was asked for."""
        named = [name for name in self._numbers if {*words_of(name)} <= asked]
        if not named:
            return []
        # "Which list weight?" asks for "list_weight", not for "weight".
        field = max(named, key=lambda name: len(words_of(name)))
        return [Condition(field, how, number, text.strip()) for how, number in bounds_in(text)]

    def _taken(self, text: str, asked: set[str], known: set[str]) -> tuple[str, list[Condition]]:
        """A message without the names that are conditions, and the names, one for each field."""
        found: dict[str, Condition] = {}
        for _ in range(_MOST_NAMES):
            for group in _grouped(text, list(self._names_in(text))):
                first, last = group[0], group[-1]
                mention = self._mention(text, first, last, asked, known)
                if mention is None:
                    continue
                values = tuple(dict.fromkeys(name.value for name in group))
                operator = _OPERATORS[mention.denied, len(values) > 1]
                said = text[mention.start : mention.end].strip(" ,.;!?")
                value = values if len(values) > 1 else values[0]
                wanted = mention.denied and first.field in found
                # "Nike, but not Puma" is Nike.
                if not (wanted and found[first.field].operator in ("$eq", "$in")):
                    found[first.field] = Condition(first.field, operator, value, said)
                text = without(text, mention.start, mention.end)
                break
            else:
                break
        return text, list(found.values())

    def _mention(
        self, text: str, first: _Name, last: _Name, asked: set[str], known: set[str]
    ) -> Mention | None:
        called = " ".join(words_of(first.field))
        kind = kind_of(first.field)
        mention = mention_of(text, first.start, last.end, kind, called)
        answers = {*called.split()} <= asked
        if answers and is_filler(text[: first.start]) and is_filler(text[last.end :]):
            denied = bool(asked & _UNWANTED) or (mention is not None and mention.denied)
            return replace(mention or Mention(0, len(text)), denied=denied)
        if mention is None:
            alone = is_filler(text[: first.start]) and is_filler(text[last.end :])
            # "No, Italy", after "made in Portugal".
            return Mention(0, len(text)) if alone and first.field in known else None
        if text[last.end : mention.end].strip().lower().startswith("brand"):
            return mention
        alone = mention.start == first.start and not mention.denied
        if alone and text[first.start : first.end].casefold() in self._seen:
            return None
        return mention

    def _names_in(self, text: str) -> Iterator[_Name]:
        words = list(_WORD.finditer(text))
        keys = _words(text)
        place = 0
        while place < len(words):
            for count in range(min(self._longest, len(words) - place), 0, -1):
                fields = self._by_words.get(keys[place : place + count])
                if fields:
                    start, end = words[place].start(), words[place + count - 1].end()
                    # One of several fields with this name: those of makers first.
                    field, value = min(fields, key=lambda each: _ORDER.index(kind_of(each[0])))
                    yield _Name(start, end, field, value)
                    place += count
                    break
            else:
                place += 1


_ORDER: Final = ("maker", "place", "person", "other")


def _asked(question: str) -> set[str]:
    """The words of a question; plurals name the same field."""
    words = {*_words(question)}
    singular = {
        f"{each[:-3]}y" if each.endswith("ies") else each.removesuffix("s") for each in words
    }
    return words | singular


def _values(condition: Condition) -> tuple[str, ...]:
    value = condition.value
    return value if isinstance(value, tuple) else (str(value),)


def _with(before: Condition, new: Condition, *, also: bool) -> Condition:
    """The new condition, or one for either of two if both are wanted, or both are not."""
    joined = next((each for each in _JOINED if {before.operator, new.operator} <= each), None)
    if not (also and joined):
        return new
    values = tuple(dict.fromkeys((*_values(before), *_values(new))))
    return replace(new, operator="$in" if "$in" in joined else "$nin", value=values)


def _opposite(condition: Condition, said: str) -> Condition:
    opposite = {"$eq": "$ne", "$in": "$nin"}
    return replace(
        condition, operator=opposite.get(condition.operator, condition.operator), said=said
    )


def _forgotten(condition: Condition, text: str) -> re.Match[str] | None:
    """Where a message takes a name back: "forget Portugal"."""
    values = (condition.value,) if isinstance(condition.value, str) else condition.value
    names = "|".join(re.escape(value) for value in values) if isinstance(values, tuple) else ""
    again = rf"\b(?:forget(?: about)?|never ?mind|scrap|not necessarily)(?: the)? (?:{names})\b"
    if condition.operator in _JOINED[1]:
        again += (
            rf"|\b(?:{names}) (?:is|are|would be) (?:ok(?:ay)?|fine|alright|allowed)(?: too)?\b"
        )
    return re.search(again, text, re.IGNORECASE) if names else None


def _words(text: str) -> tuple[str, ...]:
    words = (word.lower().removesuffix("'s") for word in _WORD.findall(text))
    return tuple("and" if word == "&" else word for word in words)


def _grouped(text: str, names: list[_Name]) -> list[list[_Name]]:
    """Group listed names of one field, such as "Nike or Adidas"."""
    groups: list[list[_Name]] = []
    for name in names:
        before = groups[-1][-1] if groups else None
        joint = before and _OR.fullmatch(text[before.end : name.start])
        if before and joint and before.field == name.field:
            groups[-1].append(name)
        else:
            groups.append([name])
    return groups
