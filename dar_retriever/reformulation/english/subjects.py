"""Where a user leaves a subject: "start over", "now show me a boat"."""

from __future__ import annotations

import re
from typing import Final

_POLITE: Final = (
    r"(?:(?:ok|okay|great|cool|thanks|thank you|perfect|good|alright|fine|no|hm+|well|actually|"
    r"wait|please|sorry|and|so|let'?s|can we|can you|could you|i'?d like to|i want to|that'?s it|"
    r"i would like to|i need to)\b[\s,.!]*)*"
)
_SEEK: Final = (
    r"(?:(?:find|show|get|give) me|find|show|search for|look for|try|i'?m looking for|"
    r"i am looking for)"
)
_UTTERLY: Final = r"(?:completely|totally|entirely|altogether)"
_END: Final = r"(?=\s*(?:[,.:;!?-]|$)| (?:please|then|and|with|without|now|show|find|i'?m|i)\b)"
_START_OVER: Final = re.compile(
    rf"^{_POLITE}(?:(?:re-?start|start (?:over|again|anew|afresh|from scratch)|"
    r"begin (?:again|anew)|from scratch|(?:do |start )?a new (?:search|topic|subject)|"
    r"new (?:search|topic|subject)|reset(?: (?:it|all|everything|that|the search))?|"
    r"(?:forget|scrap) (?:it|that|this|everything|about (?:it|that|this)|all (?:of )?(?:it|that|"
    rf"this)|what i said)(?: all)?|change of (?:plans?|subject|topic)|a {_UTTERLY} different one|"
    rf"(?:(?:now )?(?:{_SEEK}|i (?:want|need|'?d like)) )?(?:something|another (?:picture|image|"
    rf"photo)) {_UTTERLY} (?:different|else)|a (?:{_UTTERLY} )?different (?:subject|topic|search)|"
    rf"(?:now )?{_SEEK} something (?:else|different)(?! with)){_END})"
    r"(?: (?:please|then|and|with|now)\b)*[\s,.:;!-]*"
)
_PLAINLY: Final = re.compile(r"\b(?:re-?start|start|begin|reset|scratch|new)\b")
# A noun phrase that names a new thing, not "a red one" of what was spoken about.
_THING: Final = (
    r"(?=(?:an?|two|three|photos?|pictures?|images?) "
    r"(?!(?:[\w-]+ ){0,4}?(?:one|ones|these|those|it|them|that|this|the same)\b))"
)
_ANOTHER: Final = re.compile(
    rf"^{_POLITE}(?:(?:now|instead)\b[\s,]*{_POLITE}{_SEEK} |next[:,]? (?:{_SEEK} )?|"
    rf"never ?mind\b[\s,.!:;-]*{_POLITE}(?:{_SEEK}|i (?:want|need)|i'?d like) ){_THING}"
)


def starts_over(sentence: str) -> bool:
    """Whether a sentence leaves the old subject even as an answer; "forget it" may not."""
    return begun_anew(sentence) is not None and _PLAINLY.search(sentence) is not None


def begun_anew(sentence: str) -> str | None:
    """What is said of a new subject; None where the sentence goes on with the old one.

    Args:
        sentence: In plain lower case.

    Returns:
        The sentence without the words that leave the old subject; may be empty.
    """
    rest, anew = sentence, False
    for pattern in (_START_OVER, _ANOTHER):
        found = pattern.match(rest)
        if found:
            rest, anew = rest[found.end() :], True
    return rest if anew else None
