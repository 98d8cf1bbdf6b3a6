"""What answers say together with their questions: yes, no, a choice, a place."""

from __future__ import annotations

import re
from typing import Final

from dar_retriever.reformulation.english.answers import composed, such, with_extra, with_place
from dar_retriever.reformulation.english.asked import (
    OF_SUBJECT,
    OPEN_QUESTION,
    asked_noun,
    declared,
    doubted,
    topic,
)
from dar_retriever.reformulation.english.choices import alternatives, place_of_choice, whole_choice
from dar_retriever.reformulation.english.framing import CLAUSE_END, bare, colour_alone
from dar_retriever.reformulation.english.lexicon import ANY_DETERMINER, COLOURS, PREPOSITIONS, SORTS
from dar_retriever.reformulation.english.nouns import kind_of
from dar_retriever.reformulation.english.offers import offered
from dar_retriever.reformulation.english.statement import Statement

_IT_IS: Final = r"(?:it|they|there|he|she|that)(?: is| are|'s|'re| does| do| has| have)"


_IT_IS_NOT: Final = (
    r"(?:it|they|there|he|she|that)(?:(?: is| are| does| do| has| have|'s|'re) not|"
    r" (?:is|are|does|do|has|have)n'?t)"
)


YES: Final = re.compile(
    rf"^(?:(?:(?:oh|ah|um+|hm+|well|god|hell|ooh)[ ,]+)?(?:yes|yeah|yep|yup|yea|sure|correct|right|"
    rf"exactly|perfect|indeed|of course|definitely|absolutely|ok|okay|why not|go ahead|"
    rf"that(?: would|'d) be (?:great|nice|good|lovely|perfect|cool)|sounds good|please do|"
    rf"i'd (?:love|like) that)(?![\w-])(?:,? {_IT_IS}(?=$|[,.;!]))?|"
    rf"{_IT_IS}(?: indeed)?(?=$|[,.;!])|"
    r"i (?:can|do)(?: indeed)?$|(?:kind|sort) of$|slightly(?: yes)?$|somewhat$|a (?:little|bit)$|"
    r"(?:probably|likely)(?=$|[,.;!])|i (?:think|believe|guess|suppose|hope) so|"
    r"(?:it )?(?:looks|seems|appears)(?: like it| so| that way)(?=$|[,.;!]))"
    r"(?P<pause>\s*[,.;!:-]\s*|$|(?: please)?$)?\b[\s,.!;:-]*"
)


NO: Final = re.compile(
    r"^(?:(?:oh|ah|um+|hm+|well|god|hell|ooh|i'?d say|i (?:think|guess|believe)|i'?m afraid|"
    r"definitely|rather|better)[ ,]+)?(?:not (?:really|at all|from (?:here|"
    r"this angle))|not (?:very|much|too|so)$|"
    r"i (?:do not|don'?t|can(?:no|')?t) (?:think|believe|see) (?:so|any|one|1|it|"
    r"that)(?: either)?$|i see (?:none|no)\b|"
    r"i'?d (?:rather|prefer) (?:(?:it|they|he|she|there) )?(?:not|(?:did|was|were)n'?t)\b|"
    r"i (?:do not|don'?t) see|i (?:can(?:no|')?t|can not)(?= *$|,)|(?:it |he |she )?(?:doesn'?t|"
    r"does not) look like it|no way|"
    rf"{_IT_IS_NOT}|{_IT_IS} (?:no|none|0|zero)\b|(?:no one|nobody|nope|nah|none|never|neither|"
    rf"nothing|zero|0|not|no)(?:,? {_IT_IS_NOT}|,? i (?:do not|don'?t) see|,? thanks?(?: you)?)?)"
    r"(?: (?:that|as far as) i (?:can |could |am able to )?(?:see|tell|know of|know)| of (?:them|"
    r"it|those))?\b(?P<pause>\s*[,.;!:-]\s*|$)?\s*"
)


_AFFIRMING: Final = re.compile(
    rf"^(?:{_IT_IS}\b|(?:it|this|that|these|those|they|there|he|she|i|just|only|but)\b)"
)


_EXISTENTIAL: Final = re.compile(r"^(?:(?:is|are) there|(?:can|do) you see|any)\b")


_NEITHER: Final = re.compile(r"^(?:neither|none)(?: of (?:them|these|those|the two))?\b[\s,.;]*")


_UNDECIDED: Final = re.compile(
    r"^(?:either|both|any|all)(?: of (?:them|these|those))?(?: is| are)?(?: fine| ok| okay| good|"
    r" work| works)?$|^(?:yes|yeah|no|nope)$"
)


_NOT_THIS: Final = re.compile(
    r"^(?:definitely |just |please |anything |rather |preferably )*not (?:an? |the |too |very |"
    r"so |that )?"
    r"(?P<what>(?!really\b|sure\b|at\b|that\b|from\b|necessarily\b|much\b|too\b|visible\b|"
    r"yet\b|very$|so$|quite$|clear\b|certain\b|as\b|in\b|on\b|any\b|i\b|particularly\b|it\b|this\b|"
    r"one\b)"
    r"[\w-]+(?: (?:or |and )?[\w-]+)?)$"
)


# "Is there fruit on top?"
_THERE: Final = re.compile(
    rf"^(?:is|are) there (?:{ANY_DETERMINER} )?(?P<what>[\w'-]+(?: [\w'-]+)?) "
    r"(?P<where>(?:on|in|at|under|behind|beside|near) (?!it\b|there\b)[\w' -]+)$"
)
_JUST: Final = re.compile(r"^(?:just|only) ")
# "Yes, and the plastic ones too", where something is to be removed.
_AND_THOSE: Final = re.compile(
    r"^(?:and |also )+(?:the |any |all )*(?P<what>[\w' -]{1,60}?)(?: ones?)?,? (?:too|as well|"
    r"also)$"
)
_NUMBER: Final = re.compile(
    r"^(?P<number>(?:about |just |only )?(?:\d+|two|three|four|five|six|seven|eight|nine|ten|"
    r"several|many|a few|both|all|some|most))(?: of (?:them|these|those))?$"
)


