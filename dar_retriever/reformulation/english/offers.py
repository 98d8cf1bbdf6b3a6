"""Offers of an assistant: "should I look for a darker shade?", "do you mind if it has a logo?"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from dar_retriever.reformulation.english.lexicon import ANY_DETERMINER

_OFFER: Final = re.compile(
    r"(?:^|[,;:] )(?:(?:ok|okay|so|also|and|then)[, ]+)*(?:(?:should|shall|can|could|may) i|"
    r"(?:do|would) you (?:want|like|prefer|need) me to|(?:would|do) you (?:like|want) to|shall we|"
    r"should we|how about i|want me to|would it help to) (?:also |just |now |instead |try to |try |"
    r"maybe |go ahead and )*(?P<verb>[a-z]+(?: (?:for|with|to|by|out|on|down|you|it|them))*) ?"
    r"(?P<what>.*)$"
)
_LEAVE: Final = re.compile(
    r"^(?:(?:do|would) you mind|is it (?:a problem|bad|an issue)|would it (?:bother you|matter|"
    r"be a problem)) (?:if|when|that) (?P<what>.+)$"
)
_REMOVING: Final = re.compile(
    r"^(?:remove|exclude|leave out|filter out|hide|skip|avoid|drop|take out|get rid of)"
)
_VAGUE: Final = re.compile(
    r"^(?:see |look at |have )?(?:(?:some|any|a few|the|your|all|\d+) )*(?:more|other|others|"
    r"different|another|similar|results?|options?|pictures?|images?|photos?|search|ones?|refine|"
    r"try again|continue|something else|examples?|these|those|them|it|that|this)\b"
)
_KEEPING: Final = re.compile(r"^(?:keep|stay|stick)\b")
_HAVING: Final = re.compile(
    r"^(?:(?:it|they|this|that|there|he|she|the [\w-]+)(?:'s|'re)? )?(?:(?:has|have|is|are|had|"
    r"comes?|includes?|shows?|got|there) )*(?:with )?"
)
_SHADE: Final = re.compile(r"(?<=er) (?:shade|tone|version|one|ones|style|option)$")
_LEADING: Final = re.compile(rf"^(?:(?:{ANY_DETERMINER}|all) )+")


@dataclass(frozen=True, slots=True)
class Offer:
    """What an assistant offers.

    Attributes:
        what: The thing it is about.
        removes: Whether the thing would be left out.
        is_vague: Whether it names nothing that a picture shows: "other colours".
        asks_leave: Whether a yes means that the user does mind.
    """

    what: str
    removes: bool = False
    is_vague: bool = False
    asks_leave: bool = False


@lru_cache(maxsize=1024)
def offered(question: str) -> Offer | None:
    """The offer that a question makes; None where it asks about the picture itself."""
    text = question.rstrip("? ")
    leave = _LEAVE.match(text)
    if leave:
        return Offer(_bare(_HAVING.sub("", leave["what"])), asks_leave=True)
    found = _OFFER.search(text)
    if found is None or " or " in text:
        return None
    verb, what = found["verb"], found["what"].strip()
    if _KEEPING.match(verb):
        return None
    is_vague = not what or bool(_VAGUE.match(what))
    return Offer(_bare(what), removes=bool(_REMOVING.match(verb)), is_vague=is_vague)


def _bare(text: str) -> str:
    return _SHADE.sub("", _LEADING.sub("", text))
