"""What people find wrong with what they are shown: "too dark", "why are there people?"."""

from __future__ import annotations

import re
from typing import Final

ASIDE: Final = (
    r"(?:(?:please|and|but|also|oh|yes|then|now|just|preferably|ideally|definitely|absolutely|"
    r"certainly|really|obviously|especially) )*"
)
_DOING: Final = (
    r"(?: (?:is|are|was|were|who is|who are|in it|there))*(?: (?P<doing>[a-z]+ing\b.*))?"
)
_SEEN: Final = (
    r"(?:(?:in|on|at) (?:it|sight|view|(?:the |this |that )?(?:picture|photo|image|shot|frame|"
    r"scene|background|foreground))|around|there|near|visible|to be seen|else)"
)
_HAS_TO_GO: Final = re.compile(
    rf"^{ASIDE}(?:i don'?t mind [\w' ]{{1,60}} but )?(?:the |that |those |these |all )+"
    r"(?P<what>[\w -]{1,60}?) (?:(?:has|have|needs?|ought) to (?:go|be removed|disappear)|"
    r"(?:must|should|can) (?:go|be removed|disappear)|(?:is|are)(?:n'?t| not) (?:needed|"
    r"wanted|necessary))$"
)
_TOO: Final = re.compile(
    r"^(?:(?:and|but|no|nope|nah|well)[ ,]+)*(?:(?:it|this|that|these|those|they|all|there|"
    r"the [\w-]+)"
    r"(?:'s|'re| is| are| look| looks| has| have)? )?"
    r"(?:a bit |a little |all |much |way |far |just |still |not )*too "
    r"(?:(?:many|much) )?(?P<what>(?!many|much|few|little|bad\b|to\b|"
    r"for\b)[\w-]+(?: (?!to\b|in\b|on\b|for\b|now\b|here\b)[\w-]+)?)"
    rf"(?: for me| now| here| {_SEEN}| (?:in|on) (?:them|this one|that one))?$"
)
_COMPLAINT: Final = re.compile(
    r"^(?:but )?(?:these|those|they|all of (?:these|them))(?:'re| are)? (?:all|just|only|mostly) "
    r"(?P<what>[\w -]{2,40})$|^(?:(?:oh|great|wow|ok|okay|and|yet)[ ,]+)*(?:yet )?another (?P<how>"
    r"blurry|dark|grainy|fuzzy|pixelated|noisy|bright|boring|ugly|black and white) "
    r"(?:one|picture|photo|image)$|"
    # "The chrome one is ugly".
    r"^(?:but |and )?(?:the |that )(?P<which>[\w-]+) ones? (?:is|are|looks?) (?:so |too |really |"
    r"very |just )?(?:ugly|hideous|awful|terrible|horrible|bad|wrong|boring|tacky)$|"
    # "Black is wrong".
    r"^(?:but |and |the )*(?P<this>[\w-]+) is (?:all )?wrong$|"
    # Meant the other way round.
    r"^(?:(?:yeah|yes|oh|sure|great|right|ok)[ ,]+)*(?:be)?cause i (?:totally|definitely|clearly) "
    r"(?:asked for|wanted|said) (?:an? |the )?(?P<mocked>[\w -]{2,40})$"
)
_NOBODY: Final = re.compile(
    rf"^(?:(?:and|but|with) )*(?:nobody|no one|(?:none|neither) of (?:them|these|those)|no people)"
    rf"(?: {_SEEN})*(?:{_DOING}|(?: is| are)? (?:in|on|at|near|inside|behind) (?:the|a|it|them)\b"
    r"[\w ]{0,40})$"
)
# "Students, none of whom is using a laptop".
_NONE_DOING: Final = re.compile(
    r"^(?:and |but )?none of (?:them|whom|which|these|those|the [\w-]+)(?: (?:is|are|has|have))* "
    r"(?P<doing>[\w' -]+)$"
)
_WITH_NOBODY: Final = re.compile(
    r"^(?P<before>.*?\w),? (?:and |but |when |where |while )?(?:with )?(?:nobody|no one)(?: else)?"
    rf"(?: (?:is |are )?(?:in|on|at|around|there|near)\b.*|{_DOING})?$"
)
# Whoever asks why wants no answer: "why is it always cats?" is a complaint about cats.
_WHY: Final = re.compile(
    r"^(?:(?:and|but|so|oh|ok|no|ugh)[ ,]+)*why(?! not\b| don'?t (?:we|you|i)\b)\b"
    r"(?: (?:is|are|do|does|did|has|have|am|was|were)(?P<not>n'?t)?)? ?"
)
_WHY_WHAT: Final = re.compile(
    r"^(?:(?:it|they|there|these|those|this|that|i|you|all|them|of|keep|keeps|always|only|just|"
    r"still|so|many|much|even|an?|the|get|got|getting|see|seeing|show|showing|giving|give|me|have|"
    r"having|has) )*(?P<what>[\w'-]+(?: [\w'-]+)?)$"
)
# "None of these have a cat", "i don't see a cat": the cat is what is looked for.
_LACKING: Final = re.compile(
    r"^(?:(?:but|and|no|ugh|ok|hm+)[ ,]+)*(?:(?:none|not one|half|most|many|some|few) of (?:these|"
    r"those)(?: (?:results|pictures|photos|images|ones))? (?:(?:really |actually )?(?:has|have|had|"
    r"show|shows|is|are|do|does|contain)(?:n'?t| not)? ?)+|(?:the )?(?:first|second|third|"
    r"last) one "
    r"(?:has no|(?:does|has)(?:n'?t| not)(?: have| got| show)?) |"
    r"i (?:do not|don'?t|can'?t|cannot|can not) (?:even )?(?:see|find|spot) |"
    r"(?:there'?s|there is|there are) (?:no |not )|where(?:'s| is| are) )"
    r"(?P<what>(?:(?:an?|the|my|any) )?[\w' -]{2,60}?)"
    r"(?P<here> (?:in|on|among) (?:these|those|any of (?:these|those|them)|the results))?$"
)
_LACKING_HERE: Final = re.compile(r"\b(?:these|those|i|where(?:'s| is| are)|one)\b")
_MISTAKEN: Final = re.compile(
    r"^(?:(?:but|and|no|oh|ok|okay|great|wow)[ ,]+)*(?:that's|this is|these are|those are|they're|"
    r"it's(?: showing(?: me)?)?|you(?:'re| are)? (?:gave|showed|showing|"
    r"giving)(?: me)?) (?:all |just |"
    r"only |an? |some )*(?P<what>(?!what\b|not\b)[\w-]+(?: [\w-]+)?),? (?:but )?"
    r"i (?:said|asked for|wanted|meant|need|want) (?P<wanted>.+)$"
)
# "No, that's a donkey", of what is shown.
_IS_ANOTHER: Final = re.compile(
    r"^(?:(?:but|and|oh|ugh|hm+)[ ,]+)*(?:no|nope|nah)[ ,]+(?:that's|that is|this is) (?:just |"
    r"only |clearly )*an? (?P<what>[\w-]+(?: [\w-]+)?)$"
)
_DONE_TO: Final = re.compile(r"^(?:is|are|has|have|been|being) ")


