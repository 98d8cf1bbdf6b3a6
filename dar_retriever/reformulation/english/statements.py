"""Questions with their answers as statements, by plain rules of English."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import Final

from dar_retriever.reformulation.english.answers import composed
from dar_retriever.reformulation.english.asked import OF_SUBJECT, OPEN_QUESTION, declared, topic
from dar_retriever.reformulation.english.contrasts import contrasted
from dar_retriever.reformulation.english.framing import (
    bare,
    colour_alone,
    informative,
    plain,
    without_results,
)
from dar_retriever.reformulation.english.lexicon import PLACES, PREPOSITIONS
from dar_retriever.reformulation.english.replies import (
    YES,
    accepted,
    affirmed,
    chosen,
    denied,
    placed,
    refused,
)
from dar_retriever.reformulation.english.statement import Statement
from dar_retriever.reformulation.english.takebacks import ATTRIBUTE, changed, corrected, of_a_thing

_BARE_YES: Final = re.compile(r"^(?:yes|yeah|yep|yup|yea)\b ?(?=\w)")


_SOMEWHERE: Final = re.compile(
    rf"^(?:only|just|mostly|but only|a few|a little|some) (?P<where>{PREPOSITIONS} .+)$"
)


_NEGATED: Final = re.compile(
    r"^(?:(?:the|his|her|their|its|i|it|they|he|she|there|you|we|that|this) )?(?:[\w'-]+ ){0,2}?"
    r"(?:is|are|was|were|do|does|did|has|have|can)(?:n'?t| ?not) (?:(?:look|appear|seem|be|have|"
    r"see|wear|wearing|like|to|any|an?|the|really|very) )*(?P<what>[\w' -]+?)(?: to me| in it)?$"
)


_NOT_AT_LAST: Final = re.compile(
    r"^(?P<new>[\w' -]{1,200}?)(?:,|(?<!is)(?<!are)(?<!must)(?<!should)(?<!can)(?<!could)(?<!may)"
    r"(?<!will)(?<!would)(?<!do)(?<!does)(?<!did)(?<!was)(?<!were)(?<!has)(?<!have)) (?:and |but "
    r")?not (?:(?:in|on|at|"
    r"with) )?(?:an? |"
    r"the |too |so |very )*(?P<old>[\w-]+(?: [\w-]+)?)$"
)


@lru_cache(maxsize=4096)
def statement_of(question: str, answer: str) -> Statement:
    """What a question and its answer say together.

    Args:
        question: May be empty, for what the user says unasked.
        answer: What the user says.

    Returns:
        A statement; one without text and exclusion where nothing was said.
    """
    pointed = chosen(question, plain(answer))
    if pointed is not None:
        return pointed
    answer = without_results(plain(answer))
    answer = contrasted(informative(answer))
    for reading in (
        chosen,
        accepted,
        refused,
        placed,
        changed,
        of_a_thing,
        corrected,
        denied,
        affirmed,
        _negated,
    ):
        statement = reading(question, answer)
        if statement is not None:
            return statement
    return _told(question, answer)


def _negated(question: str, answer: str) -> Statement | None:
    """What "the floor does not look like wood" rules out."""
    found = _NEGATED.match(bare(answer))
    return Statement(excluded=found["what"], topic=topic(question)) if found else None


def _told(question: str, answer: str) -> Statement:
    """What is neither yes nor no."""
    said_yes = YES.match(answer)
    if said_yes and said_yes["pause"] is not None:
        answer = answer[said_yes.end() :]
    answer = _BARE_YES.sub("", answer)
    swap, about = _NOT_AT_LAST.search(answer), topic(question)
    if swap:
        return _exchanged(question, swap["new"], swap["old"])
    placed = _SOMEWHERE.match(answer)
    if placed and question and not (OPEN_QUESTION.search(question) or " or " in question):
        return Statement(f"{declared(question)} {placed['where']}".strip(), topic=about)
    answer = bare(answer)
    subject = OF_SUBJECT.match(question.rstrip("? "))
    if subject and ATTRIBUTE.match(answer) and subject["noun"] not in answer.split():
        return Statement(f"{answer} {subject['noun']}", topic=about)
    return Statement(composed(question, colour_alone(answer) if question else answer), "", about)


def _exchanged(question: str, new: str, old: str) -> Statement:
    """What "in a forest, not on a beach" says."""
    # "instead of a plain one": plain is what is not wanted.
    old = re.sub(r" ones?$", "", old)
    whole, about = of_a_thing(question, new), topic(question)
    if whole is not None:
        return replace(whole, excluded=old)
    if new.split(maxsplit=1)[0] in PLACES:
        return Statement(bare(new), old, about, corrects=True)
    text = composed(question, colour_alone(bare(new)))
    return Statement(text, old, about, "" if question else old)
