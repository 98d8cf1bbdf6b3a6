"""Questions with their answers as statements, by plain rules of English."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

COLOURS: Final = frozenset(
    {
        *("red", "orange", "yellow", "green", "teal", "turquoise", "cyan", "blue", "navy"),
        *("purple", "violet", "lilac", "pink", "magenta", "brown", "tan", "beige", "cream"),
        *("gold", "golden", "silver", "grey", "gray", "black", "white", "maroon", "olive"),
    }
)

_PRONOUNS: Final = r"(?:it|this|that|these|those|they|there|he|she|one|you)"
_OWNERS: Final = r"(?:the|his|her|their|its|your|my)"
_DETERMINERS: Final = rf"(?:{_OWNERS}|a|an|any|some|this|that|these|those)"
_PREPOSITIONS: Final = (
    r"(?:in|on|at|of|off|out|up|down|to|from|with|by|for|near|under|over|behind|inside|outside)"
)
_BE: Final = r"(?:is|are|was|were|'s)"
_AUXILIARY: Final = rf"(?:{_BE}|does|do|did|has|have|can|could|would|will|should)"
_IT_IS: Final = r"(?:it|they|there|he|she|that)(?: is| are|'s|'re| does| do| has| have)"
_IT_IS_NOT: Final = (
    r"(?:it|they|there|he|she|that)(?:(?: is| are| does| do| has| have|'s|'re) not|"
    r" (?:is|are|does|do|has|have)n'?t)"
)

_UNINFORMATIVE: Final = re.compile(
    r"\b(?:can(?:no|')?t (?:really |quite )?(?:tell|say|see|be sure)|can not (?:tell|say|see)|"
    r"could(?:n'?t| not) (?:tell|say|see)|(?:not|un)[ -]?(?:too |really |quite |100% )?"
    r"(?:sure|certain|clear|visible)|(?:do|did)(?:n'?t| not) (?:know|remember|care|mind)|no idea|"
    r"hard to (?:tell|say|see)|impossible to (?:tell|say|see)|doesn'?t matter|no preference|"
    r"i (?:do not|don'?t) think (?:you|i) can|beats me|dunno|who knows|no clue|idk|n/a|"
    r"(?:any|anything|either|whatever) (?:is|are|will|would be|goes|works)\b|up to you|"
    r"that(?:'s| is) (?:it|all)$|(?:hello|hi|hey)(?: there| again)?\b(?=[,.;!]|$)|"
    r"good (?:morning|afternoon|evening|day)\b|how are you|let me (?:think|look|check)\b|"
    r"(?:^|[,.;!] ?)(?:thanks|thank you)\b|(?:show|find) me (?:some|more|them|it)$|"
    r"what (?:do|have) you (?:have|got)$)"
)
_YES: Final = re.compile(
    rf"^(?:(?:yes|yeah|yep|yup|yea|sure|correct|right|exactly|indeed|of course|definitely|"
    rf"absolutely|ok|okay)(?:,? {_IT_IS}(?=$|[,.;!]))?|{_IT_IS}(?=$|[,.;!])|"
    r"(?:probably|likely)(?=$|[,.;!])|i (?:think|believe|guess|suppose|hope) so|"
    r"(?:it )?(?:looks|seems|appears)(?: like it| so| that way)(?=$|[,.;!]))"
    r"(?P<pause>\s*[,.;!:-]\s*|$|(?: please)?$)?\b[\s,.!;:-]*"
)
_NO: Final = re.compile(
    r"^(?:not (?:really|at all|from (?:here|this angle))|not (?:very|much|too|so)$|"
    r"i (?:do not|don'?t|can(?:no|')?t) (?:think|believe|see) (?:so|any|one|it|that)$|i see none$|"
    r"i (?:do not|don'?t) see|"
    rf"{_IT_IS_NOT}|{_IT_IS} (?:no|none)\b|(?:no one|nobody|nope|nah|none|never|neither|nothing|"
    rf"zero|0|not|no)(?:,? {_IT_IS_NOT}|,? i (?:do not|don'?t) see|,? thanks?(?: you)?)?)"
    r"(?: (?:that|as far as) i (?:can )?(?:see|tell|know of|know)| of (?:them|it|those))?\b"
    r"(?P<pause>\s*[,.;!:-]\s*|$)?\s*"
)
_AFFIRMING: Final = re.compile(
    rf"^(?:{_IT_IS}\b|(?:it|this|that|these|those|they|there|he|she|i|just|only|but)\b)"
)
_OPEN_QUESTION: Final = re.compile(r"\b(?:what|how|which|where|who|whose|why|when|anything)\b")
_SMALL_TALK: Final = re.compile(
    r"\b(?:i|me|you|we|us|help|describe)\b|^(?:right|correct|ok|okay|really|all|better|good|fine|so)$"
)
_HEDGES: Final = re.compile(
    r"^(?:(?:well|oh|hm+|um+|uh|so|and|but|please|just|then|maybe|perhaps|probably|mostly|mainly|"
    r"apparently|either|i (?:think|guess|believe|suppose|see|can see|would say|'?d say|want|need|"
    r"am looking for|would like|would have|would prefer|'?d like|mean|prefer)|"
    r"i'd (?:say|like|have|prefer)|i'm looking for|looking for|do you have|have you got|"
    r"(?:it|this|that|they|he|she|there) (?:should|must|could|might|may|can|would) (?:be|have)|"
    r"(?:it|this|that|they|he|she|there)(?:'s| is| are|'re| has| have| looks?(?: like)?|"
    r" seems?(?: to be)?| appears?(?: to be)?)|with|show me|find me|find|give me|search for|"
    r"could you|can you|sort of|kind of|let me see|"
    r"(?:something |one |more )?(?:like|similar to|as in) (?:this|that|these)"
    r"(?: ones?| pictures?| images?| photos?)?)\b[\s,]*)+"
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
    r"[\s,]*\b(?:i (?:think|guess|believe|suppose)|as far as i can (?:tell|see)|if i'?m right|"
    r"please|thanks|thank you|to be honest|actually|instead|after all|in the picture|"
    r"from what i can see|it seems|yes|yeah)[\s.!]*$"
)
_CORRECTION: Final = re.compile(
    r"\b(?:actually|sorry|i meant|correction|wait|scratch that|on second thought|rather|instead|"
    r"i was wrong|i said|my mistake|i misspoke|oops|make (?:it|that|them)|change (?:it|that) to)"
    r"\b[\s,:]*"
)
_CHANGE: Final = re.compile(
    rf"\b(?:make|change|turn|colou?r|paint) {_OWNERS} (?P<noun>[\w-]+) (?:to |into |be )?"
    r"(?P<new>[\w-]+)$"
)
_THE_COLOUR: Final = re.compile(
    rf"^{_OWNERS} (?P<noun>[\w-]+) (?:is|are|should be|must be) "
    rf"(?P<new>{'|'.join(sorted(COLOURS))})$"
)
_INSTEAD_OF: Final = re.compile(r",? (?:instead of|rather than|in place of) (?:the )?")
_NOT_BUT: Final = re.compile(r"\bnot (?:an? )?(?P<old>[\w-]+(?: [\w-]+)?),? but (?P<new>[\w -]+)")
_NOT_AFTER: Final = re.compile(
    # Bounded, so that a long text is read once.
    r"(?P<new>[\w -]{1,120}?),? (?:and )?not (?:an? )?(?P<old>[\w-]+(?: [\w-]+)?)$"
)
_NOT_AT_LAST: Final = re.compile(
    r"^(?P<new>[\w' -]+), (?:and |but )?not (?:an? )?(?P<old>[\w-]+(?: [\w-]+)?)$"
)
_ASKS_COLOUR: Final = re.compile(
    rf"\b(?:what|which) colou?rs?(?: (?:{_BE}|do|does|should|would) {_PRONOUNS}\b|$)|"
    r"\b(?:its|the) colou?r$"
)
_CLAUSE_END: Final = re.compile(r"\s*[,.;!]+\s*|,? but ")
_ABOUT_SUBJECT: Final = re.compile(
    rf"^{_AUXILIARY}(?:n't)? {_OWNERS} (?P<noun>[\w-]+) (?:have |got )?"
    rf"(?:{_DETERMINERS} )?(?P<what>[\w' -]+)$"
)
_OF_SUBJECT: Final = re.compile(
    rf"^{_BE}(?:n't)? {_OWNERS} (?P<noun>[\w-]+) "
    rf"(?P<what>(?!{_PREPOSITIONS}\b)[\w-]+(?: and [\w-]+)?)$"
)
_NUMBER: Final = re.compile(
    r"^(?P<number>(?:about |just |only )?(?:\d+|two|three|four|five|six|seven|eight|nine|ten|"
    r"several|many|a few|both|all|some|most))(?: of (?:them|these|those))?$"
)
_SUCH_ONES: Final = re.compile(r"^(?:an? |the )?(?P<which>[\w -]+) ones?$")
_COLOUR_ALONE: Final = re.compile(
    rf"^(?:in |the |an? )*(?P<colour>(?:(?:dark|light|pale|bright|deep) )?"
    rf"(?:{'|'.join(sorted(COLOURS))}))"
    r"(?: ones?| colou?r)?$"
)


@dataclass(frozen=True, slots=True)
class Statement:
    """What one round adds.

    Attributes:
        text: What is so; empty where nothing is.
        excluded: What is not so.
        topic: What it is about; a later statement about the same replaces it. Empty where
            there is no telling.
        replaces: Words of earlier statements that ``text`` stands for now.
        corrects: Whether the user takes something back.
    """

    text: str = ""
    excluded: str = ""
    topic: str = ""
    replaces: str = ""
    corrects: bool = False


def statement_of(question: str, answer: str) -> Statement:
    """What a question and its answer say together.

    Args:
        question: May be empty, for what the user says unasked.
        answer: What the user says.

    Returns:
        A statement; one without text and exclusion where nothing was said.
    """
    asked = _last_question(question)
    # What is asked about results, "is it the first one?", asks nothing about the image.
    question = asked if _without_results(asked) == asked else ""
    answer = _without_results(_plain(answer))
    answer = _INSTEAD_OF.sub(", not ", _informative(answer))
    change = _CHANGE.search(answer) or _THE_COLOUR.match(_bare(answer))
    if change:
        return _changed(change["noun"], change["new"])
    if _CORRECTION.search(answer):
        return _corrected(question, answer)
    said_no, said_yes = _NO.match(answer), _YES.match(answer)
    if said_no:
        return _denied(question, answer[said_no.end() :], pause=said_no["pause"] is not None)
    if said_yes and question and not _OPEN_QUESTION.search(question):
        return _affirmed(question, _bare(answer[said_yes.end() :]))
    if said_yes and said_yes["pause"] is not None:
        answer = answer[said_yes.end() :]
    return _told(question, answer)


def _changed(noun: str, new: str) -> Statement:
    """What "make the dots red" says."""
    if re.fullmatch(r"colou?r", noun):
        return Statement(new, topic="colour", corrects=True)
    return Statement(f"{new} {noun}", topic=stem(noun), corrects=True)


def _corrected(question: str, answer: str) -> Statement:
    """What takes something back: "sorry, I meant teal, not green"."""
    answer = re.sub(r"^(?:no|yes|yeah)\b[\s,]*", "", answer)
    answer = _CORRECTION.sub("", answer).strip(" ,.?")
    swap = _NOT_BUT.search(answer) or _NOT_AFTER.search(answer)
    if swap:
        new = _colour_alone(_bare(swap["new"]))
        return Statement(new, swap["old"], _topic(question), swap["old"], corrects=True)
    new = _composed(question, _colour_alone(_bare(answer)))
    return Statement(new, topic=_topic(question), corrects=True)


def _told(question: str, answer: str) -> Statement:
    """What is neither yes nor no."""
    swap, topic = _NOT_AT_LAST.search(answer), _topic(question)
    if swap:
        text = _composed(question, _colour_alone(_bare(swap["new"])))
        return Statement(text, swap["old"], topic, "" if question else swap["old"])
    answer = _bare(answer)
    return Statement(_composed(question, _colour_alone(answer) if question else answer), "", topic)


def _denied(question: str, rest: str, *, pause: bool) -> Statement:
    """A no: what follows it at once is denied, what follows a pause is so."""
    denied = ""
    if rest and not pause and not _AFFIRMING.match(rest):
        end = _CLAUSE_END.search(rest)
        denied, rest = (rest[: end.start()], rest[end.end() :]) if end else (rest, "")
    denied = re.sub(rf"^(?:have |{_DETERMINERS} )+", "", _bare(denied))
    rest = _colour_alone(_bare(rest))
    if not question:
        return Statement(rest, denied, replaces=denied if rest else "", corrects=bool(rest))
    if _OPEN_QUESTION.search(question):
        excluded = denied or (_asked_noun(question) if "how many" in question else "")
        return Statement(_composed(question, rest) if rest else "", excluded, _topic(question))
    subject = _OF_SUBJECT.match(question.rstrip("? "))
    excluded = _doubted(question)
    text = rest
    if rest and subject and len(rest.split()) <= 2 and subject["noun"] not in rest.split():
        text = f"{rest} {subject['noun']}"
    elif rest and len(excluded.split()) == 2:
        text = _such(excluded.split()[-1], rest)
    short = text == rest and 0 < len(rest.split()) <= 3
    return Statement(text, excluded, _topic(question), excluded if short else "")


def _affirmed(question: str, extra: str) -> Statement:
    """A yes, with what more was said."""
    topic, declared = _topic(question), _declared(question)
    if " or " in question and extra and set(extra.split()) & set(question.split()):
        return Statement(_composed(question, extra), topic=topic)
    number = _NUMBER.match(extra)
    if number and declared:
        return Statement(f"{number['number']} {declared}", topic=topic)
    if declared and not re.search(rf"\b{_PREPOSITIONS}\b", declared):
        *before, noun = declared.split()
        such = _such(noun, extra)
        if such != extra:
            return Statement(" ".join([*before, such]), topic=topic)
    return Statement(_with_extra(declared, extra), topic=topic)


def _such(noun: str, text: str) -> str:
    """With the noun in place of "one": "a red one", said of a hat, is a "red hat"."""
    found = _SUCH_ONES.match(text)
    return f"{found['which']} {noun}" if found else text


def _plain(text: str) -> str:
    return " ".join(text.lower().replace("\u2019", "'").split()).strip(" .!;:")


def _without_results(text: str) -> str:
    """Without the words that name results."""
    return " ".join(_ABOUT_RESULTS.sub(r"\g<kept>", text).split())


def _informative(answer: str) -> str:
    """Without the clauses that say that nothing is known."""
    if not _UNINFORMATIVE.search(answer):
        return answer
    clauses = _CLAUSE_END.split(answer)
    return ", ".join(c for c in clauses if c and not _UNINFORMATIVE.search(c))


def _last_question(text: str) -> str:
    """What an assistant asked last; empty where it only told something."""
    sentences = re.findall(r"[^.!?]+[.!?]?", text)
    asked = [sentence for sentence in sentences if sentence.endswith("?")]
    # In data sets, questions come without their mark.
    unmarked = text if len(sentences) == 1 and sentences[0][-1] not in ".!" else ""
    return _plain(asked[-1] if asked else unmarked)


def _bare(text: str) -> str:
    """Without the words that frame what is said."""
    text = _HEDGES.sub("", text.strip(" ,.!;:?"))
    return _TRAILING.sub("", text).strip(" ,.!;:?")


def _colour_alone(text: str) -> str:
    """A colour without what frames it, "the green one" and "in green" as "green"."""
    found = _COLOUR_ALONE.match(text)
    return found["colour"] if found else text


def _declared(question: str) -> str:
    """What a yes to a question affirms: "is her hair in a ponytail?" -> "hair in a ponytail"."""
    text = _HEDGES.sub("", question.split(" or ", maxsplit=1)[0].rstrip("? "))
    subject = _OF_SUBJECT.match(text)
    if subject:
        return f"{subject['what']} {subject['noun']}"
    text = re.sub(rf"^{_AUXILIARY}(?:n't)? ", "", text)
    text = re.sub(rf"^{_PRONOUNS}\b ?", "", text)
    text = re.sub(
        r"^(?:(?:also|have|has|had|got|see|look(?: like)?|like|want|need|prefer|be|been|wear|"
        r"it|them|to)\b ?)+",
        "",
        text,
    )
    text = re.sub(rf"^{_DETERMINERS} ", "", text)
    text = re.sub(
        rf" (?:{_PREPOSITIONS} {_PRONOUNS}|there|in the (?:picture|photo|image))$", "", text
    )
    return "" if _SMALL_TALK.search(text) else re.sub(r"\bhave\b", "with", text).strip()


def _doubted(question: str) -> str:
    """What a no to a question excludes: what is asked about a thing, never the thing itself."""
    text = question.split(" or ", maxsplit=1)[0].rstrip("? ")
    subject = _ABOUT_SUBJECT.match(text)
    return subject["what"] if subject else _declared(question)


def _with_extra(text: str, extra: str) -> str:
    if not extra or extra in text:
        return text
    return extra if text in extra else f"{text}, {extra}"


def _composed(question: str, answer: str) -> str:
    """An answer together with the noun that the question asks about, where it needs it."""
    noun = _asked_noun(question)
    if not noun or len(answer.split()) > 3 or stem(noun.split()[-1]) in map(stem, answer.split()):
        return answer
    return f"{re.sub(r'^(?:a|an|the) ', '', answer)} {noun}" if answer else ""


def _asked_noun(question: str) -> str:
    """The noun that an answer of few words leaves out; empty for "it" and for other questions."""
    text = question.rstrip("? ")
    patterns = (
        rf"\bwhat (?:colou?r|shade)s? (?:{_BE} )?{_DETERMINERS} (?P<noun>[\w -]+)$",
        r"\bwhat (?:kind|type|sort|style) of (?P<noun>[\w-]+)\b",
        rf"\bwhat {_BE} (?:the|its|his|her) (?P<noun>(?!colou?r\b)[\w-]+(?: colou?r)?)$",
        r"\b(?:what|how) about (?:the|its) (?P<noun>(?!colou?r\b)[\w-]+(?: colou?r)?)$",
        r"\bhow many (?P<noun>[\w-]+)\b",
        (
            rf"\bwhat (?P<noun>(?!colou?r\b|kind\b|type\b|sort\b|else\b|time\b)[a-z-]+) "
            rf"(?:{_BE}|does|do) {_PRONOUNS}\b"
        ),
        rf"^{_BE} {_DETERMINERS} (?P<noun>[\w-]+) [\w -]+ or [\w -]+$",
    )
    for pattern in patterns:
        found = re.search(pattern, text)
        if found:
            return found["noun"]
    return ""


def _topic(question: str) -> str:
    """What a question is about, so that a second answer to it replaces the first."""
    text = question.rstrip("? ")
    if _ASKS_COLOUR.search(text):
        return "colour"
    # "two dogs" and "big dog" say different things of the dog and may both stand.
    aspect = re.search(r"\b(?:how many|kind of|type of|sort of|style of)\b", text)
    if " or " in text:
        return text
    # What is added to an open question, "anything else?", takes nothing back.
    noun = stem(_asked_noun(text) or ("" if _OPEN_QUESTION.search(text) else _declared(text)))
    return f"{aspect[0]} {noun}" if aspect else noun


def stem(word: str) -> str:
    """A noun without its plural's s."""
    return word[:-1] if word.endswith("s") and len(word) > 3 else word
