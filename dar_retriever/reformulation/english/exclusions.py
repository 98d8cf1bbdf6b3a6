"""What a user does not want to see: "without people", "get rid of the house", "too dark"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dar_retriever.reformulation.english.lexicon import ANY_DETERMINER, OPENERS, PLACES

NO: Final = "no "

_ASIDE: Final = r"(?:(?:please|and|but|also|oh|yes|then|now|just) )*"
_WHAT: Final = r"(?P<what>[\w', -]+?)"
_WITHOUT: Final = re.compile(
    rf"^{_ASIDE}(?:(?:it|they|he|she|there|i|you|can|could|should|want|need|would like|'d like) )*"
    r"(?:without(?: any)?|with no|with out|no more|not any|minus(?= the\b)|"
    r"(?<=want )no|(?<=need )no)\b "
    rf"{_WHAT}(?: (?:in|on) it| there| please| either| at all)*$"
)
_REMOVE: Final = re.compile(
    rf"^{_ASIDE}(?:you |can |could )*(?:(?:remove|get rid of|leave (?:out|off)|exclude|"
    r"take (?:away|out|off)|leave(?= .* (?:out|off)$)|take(?= .* (?:away|out|off)$))|"
    r"(?:delete|drop|lose|skip|omit|avoid|hide|forget(?: about)?)"
    rf"(?= (?:{ANY_DETERMINER}|all|people)\b(?! is\b)))\b "
    rf"{_WHAT}(?: (?:in|on) it| there| please| away| out| off)*$"
)
_NOT_WANTED: Final = re.compile(
    rf"^{_ASIDE}(?:i |it |they |there |he |she )*"
    r"(?:(?:don'?t|do not) (?:want|like) (?:it|them|this|that) to (?:be|have)|"
    r"(?:don'?t|do not) (?:want|need|like|show)(?: me)?(?: to (?:see|have))?|"
    r"(?:should|must|may)(?: not|n'?t) (?:be|have|show)|(?:should|must|can|may) (?:be|have) no)\b "
    rf"{_WHAT}(?: (?:in|on) it| there| please| either| at all)*$"
)
_NOTHING_OF: Final = re.compile(
    rf"^{_ASIDE}no (?!(?:it|they|i|make|the|that|this|he|she|there|wait|not|only|just|longer|"
    rf"idea|clue|preference)\b){_WHAT}(?: either| please| at all| in it)*$"
)
_TOO: Final = re.compile(
    r"^(?:and |but )?(?:(?:it|this|that|these|those|they|all)(?:'s|'re| is| are| look| looks)? )?"
    r"(?:a bit |all |much |way |far )?too (?P<what>(?!many|much|few|little)[\w-]+)$"
)
_JOINT: Final = re.compile(r"\s*,? (?:and|or|nor) |, ")
_DETERMINED: Final = re.compile(rf"^(?:(?:{ANY_DETERMINER}|all|of|more|to be) )+")
# What is said after what is not wanted: "without windows, with a red door".
_GOES_ON: Final = re.compile(
    rf" (?=(?:with|{'|'.join(sorted(PLACES | OPENERS))}|next to|in front of)\b)"
)
_NEXT_TOPIC: Final = re.compile(
    rf"^(?:with|make|add|put|{'|'.join(sorted(PLACES | OPENERS))}|i|it|he|she|they|there)\b"
)


def parted(clause: str) -> Iterator[str]:
    """A clause as what it wants, as it is, and what it does not want, one "no ..." each.

    Args:
        clause: In plain lower case.
    """
    too = _TOO.match(clause)
    if too:
        yield NO + too["what"]
        return
    wanted = next(filter(None, (p.match(clause) for p in (_WITHOUT, _NOT_WANTED))), None)
    found = wanted or _REMOVE.match(clause) or _NOTHING_OF.match(clause)
    if found is None or not found["what"].strip(" ,"):
        yield clause
        return
    items = [item.strip() for item in _JOINT.split(found["what"])]
    for number, item in enumerate(items):
        if _NEXT_TOPIC.match(item):
            yield ", ".join(items[number:])
            return
        # What is to be removed is told by where it is; what is missing is not.
        first, *rest = _GOES_ON.split(item, maxsplit=1)
        what = _DETERMINED.sub("", first)
        if what:
            yield NO + what
        if rest and wanted:
            yield ", ".join([rest[0], *items[number + 1 :]])
            return


def is_ruling_out(clause: str) -> bool:
    """Whether a clause says nothing but what is not wanted, and not by a bare "no ..."."""
    return any(pattern.match(clause) for pattern in (_WITHOUT, _REMOVE, _NOT_WANTED, _TOO))
