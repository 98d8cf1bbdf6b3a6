"""A round as sayings: one question, if any, and one thing said each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from dar_retriever.dialogue import Round
from dar_retriever.reformulation.asked import question_in
from dar_retriever.reformulation.framing import informative, plain, without_reaction
from dar_retriever.reformulation.lexicon import ANY_DETERMINER, OWNERS
from dar_retriever.reformulation.references import corrections_in

# More than a caption can hold; what comes after all that is read from the end.
_LONGEST: Final = 1000

_POLITE: Final = (
    r"(?:(?:ok|okay|great|cool|thanks|thank you|perfect|good|alright|fine|no|hm+|well|actually|"
    r"wait|please|sorry|and|so|let'?s|can we|can you|could you|i'?d like to|i want to|"
    r"i would like to|i need to)\b[\s,.!]*)*"
)
_SEEK: Final = (
    r"(?:(?:find|show|get|give) me|find|show|search for|look for|i'?m looking for|"
    r"i am looking for)"
)
_START_OVER: Final = re.compile(
    rf"^{_POLITE}(?:start (?:over|again|anew|afresh|from scratch)|begin (?:again|anew)|"
    r"from scratch|reset|(?:a |do a )?new (?:search|topic|subject)|"
    r"(?:forget|scrap|drop) (?:it|that|this|everything|about (?:it|that|this)|"
    r"all (?:of )?(?:it|that|this)|what i said)(?: all)?|change of (?:plans?|subject|topic)|"
    r"(?:something|another (?:picture|image|photo)) (?:completely|totally|entirely|altogether)"
    r" (?:different|else)|a (?:completely |totally |entirely )?different (?:subject|topic|search)|"
    rf"(?:now )?{_SEEK} something (?:else|different))\b"
    r"(?: (?:please|then|with|now))*[\s,.:;!-]*"
)
_ANOTHER_SUBJECT: Final = re.compile(
    rf"^{_POLITE}(?:(?:now|next|instead)\b[\s,]*{_POLITE}{_SEEK}|"
    rf"never ?mind\b[\s,.!:;-]*{_POLITE}(?:{_SEEK}|i (?:want|need)|i'?d like)) "
    r"(?=(?:an?|two|three|photos?|pictures?|images?) (?!(?:of )?(?:the same|these|those|it)\b))"
)
_SENTENCE: Final = re.compile(r"(?<!\bno)(?<!never mind)(?<!nevermind)[.!?;]+(?:\s+|$)")
_ONLY_AN_ANSWER: Final = re.compile(
    r"^(?:yes|yeah|yep|yup|no|nope|nah|neither|none|sure|ok|okay|correct|right|well|hm+|oh)?$"
)
_DENIAL: Final = re.compile(r"^(?:not|neither|(?:it|he|she|they)(?: is|'s|'re| are) not)\b[^,]*$")
_CLAUSE: Final = re.compile(
    r"(?:,? (?:and|but)|,)(?: also)? (?="
    rf"(?:(?:it|he|she|they|there)(?: (?:is|are|was|has|have|should|must)\b|'s|'re)|"
    rf"{OWNERS} [\w-]+ (?:is|are|should|must|has to|have to)\b|i (?:want|need|don'?t|do not)\b|"
    r"make (?:it|them|the)\b|(?:please )?(?:remove|delete|drop|lose|get rid of|leave out|take)\b|"
    r"(?:without|with no|no|not any|never|maybe|perhaps|probably)\b))"
)
_WITHOUT: Final = re.compile(r",? (?=(?:without|with no|but no|and no)\b)")
_RULING_OUT: Final = re.compile(
    r"^(?:(?:please|and|but|also|oh|it|they|he|she|there|i|you|can|could) )*"
    r"(?:(?:remove|delete|drop|lose|get rid of|leave (?:out|off)|take (?:away|out|off)|skip|omit|"
    r"exclude|avoid|hide|without|with no|with out|minus|no more|not any)|"
    r"(?:want|would like|'d like|need) (?:it |them )?(?:without|with no|no)|"
    r"(?:don'?t|do not) (?:want|need|like|show)(?: me)?(?: to (?:see|have))?|"
    r"(?:should|must|may)(?: not|n'?t) (?:be|have|show)|(?:should|must|can|may) (?:be|have) no)\b"
    rf" (?:{ANY_DETERMINER} |of |more )*(?P<what>[\w' -]+?)(?: (?:in|on) it| there)?$"
)
_TOO: Final = re.compile(
    r"^(?:(?:it|this|that|these|those|they|all)(?:'s|'re| is| are| look| looks)? )?"
    r"(?:a bit |all |much |way |far )?too (?P<what>(?!many|much|few|little)[\w-]+)$"
)
_NOTHING_OF: Final = re.compile(
    r"^no (?!(?:it|they|i|make|the|that|this|he|she|there|wait|not|only|just|longer)\b)"
    r"(?P<what>[\w' -]+?)(?: either| please| at all| in it)*$"
)
_LIST: Final = re.compile(r",? (?:and|or|nor) |, ")
_NO: Final = "no "


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
    "no ...". A text of more than 2,000 characters is read at its beginning and at its end.
    """
    text = entry.answer.text
    if len(text) > 2 * _LONGEST:
        text = f"{text[:_LONGEST].rpartition(' ')[0]} {text[-_LONGEST:].partition(' ')[2]}"
    if entry.answer.images:
        return [
            Saying("" if number else entry.question, change)
            for number, change in enumerate(corrections_in(text))
        ]
    question = question_in(entry.question)
    sentences = [part for part in _SENTENCE.split(plain(text)) if part] or [""]
    if not question or _begins_anew(sentences[0]):
        return list(chain.from_iterable(map(_free, sentences)))
    answer, *clauses = _CLAUSE.split(sentences[0])
    rest = [*clauses, *sentences[1:]]
    # A bare yes or no, or doubt, is explained by what comes next; so is what was denied.
    while rest and (_ONLY_AN_ANSWER.match(answer) or not informative(answer)):
        answer = f"{answer}, {rest.pop(0)}"
    if clauses and rest and _DENIAL.match(answer):
        answer = f"{answer}, {rest.pop(0)}"
    return [Saying(question, answer), *chain.from_iterable(map(_free, rest))]


def _begins_anew(sentence: str) -> bool:
    return bool(_START_OVER.match(sentence) or _ANOTHER_SUBJECT.match(sentence))


def _free(sentence: str) -> Iterator[Saying]:
    """A sentence of free chat, a clause at a time."""
    anew = False
    for pattern in (_START_OVER, _ANOTHER_SUBJECT):
        found = pattern.match(sentence)
        if found:
            anew, sentence = True, sentence[found.end() :]
    clauses = [part for clause in _CLAUSE.split(sentence) for part in _WITHOUT.split(clause)]
    if len(clauses) > 1 and _ONLY_AN_ANSWER.match(clauses[0]):
        clauses[:2] = [", ".join(clauses[:2])]
    for number, clause in enumerate(clauses):
        for said in _ruled_out(clause):
            yield Saying("", without_reaction(said), anew and not number)


def _ruled_out(clause: str) -> list[str]:
    """What a clause does not want, one "no ..." each; else the clause itself."""
    too = _TOO.match(clause)
    if too:
        return [_NO + too["what"]]
    bare = clause.removeprefix("but ").removeprefix("and ")
    found = _RULING_OUT.match(bare) or _NOTHING_OF.match(bare)
    if found:
        return [_NO + what for what in _LIST.split(found["what"]) if what]
    return [clause]
