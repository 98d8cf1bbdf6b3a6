"""One thing rather than another, in whatever order people say it, as "this, not that"."""

from __future__ import annotations

import re
from typing import Final

from dar_retriever.reformulation.english.lexicon import OWNERS

_PHRASE: Final = r"(?:an? |the )?[\w-]+(?: [\w-]+){0,2}?"
_INSTEAD_FIRST: Final = re.compile(
    r"^(?:instead of|rather than|in place of) (?P<old>[\w -]{1,80}?)(?:, | (?=(?:use|try|have|show|"
    r"put|give|make|take|add|i|it|they|he|she|there)\b))(?:(?:use|try|have|show(?: me)?|put|take|"
    r"add) )?(?P<new>[^,]+)$"
)
_INSTEAD_OF: Final = re.compile(r",? (?:instead of|rather than|in place of) (?:the )?")
_PREFERRED: Final = re.compile(
    rf"^(?:i(?:'d| would)? )?(?:rather )?prefer (?P<new>{_PHRASE}) (?:to|over) (?P<old>{_PHRASE})$"
)
_IS_NOT: Final = re.compile(
    rf"^(?:(?:but|and|no|oh|sorry|actually|oops|wait|well)[ ,]+)*"
    rf"(?P<who>{OWNERS} [\w-]+|it|he|she|they|that|this)"
    rf"(?:(?: is| are| was| were)(?:n'?t| not)|(?:'s|'re) not) (?P<old>{_PHRASE}),? "
    r"(?:but|(?:it|he|she|they|that)(?: is| are| was| were|'s|'re)(?! not\b)) (?P<new>[^,]{1,80})$"
)
# "The sails are red not white".
_IS_THIS_NOT: Final = re.compile(
    rf"^(?P<so>(?:{OWNERS} [\w-]+|it|he|she|they) (?:is|are|was|were|"
    r"(?:should|must|has to|have to) be) (?!(?:really|definitely|just|certainly|still|"
    rf"also|clearly|actually|probably|maybe|often|usually|not)\b){_PHRASE}) not (?P<old>{_PHRASE})$"
)
_PRONOUN: Final = re.compile(r"^(?:it|he|she|they|that|this)$")
_OBJECT: Final = re.compile(r" (?:it|them)$")
_DOING: Final = re.compile(r"^[a-z]+ing\b")


def contrasted(text: str) -> str:
    """A sentence with what is wanted first.

    Args:
        text: Such as "instead of a zip, buttons", "the tent isn't green, it's orange".

    Returns:
        "buttons, not a zip", "the tent is orange, not green"; other sentences as they are.
    """
    text = _INSTEAD_FIRST.sub(r"\g<new>, not \g<old>", text)
    text = _IS_THIS_NOT.sub(r"\g<so>, not \g<old>", text)
    text = _PREFERRED.sub(r"\g<new>, not \g<old>", text)
    return _IS_NOT.sub(_turned, _INSTEAD_OF.sub(", not ", text))


def _turned(found: re.Match[str]) -> str:
    new, old, who = found["new"], found["old"], found["who"]
    of_it = _OBJECT.search(new) and _OBJECT.search(old)
    if of_it:
        new, old = _OBJECT.sub("", new), _OBJECT.sub("", old)
    elif _DOING.match(new) or _DOING.match(old):
        # "She isn't reading, she's painting" does not say that she paints a book.
        return found[0]
    if _PRONOUN.match(who):
        return f"{new}, not {old}"
    return f"{who} is {new}, not {old}"
