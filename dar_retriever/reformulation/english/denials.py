"""Whatever else says that a thing is not wanted: "phones are not ok", "the flag is out"."""

from __future__ import annotations

import re
from typing import Final

from dar_retriever.reformulation.english.lexicon import COLOURS, PRONOUNS

_THING: Final = (
    rf"(?P<what>(?!(?:{PRONOUNS}|i|we|what|which|why|who|if|as|so|it's|that's|none|nothing|both|"
    rf"and|or|"
    r"but|just|only)\b)"
    r"[\w'-]+(?: (?!(?:so|because|if|when|while|as|but|since)\b)[\w'-]+){0,5}?)"
)
_ASIDE: Final = r"(?:(?:please|and|but|also|just|then|so|oh|well|though|ok|now|maybe|or)[ ,]+)*"
_THERE: Final = (
    r"(?:in (?:it|there|them|sight|view|(?:the |this )?(?:picture|photo|image|shot|"
    r"frame))|there|here)"
)
# What is said of a thing that may be in the picture, or may not.
_ACCEPTED: Final = (
    rf"(?:{_THERE}|ok|okay|fine|good|allowed|acceptable|needed|wanted|wished|necessary|required|"
    r"welcome|visible|present|included|shown|seen|possible|appropriate|desired|an option|for me|"
    r"my (?:thing|style|taste)|part of it)"
)
_BEING: Final = r"(?:is|are|was|were)"
_NOT: Final = r"(?:n'?t| not)"
_REFUSED: Final = (
    r"(?:(?:an? )?(?:absolute |total |big |complete )?(?:no|no[ -]no|no[ -]go|turn[ -]?off|"
    r"deal[ -]?breaker)|out of the question|off the table|banned|forbidden|prohibited|excluded|"
    r"unwanted|unwelcome|taboo|unnecessary)"
)
_LATER: Final = (
    r"(?: (?:please|either|though|at all(?: costs)?|if possible|for me|thanks|"
    r"anymore|any more|yet))*$"
)
_FORMS: Final = tuple(
    re.compile(rf"^{_ASIDE}{form}{_LATER}")
    for form in (
        # The thing comes first.
        rf"{_THING} {_BEING}{_NOT} (?:really |so )?{_ACCEPTED}",
        (
            rf"{_THING},? (?:must|should|can|may|will|would|do|does|did|could){_NOT}(?: (?:want to|"
            rf"have to|need "
            rf"to|get to))?(?: (?:be|show|count|appear|feature)| be {_ACCEPTED}|"
            rf" show up| belong {_THERE}?)"
        ),
        rf"{_THING} not {_ACCEPTED}",
        rf"{_THING} {_BEING} {_REFUSED}",
        (
            rf"{_THING} (?:drives?|makes?) me (?:mad|crazy|nuts|sick|sad|insane|nervous|queasy|"
            rf"dizzy|"
            rf"itch)"
        ),
        rf"(?=any|every|all){_THING} (?:is|are) out",
        # A verb of leaving out comes first.
        (
            r"(?:(?:i|we|you|let's|can you|could you|i'd like to|i want to|try to|make sure to|"
            r"(?:better|"
            r"rather)|(?:should|must|can|could)) )*(?:avoid|skip|omit|exclude|ban|forbid|forgo|"
            r"eliminate|steer clear of|stay away from|do without|spare me|no need for|cut out|"
            r"keep (?:it )?(?:clear|free) of|filter out|go easy on|be without|pass on) "
            rf"{_THING}"
        ),
        (
            rf"(?:keep|leave|take|cut|crop|edit) {_THING} (?:out|off|away)(?: of (?:it|this|that|"
            rf"the "
            r"(?:picture|photo|image|shot|frame)))?"
        ),
        (
            r"(?:scratch|leave|drop|lose|scrap|ditch|forget|skip|remove|delete|erase|hide) "
            r"(?:the|any|"
            rf"all|those|that|his|her|its|their) {_THING}(?: out| off| away)?"
        ),
        # Feelings about it.
        (
            r"(?:i|we)(?:'m| am| are|'re) (?:really |so |just )*(?:allergic to|against|bored (?:of|"
            r"with|by)|done with|not (?:really |so |that |too )*(?:keen on|interested in|into|"
            rf"a fan of|fond of|big on|after|looking for)) {_THING}"
        ),
        r"(?:enough|away|down) (?:with|of) " + _THING,
        # What cannot be seen.
        r"(?:you |we |one )?(?:can(?:no|')?t|can not|could(?:n'?t| not)|should(?:n'?t| not)|"
        r"must(?:n'?t| not)|never|don'?t(?: want to)?) (?:really |even |actually |be able to )*see "
        r"(?!(?:it|them|any|one|anything|how|so|much|well|from|because|clearly)\b)" + _THING,
        r"(?:i can|i could|you can|we can) do without " + _THING,
        r"nor " + _THING,
        r"(?:hardly|barely|scarcely|almost no|next to no|nearly no)(?: any)? " + _THING,
    )
)
_CONDITIONAL: Final = re.compile(
    r"^(?:and |but )?if (?:there(?:'s| is| are)|(?:it|they)(?: has| have|'s got|'ve got)) "
    r"(?P<what>[\w' -]{1,60}?)(?: in (?:it|them))?,? (?:then )?(?:i (?:don'?t|do not) want|i "
    r"hate|skip|leave|forget|it's (?:out|"
    r"no good)|no)\b.*$"
)
# "Belt yes, hood no", "cannons? no".
_ANSWERED_NO: Final = re.compile(
    r"^(?P<what>(?!(?:oh|well|but|and|so|ok|or|god|hell|lord|definitely|"
    r"absolutely|certainly|probably|rather|maybe|sorry|actually|hm+|uh|um|i|it|no|nah|yes|of|"
    r"please)\b)(?:[\w'-]+ ){1,4})no$"
)
_ELIDED: Final = re.compile(
    rf"(?P<so>{_BEING} (?:perfectly |quite |totally )?{_ACCEPTED}),? (?:but |and )?(?P<what>[\w' "
    rf"-]{{1,40}}?) "
    rf"{_BEING}{_NOT}$"
)
_PART: Final = re.compile(r", (?:but |and )?|,? but ")
_PREFERRED: Final = re.compile(
    r"^(?:i'?d|i would|we'?d) (?:much |really )?(?:prefer|like|love|appreciate|rather)(?: it)? "
    r"(?:if|that) "
)
# "Dark, so the hair doesn't show".
_PURPOSE: Final = re.compile(
    r"(?<=\w)(?<!\bok)(?<!\bokay)(?<!\band)(?<!\boh)(?<!\bhm),? so (?:that )?(?:the|it|you|i|we|"
    r"they|she|he|my|our|nobody|no one|none)\b[^,]*$"
)
# "Empty except for pigeons", "black apart from a white tail": the pigeons are wanted.
_NOTHING_BUT: Final = re.compile(
    rf"\b(?P<bare>empty|deserted|bare|blank|naked|plain|alone|{'|'.join(sorted(COLOURS))})(?: "
    rf"all over|"
    r" everywhere)?,? (?:except(?: for)?|apart from|aside from|save for|but for|besides) "
    r"(?=(?:an?|the|some|one|two|its|his|her|their|[\w-]+s)\b)"
)
# "No animals except dogs": the dogs are wanted.
_NONE_BUT: Final = re.compile(
    r"^(?P<no>(?:no|without(?: any)?|with no) [\w -]{1,40}?),? (?:except(?: for)?|apart from|aside "
    r"from|other than|save for|besides|but(?: for)?) (?P<yes>[^,]+)$"
)


