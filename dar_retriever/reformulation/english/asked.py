"""What a question asks about, and what it would say if it were answered with yes."""

from __future__ import annotations

import re
from typing import Final

from dar_retriever.reformulation.english.frames import without_frame
from dar_retriever.reformulation.english.framing import plain, without_results
from dar_retriever.reformulation.english.lexicon import (
    ANY_DETERMINER,
    AUXILIARY,
    BE,
    OWNERS,
    PREPOSITIONS,
    PRONOUNS,
    stem,
)

# What such fields hold is a noun already: "which detail?", "a long strap".
_WITHOUT_NAME: Final = "|".join(
    (
        *("kind", "type", "sort", "length", "size", "height", "material", "fabric", "breed"),
        *("brand", "detail", "category", "class", "label", "tag", "name", "title", "product"),
        *("item", "of"),
    )
)
_LONGEST: Final = 400
OPEN_QUESTION: Final = re.compile(r"\b(?:what|how|which|where|who|whose|why|when|anything)\b")

_SMALL_TALK: Final = re.compile(
    r"\b(?:i|me|you|we|us|help|describe)\b|^(?:right|correct|ok|okay|really|all|better|good|fine|"
    r"so)$"
)

_ASKS_COLOUR: Final = re.compile(
    rf"\b(?:what|which) colou?rs?(?: (?:{BE}|do|does|should|would) {PRONOUNS}\b|$)|"
    r"\b(?:its|the) colou?r$"
)

_ABOUT_SUBJECT: Final = re.compile(
    rf"^{AUXILIARY}(?:n't)? {OWNERS} (?P<noun>[\w-]+) (?:have |got )?"
    rf"(?:{ANY_DETERMINER} )?(?P<what>[\w' -]+)$"
)
OF_SUBJECT: Final = re.compile(
    rf"^{BE}(?:n't)? {OWNERS} (?P<noun>[\w-]+) "
    rf"(?P<what>(?!{PREPOSITIONS}\b)[\w-]+(?: and [\w-]+)?)$"
)


_ABOUT_RESULTS: Final = re.compile(
    rf"^(?:(?:how|what) about|what do you think(?: of)?|(?:do|would|did) you (?:like|want|mean|"
    rf"prefer)|(?:is|are|was|were)|does|do|which)\b(?: any of| one of)? ?(?:{PRONOUNS}|them|"
    rf"the results?|ones?)?"
    r" ?(?:ones?|results?|hits?|pictures?|images?|look|looks|good|better|right|close|closer|fit|"
    r"fits|ok|okay|fine|what you (?:want|mean|meant|need|like|had in mind|are looking for|"
    r"'re looking for)|is (?:it|best|closest|closer|right)|do you (?:like|prefer|mean|"
    r"want)(?: best| most)?|helpful)*"
    r"(?: instead| then| now| here)?$"
)


_CHECKING: Final = re.compile(
    r"^(?:closer|satisfied|happy|found it|any of (?:these|those|them)|do any of (?:these|those|"
    r"them) (?:match|fit|work|look right)|is (?:this|that|it|one of (?:these|those|them)) (?:the|"
    r"your) (?:right )?(?:one|image|picture|photo)|is (?:it|this|that) one of (?:these|those|them)|"
    r"are (?:these|those|they) the right (?:ones|images|pictures|photos)|is (?:this|"
    r"that) one better|is one of (?:these|those|them) (?:it|right|the one)|is your (?:image|"
    r"picture|photo) here|would you like to see more|anything (?:that )?(?:you(?:'d| would) like|"
    r"you want) (?:to change|changed|different)|"
    r"what should be (?:different|changed))$"
)


