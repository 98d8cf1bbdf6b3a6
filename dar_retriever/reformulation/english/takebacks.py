"""What takes something back: "make the dots red", "sorry, I meant teal, not green"."""

from __future__ import annotations

import re
from typing import Final

from dar_retriever.reformulation.english.answers import composed
from dar_retriever.reformulation.english.asked import asked_noun, topic
from dar_retriever.reformulation.english.framing import bare, colour_alone
from dar_retriever.reformulation.english.lexicon import (
    ANY_DETERMINER,
    COLOURS,
    NUMBERS,
    OWNERS,
    PLACES,
    PREPOSITIONS,
    SHADED_COLOUR,
    stem,
)
from dar_retriever.reformulation.english.statement import Statement

_OF_IT: Final = (
    r"(?:make|turn|paint|colou?r) (?:it|that|them|this|these)(?: into| in(?= [a-z]+$))?|"
    r"(?:i(?:'d)? |i would )?(?:want|like|need|prefer|have) (?:it|that|them|these)(?: to be| in)"
    r"(?= \w)|change (?:it|that|them) (?:in)?to"
)


_CORRECTION: Final = re.compile(
    r"\b(?:actually|sorry|i (?:meant|mean)(?: to say|)?|correction|wait|scratch that|"
    r"on second thoughts?|or rather|rather|instead|i was wrong|i said|my (?:mistake|bad)|"
    r"i misspoke|oops|(?:i )?got (?:that|it) wrong|"
    r"(?:i )?(?:always )?mix (?:them|those) up|silly me|my fault|(?:would|'d) prefer|i prefer|"
    r"prefer|better "
    r"make it|let'?s (?:go|do)(?: with|"
    rf" for)?|go (?:with|for)|let'?s say|should say|switch to|{_OF_IT})\b(?! (?:of|than)\b)"
    r"[\s,:-]*"
)


_CUE: Final = re.compile(
    r"^(?:(?:actually|sorry|no|wait|hm+|oh|also|oops|correction|on second thoughts?|"
    r"(?:come to think|now that i think|thinking) (?:of|about) it|(?:i )?got (?:that|it) wrong|"
    r"my (?:mistake|bad))\b[\s,:]*)+"
)


_IT: Final = re.compile(rf"\b(?:{_OF_IT})\b")


_SLIP: Final = re.compile(
    r"\b(?:wait|i (?:meant|mean)|correction|scratch that|my (?:mistake|bad)|oops|i misspoke|"
    r"instead|rather|on second thoughts?|got (?:that|it) wrong|mix (?:them|those) up|silly me|"
    r"my fault)\b"
)


_IS_COLOURED: Final = re.compile(
    rf"^(?:it|they|he|she)(?:'s|'re| is| was| are| were) (?:actually |really |all )?("
    rf"{SHADED_COLOUR})(?:,? (?:now that i|come to|if i) think (?:of|about) it)?$"
)


_BETTER: Final = re.compile(
    r"^(?P<new>(?!(?:it|this|that|these|those|they|much|even|the|a bit)\b)[\w -]{2,40}?) "
    r"(?:is|are|would be|might be|looks?) (?:much |even )?(?:better|nicer|best)$"
)


_ONE: Final = re.compile(r"^(?:(?:just|only) )*(?:one|1)(?: of (?:them|these|those))?$")


_OF_THEM: Final = re.compile(
    rf"^(?:(?:just|only|about|around|at least|at most|maybe|there (?:are|were)) )*"
    rf"({'|'.join(sorted(NUMBERS - {'one', 'only', 'just', 'about', 'single'}))}|\d+)(?: of "
    r"(?:them|these|those))?$"
)


_BARELY: Final = re.compile(
    r"^(?:but |now |and |just |the same |same |this |that |only |this one |a )*in "
    rf"(?P<colour>{SHADED_COLOUR}(?: and {SHADED_COLOUR})?)$"
)


_CHANGE: Final = re.compile(
    r"(?:^|(?:please|(?:can|could) (?:you|we|i)|let'?s|maybe|and|then|now|but|just|actually|no|"
    r"wait|to)[, ]+|, )"
    rf"(?:make|change|turn|colou?r|paint|replace|swap) (?:{OWNERS} )?(?P<noun>(?!it\b|them\b|"
    rf"that\b)[\w-]+)"
    r"(?P<into> (?:in)?to(?: an?)?| with(?: an?)?| for(?: an?)?| an?)?(?: be)? "
    rf"(?P<new>{SHADED_COLOUR}|(?!it\b|them\b)[\w-]+)$"
)


