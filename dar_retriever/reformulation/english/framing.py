"""What frames a saying and says nothing of the picture: politeness, doubt, names of results."""

from __future__ import annotations

import re
from typing import Final

from dar_retriever.reformulation.english.frames import without_frame, without_purpose
from dar_retriever.reformulation.english.lexicon import SHADED_COLOUR
from dar_retriever.reformulation.english.named_results import without_named_results
from dar_retriever.reformulation.english.wording import worded

_RATED: Final = re.compile(
    r"^(?:(?:ok|okay|oh|yes|well|i think)[ ,]+)?(?:the |number |no\. ?|#)?(?:first|second|third|"
    r"fourth|"
    r"fifth|last|\d+(?:st|nd|rd|th)?)(?: one| picture| photo| image| result)? (?:is|looks|was|"
    r"seems) "
    r"(?:really |very |quite |the |almost |pretty )*(?:nice|good|close|closest|closer|best|better|"
    r"great|ok|okay|perfect|lovely|there|right|fine)(?:\s*[,.;:!-]+\s*|(?= but\b)|$)"
)
_UNINFORMATIVE: Final = re.compile(
    r"\b(?:can(?:no|')?t (?:really |quite )?(?:tell|say|see|be sure)|can not (?:tell|say|see)|"
    r"could(?:n'?t| not) (?:tell|say|see)|(?:not|un)[ -]?(?:too |really |quite |100% )?"
    r"(?:sure|certain|clear|visible)|(?:do|did)(?:n'?t| not) (?:know|remember|care|mind)|no idea|"
    r"(?:it|that)(?:'s| is| would be) (?:fine|ok|okay|alright|no problem) if\b|"
    r"^i (?:really )?(?:like|love|prefer) (?:the )?(?:first|second|third|fourth|fifth|last)"
    r"(?: one)?$|(?:hard|impossible|unable|no way) to (?:tell|say|see)|doesn'?t matter|"
    r"no preference|"
    r"i (?:do not|don'?t) think (?:you|i) can|beats me|dunno|who knows|no clue|idk|n/a|"
    r"(?:any|anything|either|whatever) (?:is|are|will|would be|goes|works)\b|up to you|"
    r"that(?:'s| is) (?:it|all|done|settled|sorted|enough)$|(?:hello|hi|hey)(?: there| "
    r"again)?\b(?=[,.;!]|$)|"
    r"good (?:morning|afternoon|evening|day)\b|how are you|let me (?:think|look|check)\b|"
    r"(?:^|[,.;!] ?)(?:thanks|thank you)\b|(?:show|find) me (?:some|more|them|it)$|"
    r"what (?:do|have) you (?:have|got)$|never ?mind(?: (?:the|his|her|its) [\w-]+)?$|"
    r"(?:not|n'?t) (?:bothered|fussy|fussed|picky)|don'?t care|you (?:choose|decide|pick)|"
    r"(?:your|ur) (?:choice|call)|surprise me|whatever$|(?:we|i) (?:already|just) (?:picked|have|"
    r"got|found|bought|chose|ordered)\b|(?:this|that|it)(?:'s| is) (?:a long shot|hopeless|"
    r"useless|terrible|awful|not (?:it|working|helpful|what i (?:asked for|want|wanted|meant|"
    r"said|had in mind)))|^(?:show me |give me |can i (?:see|get|have) |i want |"
    r"could you show me )?"
    r"(?:(?:about |some |a few |at least )?\d+ )?(?:more|other )?(?: ?(?:results?|options?|"
    r"pictures|"
    r"photos|images|hits|ones))? ?(?:like (?:this|that|these|those))?$|"
    # "And the shoes aren't".
    r"^(?:the|his|her|its|their|my) [\w-]+(?: [\w-]+)? (?:is|are|was|were|does|do|has|have)(?:n't|"
    r" not)(?: either)?$|^(?:so |and )*none of (?:that|it|this|those|them)$|"
    r"^did i (?:say|ask for|mention) .*|^(?:any|anything|all|either|both|whichever)$|"
    r"^(?:possibly|could be|might be|"
    r"i suspect as much)$)"
)
# What people say of results, which says nothing of the image that they want.
_REACTION: Final = re.compile(
    r"^(?:(?:(?:(?:oh|ah|ok|okay|hm+|wow|yes|no|nope|but|and|i|really|these|those|they|it|that|"
    r"this|all|not|very|so|are|is|look|looks|getting|pretty|quite|much|'s|'re) ?)*"
    r"(?:nice|lovely|cute|pretty|sweet|hopeless|useless|terrible|awful|horrible|amazing|"
    r"gorgeous|super helpful|"
    r"helpful|brilliant|fab|fantastic|good|great|perfect|cool|lovely|beautiful|wonderful|"
    r"awesome|excellent|fine|closer?|"
    r"better|warmer|there|almost|nearly|almost there|quite|ok|okay|wrong|the one|right|exactly|"
    r"(?:love|like|hate) (?:it|them|these|those|this|that)|thanks|thank you|bad|wow|lol|haha|these|"
    r"those|them)(?: ones?| now| yet| it| results?| pictures?)?)"
    r"(?:\s*[,.;:!]+\s*|\s+-+\s+|(?=(?:,? but| but)\b)|$))+"
)