_LIKE_THAT: Final = re.compile(r"(?:^|[ ,-])(?:like|as) (?:this|that|these|those)$")
_TELLING: Final = re.compile(
    r"(?:(?:ok|okay|sure|great|done|yes|of course|certainly|alright)\b[\s,:-]*)*(?:i\b|i'\w+|we\b|"
    r"here\b|found\b|these\b|those\b|(?:image|picture|photo|result|hit|number|no)s? ?#?\d|"
    r"\d+[.):]|[-*] |there(?: are|'s| is)\b.*,|(?!(?:what|which|where|who|how|when|is|are|does|do|"
    r"did|has|have|can|could|would|will|should|any)\b)(?!.*\bor\b)[^,]*,[^,]*,)"
)
# "I can leave out hats with logos. Should I?" asks whether to leave them out.
_OFFERED: Final = re.compile(
    r"(?:^|(?<=[.!?] ))i (?:can|could)(?: also)? (?P<what>[^.!?]{1,200})[.!] (?:(?:should|shall) i|"
    r"(?:would|do) you (?:like|want)(?: me to| that)?|would that help|is that ok(?:ay)?)\?$"
)
# "Is the gold frame ok?" asks for a gold frame.
_IS_OK: Final = re.compile(
    r"^(?:is|are|would) (?P<what>(?!(?:it|that|this|they|these|those|there|you|i)\b)[^?]{1,80}?) "
    r"(?:be )?(?:ok|okay|fine|alright|"
    r"all right|acceptable)(?: for you| with you)?\?$"
)
_AND_ASKED: Final = re.compile(rf",? and (?={AUXILIARY} {PRONOUNS}\b|{AUXILIARY} {OWNERS}\b)")
_AND_FIRST: Final = re.compile(r"^(?:(?:and|also|so|or|then)[ ,]+)+")
_CLOSED: Final = re.compile(rf"^{AUXILIARY}\b")


# "Is there anything to avoid?" asks for what is not wanted.
_UNWANTED: Final = re.compile(
    r"^(?!.*\b(?:should|shall|can|could|may) i\b|.*\bme to\b)(?:is there |are there |do you have |"
    r"and |also |what |which |any).*\b(?:avoid|exclude|leave out|rule out|do(?:n'?t| not) (?:you )?"
    r"(?:want|like)|dislike|hate|bothers? you)\b"
)
_ASSENT: Final = re.compile(
    r"^(?:(?:yes|yeah|yep|sure|well|hm+|just|mostly|mainly|maybe|please|definitely|the fact that|"
    r"i (?:do not|don'?t) (?:want|like)|i hate|i dislike|the|any|an?|no(?= \w))[ ,]+)+"
)
_NOTHING: Final = re.compile(
    r"^(?:no|nope|nah|none|nothing|not really|no thanks?|i don'?t think so|not that i know|"
    r"anything goes|that's (?:all|it)|it'?s (?:all )?(?:fine|ok|good))\b"
)


def asks_for_unwanted(question: str) -> bool:
    """Whether a question asks what is not wanted, so that an answer names that."""
    return _UNWANTED.match(question) is not None


def without_assent(answer: str) -> str:
    """What an answer names, without "yes, ..."; empty where it names nothing."""
    answer = answer.strip(" ,.!")
    return "" if _NOTHING.fullmatch(answer) else _ASSENT.sub("", answer)


def question_in(text: str) -> str:
    """What an assistant asked last about the image.

    Empty where it only told something, or asked about results: "is it the first one?".
    """
    asked = last_question(
        _OFFERED.sub(r"should i \g<what>?", " ".join(text[-_LONGEST:].lower().split()))
    )
    asked = _IS_OK.sub(r"do you want \g<what>?", asked)
    bare = asked.rstrip("? ")
    about_results = (
        without_results(asked) != asked
        or _ABOUT_RESULTS.match(bare)
        or _CHECKING.match(bare)
        or _LIKE_THAT.search(bare)
    )
    return "" if about_results else asked


def questions_in(text: str) -> tuple[str, str] | None:
    """The two questions of one message, the closed one last; None where there is another number.

    Args:
        text: Such as "What is he wearing, and is it raining?".
    """
    said = " ".join(text[-_LONGEST:].lower().split())
    asked = [plain(part) for part in re.findall(r"[^.!?]+\?", said)]
    if len(asked) == 1:
        asked = _AND_ASKED.split(asked[0], maxsplit=1)
    if len(asked) != 2 or any(not question_in(f"{one.rstrip('?')}?") for one in asked):
        return None
    first, second = (_AND_FIRST.sub("", one.rstrip("? ")) + "?" for one in asked)
    closed = [_CLOSED.match(one) is not None and " or " not in one for one in (first, second)]
    if closed[0] == closed[1]:
        return None
    return (second, first) if closed[0] else (first, second)


def last_question(text: str) -> str:
    """What was asked last; empty where nothing was."""
    sentences = re.findall(r"[^.!?]+[.!?]?", text)
    asked = [sentence for sentence in sentences if sentence.endswith("?")]
    # In data sets, questions come without their mark; so does what tells of results.
    alone = len(sentences) == 1 and sentences[0][-1] not in ".!" and not _TELLING.match(text)
    unmarked = text if alone else ""
    return plain(asked[-1] if asked else unmarked)


