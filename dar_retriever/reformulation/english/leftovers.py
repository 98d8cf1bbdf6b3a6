"""Negations that no other rule has read: what follows one is not wanted, whatever else it means."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from dar_retriever.reformulation.english.statement import Statement

_NEGATION: Final = re.compile(
    r"(?:^|(?<=[\s,]))(?:and |but )?"
    r"(?:(?:i |we |you |it |they |there |he |she )?(?:can|could|do|does|did|should|must|would|is|"
    r"are|was|were|has|have|had|need|want|will)(?:n'?t| not)|can(?:no|')?t|won'?t|not|never|"
    r"without|except(?: for)?|instead of|rather than|nothing like)"
    r"(?! (?:only|just|sure|necessarily|quite|so|too|very|wait)\b)"
    # What joins the negation to the thing: "not the ones with a hood".
    r"(?: (?:be|been|have|has|had|got|to|want|show|include|like|the|a|an|any|ones?|with|in|on|of|"
    r"that|which|it|one))*"
    r" (?P<what>[^,;.]+)"
)
# Words in a picture are quoted, not meant.
_QUOTED: Final = re.compile(
    r"\b(?:says?|saying|reads?|reading|called|titled|written|words?|text|signs?|slogan|letters?|"
    r"labell?ed|caption(?:ed)?|or not|if not|why not)\b"
)
_ANSWERED_NO: Final = re.compile(r"^(?P<what>(?:[\w'-]+ ){1,4})no$")
_ANSWERED_YES: Final = re.compile(r"^(?P<what>[\w' -]+) (?:yes|yeah|yep)$")
_END: Final = re.compile(
    r"[\s,]*(?:\b(?:and|but|please|in it|though|at all|either|if|when|because|only|just|they're|"
    r"it's|they|it)[\s,]*)*$"
)
_WHO_ALONE: Final = re.compile(
    r"^(?:and |but )?(?:i|we|you|it|he|she|they|that|this|there)(?:'s|'re|'m| (?:is|are|was|were|"
    r"has|"
    r"have|will|would))?(?: (?:really|just|also|still|definitely|certainly|absolutely|actually))*$|"
    r"^(?:really|definitely|certainly|absolutely|actually|also|just|still|obviously)$"
)


def without_negations(statement: Statement) -> Statement:
    """A statement whose text says what is so alone; what it denied is excluded."""
    kept, excluded = [], [statement.excluded] if statement.excluded else []
    for clause in statement.text.split(", "):
        so, not_so = _parted(clause)
        kept += [so] if so else []
        excluded += [not_so] if not_so else []
    text = ", ".join(kept)
    if text == statement.text:
        return statement
    return replace(statement, text=text, excluded=", ".join(excluded))


def _parted(clause: str) -> tuple[str, str]:
    """What a clause says is so, and what it says is not."""
    if _QUOTED.search(clause):
        return clause, ""
    denied = _ANSWERED_NO.match(clause)
    if denied:
        return "", denied["what"].strip()
    affirmed = _ANSWERED_YES.match(clause)
    if affirmed:
        return affirmed["what"], ""
    found = _NEGATION.search(clause)
    if found is None:
        return clause, ""
    so = _WHO_ALONE.sub("", _END.sub("", clause[: found.start()]).strip())
    return so, _END.sub("", found["what"]).strip()
