"""A message in words that the other rules know: without asides, and what is taken back plainly."""

from __future__ import annotations

import re
from typing import Final

_THING: Final = r"(?P<what>[\w'-]+(?: [\w'-]+){0,2}?)"
_START: Final = r"(?:^|(?<=[.!?;] ))"
_END: Final = r"(?=$|[,.;!?])"
_WHO: Final = (
    r"(?:i|we|you|she|he|they|people|kids|the kids|everyone|(?:my|our|his|her) "
    r"(?:wife|husband|mum|mom|dad|boss|kids|son|daughter|sister|brother)(?: and i)?)"
)
# What people do that no picture shows.
_UNSEEN: Final = (
    r"(?:thinks?|likes?|loves?|hates?|knows?|remembers?|forgets?|"
    r"won'?t eat|(?:have|has|need|needs) to give (?:a|an|the) (?:talk|speech|presentation)|"
    r"call (?:it|them)|can'?t remember|can'?t recall|guess|(?:is|are) (?:doing|planning|"
    r"organi[sz]ing|redoing|renovating)|need help)"
)
_GOING: Final = r"(?:we|i)(?:'re|'m| are| am) (?:going|moving|flying|travelling) to"
# Clauses that say why, when or to whom; what may be seen is in the other clauses.
_ASIDES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        (
            rf", (?:i think |i guess )?(?:{_WHO}(?:'s|'re)?|that|those|these|it) (?:really |"
            rf"always |just |all |never |often |also )*"
            rf"(?:{_UNSEEN}|goes|go|fits?|suits?|matches|never fit)\b"
            r"[^,.;!?]*(?=$|[.;!?,])"
        ),
        # "She's 6 and loves yellow", "he's had enough of it", "he's into fishing so".
        r"(?:^|(?<=[.;!?,] )|, )(?:she|he)(?:'s| is) (?:only )?\d+(?: years old)?(?: and"
        r"[^,.;!?]*)?" + _END,
        (
            r", (?:she|he|they|i|we)(?:'s|'ve|'re| has| have) (?:had enough|tired|sick|fed up) of"
            r"[^,.;!?]*"
        ),
        r"(?:^|(?<=[.;!?,] ))(?:she|he)(?:'s| is) into [\w ]{1,30} so (?:maybe )?",
        rf"{_START}{_GOING} [^,.;!?]*" + _END,
        r"(?:^|, )(?:you know (?:the one|what i mean|which)|whatever (?:you call (?:it|them)|"
        r"(?:it|that)(?:'s| is) called)|(?:i )?can(?:no|')?t (?:remember|recall)(?: which)?|help|"
        r"if (?:that|it)(?:'s| is) not too much trouble|why not)" + _END,
        r" so (?:that )?(?:i|we|you) can \w+ [\w ]{1,30}" + _END,
        (
            r"(?:^|(?<=[.;!?] ))(?:ugh )?(?:these|those|they) (?:are|look) (?:all )?(?:so|too) "
            r"[\w-]+\. (?=\w)"
        ),
        r",? (?:people|they) always mix [\w ]+" + _END,
        r", it(?:'s| is) for (?:an?|the|my|our) [\w' -]{1,30}?(?=$|[.;!?]|,)",
        r", the [\w-]+ ones? (?:all )?(?:came|turned) out [\w ]+" + _END,
        r"(?:^|(?<=[.;!?] ))\d+ results? (?:is|are) (?:enough|fine|plenty)" + _END,
        r", (?:the kids|kids|we|they|i) (?:like|love|hate) (?:it|them|that|those)" + _END,
        r",? i hate (?:those|them|these)" + _END,
        r" (?:of course|lol)(?=,|$)",
    )
)
_HEDGE: Final = re.compile(
    r"(?:,? (?:maybe|perhaps|or so|or something|i guess|i think|i mean|lol)|"
    r" (?:is|are)(?: also)? (?:fine|ok|okay|great|good) too)" + _END
)
_REMOVE: Final = r"(?:leave out|lose|scrap|drop|ditch|remove|delete|skip|forget(?: about)?|scratch)"
# How people take back or turn round what they said, and the plain words for it.
_PLAINLY: Final = tuple(
    (re.compile(pattern), put)
    for pattern, put in (
        ((rf"{_START}(?:no|nah|nope|ok|wait|omg|oh|and|she just said|i said|,| )+"
         r"(?:but )?(?=(?:without|no|not|nothing|can you|could you|please) (?:\w))"), ""),
        (rf"{_START}(?:yes|yeah),? but (?=no [\w-]+s\b)", ""),
        (rf"{_START}(?P<no>no [\w-]+ (?P<noun>[\w-]+), )(?P<new>[\w-]+) is better" + _END,
         r"\g<no>\g<new> \g<noun>"),
        (rf"{_START}(?:actually|ok|oh|hm|no),? (?={_REMOVE} (?:the|that|those|all)\b)", ""),
        (rf"{_START}(?P<no>without [\w' -]+?),? (?:it|they|that) (?:is|was|were|are|looks?|"
         r"looked)(?: \w+)? (?:nicer|better|prettier|best)" + _END, r"\g<no>"),
        (rf"{_START}(?:no,? )?forget (?:that|it),? (?=(?:no|none|not|without)\b)", ""),
        (rf"{_START}(?:oh )?(?:and )?none of (?:them|those|these) with ", "no "),
        (rf"{_START}(?:no[, ]+)?(?:the )?{_THING} (?:was|were|is|are) (?:better|nicer|"
         r"best) after all" + _END, r"actually, \g<what>"),
        (rf"{_START}(?:no[, ]+)?(?:colour|color) after all(?:,|$)", "in colour."),
        (rf"{_START}(?:the )?other way (?:round|around),? (?=\w)", "actually, "),
        (r"\b(?P<no>(?:no|not) [\w-]+) (?:and )?(?=(?:no|not) [\w-]+(?:$|[,.;!?]))", r"\g<no>, "),
        (rf"{_START}(?:i )?changed my mind,? (?:an? )?{_THING} is what i (?:actually |really )?"
         r"(?:need|want)" + _END, r"something else: a \g<what>"),
        (rf"{_START}(?:never ?mind|forget) the [\w-]+\. (?=\w)", "something else: "),
        (rf"{_START}(?:next|now) i (?:need|want) (?=an? )", "next: "),
        (rf"{_START}actually,? i (?:need|want) (?P<what>an? [\w -]+?) instead" + _END,
         r"something else: \g<what>"),
        (r"\bone of them (?:with|has) ", "one with "),
        (r"\bwit(?:h)?out\b|\bwitout\b|\bwihtout\b", "without"),
    )
)  # fmt: skip


def retold(text: str) -> str:
    """A message without what explains or hedges, with takebacks as plain words.

    Args:
        text: In plain lower case.

    Returns:
        The message; as it was where nothing would be left of it.
    """
    told = text
    for pattern, put in _PLAINLY:
        told = pattern.sub(put, told)
    rest = told
    for aside in _ASIDES:
        rest = aside.sub("", rest)
    rest = _HEDGE.sub("", rest).strip(" ,;")
    return rest or told