def declared(question: str) -> str:
    """What a yes to a question affirms: "is her hair in a ponytail?" -> "hair in a ponytail"."""
    text = without_frame(question.split(" or ", maxsplit=1)[0].rstrip("? "))
    subject = OF_SUBJECT.match(text)
    if subject:
        return f"{subject['what']} {subject['noun']}"
    text = re.sub(rf"^{AUXILIARY}(?:n't)? ", "", text)
    text = re.sub(rf"^{PRONOUNS}\b ?", "", text)
    text = re.sub(
        r"^(?:(?:also|have|has|had|got|see|look(?: like)?|like|want|need|prefer|be|been|wear|"
        r"it|them|to)\b ?)+",
        "",
        text,
    )
    text = re.sub(rf"^{ANY_DETERMINER} ", "", text)
    text = re.sub(
        rf" (?:{PREPOSITIONS} {PRONOUNS}|there|at all|already|in the (?:picture|photo|image))$",
        "",
        text,
    )
    text = re.sub(r"^any(?:one|body)\b", "person", text)
    return "" if _SMALL_TALK.search(text) else re.sub(r"\bhave\b", "with", text).strip()


def doubted(question: str) -> str:
    """What a no to a question excludes: what is asked about a thing, never the thing itself."""
    text = question.split(" or ", maxsplit=1)[0].rstrip("? ")
    subject = _ABOUT_SUBJECT.match(text)
    return subject["what"] if subject else declared(question)


def asked_noun(question: str) -> str:
    """The noun that an answer of few words leaves out; empty for "it" and for other questions."""
    text = re.sub(rf" or {AUXILIARY} .*", "", question.rstrip("? "))
    patterns = (
        (
            rf"\bwhat (?:colou?r|shade)s? (?:{BE} )?(?:(?:one|1|some|most|all) of )?"
            rf"{ANY_DETERMINER} (?P<noun>[\w' -]+)$"
        ),
        (
            rf"\bwhat(?:'s| {BE})? (?:the )?(?:colou?rs?|shade|shape|material|pattern)s? of "
            rf"{ANY_DETERMINER} (?P<noun>[\w' -]+)$"
        ),
        rf"\bwhat colou?r (?P<noun>[a-z-]+) (?:{BE}|does|do) ",
        r"\bwhat (?:kind|type|sort|style) of (?P<noun>[\w-]+)\b",
        rf"\bwhat {BE} (?:the|its|his|her) (?P<noun>(?!colou?r\b)[\w-]+(?: colou?r)?)$",
        r"\b(?:what|how) about (?:the|its) (?P<noun>(?!colou?r\b)[\w-]+(?: colou?r)?)$",
        r"\bhow many (?P<noun>[\w-]+)\b",
        (
            rf"\bwhat (?P<noun>(?!colou?r\b|kind\b|type\b|sort\b|else\b|time\b)[a-z-]+) "
            rf"(?:{BE}|does|do) {PRONOUNS}\b"
        ),
        rf"^{BE} {ANY_DETERMINER} (?P<noun>[\w-]+) [\w -]+ or [\w -]+$",
        (
            rf"^(?:which|what) (?P<noun>(?!(?:colou?r|{_WITHOUT_NAME}|{PRONOUNS}|{AUXILIARY}|"
            r"else|now|next|exactly|about|other|way|do|happens)\b)[\w-]+"
            rf"(?: (?!{BE}\b|does\b|should\b|would\b|do\b)[\w-]+)?)"
            r"(?: (?:(?:is|should) it(?: be| have)?|does it have|(?:would|do) you "
            r"(?:like|want|prefer|need)))?(?: ?[:,(].*)?$"
        ),
    )
    for pattern in patterns:
        found = re.search(pattern, text)
        if found:
            return found["noun"]
    return ""


def topic(question: str) -> str:
    """What a question is about, so that a second answer to it replaces the first."""
    text = question.rstrip("? ")
    if _ASKS_COLOUR.search(text):
        return "colour"
    # "two dogs" and "big dog" say different things of the dog and may both stand.
    aspect = re.search(r"\b(?:how many|kind of|type of|sort of|style of)\b", text)
    if " or " in text:
        return text
    if re.match(r"where\b", text):
        return "where"
    # What is added to an open question, "anything else?", takes nothing back.
    noun = stem(asked_noun(text) or ("" if OPEN_QUESTION.search(text) else declared(text)))
    return f"{aspect[0]} {noun}" if aspect else noun