def denied(clause: str) -> tuple[str, bool] | None:
    """The things that a clause says are not wanted, and nothing else; None for other clauses.

    Args:
        clause: In plain lower case, such as "phones are not ok".

    Returns:
        The things, and whether the clause says that they are all of them: "keep a and b out".
    """
    for form in (*_FORMS, _CONDITIONAL, _ANSWERED_NO):
        found = form.match(clause)
        if found:
            return found["what"].strip(), found.end("what") < len(clause)
    return None


def split_at_denials(clause: str) -> list[str] | None:
    """The parts of a sentence of which one denies a thing; None where none does.

    Args:
        clause: Such as "laptops are ok, phones are not".
    """
    clause = _ELIDED.sub(r"\g<so>, \g<what> are not ok", clause)
    parts = _PART.split(clause)
    return parts if len(parts) > 1 and any(denied(part) for part in parts) else None


def simplified(clause: str) -> str:
    """A clause without a polite opening and without what a thing is for."""
    return _NOTHING_BUT.sub(r"\g<bare>, ", _PREFERRED.sub("", _PURPOSE.sub("", clause)))


def all_but(clause: str) -> tuple[str, str] | None:
    """What is not wanted and what is all the same: "no animals except dogs"; else None."""
    found = _NONE_BUT.match(clause)
    return (found["no"], found["yes"]) if found else None
