"""A round as sayings: one question, if any, and one thing said each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from dar_retriever.conversation.dialogue import Round
from dar_retriever.reformulation.english.asked import (
    asks_for_unwanted,
    question_in,
    questions_in,
    without_assent,
)
from dar_retriever.reformulation.english.changes import changes_in
from dar_retriever.reformulation.english.contrasts import contrasted
from dar_retriever.reformulation.english.exclusions import NO, is_ruling_out, parted
from dar_retriever.reformulation.english.framing import informative, plain, without_reaction
from dar_retriever.reformulation.english.lexicon import AUXILIARY, OWNERS
from dar_retriever.reformulation.english.retold import retold
from dar_retriever.reformulation.english.subjects import begun_anew, starts_over
from dar_retriever.reformulation.english.takebacks import is_cue

# More than a caption can hold; what comes after all that is read from the end.
_LONGEST: Final = 1000
_MOST: Final = 24
# Nobody changes as much at once; every change is held against all that was said.
_MOST_CHANGES: Final = 16
# Tells that what follows replaces what was said.
_INSTEAD: Final = "actually, "

_SENTENCE: Final = re.compile(
    r"(?<!\bno)(?<!never mind)(?<!nevermind)(?<!\b\w)(?<!\b[md]r)(?<!\bst)[.!?;]+(?:\s+|$)"
)
_ONLY_AN_ANSWER: Final = re.compile(
    r"^(?:yes|yeah|yep|yup|no|nope|nah|neither|none|sure|ok|okay|correct|right|well|hm+|oh)?$"
)
_YES_OR_NO: Final = re.compile(
    r"(?:^|[,.;!]+ |[,.;!]* (?:and|but) )(?P<answer>(?:yes|yeah|yep|no|nope|nah)\b)"
)
# "Cannons? no": whoever answers a question of two words has asked it, too.
_ASKED_ONESELF: Final = re.compile(
    r"(?P<before>^|[,.;!?] )(?P<what>(?!(?:no|yes|yeah|really|what|why|how|where|right|ok|the "
    r"\w+ one)\b)"
    r"[\w'-]+(?: [\w'-]+){0,2})\? (?P<answer>no|nope|nah|yes|yeah|sure)(?=$|[,.;!])"
)
_DENIAL: Final = re.compile(r"^(?:not|neither|(?:it|he|she|they)(?: is|'s|'re| are) not)\b[^,]*$")
_CLAUSE: Final = re.compile(
    r"(?:,? (?:and|but)|,)(?: also)? (?="
    rf"(?:(?:it|he|she|they|there)(?: (?:is|are|was|were|has|have|had|should|must)\b|'s|'re)|"
    rf"{OWNERS} [\w-]+ (?:(?:is|are)(?:n'?t)?|should|must|has to|have to)\b|i (?:want|need|"
    rf"don'?t|do not|"
    rf"asked|wanted|said|meant|hate|dislike)\b|"
    r"(?:nobody|no one|none (?:of|with)|neither|anything but|nothing(?! but))\b|not \w+ing\b|"
    r"(?:fewer|less) \w|"
    r"make (?:it|them|the)\b|(?:please )?(?:remove|delete|drop|lose|get rid of|leave out|take|"
    r"avoid|exclude|skip|omit|ditch|hide|don'?t (?:show|include|want))\b|"
    r"(?:without|with no|no|not any|never|maybe|perhaps|probably|too)\b))"
)
_BEFORE_WITHOUT: Final = re.compile(r"(?<!\bdo),?(?: but| and)? (?=(?:without|with no|minus)\b)")
_CLOSED: Final = re.compile(rf"{AUXILIARY}\b")
_CHANGES_IT: Final = re.compile(
    r"(?:(?:actually|but|ok(?:ay)?)[ ,]+)*(?:make|turn|paint|colou?r|change) (?:it|them|that)\b"
)
_RULED_OUT: Final = re.compile(r"(?:no|not|never)\b")


@dataclass(frozen=True, slots=True)
class Saying:
    """One thing said.

    Attributes:
        question: What it answers; may be empty.
        text: What is said.
        anew: Whether it begins a new subject.
    """

    question: str
    text: str
    anew: bool = False


def sayings(entry: Round) -> list[Saying]:
    """What a round says, in its order.

    Words beside a reference image come a change at a time. Of other words the first sentence
    answers the question; the rest is free chat, a clause at a time, with what is not wanted as
    "no ...". Of a text of more than 2,000 characters, and of very many clauses, the beginning and
    the end are read.
    """
    text = plain(_shortened(entry.answer.text))
    said = _beside_images(entry, text) if entry.answer.images else _said(entry, retold(text))
    return said if len(said) <= 2 * _MOST else [*said[:_MOST], *said[-_MOST:]]


def _shortened(text: str) -> str:
    if len(text) <= 2 * _LONGEST:
        return text
    head, tail = text[:_LONGEST], text[-_LONGEST:]
    # At a word's end, where there is one.
    return f"{head.rpartition(' ')[0] or head} {tail.partition(' ')[2] or tail}"


def _beside_images(entry: Round, text: str) -> list[Saying]:
    """What is to change about what is shown."""
    rest = begun_anew(text)
    changes = changes_in(text if rest is None else rest)
    if len(changes) > _MOST_CHANGES:
        changes[_MOST_CHANGES - 1 :] = [", ".join(changes[_MOST_CHANGES - 1 :])]
    said = [part for change in changes for part in parted(change)]
    # What is ruled out takes nothing's place.
    texts = [part if _RULED_OUT.match(part) else _INSTEAD + part for part in said]
    if rest is not None and not texts:
        return [Saying("", "", anew=True)]
    return [
        Saying("" if number else entry.question, text, rest is not None and not number)
        for number, text in enumerate(texts)
    ]


def _said(entry: Round, text: str) -> list[Saying]:
    both = questions_in(entry.question) if "?" in entry.question else None
    if both is not None:
        return _answered_both(both, text)
    return _answered(question_in(entry.question), text)


def _answered_both(questions: tuple[str, str], text: str) -> list[Saying]:
    """What is said to an open and a closed question: yes and no answer the closed one."""
    told = _YES_OR_NO.search(text)
    if told is None:
        return _answered(questions[0], text)
    before, after = text[: told.start()].strip(" ,.;"), text[told.start("answer") :]
    said = _answered(questions[0], before) if before else []
    return [*said, *_answered(questions[1], after)]


def _answered(question: str, text: str) -> list[Saying]:
    text = _ASKED_ONESELF.sub(r"\g<before>\g<what> \g<answer>", text)
    sentences = [part for part in _SENTENCE.split(text) if part] or [""]
    if not question or not _answers(question, sentences):
        return list(chain.from_iterable(map(_free, sentences)))
    if asks_for_unwanted(question):
        return [*_unwanted(sentences[0]), *chain.from_iterable(map(_free, sentences[1:]))]
    answer, *clauses = _clauses(contrasted(sentences[0]))
    rest = [*clauses, *sentences[1:]]
    # A bare yes or no, or doubt, is explained by what comes next; so is what was denied.
    while rest and _is_open(answer) and not _begins_something(rest[0]):
        answer = f"{answer}, {rest.pop(0)}"
    if clauses and rest and _DENIAL.match(answer) and not _begins_something(rest[0]):
        answer = f"{answer}, {rest.pop(0)}"
    if begun_anew(answer) is not None:
        # "Something different" asks for other results of the same.
        answer = ""
    return [Saying(question, answer), *chain.from_iterable(map(_free, rest))]


def _unwanted(answer: str) -> Iterator[Saying]:
    """What an answer names that is not wanted."""
    answer = without_assent(answer)
    for said in parted(f"{NO}{answer}") if answer else ():
        yield Saying("", said)


def _answers(question: str, sentences: list[str]) -> bool:
    """Whether what is said after a question answers it."""
    first = sentences[0]
    if is_ruling_out(first) or starts_over(first) or begun_anew(first):
        return False
    if " or " not in question and _CHANGES_IT.match(first):
        return False
    # "Forget it" may be an answer; with more behind it, it is none.
    return len(sentences) == 1 or not _begins_something(first)


def _is_open(answer: str) -> bool:
    return bool(_ONLY_AN_ANSWER.match(answer)) or not informative(answer)


def _begins_something(clause: str) -> bool:
    return clause.startswith("no ") or is_ruling_out(clause) or begun_anew(clause) is not None


def _clauses(sentence: str) -> list[str]:
    parts = [part for clause in _CLAUSE.split(sentence) for part in _BEFORE_WITHOUT.split(clause)]
    return [part for part in parts if part] or [""]


def _free(sentence: str) -> Iterator[Saying]:
    """A sentence of free chat, a clause at a time."""
    sentence = contrasted(sentence)
    rest = begun_anew(sentence)
    clauses = _clauses(sentence if rest is None else rest)
    if len(clauses) > 1 and _ONLY_AN_ANSWER.match(clauses[0]) and not is_ruling_out(clauses[1]):
        clauses[:2] = [", ".join(clauses[:2])]
    if len(clauses) > 1 and is_cue(clauses[0]):
        clauses[:2] = [_INSTEAD + clauses[1]]
    anew = rest is not None
    ruled_out = False
    for clause in clauses:
        for said in parted(without_reaction(clause)):
            # What comes instead of a thing that is gone already is added.
            told = said.removesuffix(" instead") if ruled_out else said
            ruled_out = ruled_out or said.startswith(NO)
            yield Saying("", told, anew)
            anew = False
