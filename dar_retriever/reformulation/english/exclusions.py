"""What a user does not want to see: "without people", "anything but red", "too dark"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dar_retriever.reformulation.english.lexicon import (
    ANY_DETERMINER,
    COLOURS,
    OPENERS,
    PLACES,
)

NO: Final = "no "

_ASIDE: Final = r"(?:(?:please|and|but|also|oh|yes|then|now|just|preferably|ideally) )*"
_END_WORDS: Final = (
    r"(?:[ ,]*\b(?:(?:in|on) (?:it|them|there|the (?:picture|photo|image|shot|frame|background|"
    r"foreground|scene))|there|please|either|at all|though|thanks|thank you|to be seen|"
    r"(?:any)?where|around|whatsoever|anymore|any more))*"
)
_WHAT: Final = r"(?P<what>[\w', &/-]+?)"
_NOT: Final = r"(?:n'?t| not)"
_VERBS: Final = "|".join(sorted(OPENERS))

# "Except the ones with a hood" is about the hood.
_THE_ONES: Final = re.compile(
    r"\b(?P<no>except(?: for)?|without|not|minus) (?:the |any )?ones? "
    r"(?:with|wearing|that (?:have|has|had)) (?:an? |the )?"
)
# The one clause says nothing else.
_WHOLE: Final = tuple(
    re.compile(rf"^{_ASIDE}{opening}{_WHAT}{_END_WORDS}$")
    for opening in (
        (
            r"(?:(?:it|they|he|she|there|i|you|can|could|should|want|need|would like|'d like|"
            r"to have|"
            r"have|has) )*(?:without(?: any)?|with no|with out|no more|not any|minus(?! \d)|"
            r"(?:fewer|less)(?! than\b)|"
            r"(?<=want )no|(?<=need )no|not a single|nothing(?! (?:but|else|more|special|"
            r"much|fancy|"
            r"in|on|at|"
            r"under|that|to|like)\b)|zero(?= [a-z]+s\b)|enough(?= [a-z]+s\b)) "
        ),
        (
            r"(?:i |we |it |they |there |he |she |you )*(?:(?:don'?t|do not) (?:want|"
            r"like) (?:it|them|"
            r"this|that) to (?:be|have)|(?:don'?t|do not|didn'?t|did not|never|wouldn'?t|"
            r"would not) "
            r"(?:want|wanted|need|like|show|include|have|ask for|use|put|add)(?: me)?(?: to (?:see|"
            r"have|be))?|(?:should|must|may|can|could|would)(?: not|n'?t|not) (?:be|have|"
            r"show|include|"
            r"contain|wear)|(?:should|must|can|may) (?:be|have) no|(?:does|do|has|have|"
            r"had|is|are|was|"
            r"were|did)(?:n'?t| not) (?:have|contain|include|show|wearing|holding|got)) "
            r"(?!(?:it|them|this|that|these|those|mind|care|know|matter|think)$)"
        ),
        (
            r"(?:i |we )?(?:really |just |absolutely )?(?:hate|dislike|can'?t stand|despise|detest|"
            r"am not (?:into|a fan of)|'m not (?:into|a fan of)|not (?:into|a fan of)|"
            r"(?:do not|don'?t) care for|am sick of|'m sick of|am tired of|'m tired of) "
            r"(?!(?:it|them|this|that|these|those|how|when|to)\b)"
        ),
        r"(?:i'?d |i would )?(?:rather|prefer) (?:not|no)(?: to)?(?: have| see)? ",
        (
            r"(?:stop showing(?: me)?|hold|no sign of|free of|nothing with|none (?:with|of)|"
            r"(?:not again|enough|stop) with) (?!(?:it|them|this|that|these|those|the (?:first|"
            r"second))\b)"
        ),
    )
)
_REMOVE: Final = re.compile(
    rf"^{_ASIDE}(?:you |can |could |let's |i'd |i would )*(?:(?:remove|get rid of|leave (?:out|"
    r"off)|exclude|take (?:away|out|off)|leave(?= .* (?:out|off)$)|take(?= .* (?:away|out|"
    r"off)$))|(?:delete|drop|lose|skip|omit|avoid|hide|ditch|erase|cut|crop|scrap|forget(?: "
    rf"about)?)(?: out)?(?= (?:{ANY_DETERMINER}|all|people|anything|everything)\b(?! is\b))) "
    rf"{_WHAT}(?: away| out| off)*{_END_WORDS}$"
)
_HAS_TO_GO: Final = re.compile(
    rf"^{_ASIDE}(?:i don'?t mind [\w' ]{{1,60}} but )?(?:the |that |those |these |all )+"
    r"(?P<what>[\w -]{1,60}?) (?:(?:has|have|needs?|ought) to (?:go|be removed|disappear)|"
    r"(?:must|should|can) (?:go|be removed|disappear)|(?:is|are)(?:n'?t| not) (?:needed|"
    r"wanted|necessary))$"
)
_NOTHING_OF: Final = re.compile(
    rf"^{_ASIDE}(?:no|zero(?= [a-z]+s\b)) (?!(?:it|they|i|make|the|that|this|he|she|there|wait|"
    r"not|only|just|longer|idea|clue|preference|but|problem|need|worries|matter|one|thanks|no|"
    rf"sorry|actually|with|without|in|on|at)\b){_WHAT}{_END_WORDS}$"
)
_TOO: Final = re.compile(
    r"^(?:and |but )?(?:(?:it|this|that|these|those|they|all|there|the [\w-]+)(?:'s|'re| is| are|"
    r" look| looks)? )?(?:a bit |a little |all |much |way |far |just |still |not )*too "
    r"(?:(?:many|much) )?(?P<what>(?!many|much|few|little|bad\b|to\b|"
    r"for\b)[\w-]+(?: (?!to\b)[\w-]+)?)(?: for me| now|"
    r" here)?$"
)
# These are all cats, I asked for a lynx.
_COMPLAINT: Final = re.compile(
    r"^(?:but )?(?:these|those|they|all of (?:these|them))(?:'re| are)? (?:all|just|only|mostly) "
    r"(?P<what>[\w -]{2,40})$|^(?:(?:oh|great|wow|ok|okay|and|yet)[ ,]+)*(?:yet )?another (?P<how>"
    r"blurry|dark|grainy|fuzzy|pixelated|noisy|bright|boring|ugly|black and white) "
    r"(?:one|picture|photo|image)$|"
    # Meant the other way round.
    r"^(?:(?:yeah|yes|oh|sure|great|right|ok)[ ,]+)*(?:be)?cause i (?:totally|definitely|clearly) "
    r"(?:asked for|wanted|said) (?:an? |the )?(?P<mocked>[\w -]{2,40})$"
)

# Within a clause: what stands before it is wanted.
_EXCEPT: Final = (
    r"(?:(?:with |in |of )?(?:any|every|all)(?:thing|one|body|where| other)?"
    r"(?: (?:colou?r|kind|type|sort|style|shade|size|material|one)s?)?"
    r"(?: (?:is |are |would be )?(?:fine|ok|okay|good))?,? (?:but(?: not)?|except(?: for)?)|"
    r"(?:(?:with |in )?(?:any|every|some)(?:thing|one|body)? )?(?:any )?(?:colou?r )?"
    r"(?:except(?: for)?|(?:other|else) than|else but|apart from|aside from|excluding|excepting|"
    r"save for|besides))"
)
_WITHIN: Final = re.compile(
    rf"(?:^|(?<=[\s,]))(?:{_EXCEPT}(?: for)?|(?:but |and )?neither|"
    r"(?:that|which|who)'s not(?: (?:a|an|too|very|so)\b)*|"
    r"(?:that|which|who|and|but) (?:(?:is|are|was|were|does|do|did|has|have|should|must|can)"
    r"(?:n'?t| not))(?: (?:have|got|show|wear|include|be|too|very|so)\b)*|"
    r"(?:that |which |who )?(?:has|have|having) no|"
    r"(?:(?:and|but) )?not(?= \w+ing\b)|(?:but|and),? (?:please )?(?:not|no)|"
    r"(?:but |and )?(?:without|with no|with none of|minus(?! \d)|lacking)|"
    r"(?:but |and )?with (?:fewer|less)(?! than\b)) (?!(?:only|just|but|longer)\b)"
)
_NOBODY: Final = re.compile(
    r"^(?:(?:and|but|with) )*(?:nobody|no one|none of them|no people)(?: (?:is|are|in it|there))*"
    r"(?: (?P<doing>[a-z]+ing\b.*))?$"
)
_WITH_NOBODY: Final = re.compile(
    r"^(?P<before>.*?\w),? (?:and |but )?(?:with )?(?:nobody|no one)(?: else)?"
    r"(?: (?:is |are )?(?:in|on|at|around|there|near)\b.*)?$"
)
_ANY: Final = (
    rf"(?:{ANY_DETERMINER}|all|of|more|to be|too|very|(?:any|some)(?:thing|one|body) (?:with|in|"
    r"that (?:is|has)|which (?:is|has))|anything|so|(?:that|this) (?:much|many))"
)
_DETERMINED: Final = re.compile(rf"^(?:{_ANY} )+")
_JOINT: Final = re.compile(r"\s*(,? (?:and|or|nor|&) |, )")
# What is said after what is not wanted: "without windows, with a red door".
_GOES_ON: Final = re.compile(
    rf" (?=(?:with|but|just|only|please|{'|'.join(sorted(PLACES | OPENERS))}|next to|in front of)"
    r"\b)"
)
_NEXT_TOPIC: Final = re.compile(
    rf"^(?:with|make|add|put|give|just|only|but|instead|maybe|{'|'.join(sorted(PLACES | OPENERS))}"
    r"|i|it|it's|he|she|they|there|more)\b"
)
_DOING: Final = re.compile(r"^(?:wearing|holding|carrying|having|showing|using|with) (?=\w)")
_ARTICLES: Final = frozenset({"the", "a", "an", "any", "his", "her", "their", "its"})
_AGAIN: Final = re.compile(r"^(?:and |but |or )*(?:no|not|nor|without|with no|neither) ")
_ONES: Final = re.compile(r"(?<=\w) (?:ones?|obviously|for (?:me|now)|looking)$")
_BEFORE: Final = re.compile(
    r"(?:^|[\s,]+)(?:that|which|who|and|but|with|in|is|are|(?:in|with|of)? ?(?:any|every)"
    r"(?:thing|one)?(?: colou?r)?)$"
)
_INTRANSITIVE: Final = re.compile(r"^[a-z]+ing (?:at|to|on|in|into|down|up|for)\b")
_BACKDROP: Final = re.compile(
    r"^(?:in|on|at) (?:it|them|the (?:picture|photo|image|shot|frame|scene|background|foreground|"
    r"back|front|sides?|left|right))\b *"
)


_MISTAKEN: Final = re.compile(
    r"^(?:(?:but|and|no|oh|ok|okay|great|wow)[ ,]+)*(?:that's|this is|these are|those are|they're|"
    r"it's(?: showing(?: me)?)?|you(?:'re| are)? (?:gave|showed|showing|"
    r"giving)(?: me)?) (?:all |just |"
    r"only |an? |some )*(?P<what>(?!what\b|not\b)[\w-]+(?: [\w-]+)?),? (?:but )?"
    r"i (?:said|asked for|wanted|meant|need|want) (?P<wanted>.+)$"
)


def parted(clause: str) -> Iterator[str]:  # noqa: PLR0911 (one way of saying no after another)
    """A clause as what it wants, as it is, and what it does not want, one "no ..." each.

    What is not wanted ends with its clause. A list of it goes on with "or" and "nor", and with
    "and" and commas where its parts are alike.

    Args:
        clause: In plain lower case.
    """
    clause = _THE_ONES.sub(r"\g<no> ", clause)
    mistaken = _MISTAKEN.match(clause)
    if mistaken:
        yield NO + mistaken["what"]
        yield mistaken["wanted"]
        return
    head, _, tail = clause.partition(", ")
    if tail and any(told.match(head) for told in (_TOO, _COMPLAINT, _HAS_TO_GO, _NOBODY)):
        yield from parted(head)
        yield from parted(tail)
        return
    told = _TOO.match(clause) or _COMPLAINT.match(clause) or _HAS_TO_GO.match(clause)
    if told:
        yield NO + next(what for what in reversed(told.groups()) if what)
        return
    nobody = _NOBODY.match(clause)
    if nobody and (nobody["doing"] or not clause.startswith("no people")):
        yield NO + (nobody["doing"] or "people")
        return
    empty = _WITH_NOBODY.match(clause)
    if empty:
        yield from parted(empty["before"])
        yield NO + "people"
        return
    wanted = next(filter(None, (pattern.match(clause) for pattern in _WHOLE)), None)
    found = wanted or _REMOVE.match(clause) or _NOTHING_OF.match(clause)
    if found is not None and found["what"].strip(" ,"):
        yield from _ruled_out(found["what"], goes_on=wanted is not None)
        return
    within = _WITHIN.search(clause)
    if within is None or not clause[within.end() :].strip(" ,"):
        yield clause
        return
    before = _BEFORE.sub("", clause[: within.start()].strip(" ,"))
    if before:
        yield before
    yield from _ruled_out(clause[within.end() :], goes_on=True)


def _ruled_out(text: str, *, goes_on: bool) -> Iterator[str]:
    """The things of a list that is not wanted, then what is said after them."""
    parts = _JOINT.split(text)
    items, joints = parts[::2], ["", *parts[1::2]]
    lists = [n for n, joint in enumerate(joints) if joint.strip(" ,") in ("or", "nor")]
    both = any(joint.strip(" ,") == "and" for joint in joints)
    for number, (joint, raw) in enumerate(zip(joints, items, strict=True)):
        item = _AGAIN.sub("", raw.strip(" ,"))
        again = item != raw.strip(" ,")
        if (
            number
            and not again
            and (
                _NEXT_TOPIC.match(item)
                or not (
                    _continues(
                        joint.strip(" ,"),
                        items[0],
                        item,
                        listed=number <= max(lists, default=0),
                        both=both,
                    )
                )
            )
        ):
            yield from parted(", ".join(part.strip(" ,") for part in items[number:]))
            return
        # What is to be removed is told by where it is; what is missing is not.
        item = _DETERMINED.sub("", _ONES.sub("", item))
        first, *rest = _GOES_ON.split(_DOING.sub("", item), maxsplit=1)
        if _INTRANSITIVE.match(item):
            first, rest = item, []
        what = _DETERMINED.sub("", first).strip(" ,")
        if what:
            yield NO + what
        after = _BACKDROP.sub("", rest[0]).strip(" ,") if rest and goes_on else ""
        if after:
            yield from parted(", ".join([after, *(i.strip(" ,") for i in items[number + 1 :])]))
            return


def _continues(joint: str, first: str, item: str, *, listed: bool, both: bool) -> bool:
    """Whether an item of a list is not wanted either."""
    if joint in ("or", "nor") or (listed and not joint):
        return True
    if not item or not (joint or both):
        return False
    articles = {words.split(maxsplit=1)[0] for words in (first, item)} & _ARTICLES
    if articles:
        alike = first.partition(" ")[0] == item.partition(" ")[0]
        return articles <= {"the"} or (len(articles) == 1 and alike)
    return len(item.split()) == 1 and item not in COLOURS and not item.endswith("ing")


def is_ruling_out(clause: str) -> bool:
    """Whether a clause says nothing but what is not wanted, and not by a bare "no ..."."""
    if any(pattern.match(clause) for pattern in (*_WHOLE, _REMOVE, _TOO, _HAS_TO_GO)):
        return True
    within = _WITHIN.match(clause)
    return within is not None and bool(clause[within.end() :].strip(" ,"))