_DOUBT_AT_LAST: Final = re.compile(
    r"(?<=[\w?])[?,. ]+(?:idk|dunno|i don'?t know|not sure|i'?m not sure|who knows|no idea)$"
)
# "more like number 2, not 4": which hits are meant is for whoever listed them to know.
_RESULT: Final = (
    r"(?:(?:number|no\.|image|picture|photo|result|option|item|hit)s? ?#?\d+|#\d+|"
    r"(?:first|second|third|fourth|fifth|sixth|last|\d+(?:st|nd|rd|th)) "
    r"(?:one|image|picture|photo|result|option|hit))"
)
_LEADING: Final = (
    r"(?:\b(?:more|something|one|ones|them|it|i|like|love|prefer|hate|dislike|do|don't|but|and|or|"
    r"not|than|rather|the|as|in) )"
)
_ABOUT_RESULTS: Final = re.compile(
    rf"{_LEADING}*+(?<!\w)(?<!with ){_RESULT}"
    rf"(?:,? (?:(?:and|or|but|not|rather than|than) )*(?:the )?(?:{_RESULT}|#?\d+\b))*|"
    # Read once: tried again from each of its words, a long run would take forever.
    rf"(?P<kept>{_LEADING}++)"
)
_TRAILING: Final = re.compile(
    r"[\s,]*\b(?:(?:is|are) (?:fine|ok|okay)|i (?:think|guess|believe|suppose)|"
    r"as far as i can (?:tell|see)|(?:now that i|come to|if i) think (?:of|about) it|if i'?m right|"
    r"please|thanks|thank you|to be honest|actually|instead|after all|from what i can see|"
    r"(?:in|on|for) (?:it|them)|in the (?:picture|photo|image)|it seems|yes|yeah|either|too|"
    r"as well|though|"
    r"this time|obviously|now|(?:is |that )?(?:what )?i(?:'m| am)? (?:want|need|mean|after|"
    r"looking for)|"
    r"lol|only(?=$)|if you don'?t mind|(?<!the )(?<!to )right(?= *\?|$)|ok|okay|for me|again|"
    r"or so(?:mething)?|"
    r"or something like that|would you|if poss|thanks so much|you know|if (?:possible|"
    r"any|you (?:have|can)(?: (?:one|some|any|it))?|there (?:is|are) (?:one|any))|(?:not )?at all|"
    r"(?:would|should|could|might) be (?:nice|good|great|perfect|better|fine|lovely))[\s.!]*$"
)

_EMPTY: Final = frozenset(
    {
        "it",
        "that",
        "this",
        "them",
        "one",
        "some",
        "the one",
        "keep",
        "same place",
        "none of these",
        "none of those",
        "same",
        "better",
        "closer",
        "those",
        "very",
        "partially",
        "barely",
        "so",
        "i think so",
        "not",
        "no",
        "yes",
    }
)
CLAUSE_END: Final = re.compile(r"\s*[,.;!]+\s*|,? but ")

_COLOUR_ALONE: Final = re.compile(
    rf"^(?:in |the |an? )*(?P<colour>{SHADED_COLOUR})"
    r"(?: ones?| colou?r)?$"
)


def plain(text: str) -> str:
    """In lower case, with plain apostrophes and single spaces, without marks at its ends."""
    return " ".join(worded(text).split()).replace(" ,", ",").strip(" .!;:,")


def without_results(text: str) -> str:
    """Without the words that name results."""
    text = without_named_results(text)
    return " ".join(_ABOUT_RESULTS.sub(r"\g<kept>", text).split())


def without_reaction(text: str) -> str:
    """Without what is said of the results at its beginning: "nice, but with a lid"."""
    return _REACTION.sub("", _RATED.sub("", text)).strip()


def informative(answer: str) -> str:
    """Without the clauses that say that nothing is known."""
    if not _UNINFORMATIVE.search(answer):
        return answer
    answer = _DOUBT_AT_LAST.sub("", answer)
    clauses = CLAUSE_END.split(answer)
    return ", ".join(c for c in clauses if c and not _UNINFORMATIVE.search(c))


def bare(text: str) -> str:
    """Without the words that frame what is said."""
    text = without_purpose(without_frame(text.strip(" ,.!;:?")))
    text = _TRAILING.sub("", text).strip(" ,.!;:?")
    return "" if text in _EMPTY else text


def colour_alone(text: str) -> str:
    """A colour without what frames it, "the green one" and "in green" as "green"."""
    found = _COLOUR_ALONE.match(text)
    return found["colour"] if found else text
