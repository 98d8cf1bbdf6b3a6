"""Questions with their answers as statements, by plain rules of English."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from dar_retriever.reformulation.english.answers import composed, such, with_extra
from dar_retriever.reformulation.english.asked import (
    OF_SUBJECT,
    OPEN_QUESTION,
    asked_noun,
    declared,
    doubted,
    topic,
)
from dar_retriever.reformulation.english.framing import (
    CLAUSE_END,
    bare,
    colour_alone,
    informative,
    plain,
    without_results,
)
from dar_retriever.reformulation.english.lexicon import (
    ANY_DETERMINER,
    COLOURS,
    NUMBERS,
    OWNERS,
    PLACES,
    PREPOSITIONS,
    stem,
)

_IT_IS: Final = r"(?:it|they|there|he|she|that)(?: is| are|'s|'re| does| do| has| have)"
_IT_IS_NOT: Final = (
    r"(?:it|they|there|he|she|that)(?:(?: is| are| does| do| has| have|'s|'re) not|"
    r" (?:is|are|does|do|has|have)n'?t)"
)

_YES: Final = re.compile(
    rf"^(?:(?:yes|yeah|yep|yup|yea|sure|correct|right|exactly|perfect|indeed|of course|definitely|"
    rf"absolutely|ok|okay)(?:,? {_IT_IS}(?=$|[,.;!]))?|{_IT_IS}(?: indeed)?(?=$|[,.;!])|"
    r"i (?:can|do)(?: indeed)?$|(?:kind|sort) of$|slightly(?: yes)?$|somewhat$|a (?:little|bit)$|"
    r"(?:probably|likely)(?=$|[,.;!])|i (?:think|believe|guess|suppose|hope) so|"
    r"(?:it )?(?:looks|seems|appears)(?: like it| so| that way)(?=$|[,.;!]))"
    r"(?P<pause>\s*[,.;!:-]\s*|$|(?: please)?$)?\b[\s,.!;:-]*"
)
_NO: Final = re.compile(
    r"^(?:not (?:really|at all|from (?:here|this angle))|not (?:very|much|too|so)$|"
    r"i (?:do not|don'?t|can(?:no|')?t) (?:think|believe|see) (?:so|any|one|1|it|"
    r"that)(?: either)?$|i see (?:none|no)\b|"
    r"i (?:do not|don'?t) see|i (?:can(?:no|')?t|can not)(?= *$|,)|(?:it |he |she )?(?:doesn'?t|"
    r"does not) look like it|no way|"
    rf"{_IT_IS_NOT}|{_IT_IS} (?:no|none|0|zero)\b|(?:no one|nobody|nope|nah|none|never|neither|"
    rf"nothing|zero|0|not|no)(?:,? {_IT_IS_NOT}|,? i (?:do not|don'?t) see|,? thanks?(?: you)?)?)"
    r"(?: (?:that|as far as) i (?:can |could |am able to )?(?:see|tell|know of|know)| of (?:them|"
    r"it|those))?\b(?P<pause>\s*[,.;!:-]\s*|$)?\s*"
)
_BARE_YES: Final = re.compile(r"^(?:yes|yeah|yep|yup)\b ?(?=it|there|he|she|they|the|a)")
_AFFIRMING: Final = re.compile(
    rf"^(?:{_IT_IS}\b|(?:it|this|that|these|those|they|there|he|she|i|just|only|but)\b)"
)
_CORRECTION: Final = re.compile(
    r"\b(?:actually|sorry|i meant|correction|wait|scratch that|on second thought|rather|instead|"
    r"i was wrong|i said|my mistake|i misspoke|oops|make (?:it|that|them)|change (?:it|"
    r"that) to)\b[\s,:]*"
)
_CHANGE: Final = re.compile(
    rf"\b(?:make|change|turn|colou?r|paint|replace|swap) (?:{OWNERS} )?(?P<noun>(?!it\b|them\b|"
    rf"that\b)[\w-]+)"
    r"(?P<into> (?:in)?to(?: an?)?| with(?: an?)?| for(?: an?)?| an?)?(?: be)? "
    r"(?P<new>(?!it\b|them\b)[\w-]+)$"
)
_OF_A_THING: Final = re.compile(
    rf"^{OWNERS} (?P<noun>[\w-]+(?: [\w-]+)?) (?P<is>is|are|was|were|(?:should|must|has to|have to|"
    r"needs to|need to|could|can) be) (?:all |very |quite |really |more |in )?(?P<new>[\w' -]+)$"
)
_ATTRIBUTE: Final = re.compile(
    rf"^(?!(?:not|no|{ANY_DETERMINER}|{PREPOSITIONS}|there|here)\b|[\w-]+ing\b)"
    r"[\w'-]+(?: (?:and |or )?[\w'-]+)?$"
)
_NEGATED: Final = re.compile(
    r"^(?:(?:the|his|her|their|its|i|it|they|he|she|there|you|we|that|this) )?(?:[\w'-]+ ){0,2}?"
    r"(?:is|are|was|were|do|does|did|has|have|can)(?:n'?t| ?not) (?:(?:look|appear|seem|be|have|"
    r"see|wear|wearing|like|to|any|an?|the|really|very) )*(?P<what>[\w' -]+?)(?: to me| in it)?$"
)
_INSTEAD_FIRST: Final = re.compile(
    r"^(?:instead of|rather than|in place of) (?P<old>[\w -]{1,80}?), (?P<new>[^,]+)$"
)
_INSTEAD_OF: Final = re.compile(r",? (?:instead of|rather than|in place of) (?:the )?")
_NOT_BUT: Final = re.compile(r"\bnot (?:an? )?(?P<old>[\w-]+(?: [\w-]+)?),? but (?P<new>[\w -]+)")
_NOT_AFTER: Final = re.compile(
    # Bounded, so that a long text is read once.
    r"(?P<new>[\w -]{1,120}?),? (?:and )?not (?:an? )?(?P<old>[\w-]+(?: [\w-]+)?)$"
)
_NOT_AT_LAST: Final = re.compile(
    r"^(?P<new>[\w' -]+), (?:and |but )?not (?:(?:in|on|at|with) )?(?:an? |"
    r"the )?(?P<old>[\w-]+(?: [\w-]+)?)$"
)
_NUMBER: Final = re.compile(
    r"^(?P<number>(?:about |just |only )?(?:\d+|two|three|four|five|six|seven|eight|nine|ten|"
    r"several|many|a few|both|all|some|most))(?: of (?:them|these|those))?$"
)


@dataclass(frozen=True, slots=True)
class Statement:
    """What one round adds.

    Attributes:
        text: What is so; empty where nothing is.
        excluded: What is not so.
        topic: What it is about; a later statement about the same replaces it. Empty where
            there is no telling.
        replaces: Words of earlier statements that ``text`` stands for now.
        corrects: Whether the user takes something back.
    """

    text: str = ""
    excluded: str = ""
    topic: str = ""
    replaces: str = ""
    corrects: bool = False


@lru_cache(maxsize=4096)
def statement_of(question: str, answer: str) -> Statement:
    """What a question and its answer say together.

    Args:
        question: May be empty, for what the user says unasked.
        answer: What the user says.

    Returns:
        A statement; one without text and exclusion where nothing was said.
    """
    answer = without_results(plain(answer))
    answer = _INSTEAD_FIRST.sub(r"\g<new>, not \g<old>", informative(answer))
    answer = _INSTEAD_OF.sub(", not ", answer)
    for reading in (_changed, _of_a_thing, _corrected, _denied, _affirmed, _negated):
        statement = reading(question, answer)
        if statement is not None:
            return statement
    return _told(question, answer)


def _changed(_: str, answer: str) -> Statement | None:
    """What "make the dots red" says, or "change the car into a truck"."""
    found = _CHANGE.search(answer)
    if found is None:
        return None
    noun, new = found["noun"], found["new"]
    if re.fullmatch(r"colou?r", noun):
        return Statement(new, topic="colour", corrects=True)
    if found["into"] and new not in COLOURS:
        return Statement(new, replaces=noun, corrects=True)
    return Statement(f"{new} {noun}", topic=stem(noun), corrects=True)


def _of_a_thing(_: str, answer: str) -> Statement | None:
    """What "the walls are white" says."""
    found = _OF_A_THING.match(bare(answer))
    if found is None:
        return None
    noun, new = found["noun"], found["new"]
    if not _ATTRIBUTE.match(new):
        return Statement(f"{noun} {new}")
    # A thing has one colour and one number; what else it is may come on top.
    corrects = found["is"].endswith(" be") or new.split()[-1] in COLOURS | NUMBERS
    return Statement(f"{new} {noun}", topic=stem(noun) if corrects else "", corrects=corrects)


def _corrected(question: str, answer: str) -> Statement | None:
    """What takes something back: "sorry, I meant teal, not green"."""
    if not _CORRECTION.search(answer):
        return None
    answer = re.sub(r"^(?:no|yes|yeah)\b[\s,]*", "", answer)
    answer = _CORRECTION.sub("", answer).strip(" ,.?")
    swap = _NOT_BUT.search(answer) or _NOT_AFTER.search(answer)
    if swap:
        new = colour_alone(bare(swap["new"]))
        return Statement(new, swap["old"], topic(question), swap["old"], corrects=True)
    new = composed(question, colour_alone(bare(answer)))
    return Statement(new, topic=topic(question), corrects=True)


def _denied(question: str, answer: str) -> Statement | None:
    """A no: what follows it at once is denied, what follows a pause is so."""
    said_no = _NO.match(answer)
    if said_no is None:
        return None
    denied, rest = "", answer[said_no.end() :]
    if rest and said_no["pause"] is None and not _AFFIRMING.match(rest):
        end = CLAUSE_END.search(rest)
        denied, rest = (rest[: end.start()], rest[end.end() :]) if end else (rest, "")
    denied = re.sub(rf"^(?:have |{ANY_DETERMINER} )+", "", bare(denied))
    rest = colour_alone(bare(rest))
    if not question:
        return Statement(rest, denied, replaces=denied if rest else "", corrects=bool(rest))
    if OPEN_QUESTION.search(question):
        excluded = denied or (asked_noun(question) if "how many" in question else "")
        return Statement(composed(question, rest) if rest else "", excluded, topic(question))
    return _contradicted(question, rest)


def _contradicted(question: str, rest: str) -> Statement:
    """A no to a closed question, and what is so instead."""
    subject = OF_SUBJECT.match(question.rstrip("? "))
    excluded = doubted(question)
    text = rest
    if rest and subject and len(rest.split()) <= 2 and subject["noun"] not in rest.split():
        text = f"{rest} {subject['noun']}"
    elif rest and len(excluded.split()) == 2:
        text = such(excluded.split()[-1], rest)
    short = text == rest and 0 < len(rest.split()) <= 3
    return Statement(text, excluded, topic(question), excluded if short else "")


def _affirmed(question: str, answer: str) -> Statement | None:
    """A yes to a closed question, with what more was said."""
    said_yes = _YES.match(answer)
    if said_yes is None or not question or OPEN_QUESTION.search(question):
        return None
    about, affirmed, extra = topic(question), declared(question), bare(answer[said_yes.end() :])
    if " or " in question and extra and set(extra.split()) & set(question.split()):
        return Statement(composed(question, extra), topic=about)
    number = _NUMBER.match(extra)
    if number and affirmed:
        return Statement(f"{number['number']} {affirmed}", topic=about)
    if affirmed and not re.search(rf"\b{PREPOSITIONS}\b", affirmed):
        *before, noun = affirmed.split()
        whole = such(noun, extra)
        if whole != extra:
            return Statement(" ".join([*before, whole]), topic=about)
    return Statement(with_extra(affirmed, extra), topic=about)


def _negated(question: str, answer: str) -> Statement | None:
    """What "the floor does not look like wood" rules out."""
    found = _NEGATED.match(bare(answer))
    return Statement(excluded=found["what"], topic=topic(question)) if found else None


def _told(question: str, answer: str) -> Statement:
    """What is neither yes nor no."""
    said_yes = _YES.match(answer)
    if said_yes and said_yes["pause"] is not None:
        answer = answer[said_yes.end() :]
    answer = _BARE_YES.sub("", answer)
    swap, about = _NOT_AT_LAST.search(answer), topic(question)
    if swap:
        return _exchanged(question, swap["new"], swap["old"])
    answer = bare(answer)
    subject = OF_SUBJECT.match(question.rstrip("? "))
    if subject and _ATTRIBUTE.match(answer) and subject["noun"] not in answer.split():
        return Statement(f"{answer} {subject['noun']}", topic=about)
    return Statement(composed(question, colour_alone(answer) if question else answer), "", about)


def _exchanged(question: str, new: str, old: str) -> Statement:
    """What "in a forest, not on a beach" says."""
    # "instead of a plain one": plain is what is not wanted.
    old = re.sub(r" ones?$", "", old)
    of_a_thing, about = _of_a_thing(question, new), topic(question)
    if of_a_thing is not None:
        return replace(of_a_thing, excluded=old)
    if new.split(maxsplit=1)[0] in PLACES:
        return Statement(bare(new), old, about, corrects=True)
    text = composed(question, colour_alone(bare(new)))
    return Statement(text, old, about, "" if question else old)
