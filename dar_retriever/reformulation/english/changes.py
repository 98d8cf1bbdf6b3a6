"""What is to change about a reference image: "like this, but in blue"."""

from __future__ import annotations

import re
from typing import Final

from dar_retriever.reformulation.english.lexicon import COLOURS

_OPENING: Final = re.compile(
    r"^(?:(?:(?:(?:exactly |just |something |one )*(?:like|as) (?:this|that|these|those|it)|"
    r"the same(?: thing| [\w-]+(?= but\b))?|similar)(?: ones?)?)\b[\s,]*)?(?:but\b[\s,]*)?",
    re.IGNORECASE,
)
# Where a clause ends: before what opens another, and after what is not wanted any more.
_NEXT: Final = re.compile(
    r"\s*(?:[,;.]|,? and|,? but)\s+"
    r"(?=(?:and |but )?(?:with|without|on|in|make|change|no)\b)|\s*;\s*",
    re.IGNORECASE,
)
_AFTER_NOT: Final = re.compile(
    r"\b((?:not|instead of|rather than) (?:(?:an?|the) )?[\w-]+(?: [\w-]+)?) and ", re.IGNORECASE
)


def changes_in(words: str) -> list[str]:
    """What is to change, one clause each: "like this, but in blue and with dots"."""
    rest = _AFTER_NOT.sub(r"\1; ", _OPENING.sub("", " ".join(words.split())))
    clauses = [clause for part in _NEXT.split(rest) if (clause := part.strip(" ,.;"))]
    return [one for clause in clauses for one in _parted(clause)]


def _parted(clause: str) -> list[str]:
    """A clause without the last word where that changes something else: "in blue and plain"."""
    before, joined, last = clause.rpartition(" and ")
    both = {before.split()[-1].lower(), last.lower()} if before.split() else set()
    alone = joined and len(last.split()) == 1 and not both <= COLOURS
    return [before.rstrip(" ,.;"), last] if both and alone else [clause]