_OF_A_THING: Final = re.compile(
    rf"^(?:{OWNERS} |(?=[\w-]+ (?:should|must|has to|have to) be (?:in|on|at)\b))"
    r"(?P<noun>[\w-]+(?: [\w-]+)?) (?P<is>is|are|was|were|(?:should|must|has to|have to|"
    r"needs to|need to|could|can) be) (?:all |very |quite |really |more |in "
    r"(?={SHADED_COLOUR}\b))?(?P<new>[\w' -]+)$"
)


ATTRIBUTE: Final = re.compile(
    rf"^(?!(?:not|no|{ANY_DETERMINER}|{PREPOSITIONS}|there|here)\b|[\w-]+ing\b)"
    r"[\w'-]+(?: (?:and |or )?[\w'-]+)?$"
)


_NOT_BUT: Final = re.compile(r"\bnot (?:an? )?(?P<old>[\w-]+(?: [\w-]+)?),? but (?P<new>[\w -]+)")


_NOT_AFTER: Final = re.compile(
    # Bounded, so that a long text is read once.
    r"(?P<new>[\w -]{1,120}?),? (?:and )?not (?:an? )?(?P<old>[\w-]+(?: [\w-]+)?)$"
)


def is_cue(text: str) -> bool:
    """Whether a text says no more than that something was wrong: "sorry, my mistake"."""
    return bool(text) and not _CUE.sub("", f"{text} ").strip(" ,.")


def changed(_: str, answer: str) -> Statement | None:
    """What "make the dots red" says, or "change the car into a truck"."""
    found = _CHANGE.search(answer)
    if found is None:
        return None
    noun, new = found["noun"], found["new"]
    if re.fullmatch(r"colou?r", noun):
        return Statement(new, topic="colour", corrects=True)
    if found["into"] and new.split()[-1] not in COLOURS:
        return Statement(new, replaces=noun, corrects=True)
    return Statement(f"{new} {noun}", topic=stem(noun), corrects=True)


def of_a_thing(_: str, answer: str) -> Statement | None:
    """What "the walls are white" says."""
    found = _OF_A_THING.match(bare(_CUE.sub("", answer)))
    if found is None:
        return None
    noun, new = found["noun"], found["new"]
    if found["is"].endswith(" be") and re.match(r"an? ", new):
        return Statement(new, noun, replaces=noun, corrects=True)
    if found["is"].endswith(" be") and new.split()[0] in PLACES:
        return Statement(new, corrects=True)
    if not ATTRIBUTE.match(new):
        return Statement(f"{noun} {new}")
    # A thing has one colour and one number; what else it is may come on top.
    corrects = found["is"].endswith(" be") or new.split()[-1] in COLOURS | NUMBERS
    return Statement(f"{new} {noun}", topic=stem(noun) if corrects else "", corrects=corrects)


def corrected(question: str, answer: str) -> Statement | None:
    """What takes something back: "sorry, I meant teal, not green"."""
    barely = _BARELY.match(answer) if not question else None
    if barely:
        return Statement(f"in {barely['colour']}", topic="", corrects=True, of_it=True)
    told = None if question else _IS_COLOURED.match(answer) or _OF_THEM.match(answer)
    if told:
        return Statement(told[1], corrects=True)
    better = _BETTER.match(_CUE.sub("", answer))
    if better:
        return Statement(better["new"], topic=topic(question), corrects=True, slip=True)
    if not _CORRECTION.search(answer):
        return None
    of_it, slip = _IT.search(answer) is not None, _SLIP.search(answer) is not None
    answer = re.sub(r"^(?:(?:no|yes|yeah|nope)\b[\s,]*)+", "", answer)
    answer = _CORRECTION.sub("", answer).strip(" ,.?")
    swap = _NOT_BUT.search(answer) or _NOT_AFTER.search(answer)
    if swap:
        new = colour_alone(bare(swap["new"]))
        return Statement(new, swap["old"], topic(question), swap["old"], corrects=True)
    alone = _ONE.match(answer)
    # "Make it blue", asked which background, says nothing of the background.
    about = "" if of_it and asked_noun(question) else question
    new = "one" if alone else composed(about, colour_alone(bare(answer)))
    return Statement(new, topic=topic(about), corrects=True, of_it=of_it, slip=slip)