def fault_in(clause: str) -> str | None:
    """What a clause says is wrong, and nothing else; None where it says something else.

    Args:
        clause: In plain lower case.

    Returns:
        "people", of "why are there people"; empty where it names nothing.
    """
    patterns = (_TOO, _COMPLAINT, _HAS_TO_GO, _IS_ANOTHER)
    told = next(filter(None, (pattern.match(clause) for pattern in patterns)), None)
    if told:
        return next(what for what in reversed(told.groups()) if what)
    nobody = _NOBODY.match(clause)
    if nobody and (nobody["doing"] or not clause.startswith("no people")):
        return nobody["doing"] or "people"
    none = _NONE_DOING.match(clause)
    if none:
        return _DONE_TO.sub("", none["doing"])
    why = _WHY.match(clause)
    if why and not why["not"]:
        what = _WHY_WHAT.match(clause[why.end() :])
        return what["what"] if what else ""
    return None


def before_nobody(clause: str) -> tuple[str, str] | None:
    """What a clause wants before "and nobody in it", and what nobody does; None for others."""
    empty = _WITH_NOBODY.match(clause)
    return (empty["before"], empty["doing"] or "people") if empty else None


def lacking(clause: str) -> str | None:
    """What a clause says that the results do not show, and so is looked for; else None."""
    found = _LACKING.match(clause)
    if found is None:
        return None
    of_results = found["here"] or _LACKING_HERE.search(clause[: found.start("what")])
    return re.sub(r"^(?:any|the|my) ", "", found["what"]) if of_results else None


def mistaken(clause: str) -> tuple[str, str] | None:
    """What was shown and what was asked for: "that's a pony, i wanted a donkey"."""
    found = _MISTAKEN.match(clause)
    return (found["what"], found["wanted"]) if found else None


def has_to_go(clause: str) -> bool:
    """Whether a clause says of a thing that it is too much, or has to go."""
    return bool(_TOO.match(clause) or _HAS_TO_GO.match(clause))
