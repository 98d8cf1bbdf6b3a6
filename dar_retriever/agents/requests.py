"""What a model asks for beside what was said: a wish of its own, or a change of the last one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dar_retriever.conversation.dialogue import Dialogue, Turn
from dar_retriever.reformulation.base import Reading
from dar_retriever.reformulation.english.framing import bare, plain
from dar_retriever.reformulation.english.lexicon import DETERMINERS, stem
from dar_retriever.reformulation.english.nouns import (
    TOGETHER,
    are_apart,
    is_part,
    kind_of,
    singular,
)
from dar_retriever.reformulation.english.phrases import noun_phrases, tokens_of
from dar_retriever.reformulation.languages import language_of, rules_of

_WORD: Final = re.compile(r"\w+(?:[-']\w+)*")
# Words with which a request says something of what was meant before, rather than name a thing.
_OF_THE_LAST: Final = re.compile(
    r"^(?:(?:but|and|please|also|now|only|just|maybe|ok|okay|yes|no,)[\s,]+)*(?:with|without|in|on|"
    r"at|under|near|behind|by|from|no|not|less|more|make|change|turn|add|remove|put|give|it|that|"
    r"this|them|these|those|they|its|the|his|her|their|same|like|similar|another|other|different|"
    r"number|#?\d+(?:st|nd|rd|th)?\b|something|anything|one|ones|any|all|instead)\b"
)
_PICTURES_OF: Final = re.compile(
    r"^(?:(?:an?|some|\d+) )?(?:[\w-]+ )?(?:photo(?:graph)?|picture|image|pic|shot|drawing|"
    r"painting|"
    r"close-?up)s? (?:of|with|showing) "
)
# A wish may be for these, but beside another thing they are its surroundings.
_SURROUNDINGS: Final = frozenset(
    {"place", "time", "season", "weather", "tree", "flower", "building"}
)


@dataclass(frozen=True, slots=True)
class Wish:
    """A request that names what is wanted by itself.

    Attributes:
        turns: What still holds of what the user said, then the request.
        another: Whether it is for another thing than was spoken about before.
    """

    turns: tuple[Turn, ...]
    another: bool


def own_wish(
    request: str, subject: Sequence[Turn], said: Sequence[Turn], *, searched: bool
) -> Wish | None:
    """What a request wants by itself; None if it changes or repeats what was said.

    Args:
        request: What the model asks for.
        subject: The turns that the conversation is about.
        said: All turns, with those that an earlier request has replaced.
        searched: Whether the subject was searched for before.
    """
    words = _words(request)
    alone = Wish((Turn("user", request),), another=True)
    if not any(turn.has_content for turn in subject) or _only_in(words, said, subject):
        return alone if words else None
    dialogue = Dialogue(tuple(subject))
    language = language_of(dialogue.say(request))
    reading = rules_of(language).read(dialogue)
    if not words or words == _words(" ".join(reading.phrases)):
        return None
    if language != "en":
        return alone if _is_part_of_a_turn(words, subject) else None
    noun = _thing(request)
    if noun and _names_another(noun, words, subject, reading, searched=searched):
        return alone
    same = noun and singular(noun) == singular(_subject(reading))
    demands = _demands(subject[reading.since :], reading, words) if same else ()
    return Wish((*demands, *alone.turns), another=False) if same else None


def adds_to(request: str, turns: Sequence[Turn]) -> bool:
    """Whether a request says something that neither the user's last turn nor all together say."""
    words = _words(request)
    last = [turn for turn in turns if turn.role == "user"][-1:]
    if not last:
        return bool(request)
    return not (words <= _said(last[0]) or words == _words(" ".join(_read(turns).phrases)))


def _read(turns: Sequence[Turn]) -> Reading:
    dialogue = Dialogue(tuple(turns))
    return rules_of(language_of(dialogue)).read(dialogue)


def _names_another(
    noun: str, words: frozenset[str], subject: Sequence[Turn], reading: Reading, *, searched: bool
) -> bool:
    """Whether a request for a thing is for another one than was spoken about before."""
    place = next((n for n, turn in enumerate(subject) if words <= _said(turn)), None)
    before = tuple(subject if place is None else subject[:place])
    if not any(turn.has_content for turn in before):
        return singular(noun) != singular(_subject(reading)) or place is None
    context = rules_of("en").read(Dialogue(before))
    old = _subject(context)
    if singular(noun) == singular(old):
        return False
    kind, was = kind_of(noun), kind_of(old)
    if not (searched or was):
        return True
    if place is not None and reading.since == place:
        return True
    if not kind or is_part(noun) or kind in _SURROUNDINGS:
        return False
    together = any(kind in group and was in group for group in TOGETHER)
    just_said = place == max(n for n, turn in enumerate(subject) if turn.role == "user")
    answers = (
        just_said and bool(before) and before[-1].role == "assistant" and "?" in before[-1].text
    )
    return are_apart(noun, old) or not (answers or (just_said and together))


def _demands(subject: Sequence[Turn], reading: Reading, words: frozenset[str]) -> tuple[Turn, ...]:
    """What a user said of a thing that a request for it may leave out, and that still holds."""
    ruled_out = [f"no {what}" for what in reading.excluded if not words & _words(what)]
    limits = [condition.said for condition in reading.conditions]
    shown = tuple(image for turn in subject for image in turn.images if turn.role == "user")
    said = tuple(Turn("user", text) for text in dict.fromkeys([*ruled_out, *limits]) if text)
    return (*said, Turn("user", "", shown)) if shown else said


def _is_part_of_a_turn(words: frozenset[str], turns: Sequence[Turn]) -> bool:
    *earlier, last = [_said(turn) for turn in turns if turn.role == "user"] or [frozenset[str]()]
    return words < last or any(words <= turn for turn in earlier)


def _only_in(words: frozenset[str], said: Sequence[Turn], subject: Sequence[Turn]) -> bool:
    """Whether words were said, but of a subject that was left."""
    held = (any(words <= _said(turn) for turn in turns) for turns in (said, subject))
    return (*held,) == (True, False)


def _said(turn: Turn) -> frozenset[str]:
    return _words(turn.text) if turn.role == "user" else frozenset()


def _thing(request: str) -> str:
    """The noun of the thing that a request names; empty if it only says something of a thing."""
    text = plain(request)
    if _OF_THE_LAST.match(text):
        return ""
    text = _PICTURES_OF.sub("", bare(text))
    found, tokens = noun_phrases(text), tokens_of(text)
    return tokens[found[0].stop - 1] if found and not found[0].start else ""


def _subject(reading: Reading) -> str:
    """The noun of what a conversation is about."""
    for phrase in reading.phrases[:1]:
        text = _PICTURES_OF.sub("", phrase)
        for span in noun_phrases(text)[:1]:
            return tokens_of(text)[span.stop - 1]
    return ""


def _words(text: str) -> frozenset[str]:
    """The words of a text that say something, without their plural's s."""
    found = (stem(word) for word in _WORD.findall(bare(plain(text))))
    return frozenset(found) - DETERMINERS
