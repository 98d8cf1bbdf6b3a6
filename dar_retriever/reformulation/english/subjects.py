"""Where a user leaves a subject: "start over", "now show me a boat"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from dar_retriever.reformulation.english.nouns import (
    EATEN,
    LIVING,
    THINGS,
    TOGETHER,
    are_apart,
    is_part,
    kind_of,
    singular,
)
from dar_retriever.reformulation.english.phrases import noun_phrases, tokens_of

_RULING_OUT: Final = frozenset({"no", "not", "without", "never", "too", "less", "fewer"})
_KNOWN: Final = frozenset({"the", "his", "her", "its", "their", "that", "this", "these", "those"})

_POLITE: Final = (
    r"(?:(?:ok|okay|great|cool|thanks|thank you|perfect|good|alright|fine|no|hm+|well|actually|"
    r"wait|please|sorry|and|so|let'?s|can we|can you|could you|i'?d like to|i want to|that'?s "
    r"(?:it|done|all|settled|sorted)|got it|that'll do|"
    r"i would like to|i need to)\b[\s,.!]*)*"
)
_SEEK: Final = (
    r"(?:(?:find|show|get|give) me|find|show|search for|look (?:for|at)|try|move on to|"
    r"i'?m looking for|"
    r"i am looking for|i (?:also )?(?:need|want)|do you have|have you got|can i (?:see|get))"
)
_UTTERLY: Final = r"(?:completely|totally|entirely|altogether)"
_END: Final = r"(?=\s*(?:[,.:;!?-]|$)| (?:please|then|and|with|without|now|show|find|i'?m|i)\b)"
_START_OVER: Final = re.compile(
    rf"^{_POLITE}(?:(?:re-?start|start (?:over|again|anew|afresh|from scratch)|"
    r"begin (?:again|anew)|from scratch|(?:do |start )?a new (?:search|topic|subject)|"
    r"new (?:search|topic|subject)|reset(?: (?:it|all|everything|that|the search))?|"
    r"(?:forget|scrap) (?:it|that|this|everything|about (?:it|that|this)|all (?:of )?(?:it|that|"
    rf"this)|what i said)(?: all)?|(?:forget|scrap|drop|ditch) (?:that|this|"
    rf"the) (?:whole )?(?:idea|"
    rf"search|thing|plan|one)|(?:new|different|another|other) (?:idea|question|request|one|topic|"
    rf"subject|"
    rf"thing|search)"
    rf"(?=\s*[:.,-])|something else(?=\s*[:,-])|moving on|next(?: one| up| thing| topic|"
    rf" search)?(?=\s*[:-])|"
    rf"(?:let's |can we |i want to |let me )?(?:go )?back to (?:the (?:start|beginning)|"
    rf"square one)|change of (?:plans?|subject|topic)|a {_UTTERLY} different one|"
    rf"(?:(?:now )?(?:{_SEEK}|i (?:want|need|'?d like)) )?(?:something|another (?:picture|image|"
    rf"photo)) {_UTTERLY} (?:different|else)|a (?:{_UTTERLY} )?different (?:subject|topic|search)|"
    rf"(?:now )?{_SEEK} something (?:else|different)(?! with)){_END})"
    r"(?: (?:please|then|and|with|now)\b)*[\s,.:;!-]*"
)
_PLAINLY: Final = re.compile(r"\b(?:re-?start|start|begin|reset|scratch|new)\b")
# A noun phrase that names a new thing, not "a red one" of what was spoken about.
_EXCEPT: Final = re.compile(
    rf"^{_POLITE}(?:forget|scrap|drop|remove|ignore) (?:about )?(?:everything|all(?: of (?:it|"
    rf"that))?|"
    r"it all)(?: else)?,? (?:except|but|apart from|other than)(?: for)? (?P<rest>.+)$"
)
# "Never mind the barn, I'd rather see a windmill".
_IN_PLACE: Final = re.compile(
    rf"^{_POLITE}(?:never ?mind|forget(?: about)?|scrap|drop|leave|skip|scratch|no more|enough "
    r"(?:of|with)) (?:the |that |those |this )?[\w-]+(?: [\w-]+)?[,;:-]? (?:and )?(?:i'?d rather "
    r"(?:see|"
    rf"have)|i(?:'d| would)? (?:like|prefer|want|need)|let'?s (?:see|do|have|try)|(?:now )?{_SEEK}|"
    r"what about|how about) "
)
_NEXT: Final = re.compile(rf"^{_POLITE}(?:next|now),? {_SEEK} (?=\w+s\b(?! (?:of the|one|same)\b))")
_REQUEST: Final = re.compile(
    rf"^{_POLITE}(?:(?:and|now|next|also|then)[ ,]+)*(?:(?:can|could|would) you (?:please )?)?"
    rf"(?:can we )?(?:{_SEEK}|what about|how about)(?: (?:some|any|me|now|next|pictures? of|"
    rf"photos? of))* "
)
_NOW: Final = re.compile(r"\b(?:now|next)\b")
_NOW_AT_LAST: Final = re.compile(r" (?:now|instead|please|then)$")
_NEVER_MIND: Final = re.compile(
    r"^(?:(?:no|nope|nah|ok|okay|ugh|well)[ ,]+)*(?:never ?mind|forget (?:it|that)|actually no|"
    r"no thanks?|scrap that)(?: that| it)?$"
)
_THING: Final = (
    r"(?=(?:an?|some|two|three|photos?|pictures?|images?) "
    r"(?!(?:[\w-]+ ){0,4}?(?:one|ones|these|those|it|them|that|this|the same)\b))"
)
_ANOTHER: Final = re.compile(
    rf"^{_POLITE}(?:(?:(?:can|could|would) you )?also (?:find|show|get)(?: me)? (?:(?=some "
    rf"(?!more\b)))?|"
    rf"(?:now|instead)\b[\s,]*{_POLITE}{_SEEK} |next[:,]? (?:{_SEEK} )?|"
    rf"now (?=an? (?!bit\b|little\b|lot\b|few\b|touch\b))|"
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
    kept = _EXCEPT.match(sentence)
    if kept:
        return kept["rest"]
    rest, anew = sentence, False
    for pattern in (_START_OVER, _IN_PLACE, _ANOTHER, _NEXT):
        found = pattern.match(rest)
        if found:
            rest, anew = rest[found.end() :], True
    return rest if anew else None


def leaves(text: str) -> bool:
    """Whether a message says that what was asked for is not wanted any more, and nothing else."""
    return _NEVER_MIND.match(text) is not None


def names_another(text: str, said: Sequence[str], *, left: bool = False) -> bool:
    """Whether a message names another thing to look for, rather than a part or a neighbour.

    A guitar is no part of a dress, and nobody looks for both in one picture; of a beach and a dog
    there is no telling.

    Args:
        text: What is said now, unasked.
        said: What was said of the subject so far, its own thing first.
        left: Whether the user has just said that the subject is done with.
    """
    request = _REQUEST.match(text)
    rest = _NOW_AT_LAST.sub("", text[request.end() :] if request else text)
    found, old = noun_phrases(rest), noun_phrases(said[0]) if said else ()
    if not found or not old or found[0].start:
        return False
    words, before = tokens_of(rest), tokens_of(said[0])
    noun, subject = words[found[0].stop - 1], before[old[0].stop - 1]
    kind, was = kind_of(noun), kind_of(subject)
    known = (
        words[0] not in _RULING_OUT
        and kind
        and was
        and not is_part(noun)
        and words[0] not in _KNOWN
    )
    named = any(singular(noun) in map(singular, tokens_of(one)) for one in said)
    corrected = "not" in words and singular(subject) in map(singular, words)
    if not known or named or corrected:
        return False
    if left:
        return are_apart(noun, subject) or kind != was
    together = any(kind in group and was in group for group in TOGETHER)
    if request and _NOW.search(request[0]):
        return kind != was
    if request:
        return are_apart(noun, subject) or (not together and kind in (THINGS | LIVING))
    return kind in THINGS and was in (THINGS | EATEN) and not together
