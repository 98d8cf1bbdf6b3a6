"""What a user does not want to see: "without people", "anything but red", "too dark"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dar_retriever.reformulation.english.complaints import (
    ASIDE,
    before_nobody,
    fault_in,
    has_to_go,
    lacking,
    mistaken,
)
from dar_retriever.reformulation.english.denials import (
    all_but,
    denied,
    simplified,
    split_at_denials,
)
from dar_retriever.reformulation.english.lexicon import (
    ANY_DETERMINER,
    OPENERS,
    PLACES,
)
from dar_retriever.reformulation.english.lists import continues

NO: Final = "no "

_END_WORDS: Final = (
    r"(?:[ ,]*\b(?:(?:in|on) (?:it|them|there|the (?:picture|photo|image|shot|frame|background|"
    r"foreground|scene))|there|please|either|at all|though|thanks|thank you|to be seen|"
    r"(?:any)?where|around|whatsoever|anymore|any more|is (?:fine|perfect|great|good|ok|okay)))*"
)
_WHAT: Final = r"(?P<what>[\w', &/-]+?)"
_NOT: Final = r"(?:n'?t| not)"
_VERBS: Final = "|".join(sorted(OPENERS))

# "I said no people" is "no people".
_FRAMED: Final = re.compile(
    r"^(?:(?:but|and|no|ok|hey|look|again|oops|oh|ah|whoops|ugh|hm+|sorry|wait|nah)[ ,]+)*"
    r"(?:i (?:already |just |really |clearly |also )*(?:said|told you|asked for|wanted|meant|mean|"
    r"think|guess|suppose|want|need)(?: that| it| something| one)?[ ,]+)?"
    r"(?=(?:no|not|without|nothing|nobody|zero|never|anything but)\b)"
)
# "Except the ones with a hood" is about the hood.
_THE_ONES: Final = re.compile(
    r"\b(?P<no>except(?: for)?|without|not|minus) (?:the |any )?ones? "
    r"(?:with|wearing|that (?:have|has|had)) (?:an? |the )?"
)
# The one clause says nothing else.
_WHOLE: Final = tuple(
    re.compile(rf"^{ASIDE}{opening}{_WHAT}{_END_WORDS}$")
    for opening in (
        (
            r"(?:(?:it|they|he|she|there|i|you|can|could|should|want|need|would like|'d like|"
            r"to have|"
            r"have|has) )*(?:without(?: any)?|with no|with out|no more|not any|minus(?! \d)|"
            r"(?:fewer|less)(?! than\b)|"
            r"hardly any|barely any|almost no|little to no|(?<=want )no|(?<=need )no|"
            r"not a single|nothing(?! (?:but|else|more|special|"
            r"much|fancy|"
            r"in|on|at|"
            r"under|that|to|like)\b)|zero(?= [a-z]+s\b)|enough(?= [a-z]+s\b)) "
        ),
        (
            r"(?:i |we |it |they |there |he |she |you )*(?:(?:don'?t|do not) (?:want|"
            r"like) (?:it|them|"
            r"this|that) to (?:be|have)|(?:don'?t|do not|didn'?t|did not|never|wouldn'?t|"
            r"would not) "
            r"(?:want|wanted|need|like|show|include|have|ask for|use|put|add|mean|say|said|"
            r"mention)(?: me)?(?: to (?:see|"
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
        # "Not that crowded", but not "not that one".
        (
            r"not (?:all that|that|as|quite so|overly|particularly) (?!(?:one|much|many|bad|good|"
            r"great|close|sure|clear|way)\b)(?=[\w-]+$)"
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
    rf"^{ASIDE}(?:you |can |could |let's |i'd |i would )*(?:(?:remove|get rid of|leave (?:out|"
    r"off)|exclude|take (?:away|out|off)|leave(?= .* (?:out|off)$)|take(?= .* (?:away|out|"
    r"off)$))|(?:delete|drop|lose|skip|omit|avoid|hide|ditch|erase|cut|crop|scrap|forget(?: "
    rf"about)?)(?: out)?(?= (?:{ANY_DETERMINER}|all|people|anything|everything)\b(?! is\b))) "
    rf"{_WHAT}(?: away| out| off)*{_END_WORDS}$"
)
_NOTHING_OF: Final = re.compile(
    rf"^{ASIDE}(?:no|zero(?= [a-z]+s\b)) (?!(?:it|they|i|make|the|that|this|he|she|there|wait|"
    r"not|only|just|longer|idea|clue|preference|but|problem|need|worries|matter|one|thanks|no|"
    rf"sorry|actually|with|without|in|on|at)\b){_WHAT}{_END_WORDS}$"
)

# Within a clause: what stands before it is wanted.
_EXCEPT: Final = (
    r"(?:(?:with |in |of )?(?:any|every|all)(?:thing|one|body|where| other)?"
    r"(?: (?:colou?r|kind|type|sort|style|shade|size|material|one)s?)?"
    r"(?: (?:is |are |would be )?(?:fine|ok|okay|good))?,? (?:but(?: not)?|except(?: for)?)|"
    r"(?:(?:with |in )?(?:any|every|some)(?:thing|one|body)? )?(?:(?:any|all) )?(?:colou?rs? )?"
    r"(?:except(?: for)?|(?:other|else) than|else but|apart from|aside from|excluding|excepting|"
    r"save for|besides))"
)
_WITHIN: Final = re.compile(
    rf"(?:^|(?<=[\s,]))(?:{_EXCEPT}(?: for)?|(?:but |and )?neither|"
    r"(?:that|which|who)'s (?:not(?: (?:a|an|too|very|so)\b)*|free of)|"
    r"(?:that|which|who|and|but) (?:(?:is|are|was|were|does|do|did|has|have|should|must|can)"
    r"(?:n'?t| not))(?: (?:have|got|show|wear|include|be|too|very|so)\b)*|"
    r"(?:that |which |who )?(?:has|have|having) no|"
    r"(?:(?:and|but) )?not(?= \w+ing\b)|(?:but|and),? (?:please )?(?:not|no)|"
    r"(?:but |and )?(?:without|with no|with none of|minus(?! \d)|lacking)|"
    r"with (?:hardly|barely|scarcely|almost|next to) (?:any|no)|nor|"
    r"(?:as|so) long as (?:it|there|they)(?:'s|'re| is| are)(?:n'?t| not|(?<='s) no)(?: an?| any)?|"
    r"(?:but |and )?with (?:fewer|less)(?! than\b)) (?!(?:only|just|but|longer)\b)"
)
_ANY: Final = (
    rf"(?:{ANY_DETERMINER}|all|of|more|to be|too|very|(?:any|some)(?:thing|one|body) (?:with|in|"
    r"that (?:is|has)|which (?:is|has))|(?:the |those )?ones (?:with|showing|where|in which|that "
    r"(?:are|"
    r"have|show))|anything|so|(?:that|this) (?:much|many))"
)
_LISTED: Final = re.compile(r",? (?:and|or|nor|&) |, ")
_DETERMINED: Final = re.compile(rf"^(?:{_ANY} )+")
_JOINT: Final = re.compile(r"\s*(,? (?:and|or|nor|&) |, )")
# What is said after what is not wanted: "without windows, with a red door".
_TURN: Final = (
    r"(?:(?:but|just|only|please|because|since|use|show|give|try|make|put|add)\b|"
    r"so\b|(?:i|it|they|there)'(?:d|m|s|re|ll)\b|"
    r"(?:i|we|it|they|he|she|you|there) (?:should|must|could|can|would|want|need|prefer|has to|"
    r"have to|asked|meant|said)\b)"
)
_GOES_ON: Final = re.compile(
    rf" (?={_TURN}|(?:with|{'|'.join(sorted(PLACES | OPENERS))}|next to|in front of)\b)"
)
_TURNS: Final = re.compile(_TURN)
_NEXT_TOPIC: Final = re.compile(
    rf"^(?:with|make|add|put|give|just|only|but|instead|maybe|{'|'.join(sorted(PLACES | OPENERS))}"
    r"|i|it|it's|he|she|they|there|more)\b"
)
_DOING: Final = re.compile(r"^(?:wearing|holding|carrying|having|showing|using|with) (?=\w)")
_AGAIN: Final = re.compile(rf"^{ASIDE}(?:or )?(?:no|not|nor|without|with no|neither) ")
_ONES: Final = re.compile(
    r"(?<=\w) (?:ones?|showing|visible|shown|in sight|obviously|for (?:me|"
    r"now)|looking)$"
)
_OF_IT: Final = re.compile(r"(?<=\w) (?:it|them|him|her|this|that|those|these)$")
_BEFORE: Final = re.compile(
    r"(?:^|[\s,]+)(?:that|which|who|and|but|with|in|is|are|(?:in|with|of)? ?(?:any|every)"
    r"(?:thing|one)?(?: colou?r)?)$"
)
_INTRANSITIVE: Final = re.compile(r"^[a-z]+ing (?:at|to|on|in|into|down|up|for)\b")
_BACKDROP: Final = re.compile(
    r"^(?:in|on|at) (?:it|them|the (?:picture|photo|image|shot|frame|scene|background|foreground|"
    r"back|front|sides?|left|right))\b *"
)


def parted(clause: str) -> Iterator[str]:
    """A clause as what it wants, as it is, and what it does not want, one "no ..." each.

    What is not wanted ends with its clause. A list of it goes on with "or" and "nor", and with
    "and" and commas where its parts are alike.

    Args:
        clause: In plain lower case.
    """
    clause = _FRAMED.sub("", _THE_ONES.sub(r"\g<no> ", simplified(clause)))
    but = all_but(clause)
    if but is not None:
        yield from (but[1], *parted(but[0]))
        return
    head, _, tail = clause.partition(", ")
    parts = [head, tail] if tail and fault_in(head) is not None else split_at_denials(clause)
    if parts is not None:
        for part in parts:
            yield from parted(part)
    else:
        yield from _of_one_thing(clause)


def _of_one_thing(clause: str) -> Iterator[str]:
    """A clause of which no part is a denial by itself."""
    about_results = _of_results(clause)
    if about_results is not None:
        yield from about_results
        return
    before = before_nobody(clause)
    if before is not None:
        yield from parted(before[0])
        yield NO + before[1]
        return
    wanted = next(filter(None, (pattern.match(clause) for pattern in _WHOLE)), None)
    found = wanted or _REMOVE.match(clause) or _NOTHING_OF.match(clause)
    things = denied(clause)
    if things is not None and things[1]:
        for thing in _LISTED.split(things[0]):
            yield from _ruled_out(thing, goes_on=False)
        return
    what = things[0] if things else found["what"].strip(" ,") if found else ""
    if what:
        yield from _ruled_out(what, goes_on=found is None or wanted is not None)
        return
    within = _WITHIN.search(clause)
    if within is None or not clause[within.end() :].strip(" ,"):
        yield clause
        return
    wanted_before = _BEFORE.sub("", clause[: within.start()].strip(" ,"))
    if wanted_before:
        yield wanted_before
    yield from _ruled_out(clause[within.end() :], goes_on=True)


def _of_results(clause: str) -> list[str] | None:
    """What a clause says of the results: what they lack, or what is wrong with them."""
    missed, another, fault = lacking(clause), mistaken(clause), fault_in(clause)
    if missed is not None:
        return [missed]
    if another is not None:
        return [NO + another[0], another[1]]
    return None if fault is None else [NO + fault] if fault else []


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
                    continues(
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
        what = _OF_IT.sub("", _DETERMINED.sub("", first)).strip(" ,")
        if what:
            yield NO + what
        after = (
            _BACKDROP.sub("", rest[0]).strip(" ,")
            if rest and (goes_on or _TURNS.match(rest[0]))
            else ""
        )
        if after:
            yield from parted(", ".join([after, *(i.strip(" ,") for i in items[number + 1 :])]))
            return


def is_ruling_out(clause: str) -> bool:
    """Whether a clause says nothing but what is not wanted, and not by a bare "no ..."."""
    whole = any(pattern.match(clause) for pattern in (*_WHOLE, _REMOVE))
    if whole or has_to_go(clause) or denied(clause):
        return True
    within = _WITHIN.match(clause)
    return within is not None and bool(clause[within.end() :].strip(" ,"))
