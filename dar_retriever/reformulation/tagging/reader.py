"""English as the rules and a tagger read it together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Final

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.reformulation.base import Reading
from dar_retriever.reformulation.english import English
from dar_retriever.reformulation.english.framing import plain
from dar_retriever.reformulation.english.lexicon import PREPOSITIONS, stem, visibility
from dar_retriever.reformulation.english.replies import NO, YES
from dar_retriever.reformulation.english.subjects import starts_over
from dar_retriever.reformulation.english.wording import spoken, worded
from dar_retriever.reformulation.tagging.phrases import conditions, phrases
from dar_retriever.reformulation.tagging.spelling import spelt
from dar_retriever.reformulation.tagging.tagger import Tagged, WordTagger, embedded
from dar_retriever.reformulation.tagging.verdicts import settled
from dar_retriever.reformulation.tagging.words import Tag, words_in

_TOO_LONG: Final = "the conversation is longer than the tagger reads: the rules alone read it"
# Of VisDial's dialogues, which are interviews, 97 % are told by these; of 1,640 chats none.
_QUESTIONS: Final = 4
_YES_OR_NO: Final = 0.3
_WITH: Final = re.compile(rf"{PREPOSITIONS}\b", re.IGNORECASE)


class TaggedEnglish:
    """Reads English with a tagger that is told what the rules make of it; see ``LanguageRules``.

    The rules alone read words beside reference images, and interviews: a description and then
    four or more questions, each answered, three in ten with yes or no.

    Args:
        tagger: What tags the words; the embedded one by default.
        today: What "last summer" is told from; the day of the call by default.
    """

    def __init__(self, tagger: WordTagger | None = None, today: date | None = None) -> None:
        self._tagger = tagger
        self._rules = English(today)

    def read(self, dialogue: Dialogue) -> Reading:
        """See ``LanguageRules``."""
        dialogue, slips = spelt(_spoken(dialogue))
        ruled = self._rules.read(dialogue)
        ruled = replace(ruled, notes=(*ruled.notes, *slips))
        if dialogue.images or not ruled.phrases or _interview(dialogue):
            return ruled
        tagged = (self._tagger or embedded()).tags(dialogue, ruled)
        if tagged is None:
            return replace(ruled, notes=(*ruled.notes, _TOO_LONG))
        told = settled(tagged, _denied(dialogue))
        known = conditions(dialogue.turns, tagged)
        if starts_over(plain(dialogue.turns[ruled.since].text)) or _gone(told, ruled.since):
            told = [each for each in told if each.word.turn >= ruled.since]
        kept = phrases(dialogue.turns, told, Tag.KEEP)
        if not kept or (ruled.since == 0 < kept[0][0] and _has_no_thing(kept[0][1])):
            return ruled
        # What is kept of an earlier subject belongs to the present one.
        since = ruled.since if kept[0][0] >= ruled.since else 0
        excluded = phrases(dialogue.turns, told, Tag.EXCLUDE)
        read = replace(
            ruled,
            phrases=tuple(dict.fromkeys(_completed(dialogue, ruled, *each) for each in kept)),
            excluded=tuple(dict.fromkeys(worded(phrase).strip() for _, phrase in excluded)),
        )
        # Where both say the same, the rules word it better.
        read = ruled if _content(read) == _content(ruled) else read
        said = self._rules.conditions(dialogue, since, known) if known else ruled.conditions
        return replace(read, since=since, conditions=said)

    def visibility(self, phrase: str) -> float:
        """See ``LanguageRules``."""
        return visibility(phrase)


def _denied(dialogue: Dialogue) -> set[int]:
    """The places of the questions that the user says no to."""
    return {place for place, answer in _answers(dialogue).items() if NO.match(answer)}


def _interview(dialogue: Dialogue) -> bool:
    """Whether the user answers question after question, and says nothing else."""
    answers = _answers(dialogue)
    said = sum(turn.role == "user" for turn in dialogue.turns)
    if len(answers) < max(_QUESTIONS, said - 1):
        return False
    plain_ones = sum(bool(YES.match(each) or NO.match(each)) for each in answers.values())
    return plain_ones >= _YES_OR_NO * len(answers)


def _answers(dialogue: Dialogue) -> dict[int, str]:
    """What the user says to each message of the assistant, by the place of that message."""
    return {
        place: worded(answer.text).strip()
        for place, (question, answer) in enumerate(pairwise(dialogue.turns))
        if question.role == "assistant" and answer.role == "user"
    }


def _has_no_thing(phrase: str) -> bool:
    """Whether a phrase says only what a thing is like: "with a lid"."""
    return bool(_WITH.match(phrase))


def _gone(told: Sequence[Tagged], since: int) -> bool:
    """Whether at most half of what was said before a new subject is still wanted."""
    before = [e for e in told if e.word.turn < since and visibility(e.word.text) > 0]
    return 2 * sum(each.tag == Tag.KEEP for each in before) <= len(before)


def _spoken(dialogue: Dialogue) -> Dialogue:
    """Up to what the user said last, in words."""
    turns = [
        replace(turn, text=spoken(turn.text)) if turn.role == "user" else turn
        for turn in dialogue.turns
    ]
    while turns and turns[-1].role == "assistant":
        turns.pop()
    return replace(dialogue, turns=tuple(turns))


def _completed(dialogue: Dialogue, ruled: Reading, turn: int, phrase: str) -> str:
    """A phrase as the rules complete it by the question that it answers: "mint background"."""
    said = worded(phrase).strip()
    before = dialogue.turns[turn - 1] if turn else None
    if before is None or before.role == "user":
        return said
    answer, question = _stems([said]), _stems([worded(before.text)])
    return next(
        (
            complete
            for complete in ruled.phrases
            if answer <= _stems([complete]) <= answer | question - _stems(ruled.excluded)
        ),
        said,
    )


def _content(reading: Reading) -> tuple[frozenset[str], frozenset[str]]:
    """The stems of what is wanted and of what is not."""
    return _stems(reading.phrases), _stems(reading.excluded)


def _stems(said: Sequence[str]) -> frozenset[str]:
    words = (word.text.lower() for phrase in said for word in words_in(phrase))
    return frozenset(stem(word) for word in words if visibility(word) > 0)