def chosen(question: str, answer: str) -> Statement | None:
    """What an answer to "this or that?" says: the choice itself, its place, or none of them."""
    choices = alternatives(question) if " or " in question else ()
    if not choices:
        return None
    if _NEITHER.match(answer):
        rest = bare(_NEITHER.sub("", answer))
        text = composed(question, colour_alone(rest)) if rest else ""
        return Statement(text, ", ".join(choices), topic(question))
    whole = whole_choice(bare(answer), choices)
    if whole:
        return Statement(whole, topic=topic(question))
    place = place_of_choice(answer, len(choices))
    if place is not None:
        return Statement(composed(question, choices[place]), topic=topic(question))
    if _UNDECIDED.match(answer):
        there = _EXISTENTIAL.match(question) and YES.match(answer)
        return Statement(" or ".join(choices) if there else "", topic=topic(question))
    return None


def accepted(question: str, answer: str) -> Statement | None:
    """What an answer to an offer says: "should I look for a darker shade?"."""
    offer = offered(question)
    agreed, declined = YES.match(answer), NO.match(answer)
    if offer is None or not (agreed or declined):
        return None
    if agreed is None:
        alone = declined is not None and not answer[declined.end() :].strip()
        means_nothing = offer.asks_leave or offer.removes or offer.is_vague
        return Statement() if alone and means_nothing else None
    more = answer[agreed.end() :]
    if offer.removes and (too := _AND_THOSE.match(more)):
        return Statement("", f"{offer.what}, {too['what']}")
    rest = bare(more)
    if offer.asks_leave or offer.removes:
        return Statement(rest, offer.what)
    text = rest if offer.is_vague else with_extra(offer.what, rest)
    return Statement(text, topic="" if offer.is_vague else topic(question))


def refused(question: str, answer: str) -> Statement | None:
    """What "not metal" rules out, whatever was asked."""
    found = _NOT_THIS.match(answer)
    if found is None or not question:
        return None
    return Statement(excluded=found["what"], topic=topic(question))


def placed(question: str, answer: str) -> Statement | None:
    """What an answer to "what is on the table?" or "who is holding it?" says of its place."""
    if not question or YES.match(answer) or NO.match(answer):
        return None
    text = with_place(question, bare(answer))
    return Statement(text, topic=topic(question)) if text else None


def denied(question: str, answer: str) -> Statement | None:
    """A no: what follows it at once is denied, what follows a pause is so."""
    said_no = NO.match(answer)
    if said_no is None:
        return None
    denied, rest = "", answer[said_no.end() :]
    if rest and said_no["pause"] is None and not _AFFIRMING.match(rest):
        end = CLAUSE_END.search(rest)
        denied, rest = (rest[: end.start()], rest[end.end() :]) if end else (rest, "")
    denied = re.sub(rf"^(?:have |{ANY_DETERMINER} )+", "", bare(denied))
    rest = colour_alone(bare(rest))
    if re.match(r"(?:not )?(?:really|exactly|quite)$", denied):
        denied = ""
    if not question:
        return Statement(rest, denied, replaces=denied if rest else "", corrects=bool(rest))
    if OPEN_QUESTION.search(question):
        excluded = denied or (asked_noun(question) if "how many" in question else "")
        # "None, it is empty" says something of the thing, not of what was counted.
        text = rest if "how many" in question else composed(question, rest)
        return Statement(text if rest else "", excluded, topic(question))
    return _contradicted(question, denied, rest)


def _contradicted(question: str, denied: str, rest: str) -> Statement:
    """A no to a closed question, and what is so instead."""
    subject = OF_SUBJECT.match(question.rstrip("? "))
    excluded = doubted(question)
    somewhere = _THERE.match(question.rstrip("? "))
    if (
        somewhere
        and rest
        and len(rest.split()) <= 3
        and not re.search(rf"\b{PREPOSITIONS}\b", rest)
    ):
        text = f"{_JUST.sub('', rest)} {somewhere['where']}"
        return Statement(text, somewhere["what"], topic(question))
    if denied and not set(denied.split()) & set(question.rstrip("? ").split()):
        # "It isn't small", asked whether it is big, does not say no.
        return Statement(rest, denied, topic(question))
    text = rest
    # "Just walls", asked whether the shower is visible, are no "walls shower".
    named = rest.endswith("s") or bool(kind_of(rest))
    if (
        rest
        and subject
        and not named
        and len(rest.replace(" and ", " ").split()) <= 2
        and subject["noun"] not in rest.split()
    ):
        text = f"{rest} {subject['noun']}"
    elif rest and len(excluded.split()) == 2:
        doubted_how, noun = excluded.split()
        short = len(rest.split()) <= 2 and doubted_how in denied.split()
        alike = short or _are_alike(rest, doubted_how)
        text = f"{rest} {noun}" if alike and noun != "outside" else such(noun, rest)
    short = text == rest and 0 < len(rest.split()) <= 3
    return Statement(text, excluded, topic(question), excluded if short else "")


def _are_alike(one: str, other: str) -> bool:
    """Whether two words are of a sort: two colours, two lengths."""
    both = {one, other}
    return both <= COLOURS or any(both <= words for words in SORTS)


def affirmed(question: str, answer: str) -> Statement | None:
    """A yes to a closed question, with what more was said."""
    said_yes = YES.match(answer)
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
